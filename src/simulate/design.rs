//! The three cell designs: electrodes, limits, resistances, and the conditions under which they are cycled.
//!
//! Open-circuit potentials and the stoichiometries of `[Chen2020]` are published; resistances, heat and spread are those
//! of a plausible cell of that size, not of a measured one.

use super::ageing::Stress;
use super::open_circuit::{Electrode, Window};
use crate::cell::Chemistry;

/// What a kind of cell is made of and how it is tested.
#[derive(Debug, Clone, Copy)]
pub(super) struct Design {
    /// Middle part of a cell id.
    pub(super) name: &'static str,
    pub(super) solid: bool,
    pub(super) nominal_ah: f64,
    /// Lower and upper limit [V].
    pub(super) limits_volt: (f64, f64),
    pub(super) electrodes: (Electrode, Electrode),
    pub(super) window: Window,
    /// Ohmic, charge-transfer and diffusion resistance at 25 degrees Celsius [ohm].
    pub(super) resistance_ohm: [f64; 3],
    /// Activation energies of the three [J/mol].
    pub(super) activation: [f64; 3],
    /// Time constants of the two pairs [s].
    pub(super) tau_second: [f64; 2],
    /// Exponent of the depressed semicircle [1].
    pub(super) depression: f64,
    /// Heat capacity [J/K] and time constant of cooling [s].
    pub(super) thermal: (f64, f64),
    /// How many times faster than its law the kind ages [1]: `[Xu2018]` is for a cell of several thousand cycles.
    pub(super) acceleration: f64,
    pub(super) conditions: Conditions,
}

/// Values that the cells of a kind take in turn.
#[derive(Debug, Clone, Copy)]
pub(super) struct Conditions {
    pub(super) temperatures_celsius: &'static [f64],
    pub(super) depths: &'static [f64],
    /// Charge and discharge rate [1/h].
    pub(super) c_rates: &'static [(f64, f64)],
    /// Stack pressures [megapascal]; empty with a liquid electrolyte.
    pub(super) pressures_megapascal: &'static [f64],
}

/// 18650 of graphite and NMC; stoichiometries of `[Chen2020]`, its table of the full cell.
const NMC: Design = Design {
    name: "NMC",
    solid: false,
    nominal_ah: 2.5,
    limits_volt: (2.5, 4.2),
    electrodes: (Electrode::GraphiteChen2020, Electrode::NmcChen2020),
    window: Window { negative: (0.0279, 0.9014), positive: (0.9084, 0.2661) },
    resistance_ohm: [0.025, 0.015, 0.015],
    activation: [12e3, 35e3, 20e3],
    tau_second: [0.05, 250.0],
    depression: 0.85,
    thermal: (42.0, 600.0),
    acceleration: 3.5,
    conditions: Conditions {
        temperatures_celsius: &[25.0, 35.0, 45.0],
        depths: &[1.0, 0.8, 0.6],
        c_rates: &[(0.5, 1.0), (1.0, 1.0), (1.0, 2.0)],
        pressures_megapascal: &[],
    },
};

/// Cylinder of graphite and LFP, 1.1 Ah; anode window of `[Schimpe2018]`, cathode window chosen for 2.5-3.6 V.
const LFP: Design = Design {
    name: "LFP",
    solid: false,
    nominal_ah: 1.1,
    limits_volt: (2.5, 3.6),
    electrodes: (Electrode::GraphiteSafari2011, Electrode::LfpSafari2011),
    window: Window { negative: (0.0085, 0.78), positive: (0.916, 0.045) },
    resistance_ohm: [0.018, 0.012, 0.016],
    activation: [12e3, 40e3, 20e3],
    tau_second: [0.03, 300.0],
    depression: 0.85,
    thermal: (36.0, 500.0),
    acceleration: 4.0,
    conditions: Conditions {
        temperatures_celsius: &[25.0, 35.0, 45.0],
        depths: &[1.0, 0.8, 0.7],
        c_rates: &[(1.0, 1.0), (1.0, 2.0), (2.0, 2.0)],
        pressures_megapascal: &[],
    },
};

/// Laboratory pouch of lithium metal, garnet and NMC; the ohmic part conducts like a garnet (`[Murugan2007]`).
const LITHIUM_GARNET_NMC: Design = Design {
    name: "SSB",
    solid: true,
    nominal_ah: 0.1,
    limits_volt: (3.0, 4.2),
    electrodes: (Electrode::LithiumMetal, Electrode::NmcMohtat2020),
    window: Window { negative: (0.0, 1.0), positive: (0.9975, 0.095) },
    resistance_ohm: [0.6, 0.9, 0.6],
    // 0.34 eV for Li7La3Zr2O12 (`[Murugan2007]`), 96.485 kJ/mol per eV; the others are the simulator's.
    activation: [32.8e3, 45e3, 30e3],
    tau_second: [0.002, 400.0],
    depression: 0.75,
    thermal: (6.0, 300.0),
    acceleration: 1.0,
    conditions: Conditions {
        temperatures_celsius: &[25.0, 45.0, 60.0],
        depths: &[1.0, 0.8],
        c_rates: &[(0.2, 0.33), (0.33, 0.33), (0.5, 0.5)],
        pressures_megapascal: &[5.0, 2.0, 10.0],
    },
};

impl Design {
    /// Returns the design of `chemistry`; `None` for one that is not stated.
    pub(super) fn of(chemistry: Chemistry) -> Option<&'static Self> {
        match chemistry {
            Chemistry::Nmc => Some(&NMC),
            Chemistry::Lfp => Some(&LFP),
            Chemistry::LithiumGarnetNmc => Some(&LITHIUM_GARNET_NMC),
            Chemistry::Unknown => None,
        }
    }
}

impl Conditions {
    /// Returns the stress of the cell `number`, from 0, so that neighbours differ and every pair of values meets.
    pub(super) fn of(&self, number: usize) -> Stress {
        let turn = number / self.temperatures_celsius.len();
        let (charge_c_rate, discharge_c_rate) = in_turn(self.c_rates, number + turn).unwrap_or((1.0, 1.0));
        Stress {
            temperature_celsius: in_turn(self.temperatures_celsius, number).unwrap_or(25.0),
            depth: in_turn(self.depths, turn).unwrap_or(1.0),
            charge_c_rate,
            discharge_c_rate,
            pressure_megapascal: in_turn(self.pressures_megapascal, turn + number / 2),
        }
    }
}

pub(super) fn in_turn<T: Copy>(values: &[T], position: usize) -> Option<T> {
    values.get(position % values.len().max(1)).copied()
}
