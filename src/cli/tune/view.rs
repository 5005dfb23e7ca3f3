//! The live view of a search, on stderr: trials done, the best so far, what runs now, disk and the time left.

use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::tuner::objective::ranked;
use crate::tuner::study::{Study, Watch};
use crate::tuner::{Status, Trial};

const TRIALS: &str = "{prefix:<10} {bar:32} {pos}/{len} trials  {msg}";
const EPOCHS: &str = "{prefix:<10} {bar:32} epoch {pos}/{len}  {msg}";

/// Least time between two drawings.
const REFRESH: Duration = Duration::from_millis(150);

/// Shows one study, drawn by its only worker or by who watches several.
pub(super) struct View {
    lines: MultiProgress,
    total: ProgressBar,
    running: Vec<ProgressBar>,
    begun: Instant,
    drawn: Instant,
    disk: (Instant, u64),
    done_before: usize,
}

impl View {
    /// Returns a view of a study as it is now, hidden when `quiet`.
    pub(super) fn new(label: &str, study: &Study, quiet: bool) -> Self {
        let target = if quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
        let lines = MultiProgress::with_draw_target(target);
        let total = lines.add(bar(TRIALS, label));
        let now = Instant::now();
        let done_before = done(study);
        let mut view = Self {
            lines,
            total,
            running: Vec::new(),
            begun: now,
            drawn: now,
            disk: (now, study.disk_bytes()),
            done_before,
        };
        view.draw(study);
        view
    }

    /// Draws what a study says of itself and of its workers.
    pub(super) fn poll(&mut self, study: &Study) {
        self.draw(study);
        let batches = study.running();
        self.lines_for(batches.len());
        for (line, batch) in self.running.iter().zip(&batches) {
            let names: Vec<&str> =
                batch.lease.trials.iter().filter_map(|n| Some(study.trials().get(*n)?.id.as_str())).collect();
            let beat = batch.beat.clone().unwrap_or_default();
            show(line, &names, beat.epoch, beat.epochs, beat.loss);
        }
    }

    /// Tells what somebody should know, above the bars.
    pub(super) fn warn(&self, text: &str) {
        if self.lines.println(format!("warning: {text}")).is_err() || self.lines.is_hidden() {
            let _ =
                std::io::Write::write_all(&mut std::io::stderr(), format!("warning: {text}\n").as_bytes());
        }
    }

    fn lines_for(&mut self, n: usize) {
        while self.running.len() < n {
            self.running.push(self.lines.add(bar(EPOCHS, "")));
        }
        for line in self.running.drain(n..) {
            line.finish_and_clear();
        }
    }

    fn draw(&mut self, study: &Study) {
        if self.disk.0.elapsed() > Duration::from_secs(5) {
            self.disk = (Instant::now(), study.disk_bytes());
        }
        let trials = study.trials();
        let count = |status| trials.iter().filter(|t| t.status == status).count();
        let (running, failed) = (count(Status::Running), count(Status::Failed));
        let mut parts = vec![best(study)];
        parts.extend((running > 0).then(|| format!("{running} running")));
        parts.extend((failed > 0).then(|| format!("{failed} failed")));
        parts.push(format!("disk {}", super::show::bytes(self.disk.1)));
        parts.extend(self.time_left(study).map(|s| format!("eta {s}")));
        self.total.set_length(study.config().trials as u64);
        self.total.set_position(done(study) as u64);
        self.total.set_message(parts.join(" · "));
    }

    /// Returns the time that the trials to come take if they take as long as those of this process.
    fn time_left(&self, study: &Study) -> Option<String> {
        let n_new = done(study).checked_sub(self.done_before).filter(|n| *n > 0)?;
        let left = study.config().trials.saturating_sub(done(study));
        let seconds = self.begun.elapsed().as_secs_f64() / n_new as f64 * left as f64;
        Some(if seconds < 90.0 { format!("{seconds:.0} s") } else { format!("{:.0} min", seconds / 60.0) })
    }
}

impl Watch for View {
    fn started(&mut self, study: &Study, trials: &[usize]) {
        self.draw(study);
        self.lines_for(1);
        self.running[0].set_prefix(format!("trial {}", names(study, trials).join(",")));
    }

    fn beat(&mut self, _trials: &[usize], epoch: u32, epochs: u32, loss: Option<f64>) {
        if self.drawn.elapsed() < REFRESH {
            return;
        }
        self.drawn = Instant::now();
        if let Some(line) = self.running.first() {
            show_epoch(line, epoch, epochs, loss);
        }
    }

    fn finished(&mut self, study: &Study, _trials: &[usize]) {
        self.draw(study);
    }

    fn waiting(&mut self, study: &Study) {
        self.poll(study);
    }

    fn warned(&mut self, text: &str) {
        self.warn(text);
    }
}

impl Drop for View {
    fn drop(&mut self) {
        self.lines_for(0);
        self.total.finish_and_clear();
    }
}

fn bar(template: &str, label: &str) -> ProgressBar {
    let bar = ProgressBar::new(1);
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.set_prefix(label.to_owned());
    bar
}

fn show(line: &ProgressBar, names: &[&str], epoch: u32, epochs: u32, loss: Option<f64>) {
    line.set_prefix(format!("trial {}", names.join(",")));
    show_epoch(line, epoch, epochs, loss);
}

fn show_epoch(line: &ProgressBar, epoch: u32, epochs: u32, loss: Option<f64>) {
    line.set_length(u64::from(epochs.max(1)));
    line.set_position(u64::from(epoch));
    line.set_message(loss.map_or_else(String::new, |l| format!("loss {l:.4}")));
}

fn names<'a>(study: &'a Study, trials: &[usize]) -> Vec<&'a str> {
    trials.iter().filter_map(|n| Some(study.trials().get(*n)?.id.as_str())).collect()
}

fn done(study: &Study) -> usize {
    study.trials().iter().filter(|t| t.status != Status::Running).count()
}

fn best(study: &Study) -> String {
    let ranked: Vec<&Trial> = ranked(study.trials(), study.objectives());
    let Some(best) = ranked.first() else { return "no result yet".into() };
    let metric = |o: &crate::tuner::Objective| Some(format!("{} {:.4}", o.metric, best.metric(&o.metric)?));
    let metrics: Vec<String> = study.objectives().iter().filter_map(metric).collect();
    format!("best {} (trial {})", metrics.join(", "), best.id)
}
