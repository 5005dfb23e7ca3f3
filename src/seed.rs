//! One root seed and named streams: the only source of randomness in the program.
//!
//! A stream is a `ChaCha8` generator whose key is `sha256(root, path)`. Streams are drawn by name
//! (`member/3/epoch/17/shuffle`), so nothing about a generator has to be stored for a resume and a member's
//! draws do not depend on who shares its population.

use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use sha2::{Digest, Sha256};

/// A node in the tree of named random streams.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seed([u8; 32]);

impl Seed {
    /// Returns the root of the tree for `root`; every value, 0 included, is a seed of its own.
    pub fn new(root: u64) -> Self {
        Self(digest(b"fadecast", &root.to_le_bytes()))
    }

    /// Returns the node `name` below this one.
    #[must_use]
    pub fn child(&self, name: impl std::fmt::Display) -> Self {
        Self(digest(&self.0, name.to_string().as_bytes()))
    }

    /// Returns the random generator `name` below this node, always at its beginning.
    pub fn stream(&self, name: impl std::fmt::Display) -> ChaCha8Rng {
        ChaCha8Rng::from_seed(self.child(name).0)
    }
}

fn digest(parent: &[u8], name: &[u8]) -> [u8; 32] {
    Sha256::new()
        .chain_update((parent.len() as u64).to_le_bytes())
        .chain_update(parent)
        .chain_update(name)
        .finalize()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::Rng;

    #[test]
    fn streams_differ_by_root_and_by_name_and_repeat() {
        let draw = |root, name: &str| Seed::new(root).stream(name).next_u64();
        assert_eq!(draw(0, "split"), draw(0, "split"));
        assert_ne!(draw(0, "split"), draw(1, "split"));
        assert_ne!(draw(0, "split"), draw(0, "weights"));
        assert_ne!(Seed::new(0).child("a").stream("b").next_u64(), Seed::new(0).stream("ab").next_u64());
    }
}
