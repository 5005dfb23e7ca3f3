//! What the verbs on experiments share: finding the file, showing progress, catching Ctrl-C.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::experiment::{ExperimentConfig, parse};
use crate::file::FileError;
use crate::train::{EpochReport, Interrupt, Observe};

/// The experiment that runs when none is named, on the embedded fleet.
pub(super) const QUICKSTART: &str = include_str!("../../experiments/quickstart.toml");

/// Set by Ctrl-C; fits look at it after each step.
pub(super) static INTERRUPT: Interrupt = Interrupt::new();

/// Flags that lie over an experiment file.
#[derive(Debug, clap::Args)]
pub(super) struct Overrides {
    /// Root of every random stream, instead of the file's.
    #[arg(long)]
    pub(super) seed: Option<u64>,
    /// Sets a key of the experiment (`--set train.epochs=50`); may be repeated.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub(super) set: Vec<String>,
}

/// Reads an experiment, or the embedded quickstart; returns its name and settings.
///
/// # Errors
/// Every problem of the file at once.
pub(super) fn read(path: Option<&Path>, overrides: &Overrides) -> anyhow::Result<(String, ExperimentConfig)> {
    let mut set = overrides.set.clone();
    set.extend(overrides.seed.map(|seed| format!("seed={seed}")));
    let Some(path) = path else {
        return Ok(("quickstart".into(), parse::parse(QUICKSTART, "the embedded quickstart", &set)?));
    };
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    Ok((name, parse::read(path, &set)?))
}

/// Makes Ctrl-C ask running fits for a pause instead of ending the program.
///
/// # Errors
/// Where the system refuses the handler.
pub(super) fn catch_interrupt() -> anyhow::Result<()> {
    ctrlc::set_handler(|| INTERRUPT.interrupt()).context("cannot catch Ctrl-C")
}

/// Returns the time for the name of a run and for its record.
pub(super) fn stamp() -> (String, String) {
    let now = chrono::Utc::now();
    (now.format("%Y%m%d-%H%M%S").to_string(), now.to_rfc3339_opts(chrono::SecondsFormat::Secs, true))
}

/// Returns a path as people write it.
pub(super) fn shown(path: &Path, root: &Path) -> PathBuf {
    path.strip_prefix(root).unwrap_or(path).to_path_buf()
}

/// A progress bar over epochs, or over models that have none.
pub(super) struct Progress {
    bar: ProgressBar,
    drawn: Instant,
}

impl Progress {
    /// Returns a bar on stderr, hidden when `quiet`.
    pub(super) fn new(label: &str, epochs: u32, quiet: bool) -> Self {
        let target = if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let bar = ProgressBar::with_draw_target(Some(u64::from(epochs)), target);
        bar.set_style(style("epoch"));
        bar.set_prefix(label.to_owned());
        Self { bar, drawn: Instant::now() }
    }
}

impl Observe for Progress {
    fn begin(&mut self, epoch: u32) -> Result<(), FileError> {
        self.bar.set_position(u64::from(epoch.saturating_sub(1)));
        self.bar.reset_eta();
        Ok(())
    }

    fn epoch_finished(&mut self, report: &EpochReport<'_>) -> Result<(), FileError> {
        let is_last = report.epoch == report.epochs;
        if self.drawn.elapsed() > Duration::from_millis(100) || is_last {
            self.drawn = Instant::now();
            let mean = |values: Vec<f64>| values.iter().sum::<f64>() / values.len().max(1) as f64;
            let train = mean(report.members.iter().map(|m| m.train_loss).filter(|l| l.is_finite()).collect());
            let valid: Vec<f64> = report.members.iter().filter_map(|m| m.validation_loss).collect();
            let valid =
                if valid.is_empty() { String::new() } else { format!("  validation {:.4}", mean(valid)) };
            self.bar.set_message(format!("loss {train:.4}{valid}"));
            self.bar.set_position(u64::from(report.epoch));
        }
        Ok(())
    }

    fn fitted(&mut self, done: usize, total: usize) -> Result<(), FileError> {
        if self.bar.length() != Some(total as u64) {
            self.bar.set_length(total as u64);
        }
        self.bar.set_style(style("model"));
        self.bar.set_position(done as u64);
        Ok(())
    }
}

/// Returns the look of a bar that counts `what`.
fn style(what: &str) -> ProgressStyle {
    let template = format!("{{prefix:<10}} {{bar:32}} {what} {{pos}}/{{len}}  {{msg}}  eta {{eta}}");
    ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
