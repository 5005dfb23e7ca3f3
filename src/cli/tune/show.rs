//! `fadecast tune show` and `best`: the trials of a search, as a table or as JSON.

use std::path::PathBuf;

use super::{Globals, drawn, read, title};
use crate::cli::experiment::shown;
use crate::cli::print;
use crate::report::search::table;
use crate::tuner::objective::ranked;
use crate::tuner::study::Study;

/// Shows all trials of a search, the best first; also while it runs.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Name of the search, or its folder.
    search: PathBuf,
}

/// Shows the best trials of a search.
#[derive(Debug, clap::Args)]
pub(super) struct BestArgs {
    /// Name of the search, or its folder.
    search: PathBuf,
    /// How many.
    #[arg(long, default_value_t = 5)]
    n: usize,
}

/// Runs `show`.
///
/// # Errors
/// Where there is no such search.
pub(super) fn run(args: &Args, globals: &Globals) -> anyhow::Result<()> {
    list(&args.search, usize::MAX, globals)
}

/// Runs `best`.
///
/// # Errors
/// Where there is no such search.
pub(super) fn best(args: &BestArgs, globals: &Globals) -> anyhow::Result<()> {
    list(&args.search, args.n, globals)
}

fn list(search: &std::path::Path, n: usize, globals: &Globals) -> anyhow::Result<()> {
    let studies = read(search, globals)?;
    if globals.json {
        let all: Vec<_> = studies.iter().map(|(_, study)| json(study, n, globals)).collect();
        return print(&serde_json::to_string(&all)?);
    }
    for (folder, study) in &studies {
        let name = title(folder, globals);
        let drawn = drawn(study, &name);
        let text = if n == usize::MAX { table::show(&drawn, usize::MAX) } else { table::best(&drawn, n) };
        print(&format!("{text}disk    {}\n\n", bytes(study.disk_bytes())))?;
    }
    Ok(())
}

fn json(study: &Study, n: usize, globals: &Globals) -> serde_json::Value {
    let order = ranked(study.trials(), study.objectives());
    let trials =
        if n == usize::MAX { study.trials().iter().collect() } else { order[..n.min(order.len())].to_vec() };
    serde_json::json!({
        "study": shown(study.folder(), &globals.root),
        "experiment": study.header().experiment,
        "objectives": study.objectives(),
        "oracle": study.config().oracle,
        "wanted": study.config().trials,
        "best": order.first().map(|t| &t.id),
        "disk_bytes": study.disk_bytes(),
        "trials": trials,
    })
}

/// Returns a size as people read it.
pub(super) fn bytes(n: u64) -> String {
    indicatif::HumanBytes(n).to_string()
}
