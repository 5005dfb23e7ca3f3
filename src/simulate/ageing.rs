//! How a simulated cell ages: lost lithium, lost material, grown resistance and a short circuit, from the cycles done.
//!
//! Cells with a liquid electrolyte follow `[Xu2018]` (`physics::xu2018`, its published constants) for cycles that are
//! all alike, so without rainflow counting, and some a knee. Solid-state cells lose contact with the square root of
//! cycles plus a linear part, their interface grows resistive with the square root (`[Krauskopf2019]` for why pressure
//! helps), and in some a dendrite grows through the garnet (`[Cheng2017]`). What is not from `[Xu2018]` is plausible, not
//! fitted to any cell.

use super::open_circuit::Loss;
use crate::physics::xu2018;
use crate::units::{GAS_CONSTANT, kelvin};

/// Growth of the rate of ageing with the C-rate [h]: `[Xu2018]` has no such term, this one is the simulator's.
const C_RATE_STRESS: f64 = 0.25;
/// Activation energy of the ageing of a solid-state cell [J/mol]; the simulator's.
const SOLID_ACTIVATION: f64 = 30e3;
/// Temperature at which a solid-state cell ages at its plain rate [K], 25 degrees Celsius; the simulator's.
const SOLID_REFERENCE_KELVIN: f64 = 298.15;
/// Stack pressure at which a solid-state cell ages at its plain rate [megapascal]; the simulator's.
const SOLID_PRESSURE: f64 = 5.0;
/// Loss of a solid-state cell per square root of a cycle and per cycle [1]; the simulator's.
const SOLID_LOSS: (f64, f64) = (2.5e-3, 6e-5);
/// Relative growth of the interfacial resistance per square root of a cycle [1]; the simulator's.
const SOLID_GROWTH: f64 = 0.05;
/// Cycles over which the stack of a solid-state cell settles; the simulator's.
const SETTLING_CYCLES: f64 = 8.0;
/// Leak through a dendrite [1/h] when it appears and when the cell dies; the simulator's.
const LEAK_C_RATE: (f64, f64) = (0.002, 0.04);

/// What every cycle of a cell does to it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Stress {
    /// Ambient temperature [degrees Celsius].
    pub(super) temperature_celsius: f64,
    /// Depth of discharge from full [1], 0-1.
    pub(super) depth: f64,
    /// Charge rate [1/h].
    pub(super) charge_c_rate: f64,
    /// Discharge rate [1/h].
    pub(super) discharge_c_rate: f64,
    /// Stack pressure [megapascal]; solid-state cells only.
    pub(super) pressure_megapascal: Option<f64>,
}

impl Stress {
    /// Returns the duration of a cycle with half an hour of rest after the charge and after the discharge [s].
    pub(super) fn cycle_second(&self) -> f64 {
        3600.0 * (1.0 + self.depth / self.charge_c_rate + self.depth / self.discharge_c_rate)
    }

    /// Returns `f_d` of `[Xu2018]` for one cycle [1], times the C-rate factor.
    pub(super) fn degradation(&self) -> f64 {
        let (theta, soc) = (xu2018::published(), 1.0 - self.depth / 2.0);
        let wear = xu2018::cycle_damage(&theta, self.depth, soc, self.temperature_celsius);
        let time = xu2018::calendar_damage(&theta, self.cycle_second(), soc, self.temperature_celsius);
        wear * self.rate_factor() + time
    }

    /// Returns how many cycles at 25 degrees Celsius, 100 % depth and 1 C a cycle counts for in a solid-state cell [1].
    fn solid_cycles(&self) -> f64 {
        let inverse = 1.0 / SOLID_REFERENCE_KELVIN - 1.0 / kelvin(self.temperature_celsius);
        let pressure = self.pressure_megapascal.map_or(1.0, |p| (SOLID_PRESSURE / p).sqrt());
        (SOLID_ACTIVATION / GAS_CONSTANT * inverse).exp() * self.depth * pressure * self.rate_factor()
    }

    fn rate_factor(&self) -> f64 {
        (C_RATE_STRESS * (0.5 * (self.charge_c_rate + self.discharge_c_rate) - 1.0)).exp()
    }
}

/// Returns the lost share of capacity [1] after the accumulated degradation `f_d` [1] (`[Xu2018]`).
pub(super) fn xu_loss(f_d: f64) -> f64 {
    1.0 - xu2018::remaining(&xu2018::published(), f_d)
}

/// Accelerated loss after an onset: `severity (n / onset - 1)^2`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Knee {
    /// Cycle at which it begins.
    pub(super) onset: f64,
    /// Extra loss at twice the onset [1].
    pub(super) severity: f64,
}

/// A dendrite: from `appears` a leak that grows, at `dead` a short circuit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Dendrite {
    pub(super) appears: f64,
    pub(super) dead: f64,
}

/// How a solid-state cell's own build lets it age, over the usual [1].
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Wear {
    /// Loss of contact with the square root of cycles.
    pub(super) contact: f64,
    /// Linear loss.
    pub(super) steady: f64,
    /// Growth of the interfacial resistance.
    pub(super) growth: f64,
    /// Loss while the stack settles in the first cycles, a share of the capacity.
    pub(super) settling: f64,
}

impl Default for Wear {
    fn default() -> Self {
        Self { contact: 1.0, steady: 1.0, growth: 1.0, settling: 0.0 }
    }
}

/// The course of a cell's life: everything that depends on the number of cycles.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Course {
    pub(super) solid: bool,
    /// Degradation a cycle, of `[Xu2018]` or in solid-state cycles, with the cell's own rate in it.
    pub(super) per_cycle: f64,
    /// Solid-state cells only.
    pub(super) wear: Wear,
    pub(super) knee: Option<Knee>,
    pub(super) dendrite: Option<Dendrite>,
}

/// A cell after some cycles, relative to the fresh one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Age {
    pub(super) loss: Loss,
    /// Ohmic, charge-transfer or interface, and diffusion resistance over the fresh ones [1].
    pub(super) resistance: [f64; 3],
    /// Leak [1/h].
    pub(super) leak_c_rate: f64,
    pub(super) dead: bool,
}

impl Course {
    pub(super) fn new(stress: &Stress, solid: bool, rate: f64) -> Self {
        let per_cycle = rate * if solid { stress.solid_cycles() } else { stress.degradation() };
        Self { solid, per_cycle, wear: Wear::default(), knee: None, dendrite: None }
    }

    /// Returns the lost share of capacity [1] after `cycles`; ascending.
    pub(super) fn loss(&self, cycles: f64) -> f64 {
        let accumulated = self.per_cycle * cycles;
        let smooth = if self.solid {
            self.wear.contact * SOLID_LOSS.0 * accumulated.sqrt()
                + self.wear.steady * SOLID_LOSS.1 * accumulated
                + self.wear.settling * (1.0 - (-cycles / SETTLING_CYCLES).exp())
        } else {
            xu_loss(accumulated)
        };
        let knee = self.knee.map_or(0.0, |k| k.severity * (cycles / k.onset - 1.0).max(0.0).powi(2));
        smooth + knee
    }

    /// Returns the first cycle, at most `longest`, after which the loss is at least `loss`.
    pub(super) fn cycle_of_loss(&self, loss: f64, longest: u32) -> u32 {
        let (mut low, mut high) = (0, longest);
        while low + 1 < high {
            let middle = low.midpoint(high);
            if self.loss(f64::from(middle)) < loss {
                low = middle;
            } else {
                high = middle;
            }
        }
        high
    }

    pub(super) fn at(&self, cycles: f64) -> Age {
        let loss = self.loss(cycles).min(0.9);
        let (leak_c_rate, dead) = self.dendrite.map_or((0.0, false), |d| d.leak(cycles));
        if self.solid {
            let interface = 1.0 + self.wear.growth * SOLID_GROWTH * (self.per_cycle * cycles).sqrt();
            let loss = Loss { positive: loss, ..Loss::default() };
            return Age { loss, resistance: [1.0, interface, interface.sqrt()], leak_c_rate, dead };
        }
        let resistance = [1.0 + 1.5 * loss, 1.0 + 4.0 * loss, 1.0 + 2.0 * loss];
        let loss = Loss { lithium: loss, negative: 0.25 * loss, positive: 0.0 };
        Age { loss, resistance, leak_c_rate, dead }
    }
}

impl Dendrite {
    fn leak(&self, cycles: f64) -> (f64, bool) {
        let progress = (cycles - self.appears) / (self.dead - self.appears);
        let leak = LEAK_C_RATE.0 * (LEAK_C_RATE.1 / LEAK_C_RATE.0).powf(progress.min(1.0));
        (if progress < 0.0 { 0.0 } else { leak }, progress >= 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MILD: Stress = Stress {
        temperature_celsius: 25.0,
        depth: 0.8,
        charge_c_rate: 1.0,
        discharge_c_rate: 1.0,
        pressure_megapascal: None,
    };

    #[test]
    fn xu_2018_is_the_one_of_an_independent_evaluation() {
        // Python, floats, from the formulas of the paper with T in kelvin.
        let golden = [
            (10.0, 0.5, 7.071_547_106_498e-06, 3.970_370_516_080e-02),
            (10.0, 0.8, 1.250_488_332_754e-05, 5.654_934_543_145e-02),
            (10.0, 1.0, 2.118_374_361_424e-05, 7.282_501_472_223e-02),
            (25.0, 0.5, 2.112_901_613_515e-05, 7.274_507_646_908e-02),
            (25.0, 0.8, 3.736_323_574_132e-05, 9.143_957_336_824e-02),
            (25.0, 1.0, 6.329_472_941_176e-05, 1.152_794_232_003e-01),
            (45.0, 0.5, 7.744_117_030_079e-05, 1.277_288_162_277e-01),
            (45.0, 0.8, 1.369_421_407_757e-04, 1.781_205_062_770e-01),
            (45.0, 1.0, 2.319_851_472_575e-04, 2.526_371_784_783e-01),
        ];
        for (celsius, depth, per_cycle, loss) in golden {
            let stress = Stress { temperature_celsius: celsius, depth, ..MILD };
            assert!((stress.degradation() / per_cycle - 1.0).abs() < 1e-9, "{}", stress.degradation());
            let got = xu_loss(1000.0 * stress.degradation());
            assert!((got / loss - 1.0).abs() < 1e-9, "{got}");
        }
    }

    #[test]
    fn hotter_deeper_and_faster_age_faster_in_both_kinds() {
        let harder = [
            Stress { temperature_celsius: 45.0, ..MILD },
            Stress { depth: 1.0, ..MILD },
            Stress { charge_c_rate: 2.0, discharge_c_rate: 2.0, ..MILD },
        ];
        for solid in [false, true] {
            let mild = Course::new(&MILD, solid, 1.0);
            for stress in &harder {
                let hard = Course::new(stress, solid, 1.0);
                assert!(hard.loss(300.0) > mild.loss(300.0), "{stress:?}");
                assert!(hard.cycle_of_loss(0.1, 9999) < mild.cycle_of_loss(0.1, 9999), "{stress:?}");
            }
        }
        let pressed = Stress { pressure_megapascal: Some(10.0), ..MILD };
        assert!(Course::new(&pressed, true, 1.0).loss(300.0) < Course::new(&MILD, true, 1.0).loss(300.0));
    }

    #[test]
    fn a_knee_bends_after_its_onset_only_and_a_dendrite_leaks_then_kills() {
        let smooth = Course::new(&MILD, false, 4.0);
        let bent = Course { knee: Some(Knee { onset: 400.0, severity: 1.0 }), ..smooth };
        assert!((bent.loss(400.0) - smooth.loss(400.0)).abs() < 1e-15);
        assert!((bent.loss(600.0) - smooth.loss(600.0) - 0.25).abs() < 1e-12);
        let course = Course { dendrite: Some(Dendrite { appears: 90.0, dead: 100.0 }), ..smooth };
        assert!(course.at(89.0).leak_c_rate.abs() < 1e-15 && !course.at(99.0).dead && course.at(100.0).dead);
        assert!(course.at(99.0).leak_c_rate > 5.0 * course.at(90.0).leak_c_rate);
    }
}
