//! Runs of the registry as models that are served.

use std::path::Path;

use super::hosted::{Offer, Source};

/// Returns what is served for a run of the command line: `RUN` or `NAME=RUN`, below the working directory `root`.
pub fn offer(_root: &Path, run: &str) -> Offer {
    let (name, _run) = run.split_once('=').map_or((None, run), |(name, run)| (Some(name.to_owned()), run));
    Offer { name, source: Source::new(None, || Err("no registry yet".into())) }
}
