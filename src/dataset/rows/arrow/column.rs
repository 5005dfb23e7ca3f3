//! Columns of a record batch: buffers looked up, unpacked and turned into numbers or texts.

use std::borrow::Cow;
use std::io::Read;

use super::{Dictionaries, Field, Type};
use crate::dataset::rows::flatbuffer::{Bad, Look, Table, Vector};
use crate::dataset::rows::lz4;

/// Bytes that a buffer may be longer than its values, for padding.
const PADDING: usize = 64;

/// Longest text that a view holds itself [bytes].
const INLINE: usize = 12;

/// A kind of number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Number {
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    F16,
    F32,
    F64,
}

/// Values of a column.
pub(super) enum Values {
    /// Numbers, NaN where missing.
    Numbers(Vec<f64>),
    /// Texts, empty where missing, and their bytes in all.
    Texts(Vec<String>, usize),
    /// Texts of so many bytes, which are more than are allowed.
    TooLong(usize),
}

/// A record batch whose columns are taken one after the other.
pub(super) struct Body<'a> {
    pub(super) n_rows: usize,
    bytes: &'a [u8],
    nodes: Option<Vector<'a>>,
    buffers: Option<Vector<'a>>,
    views: Option<Vector<'a>>,
    codec: Option<Codec>,
    /// Next node, buffer and count of views.
    next: (usize, usize, usize),
    /// Most bytes that a buffer of texts may unpack to.
    most: usize,
}

#[derive(Debug, Clone, Copy)]
enum Codec {
    Lz4,
    Zstd,
}

impl<'a> Body<'a> {
    pub(super) fn new(table: &Table<'a>, bytes: &'a [u8], most: usize) -> Look<Self> {
        let codec = match table.table(3)?.map(|c| Ok((c.u8(0)?, c.u8(1)?))).transpose()? {
            None => None,
            Some((0, 0)) => Some(Codec::Lz4),
            Some((1, 0)) => Some(Codec::Zstd),
            Some(_) => return Err(Bad),
        };
        Ok(Self {
            n_rows: usize::try_from(table.i64(0)?).map_err(|_| Bad)?,
            bytes,
            nodes: table.vector(1)?,
            buffers: table.vector(2)?,
            views: table.vector(4)?,
            codec,
            next: (0, 0, 0),
            most,
        })
    }

    /// Takes the next column, whose texts may have `left` bytes; `None` for one that is passed over.
    pub(super) fn column(
        &mut self,
        field: &Field,
        known: &Dictionaries,
        left: usize,
    ) -> Look<Option<Values>> {
        let n_missing = self.node()?;
        if let Type::Other(_, n_buffers) = field.kind {
            self.next.1 += n_buffers;
            return Ok(None);
        }
        if field.kind == Type::OtherView {
            self.next.1 += 2 + self.n_views()?;
            return Ok(None);
        }
        let bitmap = self.buffer(self.n_rows.div_ceil(8))?;
        let present = Present { bitmap: Some(bitmap).filter(|b| n_missing > 0 && !b.is_empty()) };
        if present.bitmap.as_ref().is_some_and(|b| b.len() < self.n_rows.div_ceil(8)) {
            return Err(Bad);
        }
        let values = match (&field.kind, field.dictionary) {
            (_, Some((id, index))) => {
                self.pointed(index, &present, known.get(&id).map(|t| t.as_slice()), left)?
            }
            (Type::Number(number), _) => Values::Numbers(self.numbers(*number, &present)?),
            (Type::Truth, _) => Values::Numbers(self.truths(&present)?),
            (Type::Text { large: true }, _) => self.texts::<8>(&present, left)?,
            (Type::Text { large: false }, _) => self.texts::<4>(&present, left)?,
            (Type::TextView, _) => self.text_views(&present, left)?,
            (Type::Other(..) | Type::OtherView, _) => return Ok(None),
        };
        Ok(Some(values))
    }

    /// Takes the next node, which must have all rows; returns how many values are missing.
    fn node(&mut self) -> Look<i64> {
        let nodes = self.nodes.filter(|n| self.next.0 < n.n).ok_or(Bad)?;
        let (length, n_missing) = nodes.pair(self.next.0)?;
        self.next.0 += 1;
        if usize::try_from(length) == Ok(self.n_rows) { Ok(n_missing) } else { Err(Bad) }
    }

    /// Takes the next buffer, of `most` bytes and some padding when unpacked.
    fn buffer(&mut self, most: usize) -> Look<Cow<'a, [u8]>> {
        let buffers = self.buffers.filter(|b| self.next.1 < b.n).ok_or(Bad)?;
        let (from, length) = buffers.pair(self.next.1)?;
        self.next.1 += 1;
        let from = usize::try_from(from).map_err(|_| Bad)?;
        let end = usize::try_from(length).ok().and_then(|n| from.checked_add(n)).ok_or(Bad)?;
        let bytes = self.bytes.get(from..end).ok_or(Bad)?;
        let Some(codec) = self.codec.filter(|_| !bytes.is_empty()) else { return Ok(bytes.into()) };
        let (length, packed) = bytes.split_first_chunk::<8>().ok_or(Bad)?;
        match i64::from_le_bytes(*length) {
            -1 => Ok(packed.into()),
            length => {
                let length = usize::try_from(length).map_err(|_| Bad)?;
                if length > most.saturating_add(PADDING) {
                    return Err(Bad);
                }
                unpack(codec, packed, length).map(Cow::Owned)
            }
        }
    }

    fn numbers(&mut self, number: Number, present: &Present) -> Look<Vec<f64>> {
        let n_bytes = self.n_rows.checked_mul(number.width()).ok_or(Bad)?;
        let bytes = self.buffer(n_bytes)?;
        let bytes = bytes.get(..n_bytes).ok_or(Bad)?;
        let values = bytes.chunks_exact(number.width()).enumerate();
        Ok(values.map(|(row, v)| if present.has(row) { number.value(v) } else { f64::NAN }).collect())
    }

    fn truths(&mut self, present: &Present) -> Look<Vec<f64>> {
        let bits = self.buffer(self.n_rows.div_ceil(8))?;
        if bits.len() < self.n_rows.div_ceil(8) {
            return Err(Bad);
        }
        let value = |row: usize| f64::from(bits[row / 8] >> (row % 8) & 1);
        Ok((0..self.n_rows).map(|row| if present.has(row) { value(row) } else { f64::NAN }).collect())
    }

    /// Takes texts with offsets of `W` bytes.
    fn texts<const W: usize>(&mut self, present: &Present, left: usize) -> Look<Values> {
        let n_bytes = self.n_rows.checked_add(1).and_then(|n| n.checked_mul(W)).ok_or(Bad)?;
        let offsets = self.buffer(n_bytes)?;
        let data = self.buffer(self.most)?;
        if self.n_rows == 0 {
            return Ok(Values::Texts(Vec::new(), 0));
        }
        let offsets = offsets.get(..n_bytes).ok_or(Bad)?;
        let offset = |row: usize| {
            let bytes = &offsets[row * W..(row + 1) * W];
            bytes
                .iter()
                .rev()
                .try_fold(0_usize, |n, &b| Some(n.checked_mul(256)? + usize::from(b)))
                .ok_or(Bad)
        };
        let mut texts = Texts::new(left);
        let mut from = offset(0)?;
        for row in 0..self.n_rows {
            let end = offset(row + 1)?;
            let bytes = data.get(from..end).ok_or(Bad)?;
            texts.push(if present.has(row) { bytes } else { &[] });
            from = end;
        }
        Ok(texts.into())
    }

    fn text_views(&mut self, present: &Present, left: usize) -> Look<Values> {
        let n_bytes = self.n_rows.checked_mul(16).ok_or(Bad)?;
        let views = self.buffer(n_bytes)?;
        let n_buffers = self.n_views()?;
        let data = (0..n_buffers).map(|_| self.buffer(self.most)).collect::<Look<Vec<_>>>()?;
        let views = views.get(..n_bytes).ok_or(Bad)?;
        let mut texts = Texts::new(left);
        for (row, view) in views.chunks_exact(16).enumerate() {
            let word = |at: usize| {
                let bytes = [view[at], view[at + 1], view[at + 2], view[at + 3]];
                usize::try_from(i32::from_le_bytes(bytes)).map_err(|_| Bad)
            };
            let bytes = if !present.has(row) {
                &[]
            } else if word(0)? <= INLINE {
                &view[4..4 + word(0)?]
            } else {
                let (from, n) = (word(12)?, word(0)?);
                data.get(word(8)?).and_then(|d| d.get(from..from + n)).ok_or(Bad)?
            };
            texts.push(bytes);
        }
        Ok(texts.into())
    }

    /// Takes values that point into a dictionary.
    fn pointed(
        &mut self,
        index: Number,
        present: &Present,
        known: Option<&[String]>,
        left: usize,
    ) -> Look<Values> {
        let mut texts = Texts::new(left);
        for position in self.numbers(index, present)? {
            let text = match known {
                _ if position.is_nan() => "",
                // A negative position becomes 2^53 and more.
                Some(known) if position >= 0.0 => known.get(position as usize).ok_or(Bad)?,
                _ => return Err(Bad),
            };
            texts.push(text.as_bytes());
        }
        Ok(texts.into())
    }

    fn n_views(&mut self) -> Look<usize> {
        let views = self.views.filter(|v| self.next.2 < v.n).ok_or(Bad)?;
        let n = usize::try_from(views.i64(self.next.2)?).map_err(|_| Bad)?;
        self.next.2 += 1;
        if self.buffers.is_some_and(|b| n <= b.n) { Ok(n) } else { Err(Bad) }
    }
}

/// Which values are there.
struct Present<'a> {
    bitmap: Option<Cow<'a, [u8]>>,
}

impl Present<'_> {
    fn has(&self, row: usize) -> bool {
        self.bitmap.as_ref().is_none_or(|bits| bits[row / 8] >> (row % 8) & 1 == 1)
    }
}

/// Texts that are copied while they are not too long in all.
struct Texts {
    copied: Vec<String>,
    n_bytes: usize,
    left: usize,
}

impl Texts {
    fn new(left: usize) -> Self {
        Self { copied: Vec::new(), n_bytes: 0, left }
    }

    fn push(&mut self, bytes: &[u8]) {
        self.n_bytes = self.n_bytes.saturating_add(bytes.len());
        if self.n_bytes <= self.left {
            self.copied.push(String::from_utf8_lossy(bytes).into_owned());
        }
    }
}

impl From<Texts> for Values {
    fn from(texts: Texts) -> Self {
        if texts.n_bytes > texts.left {
            return Self::TooLong(texts.n_bytes);
        }
        Self::Texts(texts.copied, texts.n_bytes)
    }
}

impl Number {
    fn width(self) -> usize {
        match self {
            Self::I8 | Self::U8 => 1,
            Self::I16 | Self::U16 | Self::F16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::I64 | Self::U64 | Self::F64 => 8,
        }
    }

    /// Returns the number in `width` bytes, little end first.
    fn value(self, bytes: &[u8]) -> f64 {
        let mut wide = [0; 8];
        wide[..bytes.len()].copy_from_slice(bytes);
        let bits = u64::from_le_bytes(wide);
        match self {
            Self::I8 => f64::from((bits as u8).cast_signed()),
            Self::I16 => f64::from((bits as u16).cast_signed()),
            Self::I32 => f64::from((bits as u32).cast_signed()),
            Self::I64 => bits.cast_signed() as f64,
            Self::U8 | Self::U16 | Self::U32 | Self::U64 => bits as f64,
            Self::F16 => half(bits as u16),
            Self::F32 => f64::from(f32::from_bits(bits as u32)),
            Self::F64 => f64::from_bits(bits),
        }
    }
}

/// Returns a number of half precision (IEEE 754, 3.6: 5 bits of exponent, 10 of fraction).
fn half(bits: u16) -> f64 {
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1f), f64::from(bits & 0x3ff));
    let size = match exponent {
        0 => fraction * 2.0_f64.powi(-24),
        31 if fraction > 0.0 => f64::NAN,
        31 => f64::INFINITY,
        _ => (1.0 + fraction / 1024.0) * 2.0_f64.powi(exponent - 15),
    };
    if bits >> 15 == 1 { -size } else { size }
}

/// Unpacks a buffer to exactly `length` bytes; no more than these are ever made.
fn unpack(codec: Codec, packed: &[u8], length: usize) -> Look<Vec<u8>> {
    match codec {
        Codec::Lz4 => lz4::unpack(packed, length).ok_or(Bad),
        Codec::Zstd => {
            let decoder = zstd::stream::read::Decoder::new(packed).map_err(|_| Bad)?;
            let mut bytes = Vec::new();
            let most = length as u64 + 1;
            decoder.take(most).read_to_end(&mut bytes).map_err(|_| Bad)?;
            if bytes.len() == length { Ok(bytes) } else { Err(Bad) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values of `numpy.float16`: 1.5, -2, the least subnormal, 65504 and the specials.
    #[test]
    fn half_precision_is_that_of_numpy() {
        for (bits, expected) in [
            (0x3e00, 1.5),
            (0xc000, -2.0),
            (0x0001, 5.960_464_477_539_063e-8),
            (0x7bff, 65504.0),
            (0x7c00, f64::INFINITY),
        ] {
            assert_eq!(half(bits), expected, "{bits:x}");
        }
        assert!(half(0x7e00).is_nan());
    }

    #[test]
    fn a_bomb_is_unpacked_no_further_than_it_says() {
        let packed = zstd::bulk::compress(&vec![0; 1 << 24], 1).unwrap();
        assert!(packed.len() < 4096);
        assert!(unpack(Codec::Zstd, &packed, 1 << 10).is_err());
        assert_eq!(unpack(Codec::Zstd, &packed, 1 << 24).map(|b| b.len()), Ok(1 << 24));
        assert!(unpack(Codec::Zstd, b"nonsense", 8).is_err());
    }
}
