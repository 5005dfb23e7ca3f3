//! What an input is: a table, raw cycler files, or a dataset.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};

use super::Args;
use crate::cell::CellId;
use crate::cli::Globals;
use crate::dataset::reader::registry::{find, readers};
use crate::dataset::reader::{ReadOptions, Reader};
use crate::dataset::rows::{self, RowBatch, RowsError};
use crate::dataset::{Cell, CellFacts};
use crate::descriptor::early::{self, EarlyDescriptor};
use crate::experiment::cells::CellSource;
use crate::pipeline::manifest::RowsOf;
use crate::predict::Predictor;

/// Batches of a table.
pub(super) type Batches = Box<dyn Iterator<Item = Result<RowBatch, RowsError>> + Send>;

/// An input.
pub(super) enum Source {
    /// A table of the model's inputs, and its number of rows where that is known.
    Table { batches: Batches, n_rows: Option<usize> },
    /// Raw cells.
    Cells(Vec<Cell>),
    /// Cells of a dataset, read when they are asked for.
    Dataset(CellSource),
}

/// Finds out what an input is.
pub(super) fn open(
    input: &str,
    predictor: &Predictor,
    args: &Args,
    globals: &Globals,
) -> anyhow::Result<Source> {
    let path = Path::new(input);
    if let Some(format) = &args.format {
        let reader = find(format)?;
        return Ok(Source::Cells(raw(reader.as_ref(), path, args)?));
    }
    if path.join("manifest.json").is_file() {
        return dataset_folder(path, args);
    }
    if path.is_dir() {
        return any_format(path, args, globals);
    }
    if !path.exists() {
        let source = CellSource::open(&globals.root, input, &args.cells)
            .with_context(|| format!("`{input}` is no file and no dataset"))?;
        return Ok(Source::Dataset(source));
    }
    match rows::read(path) {
        Ok(reader) => table_or_raw(reader, path, predictor, args, globals),
        Err(error @ (RowsError::Unknown { .. } | RowsError::Nested { .. })) => {
            any_format(path, args, globals).with_context(|| error.to_string())
        }
        Err(other) => Err(other.into()),
    }
}

/// Takes a file as a table where one of its columns is an input, else as raw.
fn table_or_raw(
    mut reader: rows::Reader,
    path: &Path,
    predictor: &Predictor,
    args: &Args,
    globals: &Globals,
) -> anyhow::Result<Source> {
    let (n_rows, skipped) = (reader.n_rows(), reader.skipped().to_vec());
    let first = reader.next().transpose()?.unwrap_or_default();
    let inputs = &predictor.pipeline().inputs;
    let is_input = |name: &str| inputs.iter().any(|i| name.split(" [").next() == Some(i.name.as_str()));
    let mut names = first.numbers.iter().map(|(n, _)| n).chain(first.texts.iter().map(|(n, _)| n));
    if !names.any(|name| is_input(name))
        && !matches!(predictor.rows(), RowsOf::Table)
        && let Ok(raw) = any_format(path, args, globals)
    {
        return Ok(raw);
    }
    for column in skipped {
        globals.say(&format!("note    `{}` is passed over: its type is {}", column.column, column.kind));
    }
    Ok(Source::Table { batches: Box::new(std::iter::once(Ok(first)).chain(reader)), n_rows })
}

/// Opens a dataset by its folder `.../datasets/NAME`.
fn dataset_folder(path: &Path, args: &Args) -> anyhow::Result<Source> {
    let whole = path.canonicalize()?;
    let (Some(name), Some(store)) = (whole.file_name(), whole.parent()) else {
        bail!("`{}` has no name", path.display());
    };
    let (Some("datasets"), Some(root)) = (store.file_name().and_then(|n| n.to_str()), store.parent()) else {
        bail!("`{}` lies in no folder `datasets`; use --root and its name", path.display());
    };
    Ok(Source::Dataset(CellSource::open(root, &name.to_string_lossy(), &args.cells)?))
}

/// Reads raw files with the first reader that takes them.
fn any_format(path: &Path, args: &Args, globals: &Globals) -> anyhow::Result<Source> {
    let mut refused = Vec::new();
    for reader in readers() {
        match raw(reader.as_ref(), path, args) {
            Ok(cells) if !cells.is_empty() => {
                globals.say(&format!("read    {} as {}", path.display(), reader.name()));
                return Ok(Source::Cells(cells));
            }
            Ok(_) => {}
            Err(error) => refused.push(format!("{}: {error}", reader.name())),
        }
    }
    let path = path.display();
    bail!("no reader takes `{path}`; name its format with --format\n  {}", refused.join("\n  "))
}

fn raw(reader: &dyn Reader, path: &Path, args: &Args) -> anyhow::Result<Vec<Cell>> {
    let facts = CellFacts { nominal_capacity_ah: args.nominal_capacity_ah, ..CellFacts::default() };
    let cells = args.cells.iter().map(CellId::new).collect();
    let options = ReadOptions { map: args.map.clone(), cells, facts };
    let paths: [PathBuf; 1] = [path.into()];
    Ok(reader.read(&paths, &options, &mut |_| ())?)
}

/// Returns the descriptors that decide which tables of a dataset are read.
pub(super) fn needed(predictor: &Predictor) -> Vec<&'static EarlyDescriptor> {
    match predictor.rows() {
        RowsOf::Cells { .. } => {
            // A life may have to be observed.
            let observed = early::catalogue().filter(|d| d.needs.contains(&early::Need::Capacity)).take(1);
            let inputs = predictor.pipeline().inputs.iter().filter_map(|i| early::find(&i.name));
            inputs.chain(observed).collect()
        }
        RowsOf::Discharges { .. } | RowsOf::Table => early::catalogue().collect(),
    }
}
