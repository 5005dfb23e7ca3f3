//! `fadecast models import`: weights that another program trained become a run, scored beside the baselines.

use std::path::PathBuf;

use crate::cli::experiment::{Overrides, catch_interrupt, read};
use crate::cli::{Globals, train};
use crate::device::Backend;
use crate::experiment::start::{self, StartConfig};

/// Makes a run of a dense network that Keras or `PyTorch` trained.
///
/// Reads .weights.h5 and .h5 of Keras, and safetensors of a `PyTorch` `state_dict`. Inputs, activation and normalisation are
/// those of the experiment, widths those of the file. Go on with `fadecast train EXPERIMENT --from RUN`.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// File of weights.
    weights: PathBuf,
    /// Experiment whose inputs the network takes, in their order, and on whose folds it is scored.
    #[arg(long)]
    experiment: PathBuf,
    /// Scaling behind which it was trained: {"inputs": {NAME: {"mean": M, "sd": S}}, "label": {"mean": M, "sd": S}}, inputs in
    /// the order of the network; without it the scaling of each fold is assumed.
    #[arg(long, value_name = "FILE")]
    scaling: Option<PathBuf>,
    /// What its batch normalisation adds to a variance (0.001 in Keras, 0.00001 in `PyTorch` and here).
    #[arg(long)]
    epsilon: Option<f32>,
    /// Of safetensors: what the names of the network's arrays begin with.
    #[arg(long, default_value = "", hide_default_value = true)]
    prefix: String,
    /// Name of the model; that of the experiment file without one.
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    overrides: Overrides,
}

/// Runs the verb.
///
/// # Errors
/// Whatever is wrong with the file or the experiment.
pub fn run(args: &Args, globals: &Globals) -> anyhow::Result<()> {
    catch_interrupt()?;
    let (file_name, config) = read(Some(&args.experiment), &args.overrides)?;
    let scaling = args.scaling.as_deref().map(start::read_scaling).transpose()?;
    let from = StartConfig {
        from: args.weights.display().to_string(),
        prefix: args.prefix.clone(),
        epsilon: args.epsilon,
        scaling,
        ..StartConfig::default()
    };
    let config = start::import(&config, from, &globals.root)?;
    let name = args.name.as_deref().unwrap_or(&file_name);
    anyhow::ensure!(
        is_plain(name),
        "--name: `{name}` is no name of a folder; give letters, digits, `_` and `-`"
    );
    let outcome = train::begin(name, &config, Backend::Flex, globals)?;
    train::tell(&outcome, globals)
}

fn is_plain(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c))
}
