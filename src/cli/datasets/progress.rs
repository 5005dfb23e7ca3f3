//! The progress of an import or a download, on stderr.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::cli::Globals;
use crate::dataset::import::Step;

const DOWNLOAD: &str = "download {bar:32} {bytes}/{total_bytes}  {bytes_per_sec}  eta {eta}";
const FILES: &str = "read     {bar:32} {pos}/{len}  {msg}";
const PIECES: &str = "read     {spinner} {pos}  {msg}  {elapsed}";
const WRITE: &str = "write    {spinner} {msg}  {elapsed}";

/// A bar that follows the steps of an import.
pub(super) struct Progress {
    bar: ProgressBar,
    template: &'static str,
    n_files: Option<u64>,
}

impl Progress {
    /// Returns a bar on stderr, hidden when that is wanted; `n_files` where each file is one piece.
    pub(super) fn new(globals: &Globals, n_files: Option<u64>) -> Self {
        let target = if globals.quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let progress = Self { bar: ProgressBar::with_draw_target(n_files, target), template: "", n_files };
        progress.bar.enable_steady_tick(Duration::from_millis(100));
        progress
    }

    /// Shows a step.
    pub(super) fn show(&mut self, step: Step<'_>) {
        match step {
            Step::Download(bytes, total) => {
                self.style(DOWNLOAD);
                self.bar.set_length(total.unwrap_or(bytes));
                self.bar.set_position(bytes);
            }
            Step::Unpacked(name) => self.piece(PIECES, name),
            Step::Read(name) => self.piece(if self.n_files.is_some() { FILES } else { PIECES }, name),
            Step::Write(n_cells) => {
                self.style(WRITE);
                self.bar.set_message(super::counted(n_cells as u64, "cell"));
            }
        }
    }

    fn piece(&mut self, template: &'static str, name: &str) {
        self.style(template);
        self.bar.set_message(name.to_owned());
        self.bar.inc(1);
    }

    fn style(&mut self, template: &'static str) {
        if self.template != template
            && let Ok(style) = ProgressStyle::with_template(template)
        {
            self.template = template;
            self.bar.reset();
            self.bar.set_style(style);
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Returns a bar over the cells that a verb makes or computes, with the time that is left.
pub(in crate::cli) fn cells_bar(verb: &'static str, n_cells: u64, globals: &Globals) -> ProgressBar {
    let target = if globals.quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let bar = ProgressBar::with_draw_target(Some(n_cells), target).with_prefix(verb);
    if let Ok(style) =
        ProgressStyle::with_template("{prefix:8} {bar:32} {pos}/{len} cells  {elapsed}  eta {eta}")
    {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}
