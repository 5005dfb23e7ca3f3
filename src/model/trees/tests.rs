//! Tests of the trees as the rest of the program sees them.
use super::*;
use crate::seed::Seed;
