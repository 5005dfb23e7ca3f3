//! Uncertainty: how far answers may be off, from errors on cells that a model never saw.

pub mod conformal;
