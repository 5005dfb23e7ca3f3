//! The integration tests, one binary: it links the library once.

mod tidy; // House rules: heads, lengths, names, import direction, confined crates, citations.
