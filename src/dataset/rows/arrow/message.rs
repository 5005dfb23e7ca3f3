//! Messages of an Arrow stream: a head that says what it is, then the bytes that it speaks of.

use std::io::{Read, Take};

use super::column::Number;
use super::{FORMAT, Field, Type};
use crate::dataset::rows::Limits;
use crate::dataset::rows::error::RowsError;
use crate::dataset::rows::flatbuffer::{Bad, Look, Table};
use crate::dataset::rows::origin::Origin;

/// Begin of an Arrow file, before its stream.
const MARK: &[u8; 8] = b"ARROW1\0\0";

/// End of an Arrow file, after its footer.
const END: &[u8; 6] = b"ARROW1";

/// Longest head of a message [bytes]: 131072 columns have some 40 MB.
const LONGEST_HEAD: usize = 64 << 20;

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Schema,
    Dictionary,
    Batch,
}

/// The messages of a stream, in order.
pub(super) struct Messages<'a> {
    pub(super) place: String,
    reader: Take<Box<dyn Read + Send + 'a>>,
    limits: Limits,
    /// A file says where it ends; a stream may just end.
    is_file: bool,
}

/// A message: what it is, its head, its body.
type Message = (Kind, Vec<u8>, Vec<u8>);

impl<'a> Messages<'a> {
    pub(super) fn open(mut origin: Origin<'a>, limits: &Limits) -> Result<Self, RowsError> {
        let is_file = origin.at(0, MARK.len())? == MARK;
        let (place, length) = (origin.place.clone(), origin.length);
        if is_file && origin.at(length.saturating_sub(END.len() as u64), END.len())? != END {
            return Err(RowsError::damaged(&place, FORMAT, "it does not end as one; was it cut off?"));
        }
        let reader = origin.into_reader()?.take(length);
        let mut messages = Self { place, reader, limits: *limits, is_file };
        if is_file {
            messages.read(MARK.len() as u64)?;
        }
        Ok(messages)
    }

    /// Returns the next message that matters; `None` after the last.
    pub(super) fn next(&mut self) -> Result<Option<Message>, RowsError> {
        loop {
            let Some(length) = self.length()? else { return Ok(None) };
            let head = self.read(length)?;
            let bad = |_| RowsError::damaged(&self.place, FORMAT, "a message makes no sense");
            let table = Table::root(&head).map_err(bad)?;
            let kind = table.u8(1).map_err(bad)?;
            let length = u64::try_from(table.i64(3).map_err(bad)?).map_err(|_| bad(Bad))?;
            self.limits.check_bytes(&self.place, usize::try_from(length).unwrap_or(usize::MAX))?;
            let body = self.read(length)?;
            match kind {
                1 => return Ok(Some((Kind::Schema, head, body))),
                2 => return Ok(Some((Kind::Dictionary, head, body))),
                3 => return Ok(Some((Kind::Batch, head, body))),
                _ => {}
            }
        }
    }

    /// Returns the length of the next head; `None` at the end.
    fn length(&mut self) -> Result<Option<u64>, RowsError> {
        if self.reader.limit() == 0 && !self.is_file {
            return Ok(None);
        }
        let mut word = self.word()?;
        if word == u32::MAX {
            word = self.word()?;
        }
        if word as usize > LONGEST_HEAD {
            return Err(RowsError::damaged(&self.place, FORMAT, "a message makes no sense"));
        }
        Ok(Some(u64::from(word)).filter(|&n| n > 0))
    }

    fn word(&mut self) -> Result<u32, RowsError> {
        let bytes = self.read(4)?;
        Ok(bytes.iter().rev().fold(0, |word, &byte| word << 8 | u32::from(byte)))
    }

    /// Reads exactly `n` bytes, if they are there at all.
    fn read(&mut self, n: u64) -> Result<Vec<u8>, RowsError> {
        if n > self.reader.limit() {
            return Err(RowsError::damaged(&self.place, FORMAT, "it ends too early; was it cut off?"));
        }
        let mut bytes = vec![0; n as usize];
        let read = self.reader.read_exact(&mut bytes);
        read.map_err(|e| RowsError::damaged(&self.place, FORMAT, e.to_string()))?;
        Ok(bytes)
    }
}

/// Returns what the head of a message is about.
pub(super) fn header(head: &[u8]) -> Look<Table<'_>> {
    Table::root(head)?.table(2)?.ok_or(Bad)
}

/// Reads a field of the schema; `None` for a nested one.
pub(super) fn field(table: &Table) -> Look<Option<Field>> {
    let name = table.text(0)?.unwrap_or_default();
    if table.vector(5)?.is_some_and(|children| children.n > 0) {
        return Ok(None);
    }
    let own = table.table(3)?;
    let is_nested = matches!(table.u8(2)?, 12..=14 | 16 | 17 | 21 | 22 | 25 | 26);
    let mut kind = kind(table.u8(2)?, own.as_ref())?;
    let mut pointer = None;
    if let Some(dictionary) = table.table(4)? {
        // Values are numbers into the dictionary, of 4 bytes where it does not say.
        let index = dictionary.table(1)?.map_or(Ok(Number::I32), |t| integer(&t))?;
        if matches!(kind, Type::Text { .. } | Type::TextView) {
            pointer = Some((dictionary.i64(0)?, index));
        } else {
            kind = Type::Other("dictionary of no texts".into(), 2);
        }
    }
    Ok((!is_nested).then_some(Field { name, kind, dictionary: pointer }))
}

/// Returns the type of a number in `Schema.fbs`.
fn kind(number: u8, own: Option<&Table>) -> Look<Type> {
    let other = |name: &str, n_buffers| Ok(Type::Other(name.into(), n_buffers));
    match number {
        1 => other("Null", 0),
        2 => Ok(Type::Number(integer(own.ok_or(Bad)?)?)),
        3 => match own.ok_or(Bad)?.i16(0)? {
            0 => Ok(Type::Number(Number::F16)),
            1 => Ok(Type::Number(Number::F32)),
            2 => Ok(Type::Number(Number::F64)),
            _ => Err(Bad),
        },
        4 => other("Binary", 3),
        5 => Ok(Type::Text { large: false }),
        6 => Ok(Type::Truth),
        7 => other("Decimal", 2),
        8 => other("Date", 2),
        9 => other("Time", 2),
        10 => other("Timestamp", 2),
        11 => other("Interval", 2),
        15 => other("FixedSizeBinary", 2),
        18 => other("Duration", 2),
        19 => other("LargeBinary", 3),
        20 => Ok(Type::Text { large: true }),
        23 => Ok(Type::OtherView),
        24 => Ok(Type::TextView),
        12..=14 | 16 | 17 | 21 | 22 | 25 | 26 => other("nested", 0),
        _ => Err(Bad),
    }
}

fn integer(own: &Table) -> Look<Number> {
    let is_signed = own.u8(1)? != 0;
    match (own.i32(0)?, is_signed) {
        (8, true) => Ok(Number::I8),
        (16, true) => Ok(Number::I16),
        (32, true) => Ok(Number::I32),
        (64, true) => Ok(Number::I64),
        (8, false) => Ok(Number::U8),
        (16, false) => Ok(Number::U16),
        (32, false) => Ok(Number::U32),
        (64, false) => Ok(Number::U64),
        _ => Err(Bad),
    }
}
