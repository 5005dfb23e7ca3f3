//! Signs of life: a worker holds a lock while its process lives, and counts beats while it is not hung.
//!
//! Nobody compares clocks: a watcher measures, by its own monotonic clock, how long another's count stood still. So a
//! clock that goes backwards, a suspended machine or a copied folder takes no batch from a worker that is at work.
//! This is the one place of the library that reads a clock; no result depends on it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::error::StudyError;
use super::lock::Lock;
use crate::file::{self, FileError};

const WORKERS: &str = "workers";
/// Most seconds between two beats; they also tell the epoch to whoever looks.
const LONGEST_BEAT_S: f64 = 1.0;
/// Beats in the time after which a worker that stands still is taken for hung.
const BEATS_A_LEASE: f64 = 10.0;

/// What a worker says while it works.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Beat {
    /// Beats until now.
    pub beats: u64,
    /// Batch that it evaluates.
    pub lease: Option<u64>,
    /// Last epoch that ended, from 1; 0 before.
    pub epoch: u32,
    /// Epochs of the batch.
    pub epochs: u32,
    /// Mean loss of that epoch, if it is a number.
    pub loss: Option<f64>,
}

/// A clock that only goes forward, and waits.
pub(super) trait Clock {
    /// Returns the time since some fixed moment.
    fn now(&self) -> Duration;
    /// Returns after about `time`.
    fn wait(&self, time: Duration);
}

/// The clock of the operating system.
#[derive(Debug)]
pub(super) struct Monotonic(Instant);

impl Default for Monotonic {
    fn default() -> Self {
        Self(Instant::now())
    }
}

impl Clock for Monotonic {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }

    fn wait(&self, time: Duration) {
        std::thread::sleep(time);
    }
}

/// The signs of life of this worker, until it is dropped.
#[derive(Debug)]
pub(super) struct Heart {
    beat: Arc<Mutex<Beat>>,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
    path: PathBuf,
    lock_path: PathBuf,
    _alive: Lock,
}

impl Heart {
    /// Registers `worker`, under the study's lock; it beats by itself several times in `lease_s` seconds.
    pub(super) fn start(folder: &Path, worker: &str, lease_s: f64) -> Result<Self, StudyError> {
        file::create_folder(&folder.join(WORKERS))?;
        let lock_path = lock_path(folder, worker);
        let alive = Lock::take(&lock_path)?
            .ok_or_else(|| StudyError::Twin { folder: folder.into(), worker: worker.into() })?;
        let (stop, stopped) = mpsc::channel();
        let beat = Arc::new(Mutex::new(Beat::default()));
        let path = beat_path(folder, worker);
        write(&path, &lock(&beat))?;
        let (shared, target, pause) = (Arc::clone(&beat), path.clone(), pause(lease_s));
        let thread = std::thread::spawn(move || {
            while stopped.recv_timeout(pause) == Err(RecvTimeoutError::Timeout) {
                let now = {
                    let mut beat = lock(&shared);
                    beat.beats += 1;
                    beat.clone()
                };
                // A beat that a full disk swallows is no reason to stop training.
                let _ = write(&target, &now);
            }
        });
        Ok(Self { beat, stop: Some(stop), thread: Some(thread), path, lock_path, _alive: alive })
    }

    /// Says which batch is evaluated now; that none is, is told with the next beat.
    pub(super) fn works_on(&self, lease: Option<u64>) {
        let mut beat = lock(&self.beat);
        *beat = Beat { beats: beat.beats + 1, lease, ..Beat::default() };
        if lease.is_some() {
            let _ = write(&self.path, &beat);
        }
    }

    /// Says how far the batch is; it is told with the next beat.
    pub(super) fn reached(&self, epoch: u32, epochs: u32, loss: Option<f64>) {
        let mut beat = lock(&self.beat);
        (beat.epoch, beat.epochs, beat.loss) = (epoch, epochs, loss.filter(|l| l.is_finite()));
    }
}

impl Drop for Heart {
    fn drop(&mut self) {
        drop(self.stop.take());
        let _ = self.thread.take().map(JoinHandle::join);
        // What stays behind is swept by the next worker.
        let _ = file::remove_file(&self.path).and_then(|()| file::remove_file(&self.lock_path));
    }
}

/// Tells workers that are at work from dead and from hung ones.
pub(super) struct Watcher<'a> {
    clock: &'a dyn Clock,
    seen: BTreeMap<String, (u64, Duration)>,
}

impl<'a> Watcher<'a> {
    pub(super) fn new(clock: &'a dyn Clock) -> Self {
        Self { clock, seen: BTreeMap::new() }
    }

    /// Returns whether `worker` is dead, or has stood still for `lease_s` seconds of this watcher's clock.
    pub(super) fn is_gone(&mut self, folder: &Path, worker: &str, lease_s: f64) -> Result<bool, StudyError> {
        if is_dead(folder, worker)? {
            return Ok(true);
        }
        let beats = beat(folder, worker).map_or(0, |b| b.beats);
        let now = self.clock.now();
        let (last, since) = self.seen.entry(worker.to_owned()).or_insert((beats, now));
        if *last != beats {
            (*last, *since) = (beats, now);
        }
        Ok(now.saturating_sub(*since).as_secs_f64() > lease_s)
    }
}

/// Returns what a worker said last, if it can be read.
pub(super) fn beat(folder: &Path, worker: &str) -> Option<Beat> {
    file::read_json(&beat_path(folder, worker)).ok()
}

/// Removes the files of dead workers, under the study's lock.
pub(super) fn sweep(folder: &Path) -> Result<(), StudyError> {
    let entries = std::fs::read_dir(folder.join(WORKERS)).into_iter().flatten().filter_map(Result::ok);
    let mut names: Vec<String> = entries.map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    let workers: Vec<String> = names.iter().filter_map(|n| n.strip_suffix(".lock")).map(Into::into).collect();
    for worker in workers {
        if !is_dead(folder, &worker)? {
            // What lives keeps its files, also the one that is being written.
            names.retain(|n| !n.trim_start_matches('.').starts_with(&format!("{worker}.")));
        }
    }
    Ok(names.iter().try_for_each(|name| file::remove_file(&folder.join(WORKERS).join(name)))?)
}

fn is_dead(folder: &Path, worker: &str) -> Result<bool, StudyError> {
    let path = lock_path(folder, worker);
    Ok(!path.exists() || Lock::take(&path)?.is_some())
}

fn lock_path(folder: &Path, worker: &str) -> PathBuf {
    folder.join(WORKERS).join(format!("{worker}.lock"))
}

fn beat_path(folder: &Path, worker: &str) -> PathBuf {
    folder.join(WORKERS).join(format!("{worker}.json"))
}

fn pause(lease_s: f64) -> Duration {
    let seconds = (lease_s / BEATS_A_LEASE).clamp(0.01, LONGEST_BEAT_S);
    Duration::from_secs_f64(if seconds.is_nan() { LONGEST_BEAT_S } else { seconds })
}

fn write(path: &Path, beat: &Beat) -> Result<(), FileError> {
    let text = serde_json::to_vec(beat).map_err(|e| FileError::parse(path, e))?;
    file::write_passing(path, &text)
}

/// What a thread that panicked left is a whole beat all the same.
fn lock(beat: &Mutex<Beat>) -> MutexGuard<'_, Beat> {
    beat.lock().unwrap_or_else(PoisonError::into_inner)
}
