#!/bin/sh
# Reads 100,000 (or $1) damaged .mat files: none may panic, take more than 2 GiB of address space or 10 minutes in all.
set -eu
cd "$(dirname "$0")/.."
cargo test --release --locked --lib --no-run
ulimit -v 2097152
FADECAST_MUTANTS="${1:-100000}" timeout 600 cargo test --release --locked --lib mutants_ -- --nocapture
