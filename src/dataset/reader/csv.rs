//! Any CSV log through a column map: one cell a file, or one a value of a column.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::collect::{self, Input};
use super::column_map::{CellName, ColumnMap, Direction, MapKind};
use super::delimited::Sheet;
use super::heading;
use super::segment;
use super::series::{Channel, Pick, Series};
use super::{ReadError, ReadOptions, Reader};
use crate::cell::CellId;
use crate::dataset::Cell;

/// Reader of any CSV with time, voltage and current.
#[derive(Debug, Clone, Copy, Default)]
pub struct Csv;

impl Reader for Csv {
    fn name(&self) -> &'static str {
        "csv"
    }

    fn summary(&self) -> &'static str {
        "any CSV log with time, voltage and current, through a column map (TOML)"
    }

    fn read(
        &self,
        paths: &[PathBuf],
        options: &ReadOptions,
        progress: &mut dyn FnMut(&str),
    ) -> Result<Vec<Cell>, ReadError> {
        let map = ColumnMap::load(needed_map(paths, options)?, MapKind::Series)?;
        collect::cells(paths, TEXT_ENDINGS, options, progress, &|input| read_cells(input, &map))
    }
}

/// Endings of text files with columns.
pub(super) const TEXT_ENDINGS: &[&str] = &[".csv", ".txt", ".tsv", ".bdf"];

/// Returns the path of the column map.
///
/// # Errors
/// [`ReadError::Format`] when the user named none.
pub(super) fn needed_map<'a>(paths: &[PathBuf], options: &'a ReadOptions) -> Result<&'a Path, ReadError> {
    options.map.as_deref().ok_or_else(|| ReadError::Format {
        path: paths.first().cloned().unwrap_or_default(),
        format: "self-explaining",
        found: "its columns need a map; write one in TOML and name it with --map".into(),
    })
}

/// Returns the rows of each cell: all of them under the file's name, or parted by a column.
///
/// # Errors
/// [`ReadError::MissingColumn`]; [`ReadError::Damaged`] for a row without a name.
pub(super) fn rows_by_cell(
    sheet: &Sheet,
    map: &ColumnMap,
    stem: &str,
    n_rows: usize,
) -> Result<BTreeMap<String, Vec<usize>>, ReadError> {
    let CellName::Column(heading) = &map.options.cell else {
        return Ok(BTreeMap::from([(stem.to_owned(), (0..n_rows).collect())]));
    };
    let mut rows = BTreeMap::<_, Vec<_>>::new();
    for (row, name) in sheet.texts(sheet.find(heading)?)?.into_iter().enumerate() {
        rows.entry(name).or_default().push(row);
    }
    match rows.get("") {
        Some(nameless) => Err(sheet.damaged(
            format!("column `{heading}`"),
            format!("{} of {n_rows} rows name no cell", nameless.len()),
        )),
        None => Ok(rows),
    }
}

fn read_cells(input: Input, map: &ColumnMap) -> Result<Vec<Cell>, ReadError> {
    let sheet = Sheet::open(&input.path, input.bytes, &map.layout())?;
    let mut series = Series::read(&sheet, &picks(&sheet, map)?)?;
    if map.options.current_positive == Direction::Discharge {
        series.negate_current();
    }
    let cell = |(name, rows): (String, Vec<usize>)| Cell {
        id: CellId::new(name),
        facts: map.facts.clone(),
        records: segment::records(&series.take(&rows), map.options.rest_current_ampere),
        table: None,
    };
    Ok(rows_by_cell(&sheet, map, &input.stem, series.n_rows())?.into_iter().map(cell).collect())
}

fn picks(sheet: &Sheet, map: &ColumnMap) -> Result<Vec<Pick>, ReadError> {
    let mut picks = Vec::new();
    for channel in Channel::ALL {
        let Some(rule) = map.columns.get(channel.name()) else { continue };
        let unit = rule.unit().map(str::to_lowercase);
        let unit = heading::scale(channel.quantity(), unit.as_deref()).unwrap_or_default();
        let column = sheet.find(rule.heading())?;
        picks.push(Pick { channel, column, scale: rule.scale(unit), parse: None });
    }
    Ok(picks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cell::Phase::{Charge, Discharge, Rest};
    use proptest::prelude::*;

    const MAP: &str = "[columns]\ntest_time_second = {name = 't', unit = 'min'}\nvoltage_volt = 'U'\n\
                       current_ampere = {name = 'I', factor = 0.001}\n[options]\ncurrent_positive = 'discharge'\n";

    fn read_text(map: &str, text: &str) -> Result<Vec<Cell>, ReadError> {
        let map = ColumnMap::parse(map, MapKind::Series).unwrap();
        read_cells(Input { path: "x/a.csv".into(), stem: "a".into(), bytes: text.into() }, &map)
    }

    #[test]
    fn units_factors_and_the_sign_follow_the_map() {
        let cells = read_text(MAP, "U,t,I\n3.0,0,-500\n3.1,2,-500\n3.1,3,0\n3.0,4,1000\n").unwrap();
        let records = &cells[0].records;
        assert_eq!(records.iter().map(|r| r.phase).collect::<Vec<_>>(), [Charge, Rest, Discharge]);
        assert_eq!(records[0].samples.time_second, [0.0, 120.0]);
        assert_eq!(records[0].samples.current_ampere, [0.5, 0.5]);
        assert_eq!(records[2].samples.current_ampere, [-1.0]);
    }

    #[test]
    fn a_column_parts_the_file_into_cells() {
        let map =
            format!("{MAP}cell = {{column = 'name'}}\nrest_current_ampere = 0.6\n[facts]\neol_soh = 0.8\n");
        let cells = read_text(&map, "name,U,t,I\nb,3,0,1000\na,3,0,-500\nb,3,1,1000\n").unwrap();
        let ids: Vec<_> = cells.iter().map(|c| c.id.as_str()).collect();
        assert_eq!(ids, ["a", "b"]);
        assert_eq!((cells[0].records[0].phase, cells[1].records[0].samples.len()), (Rest, 2));
        assert_eq!(cells[0].facts.eol_soh, Some(0.8));
        let message = read_text(&map, "name,U,t,I\n,3,0,1000\n").unwrap_err().to_string();
        assert!(message.contains("1 of 1 rows name no cell"), "{message}");
    }

    #[test]
    fn the_map_is_read_from_its_file_and_must_be_named() {
        let folder = tempfile::tempdir().unwrap();
        let (map, text) = (folder.path().join("m.toml"), folder.path().join("cell-1.csv"));
        crate::file::write_atomic(&map, MAP.as_bytes()).unwrap();
        crate::file::write_atomic(&text, b"t,U,I\n0,3,1\n1,3,1\n").unwrap();
        let mut options = ReadOptions { map: Some(map.clone()), ..ReadOptions::default() };
        let mut seen = Vec::new();
        let cells =
            Csv.read(std::slice::from_ref(&text), &options, &mut |name| seen.push(name.to_owned())).unwrap();
        assert_eq!((cells[0].id.as_str(), seen), ("cell-1", vec!["cell-1.csv".to_owned()]));
        options.cells = vec![CellId::new("cell-2")];
        let message = Csv.read(std::slice::from_ref(&text), &options, &mut |_| ()).unwrap_err().to_string();
        assert!(message.contains("`cell-2` was asked for; there are cell-1"), "{message}");
        let twice = Csv.read(&[text.clone(), text.clone()], &options, &mut |_| ());
        assert!(matches!(twice, Err(ReadError::DuplicateCell { .. })));
        options.map = None;
        assert!(Csv.read(&[text], &options, &mut |_| ()).unwrap_err().to_string().contains("need a map"));
    }

    #[test]
    fn a_column_that_the_map_names_must_be_there() {
        let message = read_text(MAP, "t,U,J\n0,3,1\n").unwrap_err().to_string();
        assert!(message.contains("no column `I`; it has `t`, `U`, `J`"), "{message}");
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), cut in 0..300_usize) {
            let map = ColumnMap::parse(MAP, MapKind::Series).unwrap();
            let bytes = [&b"t,U,I\n0,3,1\n"[..cut.min(12)], &bytes].concat();
            let _ = read_cells(Input { path: "a".into(), stem: "a".into(), bytes }, &map);
        }

        #[test]
        fn no_map_makes_it_panic(text in "\\PC{0,80}") {
            let _ = ColumnMap::parse(&text, MapKind::Series);
            let _ = ColumnMap::parse(&format!("[columns]\n{text}"), MapKind::Inputs);
        }
    }
}
