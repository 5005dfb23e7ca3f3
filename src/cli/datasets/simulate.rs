//! `fadecast datasets simulate`: a fleet of simulated cells as a dataset.

use super::progress::cells_bar;
use crate::cell::Chemistry;
use crate::cli::experiment::stamp;
use crate::cli::{Globals, print};
use crate::dataset::store::{OnExisting, Store};
use crate::seed::Seed;
use crate::simulate::{self, Campaign, EarlyTest, FleetConfig, StoredAs};

/// What fleet to simulate, and as what.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Name of the dataset.
    name: String,
    /// Number of cells.
    #[arg(long, default_value_t = 30)]
    cells: usize,
    /// Longest test [cycles]; a cell that loses 30 % of its capacity ends before.
    #[arg(long, default_value_t = 100)]
    cycles: u32,
    /// First cycles, each of which is recorded; all of them by default. Later ones are check-ups.
    #[arg(long, value_name = "CYCLES")]
    early_cycles: Option<u32>,
    /// Chemistries, taken in turn.
    #[arg(
        long,
        value_delimiter = ',',
        value_parser = chemistry,
        default_value = "nmc,lfp,lithium_garnet_nmc"
    )]
    chemistry: Vec<Chemistry>,
    /// Samples of a charge or discharge at constant current, more where the voltage is steep.
    #[arg(long, default_value_t = 160)]
    samples: u32,
    /// How many times faster than their design the cells age.
    #[arg(long, value_name = "TIMES", default_value_t = 1.0)]
    acceleration: f64,
    /// Root of the random streams.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Makes a dataset that exists anew.
    #[arg(long)]
    replace: bool,
}

/// Runs the verb.
///
/// # Errors
/// Where a number is out of its range, or whatever the store says; nothing is then stored.
pub(super) fn run(args: &Args, store: &Store, globals: &Globals) -> anyhow::Result<()> {
    super::refuse_embedded(&args.name)?;
    let config = FleetConfig {
        n_cells: args.cells,
        cycles: args.cycles,
        chemistries: args.chemistry.clone(),
        ..FleetConfig::default()
    };
    let early = EarlyTest {
        cycles: args.early_cycles.unwrap_or(args.cycles),
        samples: args.samples,
        acceleration: args.acceleration,
        ..EarlyTest::default()
    };
    let campaign = Campaign::new(&config, Some(&early), &Seed::new(args.seed))?;
    let stored_as = StoredAs {
        name: args.name.clone(),
        on_existing: if args.replace { OnExisting::Replace } else { OnExisting::Refuse },
        created: stamp().1,
        seed: args.seed,
    };
    let bar = cells_bar("simulate", args.cells as u64, globals);
    let manifest = simulate::store(&campaign, store, &stored_as, &mut |_| bar.inc(1));
    bar.finish_and_clear();
    let manifest = manifest?;
    if globals.json {
        return print(&serde_json::to_string(&manifest)?);
    }
    print(&super::list::made(&manifest))
}

fn chemistry(text: &str) -> Result<Chemistry, String> {
    serde_json::from_value(text.into()).map_err(|_| "no chemistry; `nmc`, `lfp`, `lithium_garnet_nmc`".into())
}
