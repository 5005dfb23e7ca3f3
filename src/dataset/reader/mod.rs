//! Readers: cycler files to canonical cells.
