//! `fadecast export`: a run as files that other programs compute.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use serde_json::json;

use super::{Globals, print};
use crate::dataset::rows;
use crate::export::{Exported, ExportedFile, Format, Options, export};
use crate::pipeline::Input;
use crate::{file, registry};

/// Rows on which the loss of 8 bits is measured at most: each is computed plainly, with every member of an ensemble.
const MOST_ROWS: usize = 1000;

/// Writes a run's whole model, from inputs in physical units to the answer with its interval, for other programs.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Run folder, `models/NAME/latest`, `models/NAME/promoted`, or the name of an experiment.
    run: PathBuf,
    /// Form of the files: onnx, safetensors, keras, c or json.
    #[arg(long)]
    format: Format,
    /// File to write; of several files (C) its name with the extension of each.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Level of the interval.
    #[arg(long, default_value_t = 0.9)]
    level: f64,
    /// ONNX: one input of all numbers of a row instead of one an input.
    #[arg(long)]
    packed: bool,
    /// C: weights of 8 bits; says what they lose.
    #[arg(long)]
    int8: bool,
    /// C: table of inputs on whose first 1,000 rows the loss of 8 bits is measured; without it rows are drawn.
    #[arg(long, value_name = "TABLE", requires = "int8")]
    rows: Option<PathBuf>,
    /// Keras: one network instead of the mean over all.
    #[arg(long, value_name = "FOLD/seedK")]
    member: Option<String>,
    /// C: numbers of 64 bits instead of 32.
    #[arg(long)]
    double: bool,
}

/// Runs the verb.
///
/// # Errors
/// Where the run cannot be served, the format cannot hold it, or a file cannot be written.
pub(super) fn run(args: &Args, globals: &Globals) -> anyhow::Result<()> {
    let loaded = registry::load(&globals.root, &args.run)?;
    let name = stem(&args.out).with_context(|| format!("`{}` names no file", args.out.display()))?;
    let Args { level, packed, int8, double, .. } = *args;
    let member = args.member.clone();
    let rows = args.rows.as_ref().map(|table| read_rows(table, &loaded.pipeline.inputs)).transpose()?;
    let rows = rows.unwrap_or_default();
    let options = Options { name, level, packed, int8, member, double, rows };
    let exported = export(&loaded.pipeline, &loaded.manifest, args.format, &options)?;
    if let Some(folder) = args.out.parent() {
        file::create_folder(folder)?;
    }
    let paths: Vec<PathBuf> =
        exported.files.iter().map(|one| path(&args.out, &options.name, &exported, one)).collect();
    for (path, one) in paths.iter().zip(&exported.files) {
        file::write_atomic(path, &one.bytes)?;
    }
    print(&if globals.json { as_json(args.format, &paths, &exported) } else { as_text(&paths, &exported) })
}

/// Returns the first rows of a table by the names of the inputs; those that it lacks are missing.
fn read_rows(table: &Path, inputs: &[Input]) -> anyhow::Result<Vec<Vec<f64>>> {
    let mut all: Vec<Vec<f64>> = Vec::new();
    for batch in rows::read(table)? {
        let batch = batch?;
        let columns: Vec<Option<&[f64]>> = inputs.iter().map(|input| batch.number(&input.name)).collect();
        if columns.iter().all(Option::is_none) {
            anyhow::bail!(
                "`{}` has no column of the model's inputs, as `{}`",
                table.display(),
                inputs[0].name
            );
        }
        let value = |column: Option<&[f64]>, row: usize| column.map_or(f64::NAN, |values| values[row]);
        let n = batch.n_rows.min(MOST_ROWS - all.len());
        all.extend((0..n).map(|row| columns.iter().map(|&column| value(column, row)).collect()));
        if all.len() == MOST_ROWS {
            break;
        }
    }
    Ok(all)
}

/// Returns the name of a file without its extensions, as far as they are those of a format.
fn stem(out: &Path) -> Option<String> {
    let name = out.file_name()?.to_str()?;
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    Some(stem.strip_suffix(".weights").unwrap_or(stem).to_owned()).filter(|stem| !stem.is_empty())
}

fn path(out: &Path, name: &str, exported: &Exported, file: &ExportedFile) -> PathBuf {
    match exported.files.len() {
        1 => out.to_owned(),
        _ => out.with_file_name(format!("{name}.{}", file.extension)),
    }
}

fn as_text(paths: &[PathBuf], exported: &Exported) -> String {
    let file = |(path, file): (&PathBuf, &ExportedFile)| {
        let (size, hash) = (file.bytes.len(), file::sha256_bytes(&file.bytes));
        format!("file      {}  {size} bytes  sha256 {hash}\n", path.display())
    };
    let files: String = paths.iter().zip(&exported.files).map(file).collect();
    let notes: String = exported.notes.iter().map(|note| format!("note      {note}\n")).collect();
    let left_out: String =
        exported.left_out.iter().map(|sentence| format!("left out  {sentence}\n")).collect();
    files + &notes + &left_out
}

fn as_json(format: Format, paths: &[PathBuf], exported: &Exported) -> String {
    let file = |(path, file): (&PathBuf, &ExportedFile)| json!({ "path": path, "bytes": file.bytes.len(), "sha256": file::sha256_bytes(&file.bytes) });
    let files: Vec<_> = paths.iter().zip(&exported.files).map(file).collect();
    let Exported { notes, left_out, .. } = exported;
    json!({ "format": format.name(), "files": files, "notes": notes, "left_out": left_out }).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_loses_the_extensions_of_its_format() {
        for (out, expected) in
            [("a/soh.onnx", "soh"), ("soh.weights.h5", "soh"), ("v1.2.json", "v1.2"), ("soh", "soh")]
        {
            assert_eq!(stem(Path::new(out)).as_deref(), Some(expected));
        }
        assert_eq!(stem(Path::new(".onnx")), None);
        assert_eq!(stem(Path::new("/")), None);
    }

    #[test]
    fn rows_are_found_by_name_and_those_of_no_input_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let table = folder.path().join("rows.csv");
        file::write_atomic(&table, b"b,other\n1,9\n,9\n").unwrap();
        let input = |name: &str| {
            let source = crate::dataset::leakage::Source::PastRecord;
            Input {
                name: name.into(),
                unit: "V".into(),
                doc: String::new(),
                source,
                range: [0.0, 1.0],
                leaks: false,
            }
        };
        let found = read_rows(&table, &[input("a"), input("b")]).unwrap();
        assert_eq!(found.len(), 2);
        assert!(found[0][0].is_nan() && found[0][1] == 1.0 && found[1].iter().all(|v| v.is_nan()));
        let error = read_rows(&table, &[input("a")]).unwrap_err().to_string();
        assert!(error.contains("no column of the model's inputs, as `a`"), "{error}");
    }

    #[test]
    fn one_file_is_named_as_asked_and_several_by_their_extensions() {
        let file = |extension| ExportedFile { extension, bytes: vec![1] };
        let exported = |files| Exported { files, left_out: Vec::new(), notes: Vec::new() };
        let one = exported(vec![file("onnx")]);
        assert_eq!(path(Path::new("a/b.bin"), "b", &one, &one.files[0]), Path::new("a/b.bin"));
        let two = exported(vec![file("h"), file("c")]);
        assert_eq!(path(Path::new("a/b.c"), "b", &two, &two.files[0]), Path::new("a/b.h"));
    }
}
