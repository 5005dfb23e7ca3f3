//! Tests of the families that look at titrations, rests, holds, pulses and spectra.
