//! LZ4 frames, the compression that Arrow files have by default: unpacked to a stated length and no byte more.
//!
//! After "LZ4 Frame Format Description" 1.6.3 and "LZ4 Block Format Description"; checksums are passed over.

const MAGIC: u32 = 0x184d_2204;

/// Unpacks a frame that holds `length` bytes; `None` for anything else.
pub(super) fn unpack(mut bytes: &[u8], length: usize) -> Option<Vec<u8>> {
    if u32::from_le_bytes(take(&mut bytes)?) != MAGIC {
        return None;
    }
    let [flags, _] = take(&mut bytes)?;
    let (has_block_sums, has_length, has_dictionary) = (flags & 0x10 != 0, flags & 0x08 != 0, flags & 1 != 0);
    if flags >> 6 != 1 || has_dictionary {
        return None;
    }
    if has_length {
        take::<8>(&mut bytes)?;
    }
    take::<1>(&mut bytes)?;
    let mut out = Vec::new();
    loop {
        let head = u32::from_le_bytes(take(&mut bytes)?);
        let n = (head & 0x7fff_ffff) as usize;
        if n == 0 {
            return (out.len() == length).then_some(out);
        }
        let block = bytes.get(..n)?;
        bytes = &bytes[n..];
        if head >> 31 == 1 {
            out.extend_from_slice(block);
        } else {
            unpack_block(block, &mut out, length)?;
        }
        if has_block_sums {
            take::<4>(&mut bytes)?;
        }
        if out.len() > length {
            return None;
        }
    }
}

/// Unpacks a block behind what is there already, which it may repeat.
fn unpack_block(mut bytes: &[u8], out: &mut Vec<u8>, most: usize) -> Option<()> {
    loop {
        let [token] = take(&mut bytes)?;
        let n = extended(&mut bytes, usize::from(token >> 4))?;
        out.extend_from_slice(bytes.get(..n)?);
        bytes = &bytes[n..];
        if bytes.is_empty() {
            return (out.len() <= most).then_some(());
        }
        let back = usize::from(u16::from_le_bytes(take(&mut bytes)?));
        let n = extended(&mut bytes, usize::from(token & 0x0f))?.checked_add(4)?;
        let from = out.len().checked_sub(back).filter(|_| back > 0)?;
        if out.len().checked_add(n)? > most {
            return None;
        }
        for at in from..from + n {
            out.push(out[at]);
        }
    }
}

/// Adds the bytes that follow a length of 15, up to the first that is not 255.
fn extended(bytes: &mut &[u8], mut n: usize) -> Option<usize> {
    if n < 15 {
        return Some(n);
    }
    loop {
        let [more] = take(bytes)?;
        n = n.checked_add(usize::from(more))?;
        if more < 255 {
            return Some(n);
        }
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (piece, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*piece)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `pyarrow.compress(b"abcd" * 10, "lz4")` writes the content's length, this frame by hand does not: a token of 4
    /// literals and a match of 4 + 15 + 12, back 4; then 5 literals.
    const FRAME: [u8; 27] = [
        0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82, 14, 0, 0, 0, 0x4f, b'a', b'b', b'c', b'd', 4, 0, 12, 0x50,
        b'd', b'a', b'b', b'c', b'd', 0, 0,
    ];

    #[test]
    fn a_frame_is_unpacked_and_a_lie_refused() {
        let mut frame = FRAME.to_vec();
        frame.extend([0, 0]);
        let expected: Vec<u8> = [&b"abcd"[..], &b"abcd".repeat(7)[..], b"abc", b"dabcd"].concat();
        assert_eq!(unpack(&frame, 40), Some(expected));
        assert_eq!(unpack(&frame, 39), None);
        assert_eq!(unpack(&frame, 41), None);
        for end in 0..frame.len() {
            assert_eq!(unpack(&frame[..end], 40), None, "{end}");
        }
        frame[16] = 5;
        assert_eq!(unpack(&frame, 40), None, "back beyond the begin");
    }
}
