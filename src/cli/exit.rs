//! What an error looks like to the person and to the shell.

use crate::dataset::import::ImportError;
use crate::dataset::store::StoreError;
use crate::descriptor::early::matrix::UnknownName;
use crate::device::DeviceError;
use crate::experiment::ExperimentError;
use crate::experiment::parse::ConfigError;
use crate::experiment::search::SearchError;
use crate::export::ExportError;
use crate::predict::PredictError;
use crate::registry::RegistryError;
use crate::serve::ServeError;
use crate::simulate::FleetError;
use crate::tuner::study::StudyError;

/// Exit code when a run failed.
const FAILED: u8 = 1;

/// Exit code when the command or an experiment file is wrong; clap's own.
const USAGE: u8 = 2;

/// Exit code after Ctrl-C: 128 and the number of SIGINT, as shells count.
const INTERRUPTED: u8 = 130;

/// Returns the error and its causes, one a line.
pub(super) fn message(error: &anyhow::Error) -> String {
    let mut lines = vec![format!("error: {error}")];
    for cause in error.chain().skip(1).map(ToString::to_string) {
        // A transparent error repeats what it wraps.
        if !lines.last().is_some_and(|last| last.ends_with(&cause)) {
            lines.push(format!("  because: {cause}"));
        }
    }
    lines.join("\n")
}

/// Returns the exit code of an error.
pub(super) fn code(error: &anyhow::Error) -> u8 {
    error
        .chain()
        .find_map(|e| {
            let predict = || e.downcast_ref().and_then(of_predict);
            e.downcast_ref()
                .and_then(of_experiment)
                .or_else(|| e.downcast_ref().and_then(of_search))
                .or_else(predict)
                .or_else(|| e.downcast_ref().and_then(of_registry))
        })
        .unwrap_or_else(|| {
            let wrong = error.chain().any(|e| {
                e.is::<ConfigError>()
                    || e.is::<DeviceError>()
                    || e.is::<FleetError>()
                    || e.is::<UnknownName>()
                    || e.downcast_ref().is_some_and(is_of_export)
                    || e.downcast_ref().is_some_and(ServeError::is_usage)
                    || e.downcast_ref().is_some_and(|e| matches!(e, StoreError::Name { .. }))
                    || e.downcast_ref()
                        .is_some_and(|e| matches!(e, ImportError::Store(StoreError::Name { .. })))
            });
            if wrong { USAGE } else { FAILED }
        })
}

/// A transparent variant hides what it wraps from the chain, so it is looked at here.
fn of_experiment(error: &ExperimentError) -> Option<u8> {
    match error {
        ExperimentError::Interrupted { .. }
        | ExperimentError::SearchInterrupted { .. }
        | ExperimentError::Stopped => Some(INTERRUPTED),
        ExperimentError::Config(_)
        | ExperimentError::UnknownName(_)
        | ExperimentError::Device(_)
        | ExperimentError::Start(_)
        | ExperimentError::UnknownCell { .. }
        | ExperimentError::UnexplainedCell { .. } => Some(USAGE),
        _ => None,
    }
}

fn of_predict(error: &PredictError) -> Option<u8> {
    match error {
        PredictError::Interrupted => Some(INTERRUPTED),
        PredictError::Level { .. } => Some(USAGE),
        _ => None,
    }
}

fn of_registry(error: &RegistryError) -> Option<u8> {
    if let RegistryError::Experiment(e) = error { of_experiment(e) } else { None }
}

fn of_search(error: &SearchError) -> Option<u8> {
    match error {
        SearchError::Experiment(e) => of_experiment(e),
        SearchError::Study(StudyError::Differs { .. } | StudyError::Misfit { .. })
        | SearchError::Project(_)
        | SearchError::Import(_) => Some(USAGE),
        SearchError::Study(_) => None,
    }
}

/// Returns whether other options would help: no level, format or name of that kind.
fn is_of_export(error: &ExportError) -> bool {
    !matches!(error, ExportError::SameName { .. } | ExportError::Library { .. })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::file::FileError;

    fn full_disk() -> std::io::Error {
        std::io::Error::from(std::io::ErrorKind::StorageFull)
    }

    #[test]
    fn the_code_says_whose_fault_it_is() {
        let interrupted = ExperimentError::Interrupted { run: "models/a/b".into() };
        let device = DeviceError::UnknownName { name: "cuda".into() };
        let cases = [
            (anyhow::Error::from(interrupted), 130),
            (ExperimentError::Stopped.into(), 130),
            (ExperimentError::from(device.clone()).into(), 2),
            (device.into(), 2),
            (StoreError::Name { name: "/".into() }.into(), 2),
            (ImportError::from(StoreError::Name { name: "/".into() }).into(), 2),
            (StoreError::Exists { name: "a".into() }.into(), 1),
            (FleetError::Chemistry.into(), 2),
            (ServeError::NoModel.into(), 2),
            (FileError::write("a", full_disk()).into(), 1),
        ];
        for (error, expected) in cases {
            assert_eq!(code(&error), expected, "{error}");
            assert_eq!(code(&error.context("while")), expected);
        }
    }

    #[test]
    fn a_cause_stands_on_a_line_of_its_own_and_once() {
        let error = anyhow::Error::from(StoreError::from(FileError::write("a", full_disk())));
        let text = message(&error);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "error: cannot write `a`; what was there before is unchanged");
        assert_eq!(lines[1..], [format!("  because: {}", full_disk())]);
    }
}
