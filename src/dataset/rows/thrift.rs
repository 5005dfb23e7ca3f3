//! Thrift's compact protocol, read without trust: no length is believed before the bytes are there.
//!
//! `None` means that the bytes are no such thing. After the specification "Thrift compact protocol encoding".

/// Structures within structures beyond which nothing is read: Parquet's own have 6.
const DEEPEST: usize = 16;

/// Kinds of values, as they stand in field and list headers.
pub(super) const LIST: u8 = 9;
pub(super) const STRUCT: u8 = 12;
const TRUE: u8 = 1;
const FALSE: u8 = 2;

/// A position in bytes of the protocol.
#[derive(Debug, Clone, Copy)]
pub(super) struct Thrift<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Thrift<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// Returns how many bytes were read.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    /// Reads a structure; `each` gets the number and kind of every field, and reads or skips its value.
    pub(super) fn fields(&mut self, mut each: impl FnMut(&mut Self, i16, u8) -> Option<()>) -> Option<()> {
        let mut id = 0_i16;
        loop {
            let head = self.byte()?;
            if head == 0 {
                return Some(());
            }
            id = match head >> 4 {
                0 => i16::try_from(self.int()?).ok()?,
                delta => id.checked_add(i16::from(delta))?,
            };
            each(self, id, head & 0x0f)?;
        }
    }

    /// Reads a list of `kind`; `each` reads or skips every element. An element takes a byte at least.
    pub(super) fn list(&mut self, kind: u8, mut each: impl FnMut(&mut Self) -> Option<()>) -> Option<usize> {
        let (found, n) = self.list_head()?;
        if found != kind && n > 0 {
            return None;
        }
        (0..n).try_for_each(|_| each(self))?;
        Some(n)
    }

    /// Reads an integer of any width.
    pub(super) fn int(&mut self) -> Option<i64> {
        let raw = self.varint()?;
        Some((raw >> 1).cast_signed() ^ -(raw & 1).cast_signed())
    }

    /// Reads bytes or a text.
    pub(super) fn binary(&mut self) -> Option<&'a [u8]> {
        let n = usize::try_from(self.varint()?).ok()?;
        self.take(n)
    }

    /// Passes over a value of `kind`.
    pub(super) fn skip(&mut self, kind: u8) -> Option<()> {
        self.skip_within(kind, DEEPEST)
    }

    fn skip_within(&mut self, kind: u8, depth: usize) -> Option<()> {
        let depth = depth.checked_sub(1)?;
        match kind {
            TRUE | FALSE => Some(()),
            3 => self.take(1).map(drop),
            4..=6 => self.varint().map(drop),
            7 => self.take(8).map(drop),
            8 => self.binary().map(drop),
            LIST | 10 => {
                let (kind, n) = self.list_head()?;
                (0..n).try_for_each(|_| self.skip_element(kind, depth))
            }
            11 => {
                let n = self.count()?;
                let kinds = if n > 0 { self.byte()? } else { 0 };
                (0..n).try_for_each(|_| {
                    self.skip_element(kinds >> 4, depth)?;
                    self.skip_element(kinds & 0x0f, depth)
                })
            }
            STRUCT => self.fields(|own, _, kind| own.skip_within(kind, depth)),
            _ => None,
        }
    }

    /// In lists a truth value takes a byte, in fields none.
    fn skip_element(&mut self, kind: u8, depth: usize) -> Option<()> {
        if matches!(kind, TRUE | FALSE) { self.take(1).map(drop) } else { self.skip_within(kind, depth) }
    }

    fn list_head(&mut self) -> Option<(u8, usize)> {
        let head = self.byte()?;
        let n = if head >> 4 == 15 { self.count()? } else { usize::from(head >> 4) };
        (n <= self.left()).then_some((head & 0x0f, n))
    }

    fn count(&mut self) -> Option<usize> {
        usize::try_from(self.varint()?).ok().filter(|&n| n <= self.left())
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1).map(|b| b[0])
    }

    fn take(&mut self, n: usize) -> Option<&'a [u8]> {
        let taken = self.bytes.get(self.at..self.at.checked_add(n)?)?;
        self.at += n;
        Some(taken)
    }

    fn left(&self) -> usize {
        self.bytes.len() - self.at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes by hand after the specification: field 1 i32 150 (zigzag 300 = 0xac 0x02), field 3 list of two i32, stop.
    const EXAMPLE: [u8; 8] = [0x15, 0xac, 0x02, 0x29, 0x25, 0x02, 0x03, 0x00];

    #[test]
    fn fields_and_lists_are_read_and_skipped() {
        let mut found = Vec::new();
        let mut thrift = Thrift::new(&EXAMPLE);
        let read = thrift.fields(|t, id, kind| {
            if kind == LIST {
                return t.list(5, |t| t.int().map(|v| found.push((id, v)))).map(drop);
            }
            t.int().map(|v| found.push((id, v)))
        });
        assert_eq!(read, Some(()));
        assert_eq!(found, [(1, 150), (3, 1), (3, -2)]);
        let mut whole = Thrift::new(&EXAMPLE);
        assert_eq!((whole.skip(STRUCT), whole.position()), (Some(()), 8));
    }

    #[test]
    fn lies_and_depth_are_refused() {
        for end in 0..EXAMPLE.len() {
            assert_eq!(Thrift::new(&EXAMPLE[..end]).skip(STRUCT), None, "{end}");
        }
        // A list of 2^28 structures in ten bytes; a text of 2^35 bytes; structures within structures for ever.
        assert_eq!(Thrift::new(&[0xfc, 0xff, 0xff, 0xff, 0x7f, 0, 0, 0, 0, 0]).skip(LIST), None);
        assert_eq!(Thrift::new(&[0xff, 0xff, 0xff, 0xff, 0x7f]).binary(), None);
        assert_eq!(Thrift::new(&vec![0x1c; 100_000]).skip(STRUCT), None);
        assert_eq!(Thrift::new(&[0xff; 20]).int(), None);
    }
}
