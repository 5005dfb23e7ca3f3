//! `fadecast tune worker`: works in a study that a search began; all that a scheduler needs.

use std::path::PathBuf;

use super::search::{Wanted, interrupted, work_in};
use super::view::View;
use super::{Globals, leash, title};
use crate::cli::experiment::catch_interrupt;
use crate::experiment::search::Plan;
use crate::tuner::study::{Ended, Study};

/// Works in a study beside other workers, on this machine or on others that share its folder.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Folder of the study (`tuner_results/EXPERIMENT`, or a part of it).
    #[arg(long, value_name = "DIR")]
    study: PathBuf,
    /// Ends after so many trials; without it, with the study.
    #[arg(long, value_name = "K")]
    count: Option<usize>,
    /// Pauses when standard input ends, as it does when the search that started this worker dies.
    #[arg(long, hide = true)]
    leash: bool,
}

/// Runs the verb.
///
/// # Errors
/// Whatever the study or the trainer says.
pub(super) fn run(args: &Args, globals: &Globals) -> anyhow::Result<()> {
    catch_interrupt()?;
    if args.leash {
        leash::hold();
    }
    let folder = super::only(&args.study, globals)?;
    let (plan, part) = Plan::of_study(&folder, &globals.root)?;
    let mut study = Study::read(&folder)?;
    let mut view = View::new(&title(&folder, globals), &study, globals.quiet);
    let mut trainer = plan.trainer(part);
    let wanted = Wanted { count: args.count };
    match work_in(&mut study, &mut trainer, &mut view, &wanted)? {
        Ended::Paused => Err(interrupted(&folder)),
        Ended::Complete | Ended::Exhausted | Ended::Counted => Ok(()),
    }
}
