//! Equivalent circuit of a cell of one age: open-circuit voltage, one resistor, two RC pairs, one thermal mass.
//!
//! The first pair is the charge transfer (in a solid-state cell the interface), the second the slow diffusion. A step
//! of constant current is exact for the charge and for the pairs, whatever its length.

use super::open_circuit::Balance;
use crate::cell::health;
use crate::units::{GAS_CONSTANT, ampere_hours, kelvin};

/// Temperature at which resistances are stated [degrees Celsius].
const REFERENCE_CELSIUS: f64 = 25.0;
/// Rise of the polarisation resistances of an empty cell and the SoC over which it fades [1]; the simulator's.
const EMPTY_RISE: (f64, f64) = (1.5, 0.07);

/// A cell of one age.
#[derive(Debug, Clone, Copy)]
pub(super) struct Circuit {
    pub(super) balance: Balance,
    /// Present nominal scale of currents: the fresh cell's nominal capacity [Ah].
    pub(super) nominal_ah: f64,
    /// Lower and upper limit [V].
    pub(super) limits_volt: (f64, f64),
    /// Ohmic, charge-transfer and diffusion resistance at 25 degrees Celsius and high SoC [ohm].
    pub(super) resistance_ohm: [f64; 3],
    /// Activation energies of the three [J/mol].
    pub(super) activation: [f64; 3],
    /// Time constants of the two pairs [s].
    pub(super) tau_second: [f64; 2],
    /// Heat capacity [J/K] and time constant of cooling [s].
    pub(super) thermal: (f64, f64),
    /// Chamber temperature during this record [degrees Celsius].
    pub(super) ambient_celsius: f64,
    /// Current through an internal leak [A].
    pub(super) leak_ampere: f64,
    /// Share of the charge current that is stored [1].
    pub(super) efficiency: f64,
    /// Lithium in the negative electrode at the lower and at the upper limit at rest [Ah].
    pub(super) stored_limits_ah: (f64, f64),
    /// Samples that the bench takes in a half cycle at constant current.
    pub(super) half_cycle_samples: f64,
}

/// What a cell remembers from one sample to the next.
#[derive(Debug, Clone, Copy)]
pub(super) struct State {
    /// Lithium in the negative electrode [Ah].
    pub(super) stored_ah: f64,
    /// Voltages of the two pairs [V].
    pub(super) pair_volt: [f64; 2],
    /// Temperature of the cell [degrees Celsius].
    pub(super) celsius: f64,
}

impl Circuit {
    /// Returns a rested cell at the state of charge `soc` [1].
    pub(super) fn rested(&self, soc: f64) -> State {
        let (empty, full) = self.stored_limits_ah;
        State { stored_ah: empty + soc * (full - empty), pair_volt: [0.0; 2], celsius: self.ambient_celsius }
    }

    pub(super) fn soc(&self, state: &State) -> f64 {
        let (empty, full) = self.stored_limits_ah;
        health::soc(state.stored_ah - empty, full - empty)
    }

    /// Returns the three resistances [ohm] at the temperature and state of charge of `state`.
    pub(super) fn resistances(&self, state: &State) -> [f64; 3] {
        let inverse = 1.0 / kelvin(state.celsius) - 1.0 / kelvin(REFERENCE_CELSIUS);
        let empty = 1.0 + EMPTY_RISE.0 * (-self.soc(state).max(0.0) / EMPTY_RISE.1).exp();
        let rise = [1.0, empty, empty];
        std::array::from_fn(|i| {
            self.resistance_ohm[i] * (self.activation[i] / GAS_CONSTANT * inverse).exp() * rise[i]
        })
    }

    /// Returns the terminal voltage [V] with `ampere` flowing in.
    pub(super) fn voltage(&self, state: &State, ampere: f64) -> f64 {
        let ohmic = if ampere == 0.0 { 0.0 } else { self.resistances(state)[0] * ampere };
        self.balance.voltage(state.stored_ah) + ohmic + state.pair_volt[0] + state.pair_volt[1]
    }

    /// Returns the state after `second` of the constant current `ampere`.
    pub(super) fn step(&self, state: &State, ampere: f64, second: f64) -> State {
        let [r0, r1, r2] = self.resistances(state);
        let share = if ampere > 0.0 { self.efficiency } else { 1.0 };
        let relax = |volt: f64, ohm: f64, tau: f64| {
            let left = (-second / tau).exp();
            volt * left + ampere * ohm * (1.0 - left)
        };
        let pair_volt = [
            relax(state.pair_volt[0], r1, self.tau_second[0]),
            relax(state.pair_volt[1], r2, self.tau_second[1]),
        ];
        let heat_watt = ampere * (ampere * r0 + pair_volt[0] + pair_volt[1]);
        let (capacity, tau) = self.thermal;
        let settled = self.ambient_celsius + heat_watt.max(0.0) * tau / capacity;
        State {
            stored_ah: state.stored_ah + ampere_hours((ampere * share - self.leak_ampere) * second),
            pair_volt,
            celsius: settled + (state.celsius - settled) * (-second / tau).exp(),
        }
    }

    /// Returns the current [A] that brings the terminal to `volt` after `second`: one Newton step from the last `ampere`.
    pub(super) fn current_at(&self, state: &State, volt: f64, ampere: f64, second: f64) -> f64 {
        let [r0, r1, r2] = self.resistances(state);
        let left = self.tau_second.map(|tau| (-second / tau).exp());
        let kept = state.pair_volt[0] * left[0] + state.pair_volt[1] * left[1];
        let ohm = r0 + r1 * (1.0 - left[0]) + r2 * (1.0 - left[1]);
        let stored = state.stored_ah + ampere_hours((ampere * self.efficiency - self.leak_ampere) * second);
        let open = self.balance.voltage(stored);
        let nudge = 1e-5 * self.nominal_ah;
        let slope = (self.balance.voltage(stored + nudge) - open) / nudge;
        let slope_ohm = slope * ampere_hours(self.efficiency * second);
        (volt - open - kept + slope_ohm * ampere) / (ohm + slope_ohm)
    }
}

#[cfg(test)]
mod tests {
    use super::super::open_circuit::{Electrode, Window};
    use super::*;

    fn circuit() -> Circuit {
        let window = Window { negative: (0.0279, 0.9014), positive: (0.9084, 0.2661) };
        let balance = Balance::fresh((Electrode::GraphiteChen2020, Electrode::NmcChen2020), &window, 2.0);
        Circuit {
            balance,
            nominal_ah: 2.0,
            limits_volt: (2.5, 4.2),
            resistance_ohm: [0.03, 0.02, 0.01],
            activation: [0.0; 3],
            tau_second: [1.0, 200.0],
            thermal: (40.0, 600.0),
            ambient_celsius: 25.0,
            leak_ampere: 0.0,
            efficiency: 1.0,
            stored_limits_ah: (balance.stored_at(2.5), balance.stored_at(4.2)),
            half_cycle_samples: 80.0,
        }
    }

    #[test]
    fn a_step_equals_many_small_ones_and_the_closed_form() {
        let cell = circuit();
        let start = cell.rested(0.5);
        let once = cell.step(&start, -2.0, 100.0);
        let many = (0..1000).fold(start, |s, _| cell.step(&s, -2.0, 0.1));
        assert!((once.stored_ah - (start.stored_ah - 2.0 * 100.0 / 3600.0)).abs() < 1e-12);
        assert!((once.stored_ah - many.stored_ah).abs() < 1e-9);
        // -I R (1 - exp(-t / tau)) with the rise of an SoC of one half, 1 + 1.5 exp(-0.5 / 0.07), Python.
        assert!((once.pair_volt[1] + 0.007_878_717_8).abs() < 1e-9, "{}", once.pair_volt[1]);
        assert!((many.pair_volt[1] - once.pair_volt[1]).abs() < 1e-5);
    }

    #[test]
    fn the_current_of_a_held_voltage_holds_it() {
        let cell = circuit();
        let start = cell.rested(0.6);
        let mut ampere = 0.0;
        for _ in 0..5 {
            ampere = cell.current_at(&start, 4.0, ampere, 5.0);
        }
        let after = cell.step(&start, ampere, 5.0);
        assert!((cell.voltage(&after, ampere) - 4.0).abs() < 1e-6, "{}", cell.voltage(&after, ampere));
    }

    #[test]
    fn cold_raises_a_resistance_as_arrhenius_says() {
        let cell = Circuit { activation: [35e3; 3], ..circuit() };
        let warm = cell.rested(1.0);
        let cold = State { celsius: 10.0, ..warm };
        // exp(35000 / 8.314462618 (1 / 283.15 - 1 / 298.15)), numpy.
        assert!((cell.resistances(&cold)[0] / cell.resistances(&warm)[0] - 2.112_668_876_9).abs() < 1e-6);
    }
}
