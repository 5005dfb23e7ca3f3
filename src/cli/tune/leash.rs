//! Workers as processes: started, replaced when they die, and stopped with the search that started them.
//!
//! A worker's standard input is a leash: it ends when the search dies, however it dies, and then the worker pauses.

use std::io::Read;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;

use crate::cli::experiment::INTERRUPT;

/// A worker that lives no longer than this did not begin to work.
const TOO_SHORT: Duration = Duration::from_secs(2);

/// Deaths of workers that did not begin to work, one after the other, that end the search.
const MOST_DEATHS: usize = 5;

/// Exit code of a worker that was asked for a pause.
const PAUSED: i32 = 130;

/// Worker processes of one study.
pub(super) struct Workers<'a> {
    root: &'a Path,
    study: &'a Path,
    running: Vec<(Child, Instant)>,
    deaths: usize,
    was_paused: bool,
}

/// How the workers are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// At least one works.
    Working,
    /// All ended: the study is done, or somebody asked one of them for a pause.
    Ended {
        /// Whether one was asked for a pause.
        paused: bool,
    },
}

impl<'a> Workers<'a> {
    /// Starts `n` workers.
    ///
    /// # Errors
    /// Where the system starts none.
    pub(super) fn start(root: &'a Path, study: &'a Path, n: usize) -> anyhow::Result<Self> {
        let mut workers = Self { root, study, running: Vec::new(), deaths: 0, was_paused: false };
        for _ in 0..n {
            workers.spawn()?;
        }
        Ok(workers)
    }

    /// Looks after the workers: one that was killed is replaced, one that ended is not.
    ///
    /// # Errors
    /// What a worker could not go on with, or when workers die as soon as they begin.
    pub(super) fn look(&mut self) -> anyhow::Result<State> {
        let mut idx = 0;
        while idx < self.running.len() {
            let (child, born) = &mut self.running[idx];
            let Some(status) = child.try_wait().context("cannot look after a worker")? else {
                idx += 1;
                continue;
            };
            let lived = born.elapsed();
            self.running.swap_remove(idx);
            self.bury(status, lived)?;
        }
        let ended = State::Ended { paused: self.was_paused };
        Ok(if self.running.is_empty() { ended } else { State::Working })
    }

    /// Asks all workers to pause and waits for them.
    pub(super) fn stop(&mut self) {
        for (child, _) in &mut self.running {
            drop(child.stdin.take());
        }
        for (child, _) in &mut self.running {
            let _ = child.wait();
        }
        self.running.clear();
    }

    fn bury(&mut self, status: ExitStatus, lived: Duration) -> anyhow::Result<()> {
        match status.code() {
            Some(0) => Ok(()),
            Some(PAUSED) => {
                self.was_paused = true;
                Ok(())
            }
            // Its message stands on stderr already.
            Some(code) => {
                anyhow::bail!("a worker ended with code {code}; the search goes on with the same command")
            }
            None => {
                self.deaths = if lived < TOO_SHORT { self.deaths + 1 } else { 0 };
                anyhow::ensure!(
                    self.deaths < MOST_DEATHS,
                    "workers are killed as soon as they begin; see the system's log"
                );
                self.spawn()
            }
        }
    }

    fn spawn(&mut self) -> anyhow::Result<()> {
        let program = std::env::current_exe().context("cannot find this program")?;
        let child = Command::new(program)
            .arg("--root")
            .arg(self.root)
            .args(["--quiet", "tune", "worker", "--leash", "--study"])
            .arg(self.study)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .context("cannot start a worker")?;
        self.running.push((child, Instant::now()));
        Ok(())
    }
}

impl Drop for Workers<'_> {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Pauses this worker when the search that started it is gone.
pub(super) fn hold() {
    std::thread::spawn(|| {
        let mut nothing = [0; 64];
        while std::io::stdin().read(&mut nothing).is_ok_and(|n| n > 0) {}
        INTERRUPT.interrupt();
    });
}
