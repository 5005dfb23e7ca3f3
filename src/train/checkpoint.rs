//! Checkpoints: one file that holds all a fit needs to go on as if it had never stopped.
//!
//! The file is a safetensors file: `member/3/weights`, `.../memory`, `.../statistics`, `.../steps` and the same below
//! `best/3/`, with the position of the fit as JSON beside them. It is replaced atomically, so a kill leaves the old
//! one or the new one. Floating-point numbers in the JSON are stored as their bits: what is read is what was written.

use std::path::{Path, PathBuf};

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use serde::{Deserialize, Serialize};

use super::engine::MemberState;
use super::identity::{Identity, first_difference};
use super::progress::{MemberProgress, Progress};
use crate::file::{self, FileError};

/// Layout of the file; a change of any field or tensor name asks for the next number.
const VERSION: u32 = 2;

/// Key of the JSON in the metadata of the file.
const HEAD: &str = "fadecast_checkpoint";

/// Why a checkpoint cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckpointError {
    /// Occurs when the file cannot be read or written, or is no whole safetensors file.
    #[error(transparent)]
    File(#[from] FileError),
    /// Occurs when the tensors and the position in a file do not belong together.
    #[error("checkpoint `{path}` is damaged: {what}; start the run anew")]
    Damaged {
        /// File that was read.
        path: PathBuf,
        /// What is missing or differs.
        what: String,
    },
    /// Occurs when another version of the program wrote the file.
    #[error("checkpoint `{path}` has version {found}, this program reads {VERSION}; start the run anew")]
    Version {
        /// File that was read.
        path: PathBuf,
        /// Version that wrote it.
        found: u32,
    },
    /// Occurs when the file belongs to a fit with other settings, members, seeds or rows.
    #[error(
        "checkpoint `{path}` was written for another fit: {part} differ; resume what began it, or start anew"
    )]
    Identity {
        /// File that was read.
        path: PathBuf,
        /// What differs (`settings`, `rates, seed or rows of B0005/seed3`, ...).
        part: String,
    },
}

impl CheckpointError {
    /// Returns whether no fit at all can go on from the file: it is damaged, of another version or cannot be read.
    pub fn is_unusable(&self) -> bool {
        match self {
            Self::Damaged { .. } | Self::Version { .. } => true,
            Self::File(source) => matches!(source, FileError::Read { .. } | FileError::Parse { .. }),
            Self::Identity { .. } => false,
        }
    }
}

/// Head of the file.
#[derive(Debug, Serialize, Deserialize)]
struct Head {
    version: u32,
    identity: Identity,
    progress: Progress,
    /// Hash of the position and of the tensors.
    sha256: String,
}

/// Only the version, which every version of the head has.
#[derive(Debug, Deserialize)]
struct Version {
    version: u32,
}

/// Writes a checkpoint, atomically.
///
/// # Errors
/// [`CheckpointError::File`]; the old checkpoint, if any, is then untouched.
pub(crate) fn save(
    path: &Path,
    identity: &Identity,
    progress: &Progress,
    states: &[MemberState],
) -> Result<(), CheckpointError> {
    let tensors = tensors(progress, states);
    let mut head = Head {
        version: VERSION,
        identity: identity.clone(),
        progress: progress.clone(),
        sha256: String::new(),
    };
    head.sha256 = sha256(&head, tensors.iter().map(|t| t.bytes.as_slice()));
    let head = serde_json::to_string(&head).map_err(|e| FileError::parse(path, e))?;
    let views = tensors.iter().map(|t| Ok((t.name.as_str(), t.view()?)));
    let views: Vec<_> = views.collect::<Result<_, _>>().map_err(|e| parse(path, e))?;
    let metadata = [(HEAD.to_owned(), head)].into();
    let bytes = safetensors::serialize(views, Some(metadata)).map_err(|e| parse(path, e))?;
    Ok(file::write_atomic(path, &bytes)?)
}

/// Reads a checkpoint that `save` wrote for the same `identity`; `None` where there is no file.
///
/// # Errors
/// Every [`CheckpointError`].
pub(crate) fn load(
    path: &Path,
    identity: &Identity,
) -> Result<Option<(Progress, Vec<MemberState>)>, CheckpointError> {
    if !path.exists() {
        return Ok(None);
    }
    let bytes = file::read(path)?;
    let file = SafeTensors::deserialize(&bytes).map_err(|e| parse(path, e))?;
    let mut progress = read_head(path, &bytes, &file, identity)?.progress;
    let state = |folder: &str, i: usize| read_state(path, &file, &format!("{folder}/{i}"));
    let states = (0..progress.members.len()).map(|i| state("member", i)).collect::<Result<_, _>>()?;
    for (i, member) in progress.members.iter_mut().enumerate() {
        if let Some(best) = &mut member.best {
            best.state = state("best", i)?;
        }
    }
    Ok(Some((progress, states)))
}

fn read_head(
    path: &Path,
    bytes: &[u8],
    file: &SafeTensors<'_>,
    identity: &Identity,
) -> Result<Head, CheckpointError> {
    let (_, metadata) = SafeTensors::read_metadata(bytes).map_err(|e| parse(path, e))?;
    let head = metadata.metadata().as_ref().and_then(|m| m.get(HEAD));
    let head = head.ok_or_else(|| damaged(path, "it is no checkpoint"))?;
    let Version { version: found } = serde_json::from_str(head).map_err(|e| FileError::parse(path, e))?;
    if found != VERSION {
        return Err(CheckpointError::Version { path: path.into(), found });
    }
    let head: Head = serde_json::from_str(head).map_err(|e| FileError::parse(path, e))?;
    let mut names = file.names();
    names.sort_unstable();
    let data: Vec<_> = names.iter().filter_map(|n| file.tensor(n).ok()).collect();
    if sha256(&head, data.iter().map(TensorView::data)) != head.sha256 {
        return Err(damaged(path, "its numbers are not those that were written"));
    }
    match first_difference(&head.identity, identity) {
        Some(part) => Err(CheckpointError::Identity { path: path.into(), part }),
        None => Ok(head),
    }
}

/// One tensor on its way to the file.
struct Tensor {
    name: String,
    dtype: Dtype,
    bytes: Vec<u8>,
}

impl Tensor {
    fn of_floats(name: String, values: &[f32]) -> Self {
        let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        Self { name, dtype: Dtype::F32, bytes }
    }

    fn view(&self) -> Result<TensorView<'_>, safetensors::SafeTensorError> {
        TensorView::new(self.dtype, vec![8 * self.bytes.len() / self.dtype.bitsize()], &self.bytes)
    }
}

/// Returns all tensors of a checkpoint in the order of their names.
fn tensors(progress: &Progress, states: &[MemberState]) -> Vec<Tensor> {
    let of_best = |(i, m): (usize, &MemberProgress)| {
        m.best.as_ref().map_or_else(Vec::new, |b| state_tensors(&format!("best/{i}"), &b.state))
    };
    let best = progress.members.iter().enumerate().flat_map(of_best);
    let of_state = |(i, s): (usize, &MemberState)| state_tensors(&format!("member/{i}"), s);
    let mut tensors: Vec<_> = best.chain(states.iter().enumerate().flat_map(of_state)).collect();
    tensors.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    tensors
}

fn state_tensors(folder: &str, state: &MemberState) -> Vec<Tensor> {
    let steps = state.steps.to_le_bytes().to_vec();
    vec![
        Tensor::of_floats(format!("{folder}/memory"), &state.memory),
        Tensor::of_floats(format!("{folder}/statistics"), &state.statistics),
        Tensor { name: format!("{folder}/steps"), dtype: Dtype::U64, bytes: steps },
        Tensor::of_floats(format!("{folder}/weights"), &state.weights),
    ]
}

fn read_state(path: &Path, file: &SafeTensors<'_>, folder: &str) -> Result<MemberState, CheckpointError> {
    let bytes = |name: &str| {
        let name = format!("{folder}/{name}");
        file.tensor(&name).map(|t| t.data()).map_err(|_| damaged(path, format!("`{name}` is missing")))
    };
    let floats = |name: &str| -> Result<Vec<f32>, CheckpointError> {
        let (values, _) = bytes(name)?.as_chunks();
        Ok(values.iter().map(|v| f32::from_le_bytes(*v)).collect())
    };
    let steps = bytes("steps")?.first_chunk().map(|v| u64::from_le_bytes(*v));
    Ok(MemberState {
        weights: floats("weights")?,
        memory: floats("memory")?,
        statistics: floats("statistics")?,
        steps: steps.ok_or_else(|| damaged(path, format!("`{folder}/steps` is empty")))?,
    })
}

/// Returns the hash of the hashes of head and tensors, so that bytes cannot move from one to the next.
fn sha256<'a>(head: &Head, tensors: impl Iterator<Item = &'a [u8]>) -> String {
    let written = serde_json::to_vec(&(&head.identity, &head.progress));
    let written = written.expect("plain values with text keys have a JSON form");
    let mut hashes = vec![file::sha256_bytes(&written)];
    hashes.extend(tensors.map(file::sha256_bytes));
    file::sha256_bytes(hashes.concat().as_bytes())
}

fn parse(path: &Path, source: safetensors::SafeTensorError) -> CheckpointError {
    FileError::parse(path, source).into()
}

fn damaged(path: &Path, what: impl Into<String>) -> CheckpointError {
    CheckpointError::Damaged { path: path.into(), what: what.into() }
}

/// Stores an `f64` as its bits: exact, infinities and NaN included.
pub(crate) mod bits {
    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for a reference")]
    pub(crate) fn serialize<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(value.to_bits())
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        u64::deserialize(deserializer).map(f64::from_bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::io::Write;

    use crate::train::StopReason;
    use crate::train::progress::Best;
    use proptest::prelude::*;

    fn state(values: &[f32], steps: u64) -> MemberState {
        MemberState { weights: values.to_vec(), memory: values.repeat(2), statistics: vec![], steps }
    }

    /// Two members, one with best weights, in the middle of epoch 3.
    fn example(values: &[f32], loss_sum: f64) -> (Progress, Vec<MemberState>) {
        let best = Best { epoch: 2, validation_loss: -loss_sum, state: state(values, 7) };
        let first =
            MemberProgress { loss_sum, n_rows: 5, n_epochs: 2, best: Some(best), ..Default::default() };
        let second = MemberProgress { stop: Some(StopReason::Diverged { epoch: 1 }), ..Default::default() };
        let progress = Progress { epoch: 3, step: 4, members: vec![first, second] };
        (progress, vec![state(values, 11), state(&[f32::INFINITY], u64::MAX)])
    }

    fn identity(config: &str) -> Identity {
        [("settings".to_owned(), config.to_owned())].into()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn what_is_read_is_what_was_written(values: Vec<f32>, loss_sum: f64) {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("checkpoint");
            let (progress, states) = example(&values, loss_sum);
            save(&path, &identity("a"), &progress, &states).unwrap();
            prop_assert_eq!(load(&path, &identity("a")).unwrap().unwrap(), (progress, states));
        }
    }

    #[test]
    fn nothing_to_read_is_nothing() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(load(&folder.path().join("checkpoint"), &identity("a")).unwrap(), None);
    }

    #[test]
    fn another_config_or_version_is_refused_with_its_reason() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint");
        let (progress, states) = example(&[1.0], 0.5);
        save(&path, &identity("a"), &progress, &states).unwrap();
        let refused = load(&path, &identity("b")).unwrap_err();
        assert!(refused.to_string().contains("settings differ"), "{refused}");
        let head = r#"{"version":99}"#.to_owned();
        let none: [(&str, TensorView<'_>); 0] = [];
        let other = safetensors::serialize(none, Some([(HEAD.to_owned(), head)].into())).unwrap();
        file::write_atomic(&path, &other).unwrap();
        let refused = load(&path, &identity("a")).unwrap_err();
        assert!(matches!(refused, CheckpointError::Version { found: 99, .. }), "{refused}");
    }

    #[test]
    fn no_truncation_and_no_flipped_byte_gives_other_numbers() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint");
        let written = example(&[1.0, -2.0], 0.5);
        save(&path, &identity("a"), &written.0, &written.1).unwrap();
        let whole = file::read(&path).unwrap();
        let load_bytes = |bytes: &[u8]| {
            File::create(&path).and_then(|mut f| f.write_all(bytes)).unwrap();
            load(&path, &identity("a"))
        };
        for n_bytes in 0..whole.len() {
            let error = load_bytes(&whole[..n_bytes]).expect_err("it is cut off");
            assert!(error.is_unusable(), "first {n_bytes} bytes: {error}");
        }
        for at in 0..whole.len() {
            let mut flipped = whole.clone();
            flipped[at] ^= 1 << (at % 8);
            match load_bytes(&flipped) {
                // Such as the name of a key beside which stands what it is without one.
                Ok(read) => assert_eq!(read.as_ref(), Some(&written), "byte {at}"),
                Err(error) => assert!(error.is_unusable(), "byte {at}: {error}"),
            }
        }
    }
}
