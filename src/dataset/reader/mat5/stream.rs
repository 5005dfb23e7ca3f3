//! Bytes of one variable, as they stand in the file or inflated a window at a time.
//!
//! Inflating is nearly all of the time of reading a file. `flate2` does it with its backend zlib-rs: no C compiler, and
//! faster than the C zlib (on 30 MB of NASA's numbers by a factor of 1.4, with its run-time detection of AVX2 of 1.9).

use flate2::{Decompress, FlushDecompress, Status};

use super::{Mat5Error, Place};

/// Bytes inflated at a time: small enough for the second-level cache, large next to zlib's window of 32 KiB.
const WINDOW_BYTES: usize = 128 << 10;

/// Most bytes that DEFLATE makes of one: 258 from two bits, 1032 rounded up.
const DEFLATE_RATIO: u64 = 1040;

/// Packed bytes that the inflater may have taken in but not worked off yet.
const INFLATER_BYTES: u64 = 64;

/// Which byte of a number comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Least significant first.
    Little,
    /// Most significant first.
    Big,
}

/// How a number is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Storage {
    I8,
    U8,
    I16,
    U16,
    I32,
    U32,
    F32,
    F64,
    I64,
    U64,
}

impl Storage {
    /// Returns the storage of element type `kind`, if it holds numbers.
    pub(super) fn of(kind: u32) -> Option<Self> {
        Some(match kind {
            1 => Self::I8,
            2 | 16 => Self::U8,
            3 => Self::I16,
            4 | 17 => Self::U16,
            5 => Self::I32,
            6 | 18 => Self::U32,
            7 => Self::F32,
            9 => Self::F64,
            12 => Self::I64,
            13 => Self::U64,
            _ => return None,
        })
    }

    /// Returns the bytes of one number.
    pub(super) fn size(self) -> usize {
        match self {
            Self::I8 | Self::U8 => 1,
            Self::I16 | Self::U16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::F64 | Self::I64 | Self::U64 => 8,
        }
    }

    /// Appends the numbers in `bytes`, a multiple of the size.
    fn extend(self, order: Order, bytes: &[u8], out: &mut Vec<f64>) {
        macro_rules! numbers {
            ($t:ty, $convert:expr) => {{
                let (whole, _) = bytes.as_chunks::<{ size_of::<$t>() }>();
                match order {
                    Order::Little => out.extend(whole.iter().map(|b| $convert(<$t>::from_le_bytes(*b)))),
                    Order::Big => out.extend(whole.iter().map(|b| $convert(<$t>::from_be_bytes(*b)))),
                }
            }};
        }
        match self {
            Self::I8 => numbers!(i8, f64::from),
            Self::U8 => numbers!(u8, f64::from),
            Self::I16 => numbers!(i16, f64::from),
            Self::U16 => numbers!(u16, f64::from),
            Self::I32 => numbers!(i32, f64::from),
            Self::U32 => numbers!(u32, f64::from),
            Self::F32 => numbers!(f32, f64::from),
            Self::F64 => numbers!(f64, |x| x),
            Self::I64 => numbers!(i64, |x| x as f64),
            Self::U64 => numbers!(u64, |x| x as f64),
        }
    }
}

/// The bytes of one variable.
pub(super) struct Stream<'a> {
    source: Source<'a>,
    order: Order,
    /// Offset in the file of the first byte, or of the packed bytes.
    start: u64,
    /// Bytes handed out so far.
    position: u64,
}

enum Source<'a> {
    Plain(&'a [u8]),
    Zlib(Box<Inflater<'a>>),
}

struct Inflater<'a> {
    packed: &'a [u8],
    state: Decompress,
    buffer: Vec<u8>,
    from: usize,
    to: usize,
    finished: bool,
    allowed: u64,
}

impl<'a> Stream<'a> {
    /// Returns the stream of `bytes` that stand at `start` in the file.
    pub(super) fn plain(bytes: &'a [u8], start: u64, order: Order) -> Self {
        Self { source: Source::Plain(bytes), order, start, position: 0 }
    }

    /// Returns the stream of what `packed`, at `start` in the file, inflates to: at most `allowed` bytes.
    pub(super) fn zlib(packed: &'a [u8], start: u64, order: Order, allowed: u64) -> Self {
        let inflater = Inflater {
            packed,
            state: Decompress::new(true),
            buffer: vec![0; WINDOW_BYTES],
            from: 0,
            to: 0,
            finished: false,
            allowed,
        };
        Self { source: Source::Zlib(Box::new(inflater)), order, start, position: 0 }
    }

    /// Returns the number of bytes handed out so far.
    pub(super) fn position(&self) -> u64 {
        self.position
    }

    /// Returns where the next byte is.
    pub(super) fn place(&self) -> Place {
        match self.source {
            Source::Plain(_) => Place { file: self.start + self.position, inflated: None },
            Source::Zlib(_) => Place { file: self.start, inflated: Some(self.position) },
        }
    }

    /// Returns the number of bytes inflated so far; 0 for plain bytes.
    pub(super) fn inflated(&self) -> u64 {
        match &self.source {
            Source::Plain(_) => 0,
            Source::Zlib(inflater) => inflater.state.total_out(),
        }
    }

    /// Checks that `needed` bytes of `what` can still come.
    pub(super) fn need(&self, needed: u64, what: &'static str) -> Result<(), Mat5Error> {
        let remaining = match &self.source {
            Source::Plain(bytes) => bytes.len() as u64,
            Source::Zlib(inflater) => inflater.reachable(),
        };
        if needed <= remaining {
            return Ok(());
        }
        Err(Mat5Error::Truncated { place: self.place(), what, needed, remaining })
    }

    /// Reads a 32-bit number.
    pub(super) fn u32(&mut self) -> Result<u32, Mat5Error> {
        let order = self.order;
        let bytes = self.peek(4)?;
        let bytes = [bytes[0], bytes[1], bytes[2], bytes[3]];
        self.consume(4);
        Ok(match order {
            Order::Little => u32::from_le_bytes(bytes),
            Order::Big => u32::from_be_bytes(bytes),
        })
    }

    /// Reads `count` numbers, which are checked to be possible before anything is reserved.
    pub(super) fn numbers(&mut self, storage: Storage, count: usize) -> Result<Vec<f64>, Mat5Error> {
        let size = storage.size();
        self.need(count as u64 * size as u64, "numbers")?;
        let mut out = Vec::with_capacity(count);
        while out.len() < count {
            let order = self.order;
            let bytes = self.peek(size)?;
            let taken = (bytes.len() / size).min(count - out.len()) * size;
            storage.extend(order, &bytes[..taken], &mut out);
            self.consume(taken);
        }
        Ok(out)
    }

    /// Reads `count` bytes.
    pub(super) fn bytes(&mut self, count: usize) -> Result<Vec<u8>, Mat5Error> {
        self.need(count as u64, "text")?;
        let mut out = Vec::with_capacity(count);
        while out.len() < count {
            let bytes = self.peek(1)?;
            let taken = bytes.len().min(count - out.len());
            out.extend_from_slice(&bytes[..taken]);
            self.consume(taken);
        }
        Ok(out)
    }

    /// Leaves out `count` bytes.
    pub(super) fn skip(&mut self, mut count: u64) -> Result<(), Mat5Error> {
        while count > 0 {
            let taken = (self.peek(1)?.len() as u64).min(count);
            self.consume(taken as usize);
            count -= taken;
        }
        Ok(())
    }

    /// Checks that a zlib stream ends properly, its checksum included.
    pub(super) fn finish(mut self) -> Result<(), Mat5Error> {
        let place = self.place();
        if let Source::Zlib(inflater) = &mut self.source {
            while !inflater.finished {
                inflater.from = inflater.to;
                inflater.fill(place)?;
            }
        }
        Ok(())
    }

    /// Returns the next bytes, at least `count` (up to 8) and as many as are at hand.
    fn peek(&mut self, count: usize) -> Result<&[u8], Mat5Error> {
        let place = self.place();
        let at_hand = match &mut self.source {
            Source::Plain(bytes) => bytes,
            Source::Zlib(inflater) => {
                while inflater.to - inflater.from < count && !inflater.finished {
                    inflater.fill(place)?;
                }
                &inflater.buffer[inflater.from..inflater.to]
            }
        };
        if at_hand.len() >= count {
            return Ok(at_hand);
        }
        let (needed, remaining) = (count as u64, at_hand.len() as u64);
        Err(Mat5Error::Truncated { place, what: "data", needed, remaining })
    }

    fn consume(&mut self, count: usize) {
        self.position += count as u64;
        match &mut self.source {
            Source::Plain(bytes) => *bytes = &bytes[count..],
            Source::Zlib(inflater) => inflater.from += count,
        }
    }
}

impl Inflater<'_> {
    /// Returns the most bytes that can still come.
    fn reachable(&self) -> u64 {
        let at_hand = (self.to - self.from) as u64;
        if self.finished {
            return at_hand;
        }
        at_hand + DEFLATE_RATIO * (self.packed.len() as u64 + INFLATER_BYTES)
    }

    /// Inflates the next window behind the bytes that are still at hand.
    fn fill(&mut self, place: Place) -> Result<(), Mat5Error> {
        self.buffer.copy_within(self.from..self.to, 0);
        (self.from, self.to) = (0, self.to - self.from);
        let (taken, made) = (self.state.total_in(), self.state.total_out());
        let status = self
            .state
            .decompress(self.packed, &mut self.buffer[self.to..], FlushDecompress::None)
            .map_err(|_| Mat5Error::Inflate { place })?;
        let (taken, made) = (self.state.total_in() - taken, self.state.total_out() - made);
        self.packed = &self.packed[taken as usize..];
        self.to += made as usize;
        self.finished = status == Status::StreamEnd;
        if !self.finished && taken == 0 && made == 0 {
            return Err(Mat5Error::Inflate { place });
        }
        if self.state.total_out() > self.allowed {
            return Err(Mat5Error::Limit { place, what: "inflated bytes", limit: self.allowed });
        }
        Ok(())
    }
}
