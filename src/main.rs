//! The `fadecast` program.

use std::process::ExitCode;

/// mimalloc makes populations 2-3 times faster: training allocates and frees many large tensors.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    fadecast::cli::run()
}
