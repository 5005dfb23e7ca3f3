//! A table with one row a cell, found by the cell's `seq_num`.

use std::collections::BTreeMap;

use crate::dataset::reader::ReadError;
use crate::dataset::reader::delimited::{Numbers, Sheet};
use crate::dataset::reader::segment::whole;

/// Heading of the column with the number of the cell.
const KEY: &str = "seq_num";

/// Rows of a table by the number of their cell.
pub(super) struct Table {
    sheet: Sheet,
    columns: Vec<Numbers>,
    rows: BTreeMap<u32, usize>,
}

impl Table {
    /// Reads a table, only the rows whose column `first.0` holds the text `first.1` where that is given.
    ///
    /// Rows without a number of a cell are passed over: the published tables end in one.
    ///
    /// # Errors
    /// [`ReadError`] for a missing column, a number that is not whole and two rows of one cell.
    pub(super) fn new(sheet: Sheet, first: Option<(&str, &str)>) -> Result<Self, ReadError> {
        let picks: Vec<_> = (0..sheet.header().len()).map(|i| (i, sheet.plain())).collect();
        let columns = sheet.numbers(&picks)?;
        let keys = &columns[sheet.find(KEY)?];
        let chosen = match first {
            Some((heading, _)) => Some(sheet.texts(sheet.find(heading)?)?),
            None => None,
        };
        let is_chosen =
            |row: usize| chosen.as_ref().zip(first).is_none_or(|(texts, (_, wanted))| texts[row] == wanted);
        let mut rows = BTreeMap::new();
        for (row, key) in keys.values.iter().enumerate() {
            let is_bad = keys.bad.iter().any(|b| b.row == row);
            if (key.is_nan() && !is_bad) || !is_chosen(row) {
                continue;
            }
            let Some(number) = whole(*key) else { return Err(not_whole(&sheet, KEY, keys, row)) };
            if rows.insert(number, row).is_some() {
                let found = format!("{KEY} {number} is there twice");
                return Err(sheet.damaged(format!("row {}", row + 1), found));
            }
        }
        Ok(Self { sheet, columns, rows })
    }

    /// Returns the numbers of the cells, ascending.
    pub(super) fn numbers(&self) -> impl Iterator<Item = u32> {
        self.rows.keys().copied()
    }

    /// Returns whether the table has a row of the cell.
    pub(super) fn has(&self, number: u32) -> bool {
        self.rows.contains_key(&number)
    }

    /// Returns the headings.
    pub(super) fn headings(&self) -> &[String] {
        self.sheet.header()
    }

    /// Returns a finite value of a cell, if there is one; `Err` holds what stands there in place of a number.
    ///
    /// # Errors
    /// [`ReadError::MissingColumn`].
    pub(super) fn value(&self, number: u32, heading: &str) -> Result<Result<Option<f64>, String>, ReadError> {
        let column = &self.columns[self.sheet.find(heading)?];
        let Some(&row) = self.rows.get(&number) else { return Ok(Ok(None)) };
        Ok(match column.bad.iter().find(|b| b.row == row) {
            Some(bad) => Err(format!("{heading}: `{}` (line {}) is no finite number", bad.text, bad.line)),
            None => Ok(Some(column.values[row]).filter(|v| v.is_finite())),
        })
    }

    /// Returns a value of a cell that must be there.
    ///
    /// # Errors
    /// [`ReadError::MissingColumn`]; [`ReadError::Damaged`] where the cell has no such number.
    pub(super) fn needed(&self, number: u32, heading: &str) -> Result<f64, ReadError> {
        match self.value(number, heading)? {
            Ok(Some(value)) => Ok(value),
            Ok(None) => {
                let found = format!("no value of `{heading}`; add it, or take the cell out of tiers.csv");
                Err(self.sheet.damaged(format!("{KEY} {number}"), found))
            }
            Err(found) => Err(self.sheet.damaged(format!("{KEY} {number}"), found)),
        }
    }
}

/// Returns the values of a column of which each must be a whole number.
///
/// # Errors
/// [`ReadError::Damaged`], with the line.
pub(super) fn whole_numbers(sheet: &Sheet, heading: &str, column: &Numbers) -> Result<Vec<u32>, ReadError> {
    let number =
        |(row, value): (usize, &f64)| whole(*value).ok_or_else(|| not_whole(sheet, heading, column, row));
    column.values.iter().enumerate().map(number).collect()
}

fn not_whole(sheet: &Sheet, heading: &str, column: &Numbers, row: usize) -> ReadError {
    let bad = column.bad.iter().find(|b| b.row == row);
    let place = bad.map_or_else(|| format!("row {}", row + 1), |b| format!("line {}", b.line));
    let text = bad.map_or_else(|| column.values[row].to_string(), |b| b.text.clone());
    sheet.damaged(format!("{place}, column `{heading}`"), format!("`{text}` is no whole number"))
}
