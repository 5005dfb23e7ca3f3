//! `fadecast datasets fetch`: downloads a published dataset and imports it.

use super::import::{Existing, Stated, plan};
use super::progress::Progress;
use crate::cli::{Globals, print};
use crate::dataset::fetch::NASA_PCOE_URL;
use crate::dataset::import::fetch_nasa;
use crate::dataset::store::Store;

/// What to download.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Published dataset.
    #[arg(value_parser = ["nasa-pcoe"])]
    dataset: String,
    /// Address, instead of the commonly cited one (which we have not verified).
    #[arg(long)]
    url: Option<String>,
    /// SHA-256 that the download must have; without it, that of the first download.
    #[arg(long, value_name = "HEX", value_parser = sha256)]
    sha256: Option<String>,
    /// Name of the dataset, instead of its own.
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    existing: Existing,
    #[command(flatten)]
    stated: Stated,
}

/// Runs the verb.
///
/// # Errors
/// Whatever the server, the reader or the store says; nothing is then stored, and the download is kept.
pub(super) fn run(args: &Args, store: &Store, globals: &Globals) -> anyhow::Result<()> {
    let plan = plan(args.name.as_ref().unwrap_or(&args.dataset), &args.existing, &args.stated);
    let url = args.url.as_deref().unwrap_or(NASA_PCOE_URL);
    let mut progress = Progress::new(globals, None);
    let source = (url, args.sha256.as_deref());
    let manifest = fetch_nasa(store, source, &plan, &mut |step| progress.show(step))?;
    drop(progress);
    if globals.json {
        return print(&serde_json::to_string(&manifest)?);
    }
    let sources = manifest.sources.iter().map(|s| format!("sha256  {}  {}\n", s.sha256, s.name));
    print(&(super::list::imported(&manifest) + &sources.collect::<String>()))
}

fn sha256(text: &str) -> Result<String, String> {
    let right = text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit());
    if right { Ok(text.to_lowercase()) } else { Err("a SHA-256 is 64 hexadecimal digits".into()) }
}
