//! Numbers without a header, the same count in each line: the tables of discharge capacity and of cycle lives.

use std::path::Path;

use crate::dataset::reader::ReadError;

/// Longest piece of a bad field that is quoted [characters].
const QUOTED_CHARS: usize = 24;

/// Returns the columns of a table of numbers; `nan` is a missing value.
///
/// # Errors
/// [`ReadError::Damaged`], with the line, for a field that is no number and a line of another length than the first.
pub(super) fn columns(path: &Path, bytes: &[u8]) -> Result<Vec<Vec<f64>>, ReadError> {
    let text = std::str::from_utf8(bytes).map_err(|e| damaged(path, "its text".into(), e.to_string()))?;
    let mut columns: Vec<Vec<f64>> = Vec::new();
    let lines = text.lines().enumerate().filter(|(_, l)| !l.trim().is_empty());
    for (at, line) in lines {
        let place = || format!("line {}", at + 1);
        if columns.is_empty() {
            columns = vec![Vec::new(); line.split(',').count()];
        }
        let n_fields = line.split(',').count();
        if n_fields != columns.len() {
            let found = format!("{n_fields} fields where the first line has {}", columns.len());
            return Err(damaged(path, place(), found));
        }
        for (column, field) in columns.iter_mut().zip(line.split(',')) {
            let number = field.trim().parse().map_err(|_| {
                let text: String = field.chars().take(QUOTED_CHARS).collect();
                damaged(path, place(), format!("`{text}` is no number"))
            })?;
            column.push(number);
        }
    }
    Ok(columns)
}

/// Returns the columns of a table that must have so many.
///
/// # Errors
/// As [`columns`], and where their number is another one.
pub(super) fn columns_of(
    path: &Path,
    bytes: &[u8],
    n_columns: usize,
    what: &str,
) -> Result<Vec<Vec<f64>>, ReadError> {
    let columns = columns(path, bytes)?;
    if columns.len() == n_columns {
        return Ok(columns);
    }
    let found = format!("{} columns where {what} has {n_columns}", columns.len());
    Err(damaged(path, "line 1".into(), found))
}

/// Returns the error that says where in a file and what was found.
pub(super) fn damaged(path: &Path, place: String, found: String) -> ReadError {
    ReadError::Damaged { path: path.into(), place, found }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Vec<f64>>, String> {
        columns(Path::new("cell1.csv"), text.as_bytes()).map_err(|e| e.to_string())
    }

    #[test]
    fn columns_are_read_and_bad_lines_are_named() {
        assert_eq!(read("1,2\r\n\n3,-4e-1\n"), Ok(vec![vec![1.0, 3.0], vec![2.0, -0.4]]));
        assert!(read("nan\n").unwrap()[0][0].is_nan());
        assert_eq!(read(""), Ok(Vec::new()));
        assert_eq!(read("1,2\n3,x4\n").unwrap_err(), "`cell1.csv` is damaged at line 2: `x4` is no number");
        assert!(read("1,2\n\n3\n").unwrap_err().contains("line 3: 1 fields where the first line has 2"));
        let wrong = columns_of(Path::new("a"), b"1,2\n", 99, "a table of curves").unwrap_err().to_string();
        assert!(wrong.contains("2 columns where a table of curves has 99"), "{wrong}");
    }
}
