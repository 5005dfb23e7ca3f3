//! Flatbuffers, read without trust: every offset is looked up in the bytes that are there.
//!
//! `Err(Bad)` means that the bytes are no such table; a field that is absent is `None` or its default. After the
//! internals page of the `FlatBuffers` documentation.

/// The bytes are no such table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bad;

/// What a look into a table gives.
pub(super) type Look<T> = Result<T, Bad>;

/// A table in a buffer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Table<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Begin and length of the list of the fields' places.
    fields: (usize, usize),
}

/// A vector in a buffer: where its elements begin, and how many there are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Vector<'a> {
    bytes: &'a [u8],
    at: usize,
    pub(super) n: usize,
}

impl<'a> Table<'a> {
    /// Returns the table that a buffer begins with.
    pub(super) fn root(bytes: &'a [u8]) -> Look<Self> {
        let at = follow(bytes, 0)?;
        Self::at(bytes, at)
    }

    fn at(bytes: &'a [u8], at: usize) -> Look<Self> {
        let back = i64::from(i32::from_le_bytes(piece(bytes, at)?));
        let at_signed = i64::try_from(at).map_err(|_| Bad)?;
        let fields = usize::try_from(at_signed - back).map_err(|_| Bad)?;
        let length = usize::from(u16::from_le_bytes(piece(bytes, fields)?));
        Ok(Self { bytes, at, fields: (fields, length) })
    }

    /// Returns the place of a field; `None` where it is absent.
    fn place(&self, field: usize) -> Look<Option<usize>> {
        let (begin, length) = self.fields;
        let offset = 4 + 2 * field;
        if offset + 2 > length {
            return Ok(None);
        }
        match u16::from_le_bytes(piece(self.bytes, begin + offset)?) {
            0 => Ok(None),
            offset => Ok(Some(self.at + usize::from(offset))),
        }
    }

    pub(super) fn u8(&self, field: usize) -> Look<u8> {
        self.place(field)?.map_or(Ok(0), |at| piece::<1>(self.bytes, at).map(|b| b[0]))
    }

    pub(super) fn i16(&self, field: usize) -> Look<i16> {
        self.place(field)?.map_or(Ok(0), |at| piece(self.bytes, at).map(i16::from_le_bytes))
    }

    pub(super) fn i32(&self, field: usize) -> Look<i32> {
        self.place(field)?.map_or(Ok(0), |at| piece(self.bytes, at).map(i32::from_le_bytes))
    }

    pub(super) fn i64(&self, field: usize) -> Look<i64> {
        self.place(field)?.map_or(Ok(0), |at| piece(self.bytes, at).map(i64::from_le_bytes))
    }

    pub(super) fn table(&self, field: usize) -> Look<Option<Table<'a>>> {
        let Some(at) = self.place(field)? else { return Ok(None) };
        Self::at(self.bytes, follow(self.bytes, at)?).map(Some)
    }

    pub(super) fn vector(&self, field: usize) -> Look<Option<Vector<'a>>> {
        let Some(at) = self.place(field)? else { return Ok(None) };
        let at = follow(self.bytes, at)?;
        let n = u32::from_le_bytes(piece(self.bytes, at)?) as usize;
        // An element takes a byte at least.
        if n > self.bytes.len() { Err(Bad) } else { Ok(Some(Vector { bytes: self.bytes, at: at + 4, n })) }
    }

    pub(super) fn text(&self, field: usize) -> Look<Option<String>> {
        let Some(vector) = self.vector(field)? else { return Ok(None) };
        let bytes = vector.bytes.get(vector.at..vector.at + vector.n).ok_or(Bad)?;
        Ok(Some(String::from_utf8_lossy(bytes).into_owned()))
    }
}

impl<'a> Vector<'a> {
    /// Returns the table that element `idx` leads to.
    pub(super) fn table(&self, idx: usize) -> Look<Table<'a>> {
        Table::at(self.bytes, follow(self.bytes, self.at + 4 * idx)?)
    }

    /// Returns element `idx` of pairs of long integers.
    pub(super) fn pair(&self, idx: usize) -> Look<(i64, i64)> {
        let at = self.at + 16 * idx;
        let long = |at| piece(self.bytes, at).map(i64::from_le_bytes);
        Ok((long(at)?, long(at + 8)?))
    }

    /// Returns element `idx` of long integers.
    pub(super) fn i64(&self, idx: usize) -> Look<i64> {
        piece(self.bytes, self.at + 8 * idx).map(i64::from_le_bytes)
    }
}

/// Returns where an offset leads to.
fn follow(bytes: &[u8], at: usize) -> Look<usize> {
    let offset = u32::from_le_bytes(piece(bytes, at)?) as usize;
    at.checked_add(offset).ok_or(Bad)
}

fn piece<const N: usize>(bytes: &[u8], at: usize) -> Look<[u8; N]> {
    let end = at.checked_add(N).ok_or(Bad)?;
    bytes.get(at..end).and_then(|piece| piece.try_into().ok()).ok_or(Bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By hand: root at 16; its fields lie at 4: 8 bytes long, field 0 at +4, field 1 absent; field 0 is the i16 7.
    const EXAMPLE: [u8; 24] = [16, 0, 0, 0, 8, 0, 8, 0, 4, 0, 0, 0, 0, 0, 0, 0, 12, 0, 0, 0, 7, 0, 0, 0];

    #[test]
    fn fields_are_found_absent_ones_are_default_and_lies_are_bad() {
        let table = Table::root(&EXAMPLE).unwrap();
        assert_eq!((table.i16(0), table.i16(1), table.i64(9)), (Ok(7), Ok(0), Ok(0)));
        assert!(table.table(1).unwrap().is_none());
        assert!(Table::root(&EXAMPLE[..15]).is_err() && Table::root(&[0xff; 8]).is_err());
        for (at, value) in [(0, 0xf0), (16, 0xff), (8, 0xff)] {
            let mut bytes = EXAMPLE;
            bytes[at] = value;
            assert!(Table::root(&bytes).and_then(|t| t.i16(0)).is_err(), "{at}");
        }
    }
}
