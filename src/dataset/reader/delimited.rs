//! Delimited text: one header, rows as long as it, columns of numbers and a list of what was bad in them.

use std::path::{Path, PathBuf};

use super::ReadError;

/// Longest piece of a bad field that is quoted in a note [characters].
const QUOTED_CHARS: usize = 24;

/// Most headings that an error lists.
const LISTED_HEADINGS: usize = 30;

/// Spellings of "no value", lower case; they become NaN without a note.
const MISSING: [&str; 8] = ["", "nan", "na", "n/a", "null", "none", "-", "--"];

/// How the text is laid out.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Layout {
    /// Separator of fields; `None` takes the most frequent of `,`, `;` and tab in the header.
    pub(super) delimiter: Option<u8>,
    /// Whether numbers are written `3,5`.
    pub(super) decimal_comma: bool,
    /// Lines above the header.
    pub(super) skip_lines: usize,
}

/// Text of one file with its header understood.
#[derive(Debug)]
pub(super) struct Sheet {
    path: PathBuf,
    text: Vec<u8>,
    header: Vec<String>,
    delimiter: u8,
    layout: Layout,
}

/// One column of numbers; a missing or bad value is NaN.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Numbers {
    /// One value a row.
    pub(super) values: Vec<f64>,
    /// Fields that are no finite number, in the order of their rows.
    pub(super) bad: Vec<Bad>,
}

/// A field that is no finite number.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Bad {
    /// Row in `values`.
    pub(super) row: usize,
    /// Line in the file, from 1.
    pub(super) line: u64,
    /// Begin of what stands there.
    pub(super) text: String,
}

/// How the text of a field becomes a number; `None` when it does not.
pub(super) type Parse = fn(&str) -> Option<f64>;

impl Sheet {
    /// Reads the header of `bytes`.
    ///
    /// # Errors
    /// [`ReadError::Format`] for an empty, binary or UTF-16 file.
    pub(super) fn open(path: &Path, bytes: Vec<u8>, layout: &Layout) -> Result<Self, ReadError> {
        let text = check_text(path, bytes)?;
        let text = skip_lines(text, layout.skip_lines);
        let delimiter = layout.delimiter.unwrap_or_else(|| frequent_delimiter(&text));
        let mut sheet =
            Self { path: path.into(), text, header: Vec::new(), delimiter, layout: layout.clone() };
        let (mut reader, mut first) = (sheet.reader(), csv::ByteRecord::new());
        while first.is_empty() || Self::is_blank(&first) {
            if !sheet.next_row(&mut reader, &mut first)? {
                return Err(format_error(path, "no header line"));
            }
        }
        sheet.header = first.iter().map(|h| String::from_utf8_lossy(h).into_owned()).collect();
        Ok(sheet)
    }

    /// Returns the path of the file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the headings, trimmed.
    pub(super) fn header(&self) -> &[String] {
        &self.header
    }

    /// Returns the position of the column with exactly this heading.
    ///
    /// # Errors
    /// [`ReadError::MissingColumn`] when there is none, [`ReadError::Damaged`] when there are two.
    pub(super) fn find(&self, heading: &str) -> Result<usize, ReadError> {
        let mut found = (0..self.header.len()).filter(|&i| self.header[i] == heading);
        match (found.next(), found.next()) {
            (Some(column), None) => Ok(column),
            (None, _) => Err(missing_column(&self.path, heading, &self.header)),
            _ => Err(self.damaged("the header".into(), format!("two columns are called `{heading}`"))),
        }
    }

    /// Reads the columns `picks` (position, how to parse) in one pass over the rows.
    ///
    /// # Errors
    /// [`ReadError::Damaged`] for a row of another length than the header, or when there is no row.
    pub(super) fn numbers(&self, picks: &[(usize, Parse)]) -> Result<Vec<Numbers>, ReadError> {
        let mut columns = vec![Numbers::default(); picks.len()];
        self.each_row(&mut |line, row| {
            for (column, &(position, parse)) in columns.iter_mut().zip(picks) {
                column.push(line, &String::from_utf8_lossy(&row[position]), parse);
            }
        })?;
        Ok(columns)
    }

    /// Reads one column as text.
    ///
    /// # Errors
    /// As for [`Sheet::numbers`].
    pub(super) fn texts(&self, column: usize) -> Result<Vec<String>, ReadError> {
        let mut texts = Vec::new();
        self.each_row(&mut |_, row| texts.push(String::from_utf8_lossy(&row[column]).into_owned()))?;
        Ok(texts)
    }

    /// Returns the parser of plain numbers in this layout.
    pub(super) fn plain(&self) -> Parse {
        if self.layout.decimal_comma { parse_comma } else { parse_number }
    }

    /// Returns an error that says where in this file and what was found.
    pub(super) fn damaged(&self, place: String, found: String) -> ReadError {
        ReadError::Damaged { path: self.path.clone(), place, found }
    }

    fn reader(&self) -> csv::Reader<&[u8]> {
        csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(self.delimiter)
            .terminator(csv::Terminator::Any(b'\n'))
            .trim(csv::Trim::All)
            .from_reader(&self.text)
    }

    fn each_row(&self, visit: &mut dyn FnMut(u64, &csv::ByteRecord)) -> Result<(), ReadError> {
        let (mut reader, mut row, mut n_rows) = (self.reader(), csv::ByteRecord::new(), 0);
        while self.next_row(&mut reader, &mut row)? {
            let line = row.position().map_or(0, csv::Position::line) + self.layout.skip_lines as u64;
            if Self::is_blank(&row) {
                continue;
            }
            if n_rows > 0 {
                self.check_length(line, &row)?;
                visit(line, &row);
            }
            n_rows += 1;
        }
        if n_rows < 2 {
            return Err(self.damaged("its end".into(), "a header and no row".into()));
        }
        Ok(())
    }

    fn next_row(
        &self,
        reader: &mut csv::Reader<&[u8]>,
        row: &mut csv::ByteRecord,
    ) -> Result<bool, ReadError> {
        reader.read_byte_record(row).map_err(|e| self.damaged("a row".into(), e.to_string()))
    }

    /// The carriage return before a line feed is trimmed; as a terminator of its own it shifts the line count.
    fn is_blank(row: &csv::ByteRecord) -> bool {
        row.len() == 1 && row[0].is_empty()
    }

    /// Rows may end in empty fields more than the header has: some testers end each line with a delimiter.
    fn check_length(&self, line: u64, row: &csv::ByteRecord) -> Result<(), ReadError> {
        let n_fields = self.header.len();
        if row.len() == n_fields || (row.len() > n_fields && row.iter().skip(n_fields).all(<[u8]>::is_empty))
        {
            return Ok(());
        }
        let found = format!("{} fields where the header has {n_fields}", row.len());
        Err(self.damaged(format!("line {line}"), found))
    }
}

impl Numbers {
    /// Returns a column of known values, non-finite ones made NaN.
    pub(super) fn new(values: Vec<f64>) -> Self {
        let values = values.into_iter().map(|v| if v.is_finite() { v } else { f64::NAN }).collect();
        Self { values, bad: Vec::new() }
    }

    /// Multiplies every value by `factor`, then adds `offset`.
    pub(super) fn scale(&mut self, factor: f64, offset: f64) {
        for value in &mut self.values {
            *value = *value * factor + offset;
        }
    }

    /// Returns the rows `order` in that order; each row may be named once.
    pub(super) fn take(&self, order: &[usize]) -> Self {
        let values = order.iter().map(|&row| self.values[row]).collect();
        let mut bad = Vec::new();
        for (row, old) in order.iter().enumerate().filter(|_| !self.bad.is_empty()) {
            if let Ok(at) = self.bad.binary_search_by_key(old, |b| b.row) {
                bad.push(Bad { row, ..self.bad[at].clone() });
            }
        }
        Self { values, bad }
    }

    /// Returns whether not one value is a number.
    pub(super) fn is_void(&self) -> bool {
        self.values.iter().all(|v| v.is_nan())
    }

    fn push(&mut self, line: u64, text: &str, parse: Parse) {
        let value = parse(text).filter(|v| v.is_finite());
        if value.is_none() && !MISSING.contains(&text.to_ascii_lowercase().as_str()) {
            let text = text.chars().take(QUOTED_CHARS).collect();
            self.bad.push(Bad { row: self.values.len(), line, text });
        }
        self.values.push(value.unwrap_or(f64::NAN));
    }
}

/// Says in one line what is bad in `bad`, a part of a column of `n_rows`; `None` when nothing is.
pub(super) fn bad_note(name: &str, bad: &[Bad], n_rows: usize) -> Option<String> {
    let first = bad.first()?;
    let (n, line, text) = (bad.len(), first.line, &first.text);
    Some(format!("{name}: {n} of {n_rows} values are no finite number (line {line}: `{text}`)"))
}

/// Returns the error that names the columns which are there instead.
pub(super) fn missing_column(path: &Path, column: &str, header: &[String]) -> ReadError {
    let mut present: Vec<_> =
        header.iter().take(LISTED_HEADINGS).map(|h| format!("`{}`", quoted(h))).collect();
    if header.len() > LISTED_HEADINGS {
        present.push(format!("{} more", header.len() - LISTED_HEADINGS));
    }
    ReadError::MissingColumn { path: path.into(), column: column.into(), present: present.join(", ") }
}

fn quoted(heading: &str) -> String {
    heading.chars().take(2 * QUOTED_CHARS).collect()
}

fn parse_number(text: &str) -> Option<f64> {
    text.parse().ok()
}

fn parse_comma(text: &str) -> Option<f64> {
    text.replace(',', ".").parse().ok()
}

fn check_text(path: &Path, mut bytes: Vec<u8>) -> Result<Vec<u8>, ReadError> {
    if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
        return Err(format_error(path, "UTF-16 text; save it as UTF-8"));
    }
    if bytes.starts_with(&[0xef, 0xbb, 0xbf]) {
        bytes.drain(..3);
    }
    if bytes.contains(&0) {
        return Err(format_error(path, "binary content (a zero byte)"));
    }
    if bytes.trim_ascii().is_empty() {
        return Err(format_error(path, "an empty file"));
    }
    Ok(bytes)
}

fn format_error(path: &Path, found: &str) -> ReadError {
    ReadError::Format { path: path.into(), format: "CSV", found: found.into() }
}

fn skip_lines(mut text: Vec<u8>, n_lines: usize) -> Vec<u8> {
    let ends = text.iter().enumerate().filter(|(_, b)| **b == b'\n');
    if let Some(last) = n_lines.checked_sub(1) {
        let end = ends.map(|(i, _)| i + 1).nth(last).unwrap_or(text.len());
        text.drain(..end);
    }
    text
}

fn frequent_delimiter(text: &[u8]) -> u8 {
    let line = text.split(|b| *b == b'\n').find(|l| !l.trim_ascii().is_empty()).unwrap_or_default();
    let count = |delimiter: u8| line.split(|b| *b == delimiter).count();
    [b'\t', b';', b','].into_iter().max_by_key(|d| count(*d)).unwrap_or(b',')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn open(text: &str, layout: &Layout) -> Result<Sheet, ReadError> {
        Sheet::open(Path::new("a.csv"), text.as_bytes().to_vec(), layout)
    }

    fn columns(text: &str, layout: &Layout) -> Vec<Numbers> {
        let sheet = open(text, layout).unwrap();
        let picks: Vec<_> = (0..sheet.header().len()).map(|i| (i, sheet.plain())).collect();
        sheet.numbers(&picks).unwrap()
    }

    #[test]
    fn a_bad_field_is_nan_with_its_line_and_a_missing_one_is_only_nan() {
        let read = columns("a,b\n1,x\n,inf\n3,-1.5e-3\n", &Layout::default());
        assert!(read[0].values[1].is_nan() && read[0].bad.is_empty());
        assert_eq!(read[1].values[2].to_bits(), (-1.5e-3_f64).to_bits());
        let bad: Vec<_> = read[1].bad.iter().map(|b| (b.row, b.line, b.text.as_str())).collect();
        assert_eq!(bad, [(0, 2, "x"), (1, 3, "inf")]);
        let note = bad_note("b", &read[1].bad, 3).unwrap();
        assert_eq!(note, "b: 2 of 3 values are no finite number (line 2: `x`)");
    }

    #[test]
    fn layouts_with_preamble_semicolon_and_decimal_comma_are_read() {
        let layout = Layout { decimal_comma: true, skip_lines: 2, ..Layout::default() };
        let read = columns("\u{feff}device x\r\nmade today\r\na;b\r\n1,5;2\r\n-0,25;y\r\n\r\n", &layout);
        assert_eq!(read[0].values, [1.5, -0.25]);
        assert_eq!(read[1].bad[0].line, 5);
    }

    #[test]
    fn rows_of_another_length_are_errors_with_the_line() {
        let sheet = open("a,b\n1,2\n3\n", &Layout::default()).unwrap();
        let message = sheet.numbers(&[(0, sheet.plain())]).unwrap_err().to_string();
        assert!(
            message.contains("line 3") && message.contains("1 fields where the header has 2"),
            "{message}"
        );
        let trailing = open("a,b\n1,2,\n", &Layout::default()).unwrap();
        assert_eq!(trailing.numbers(&[(1, trailing.plain())]).unwrap()[0].values, [2.0]);
    }

    #[test]
    fn files_without_rows_or_text_are_errors() {
        for text in ["", " \n\n", "\u{0}\u{1}"] {
            assert!(matches!(open(text, &Layout::default()), Err(ReadError::Format { .. })), "{text:?}");
        }
        assert!(Sheet::open(Path::new("a"), vec![0xff, 0xfe, b'a', 0], &Layout::default()).is_err());
        let header_only = open("a,b\n", &Layout::default()).unwrap();
        assert!(matches!(header_only.numbers(&[]), Err(ReadError::Damaged { .. })));
    }

    #[test]
    fn a_heading_that_is_missing_or_twice_there_is_named() {
        let sheet = open("a,b,a\n1,2,3\n", &Layout::default()).unwrap();
        assert!(sheet.find("c").unwrap_err().to_string().contains("`a`, `b`, `a`"));
        assert!(sheet.find("a").unwrap_err().to_string().contains("two columns are called `a`"));
        assert_eq!(sheet.find("b").unwrap(), 1);
    }

    #[test]
    fn taking_rows_moves_the_bad_ones_with_them() {
        let read = columns("a\n1\nx\n3\n", &Layout::default());
        let turned = read[0].take(&[2, 1]);
        assert!(turned.values[0] > 2.5 && turned.values[1].is_nan());
        assert_eq!((turned.bad[0].row, turned.bad[0].line), (1, 3));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            if let Ok(sheet) = Sheet::open(Path::new("a"), bytes, &Layout::default()) {
                let picks: Vec<_> = (0..sheet.header().len()).map(|i| (i, sheet.plain())).collect();
                let _ = sheet.numbers(&picks);
                let _ = sheet.texts(0);
            }
        }

        #[test]
        fn written_numbers_come_back(values in proptest::collection::vec(-1e9_f64..1e9, 1..40)) {
            let text = values.iter().fold("v\n".to_owned(), |t, v| t + &v.to_string() + "\n");
            prop_assert_eq!(&columns(&text, &Layout::default())[0].values, &values);
        }
    }
}
