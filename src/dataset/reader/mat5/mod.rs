//! MATLAB version 5 files (`save -v6`, `-v7`): bytes in, a tree of values out.
//!
//! Written after "MAT-File Format" (`MathWorks`, R2023b, chapter 1, "Level 5 MAT-File Format"). Compressed variables
//! are inflated a window at a time and turned into `f64` while they are in the cache, so the inflated bytes are never
//! in memory as a whole. Counts are checked against the bytes that can still come before anything is reserved.

mod array;
mod stream;

use std::fmt;

use super::matlab::Value;
use array::Budget;
use stream::{Order, Stream};

/// Bytes of the text and version in front of the first variable.
const HEADER_BYTES: usize = 128;

/// How much a file may make of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Most bytes that all compressed variables together may inflate to.
    pub inflated_bytes: u64,
    /// Bytes that a variable may inflate to however small it is packed.
    pub inflated_bytes_free: u64,
    /// Most inflated bytes for each packed byte beyond [`Self::inflated_bytes_free`]; zlib could do 1032.
    pub inflated_ratio: u64,
    /// Most bytes that the values may take in memory.
    pub value_bytes: u64,
    /// Most arrays inside each other.
    pub depth: u32,
    /// Fields of structs, by name, that are passed over; their values are [`Value::Unsupported`].
    pub unread_fields: &'static [&'static str],
}

impl Default for Limits {
    /// 1 GiB inflated, 64 MiB or 200 times the packed size a variable, 4 GiB of values, 64 levels, every field.
    fn default() -> Self {
        Self {
            inflated_bytes: 1 << 30,
            inflated_bytes_free: 64 << 20,
            inflated_ratio: 200,
            value_bytes: 4 << 30,
            depth: 64,
            unread_fields: &[],
        }
    }
}

/// A byte of a file, or of what was inflated from there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Offset in the file.
    pub file: u64,
    /// Offset in the data that were inflated from there.
    pub inflated: Option<u64>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.inflated {
            Some(byte) => write!(f, "byte {byte} of what is inflated from byte {}", self.file),
            None => write!(f, "byte {}", self.file),
        }
    }
}

/// Why bytes are no readable MATLAB version 5 file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Mat5Error {
    /// Occurs when the 128-byte header is not there.
    #[error("{found}; a .mat file of version 5 (`save -v7`) or 7.3 is needed")]
    Header {
        /// What is there instead.
        found: &'static str,
    },
    /// Occurs when something is longer than the bytes that are left.
    #[error("{needed} bytes of {what} are announced and at most {remaining} are left")]
    Truncated {
        /// Where it starts.
        place: Place,
        /// What is too long.
        what: &'static str,
        /// Bytes that it should have.
        needed: u64,
        /// Bytes that can still come.
        remaining: u64,
    },
    /// Occurs when a compressed variable is broken.
    #[error("the zlib stream is broken")]
    Inflate {
        /// Where it broke.
        place: Place,
    },
    /// Occurs when an element is of another type than must be there.
    #[error("type {found} where {expected} must be")]
    Type {
        /// Where it is.
        place: Place,
        /// Number of the type.
        found: u32,
        /// What must be there.
        expected: &'static str,
    },
    /// Occurs when a count contradicts another.
    #[error("{found} is no possible {what}")]
    Count {
        /// Where it is.
        place: Place,
        /// What is counted.
        what: &'static str,
        /// Count that is there.
        found: u64,
    },
    /// Occurs when a file makes more of itself than [`Limits`] allows.
    #[error("more than {limit} {what}: this looks like a trap, not like data")]
    Limit {
        /// Where it is.
        place: Place,
        /// What there is too much of.
        what: &'static str,
        /// The limit.
        limit: u64,
    },
}

impl Mat5Error {
    /// Returns where the file is broken; `None` when it is no such file at all.
    pub fn place(&self) -> Option<Place> {
        match self {
            Self::Header { .. } => None,
            Self::Truncated { place, .. }
            | Self::Inflate { place }
            | Self::Type { place, .. }
            | Self::Count { place, .. }
            | Self::Limit { place, .. } => Some(*place),
        }
    }
}

/// Reads all variables of a file, in its order, within the default [`Limits`].
///
/// # Errors
/// [`Mat5Error`], with the byte where it is.
pub fn parse(bytes: &[u8]) -> Result<Vec<(String, Value)>, Mat5Error> {
    parse_within(bytes, &Limits::default())
}

/// Reads all variables of a file, in its order, within `limits`.
///
/// A variable without a name is MATLAB's own bookkeeping for objects and left out.
///
/// # Errors
/// [`Mat5Error`], with the byte where it is.
pub fn parse_within(bytes: &[u8], limits: &Limits) -> Result<Vec<(String, Value)>, Mat5Error> {
    let order = header(bytes)?;
    let mut budget = Budget::new(limits);
    let mut variables = Vec::new();
    let mut offset = HEADER_BYTES;
    while bytes[offset..].iter().take(8).any(|&b| b != 0) {
        let (variable, next) = variable(bytes, offset, order, &mut budget)?;
        offset = next;
        variables.extend(variable.filter(|(name, _)| !name.is_empty()));
    }
    Ok(variables)
}

/// Reads the variable at `offset`; returns it and where the next one starts.
fn variable(
    bytes: &[u8],
    offset: usize,
    order: Order,
    budget: &mut Budget,
) -> Result<(Option<(String, Value)>, usize), Mat5Error> {
    let mut stream = Stream::plain(&bytes[offset..], offset as u64, order);
    let place = stream.place();
    let (kind, length) = (stream.u32()?, stream.u32()? as usize);
    let start = offset + 8;
    let end = start.saturating_add(length);
    if end > bytes.len() {
        let remaining = (bytes.len() - start) as u64;
        return Err(Mat5Error::Truncated { place, what: "a variable", needed: length as u64, remaining });
    }
    let packed = &bytes[start..end];
    let padded = end.saturating_add(length.wrapping_neg() % 8).min(bytes.len());
    match kind {
        array::MATRIX => Ok((Some(array::variable(stream, length as u64, budget)?), padded)),
        array::COMPRESSED => Ok((Some(compressed(packed, start as u64, order, budget)?), end)),
        1..=18 => Ok((None, padded)),
        found => Err(Mat5Error::Type { place, found, expected: "a variable" }),
    }
}

fn compressed(
    packed: &[u8],
    start: u64,
    order: Order,
    budget: &mut Budget,
) -> Result<(String, Value), Mat5Error> {
    let mut stream = Stream::zlib(packed, start, order, budget.inflated_allowed(packed.len() as u64));
    let place = stream.place();
    let (kind, length) = (stream.u32()?, stream.u32()?);
    if kind != array::MATRIX {
        return Err(Mat5Error::Type { place, found: kind, expected: "an array" });
    }
    array::variable(stream, u64::from(length), budget)
}

fn header(bytes: &[u8]) -> Result<Order, Mat5Error> {
    let missing = |found| Err(Mat5Error::Header { found });
    if bytes.is_empty() {
        return missing("the file is empty");
    }
    if bytes.len() < HEADER_BYTES {
        return missing("the file is shorter than the header of 128 bytes");
    }
    match &bytes[126..128] {
        b"IM" => Ok(Order::Little),
        b"MI" => Ok(Order::Big),
        _ if bytes[..4].contains(&0) => missing("there is no mark IM or MI at byte 126 (MATLAB 4 perhaps)"),
        _ => missing("there is no mark IM or MI at byte 126"),
    }
}

#[cfg(test)]
pub(super) mod tests;
