//! `fadecast devices`: the backends that this build and this machine offer.

use super::{Globals, print};
use crate::device;
use crate::report::table::aligned;

/// Lists the backends and what each finds on this machine.
#[derive(Debug, clap::Args)]
pub struct Args {}

/// Runs the verb.
///
/// # Errors
/// Where stdout cannot be written.
pub fn run(_: &Args, globals: &Globals) -> anyhow::Result<()> {
    let offers = device::available();
    if globals.json {
        return print(&serde_json::to_string(&offers)?);
    }
    let row = |offer: &device::Offer| {
        let state = if offer.usable { "usable" } else { "absent" };
        vec![format!("{}  {state}  {}", offer.backend, offer.description)]
    };
    print(&aligned(&offers.iter().map(row).collect::<Vec<_>>()))
}
