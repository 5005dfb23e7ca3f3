//! `fadecast tune importance`: which settings decide, by a model of the trials.

use std::path::PathBuf;

use super::{Globals, drawn, read, title};
use crate::cli::experiment::shown;
use crate::cli::print;
use crate::file;
use crate::report::search::{Effect, history, importance as draw, parallel, slices, table};
use crate::tuner::importance::importance;

/// Shows how much of the objective each parameter explains, and draws all figures of the search by it.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Name of the search, or its folder.
    search: PathBuf,
}

/// Runs the verb.
///
/// # Errors
/// Where there is no such search, or too few trials.
pub(super) fn run(args: &Args, globals: &Globals) -> anyhow::Result<()> {
    let mut all = Vec::new();
    for (folder, study) in read(&args.search, globals)? {
        let name = title(&folder, globals);
        let search = drawn(&study, &name);
        let found = importance(&study.view(), &study.objectives()[0])?;
        let effects: Vec<Effect> =
            found.parameters.iter().map(|p| (p.name.clone(), p.first, p.total)).collect();
        let figures = folder.join("figures");
        file::create_folder(&figures)?;
        draw(&search, &effects).save(&figures.join("importance"))?;
        history(&search).save(&figures.join("history"))?;
        parallel(&search, &effects).save(&figures.join("parallel"))?;
        slices(&search, &effects).save(&figures.join("slices"))?;
        if !globals.json {
            let figures = shown(&figures, &globals.root);
            let fit = fit(found.r2, found.n_trials);
            print(&format!(
                "{}{fit}figures {}\n\n",
                table::importance(&search, &effects),
                figures.display()
            ))?;
        }
        let one = |(name, first, total): &Effect| serde_json::json!({ "name": name, "first": first, "total": total });
        let parameters: Vec<_> = effects.iter().map(one).collect();
        let study = shown(&folder, &globals.root);
        all.push(serde_json::json!({ "study": study, "r2": found.r2, "trials": found.n_trials, "parameters": parameters }));
    }
    if globals.json { print(&serde_json::to_string(&all)?) } else { Ok(()) }
}

/// Says how far the shares can be trusted.
fn fit(r2: f64, n_trials: usize) -> String {
    let doubt = if r2 < 0.3 { ": it knows them badly, the shares mean little" } else { "" };
    format!("fit     R2 {r2:.2} on trials that the model of {n_trials} did not see{doubt}\n")
}
