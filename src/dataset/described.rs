//! Tables for other programs: Parquet with metadata, or CSV with the metadata in a JSON file beside it.

use std::path::{Path, PathBuf};

use polars::prelude::{Column, DataFrame, KeyValueMetadata, ParquetWriter, PolarsError};
use serde_json::Value;

use super::table;
use crate::file::{self, FileError};

/// Metadata of a table, in their order: a key, and what it holds as text or JSON.
pub type Metadata = [(&'static str, Value)];

/// A table of texts and numbers, one row a thing.
#[derive(Debug, Clone, PartialEq)]
pub struct Described<'a> {
    /// Name of the column that tells the rows apart.
    pub key: &'a str,
    /// Its text in each row.
    pub rows: Vec<&'a str>,
    /// Name and values of every other column; NaN is missing.
    pub columns: Vec<(&'a str, Vec<f64>)>,
}

/// Writes a table as CSV where `path` ends in `.csv`, else as Parquet; returns the files.
///
/// # Errors
/// [`FileError::Write`].
pub fn write(path: &Path, table: &Described, metadata: &Metadata) -> Result<Vec<PathBuf>, FileError> {
    if path.extension().is_none_or(|e| e != "csv") {
        write_parquet(path, table, metadata)?;
        return Ok(vec![path.into()]);
    }
    let beside = path.with_extension("json");
    let object: serde_json::Map<_, _> = metadata.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect();
    write_csv(path, table)?;
    file::write_json(&beside, &object)?;
    Ok(vec![path.into(), beside])
}

fn write_parquet(path: &Path, table: &Described, metadata: &Metadata) -> Result<(), FileError> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let pairs = metadata.iter().map(|(k, v)| ((*k).to_owned(), text(v))).collect();
    let mut columns: Vec<Column> = vec![table::texts(table.key, &table.rows)];
    columns.extend(table.columns.iter().map(|(name, values)| table::numbers(name, values.clone())));
    file::write_with(path, |out| {
        let writer =
            ParquetWriter::new(out).with_key_value_metadata(Some(KeyValueMetadata::from_static(pairs)));
        writer.finish(&mut DataFrame::new_infer_height(columns)?).map(drop)
    })
    .map_err(|e: PolarsError| FileError::write(path, std::io::Error::other(e.to_string())))
}

fn write_csv(path: &Path, table: &Described) -> Result<(), FileError> {
    let number = |v: f64| if v.is_nan() { String::new() } else { v.to_string() };
    file::write_with(path, |out| {
        let mut out = csv::Writer::from_writer(out);
        out.write_record(std::iter::once(table.key).chain(table.columns.iter().map(|(name, _)| *name)))?;
        for (row, key) in table.rows.iter().enumerate() {
            let numbers = table.columns.iter().map(|(_, values)| number(values[row]));
            out.write_record(std::iter::once((*key).to_owned()).chain(numbers))?;
        }
        out.flush()
    })
    .map_err(|e| FileError::write(path, e))
}

#[cfg(test)]
mod tests {
    use polars::prelude::{ParquetReader, SerReader};
    use serde_json::json;

    use super::*;

    fn table() -> Described<'static> {
        Described {
            key: "cell",
            rows: vec!["A,1", "B"],
            columns: vec![("x", vec![0.1, f64::NAN]), ("y", vec![1e-9, -2.0])],
        }
    }

    #[test]
    fn parquet_holds_nulls_and_metadata() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.parquet");
        write(&path, &table(), &[("window", json!("1..9")), ("units", json!({"x": "V"}))]).unwrap();
        let mut reader = ParquetReader::new(std::fs::File::open(&path).unwrap());
        let metadata = reader.get_metadata().unwrap().key_value_metadata.clone().unwrap();
        let value = |key: &str| metadata.iter().find(|kv| kv.key == key).and_then(|kv| kv.value.clone());
        assert_eq!(value("window").as_deref(), Some("1..9"));
        assert_eq!(value("units").as_deref(), Some(r#"{"x":"V"}"#));
        assert!(value("ARROW:schema").is_some());
        let frame = reader.finish().unwrap();
        let x: Vec<Option<f64>> = frame.column("x").unwrap().f64().unwrap().iter().collect();
        assert_eq!(x, [Some(0.1), None]);
        assert_eq!(frame.column("cell").unwrap().str().unwrap().get(0), Some("A,1"));
    }

    #[test]
    fn csv_has_empty_fields_and_its_metadata_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.csv");
        let files = write(&path, &table(), &[("window", json!("1..9"))]).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "cell,x,y\n\"A,1\",0.1,0.000000001\nB,,-2\n");
        let beside: Value = serde_json::from_slice(&std::fs::read(&files[1]).unwrap()).unwrap();
        assert_eq!(beside, json!({"window": "1..9"}));
    }
}
