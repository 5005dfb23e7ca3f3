//! Buffers that start at a cache line, so that no vector straddles two.

use std::ops::{Deref, DerefMut};

/// Bytes of a cache line, and of the widest vector.
const LINE: usize = 64;

/// Numbers in a row of a padded matrix come in multiples of this: one line.
pub(super) const PAD: usize = LINE / size_of::<f32>();

/// A zeroed slice of numbers, aligned to a cache line.
#[derive(Debug, Default)]
pub(super) struct Buffer {
    storage: Vec<f32>,
    start: usize,
    len: usize,
}

impl Buffer {
    /// Returns `len` zeros.
    pub(super) fn zeros(len: usize) -> Self {
        let storage = vec![0.0; len + PAD];
        let start = storage.as_ptr().align_offset(LINE).min(PAD);
        Self { storage, start, len }
    }

    /// Grows to at least `len` numbers; what was there is lost when it grows.
    pub(super) fn reserve(&mut self, len: usize) {
        if self.len < len {
            *self = Self::zeros(len);
        }
    }
}

impl Deref for Buffer {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        &self.storage[self.start..self.start + self.len]
    }
}

impl DerefMut for Buffer {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.storage[self.start..self.start + self.len]
    }
}

/// Returns the row length of a padded matrix of `d` columns.
pub(super) fn padded(d: usize) -> usize {
    d.next_multiple_of(PAD)
}
