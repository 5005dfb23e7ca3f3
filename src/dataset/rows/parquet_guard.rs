//! What a Parquet file states of itself, checked before a decoder believes it: footer, column chunks, page headers.
//!
//! A page may claim any size when it is unpacked, a footer any place, a schema any depth. All are summed here and held
//! against the bytes that are there and the limits. Field numbers are those of `parquet.thrift` of the Parquet format.

use std::collections::BTreeSet;

use super::Limits;
use super::error::RowsError;
use super::origin::Origin;
use super::thrift::{LIST, STRUCT, Thrift};

const FORMAT: &str = "Parquet";

/// Length of the footer's length and of the mark after it.
const TAIL: u64 = 8;

/// Bytes that hold any page header but one with long statistics.
const HEADER: usize = 1 << 10;

/// Bytes beyond which no page header goes.
const LONGEST_HEADER: usize = 1 << 20;

/// Most row groups of a body, each of which costs work beside its rows.
const MOST_GROUPS: usize = 1 << 14;

/// What of the footer is checked.
#[derive(Debug, Default)]
struct Footer {
    columns: Vec<String>,
    n_rows: i64,
    groups: Vec<Group>,
}

#[derive(Debug, Default)]
struct Group {
    n_rows: i64,
    chunks: Vec<Chunk>,
}

/// A column of a row group.
#[derive(Debug, Default, Clone)]
struct Chunk {
    n_values: i64,
    n_bytes: i64,
    data_at: i64,
    dictionary_at: Option<i64>,
}

/// Element of the schema.
#[derive(Debug, Default)]
struct Element {
    name: String,
    repetition: i64,
    n_children: i64,
}

/// What of a page header is checked.
#[derive(Debug, Default)]
struct Page {
    kind: i64,
    unpacked: i64,
    packed: i64,
    n_values: i64,
    encoding: i64,
    /// Whether the marks of missing values are in no form that there is.
    has_odd_levels: bool,
}

/// Ways to write values: plain, dictionaries, run lengths, deltas of numbers, split bytes.
const ENCODINGS: [i64; 6] = [0, 2, 3, 5, 8, 9];

/// Ways to write texts as deltas. The decoder trusts their lengths more than a stranger's file deserves.
const TEXT_DELTAS: [i64; 2] = [6, 7];

/// Ways to write the marks of missing values: run lengths, packed bits.
const LEVELS: [i64; 2] = [3, 4];

/// Kind of a page with the values of a dictionary.
const DICTIONARY: i64 = 2;

/// Checks a file; returns its number of rows.
pub(super) fn check(origin: &mut Origin, limits: &Limits) -> Result<usize, RowsError> {
    let footer = footer(origin, limits)?;
    let place = origin.place.clone();
    let damaged = |found: &str| RowsError::damaged(&place, FORMAT, found);
    let mut names = BTreeSet::new();
    if let Some(column) = footer.columns.iter().find(|name| !names.insert(name.as_str())) {
        return Err(RowsError::DuplicateColumn { place, column: column.clone() });
    }
    let n_rows = usize::try_from(footer.n_rows).map_err(|_| damaged("it states fewer than 0 rows"))?;
    origin.check_shape(limits, n_rows, footer.columns.len())?;
    let mut sum = 0_i64;
    for group in &footer.groups {
        if group.chunks.len() != footer.columns.len() {
            return Err(damaged("a row group has not one chunk a column"));
        }
        sum = sum.saturating_add(group.n_rows.max(0));
    }
    if sum != footer.n_rows {
        return Err(damaged("its row groups have not as many rows as it states"));
    }
    check_pages(origin, &footer, limits)?;
    Ok(n_rows)
}

/// Walks over the page headers of all chunks.
fn check_pages(origin: &mut Origin, footer: &Footer, limits: &Limits) -> Result<(), RowsError> {
    let mut unpacked = 0;
    for group in &footer.groups {
        for (chunk, column) in group.chunks.iter().zip(&footer.columns) {
            if chunk.n_values != group.n_rows {
                let found = format!("column `{column}` has not one value a row");
                return Err(RowsError::damaged(&origin.place, FORMAT, found));
            }
            unpacked = check_chunk(origin, chunk, (column, unpacked), limits)?;
        }
    }
    Ok(())
}

/// Walks over the pages of a chunk as a decoder does; returns the bytes that all pages so far unpack to.
fn check_chunk(
    origin: &mut Origin,
    chunk: &Chunk,
    (column, mut unpacked): (&str, usize),
    limits: &Limits,
) -> Result<usize, RowsError> {
    let place = origin.place.clone();
    let damaged = |found: &str| RowsError::damaged(&place, FORMAT, format!("column `{column}`: {found}"));
    let from = u64::try_from(chunk.dictionary_at.unwrap_or(chunk.data_at));
    let (Ok(mut at), Ok(length)) = (from, u64::try_from(chunk.n_bytes)) else {
        return Err(damaged("its place is negative"));
    };
    let end = at.checked_add(length).filter(|&end| end <= origin.length);
    let end = end.ok_or_else(|| damaged("it lies beyond the end of the file"))?;
    let (mut seen, mut is_first) = (0_i64, true);
    while seen < chunk.n_values {
        let (page, header) = page(origin, at, end).transpose().ok_or_else(|| damaged("no page header"))??;
        let sizes = (u64::try_from(page.packed), usize::try_from(page.unpacked));
        let (Ok(packed), Ok(size)) = sizes else { return Err(damaged("a page of negative size")) };
        at = at.saturating_add(header).saturating_add(packed);
        if at > end || page.n_values < 0 {
            return Err(damaged("a page goes beyond its chunk"));
        }
        check_encoding(&page, &place, column, limits)?;
        if page.kind != DICTIONARY {
            seen = seen.saturating_add(page.n_values);
        } else if !is_first || page.n_values > page.unpacked {
            return Err(damaged("a dictionary that cannot be one"));
        }
        unpacked = unpacked.saturating_add(size);
        limits.check_bytes(&origin.place, unpacked)?;
        is_first = false;
    }
    if seen > chunk.n_values {
        Err(damaged("its pages have more values than it states"))
    } else {
        Ok(unpacked)
    }
}

/// Refuses values in a form that there is not, or that is not taken from strangers.
fn check_encoding(page: &Page, place: &str, column: &str, limits: &Limits) -> Result<(), RowsError> {
    let is_delta = TEXT_DELTAS.contains(&page.encoding);
    if page.has_odd_levels || !(is_delta || ENCODINGS.contains(&page.encoding)) {
        let found = format!("column `{column}`: an encoding that there is not");
        return Err(RowsError::damaged(place, FORMAT, found));
    }
    if is_delta && *limits != Limits::FILE {
        let found = format!("column `{column}` has texts as deltas; write it without that encoding");
        return Err(RowsError::Unsupported { place: place.into(), format: FORMAT, found });
    }
    Ok(())
}

/// Reads the page header at a position, and its length.
fn page(origin: &mut Origin, at: u64, end: u64) -> Result<Option<(Page, u64)>, RowsError> {
    let left = usize::try_from(end - at).unwrap_or(usize::MAX);
    for most in [HEADER, LONGEST_HEADER] {
        let bytes = origin.at(at, most.min(left))?;
        let mut thrift = Thrift::new(&bytes);
        let mut page = Page::default();
        let read = thrift.fields(|t, id, kind| match id {
            1 => t.int().map(|v| page.kind = v),
            2 => t.int().map(|v| page.unpacked = v),
            3 => t.int().map(|v| page.packed = v),
            5 | 7 | 8 if kind == STRUCT => t.fields(|t, inner, kind| match (id, inner) {
                (_, 1) => t.int().map(|v| page.n_values = v),
                (5 | 7, 2) | (8, 4) => t.int().map(|v| page.encoding = v),
                (5, 3 | 4) => t.int().map(|v| page.has_odd_levels |= !LEVELS.contains(&v)),
                _ => t.skip(kind),
            }),
            _ => t.skip(kind),
        });
        if read.is_some() {
            return Ok(Some((page, thrift.position() as u64)));
        }
        if most >= left {
            break;
        }
    }
    Ok(None)
}

fn footer(origin: &mut Origin, limits: &Limits) -> Result<Footer, RowsError> {
    let place = origin.place.clone();
    let damaged = |found: &str| RowsError::damaged(&place, FORMAT, found);
    let tail = origin.at(origin.length.saturating_sub(TAIL), TAIL as usize)?;
    let &[a, b, c, d, b'P', b'A', b'R', b'1'] = &tail[..] else {
        return Err(damaged("it does not end as one; was it cut off?"));
    };
    let length = u64::from(u32::from_le_bytes([a, b, c, d]));
    // The mark stands at the begin, too.
    let from = origin.length.checked_sub(TAIL + length).filter(|&from| from >= 4);
    let from = from.ok_or_else(|| damaged("its footer is longer than the file"))?;
    let bytes = origin.at(from, length as usize)?;
    let (footer, elements) = read_footer(&bytes).ok_or_else(|| damaged("its footer makes no sense"))?;
    let Some((root, elements)) = elements.split_first() else { return Err(damaged("it has no schema")) };
    if let Some(nested) = elements.iter().find(|e| e.n_children != 0 || !(0..=1).contains(&e.repetition)) {
        return Err(RowsError::Nested { place, column: nested.name.clone() });
    }
    if usize::try_from(root.n_children) != Ok(elements.len()) {
        return Err(damaged("its schema makes no sense"));
    }
    if *limits != Limits::FILE {
        RowsError::within(&place, "row groups", footer.groups.len(), MOST_GROUPS)?;
    }
    Ok(Footer { columns: elements.iter().map(|e| e.name.clone()).collect(), ..footer })
}

fn read_footer(bytes: &[u8]) -> Option<(Footer, Vec<Element>)> {
    let (mut footer, mut elements) = (Footer::default(), Vec::new());
    Thrift::new(bytes).fields(|t, id, kind| match (id, kind) {
        (2, LIST) => t.list(STRUCT, |t| element(t).map(|e| elements.push(e))).map(drop),
        (3, _) => t.int().map(|v| footer.n_rows = v),
        (4, LIST) => t.list(STRUCT, |t| group(t).map(|g| footer.groups.push(g))).map(drop),
        _ => t.skip(kind),
    })?;
    Some((footer, elements))
}

fn element(thrift: &mut Thrift) -> Option<Element> {
    let mut element = Element::default();
    thrift.fields(|t, id, kind| match id {
        3 => t.int().map(|v| element.repetition = v),
        4 => t.binary().map(|v| element.name = String::from_utf8_lossy(v).into_owned()),
        5 => t.int().map(|v| element.n_children = v),
        _ => t.skip(kind),
    })?;
    Some(element)
}

fn group(thrift: &mut Thrift) -> Option<Group> {
    let mut group = Group::default();
    thrift.fields(|t, id, kind| match (id, kind) {
        (1, LIST) => t.list(STRUCT, |t| chunk(t).map(|c| group.chunks.push(c))).map(drop),
        (3, _) => t.int().map(|v| group.n_rows = v),
        _ => t.skip(kind),
    })?;
    (group.n_rows >= 0).then_some(group)
}

fn chunk(thrift: &mut Thrift) -> Option<Chunk> {
    let mut chunk = None;
    thrift.fields(|t, id, kind| match (id, kind) {
        (3, STRUCT) => chunk_data(t).map(|c| chunk = Some(c)),
        _ => t.skip(kind),
    })?;
    chunk
}

fn chunk_data(thrift: &mut Thrift) -> Option<Chunk> {
    let mut chunk = Chunk { data_at: -1, ..Chunk::default() };
    thrift.fields(|t, id, kind| match id {
        5 => t.int().map(|v| chunk.n_values = v),
        7 => t.int().map(|v| chunk.n_bytes = v),
        9 => t.int().map(|v| chunk.data_at = v),
        11 => t.int().map(|v| chunk.dictionary_at = Some(v)),
        _ => t.skip(kind),
    })?;
    Some(chunk)
}
