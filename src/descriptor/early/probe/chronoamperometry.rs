//! Descriptors of the current that decays at a constant voltage: chronoamperometry, and the end of a charge.
//!
//! Duration, charge and half time of that part of a charge are in `charge`. Time counts from the last sample at the full current; the decay of diffusion then goes with `t^-1/2`
//! (`[Cottrell1903]`), that of a film or a resistance in front of a capacity exponentially.

use super::aggregate::{Measured, growth, median, trend, variation};
use super::trace::Trace;
use super::{Cycle, EarlyCell, EarlyDescriptor, Missing, Need, Value};
use crate::dataset::Samples;
use crate::signal::{exponential, line};

const HOLD: &[Need] = &[Need::Chronoamperometry];
const HOLD_TREND: &[Need] = &[Need::Chronoamperometry, Need::Cycles(3)];

/// Voltage below the highest one at which it counts as held [V]: twice the scatter of NASA's channel.
const TOLERANCE_VOLT: f64 = 0.01;
/// Share of the largest current that still is the full current [1]: above the scatter of testers.
const FULL_SHARE: f64 = 0.99;
/// Fewest samples and shortest duration [s] of a decay, and the share of the current it must lose [1]; ours.
const LEAST: (usize, f64, f64) = (6, 60.0, 0.1);

pub(crate) const DESCRIPTORS: &[EarlyDescriptor] = &[
    EarlyDescriptor {
        name: "hold_cottrell_slope_median",
        unit: "A s^0.5",
        doc: "Median slope of the current over the inverse square root of time at constant voltage.",
        citation: "Cottrell1903",
        formula: "median over holds of the least-squares slope of current over t^-0.5",
        needs: HOLD,
        compute: |c| median(holds(c)?, |h| Ok(h.cottrell()?.slope)),
    },
    EarlyDescriptor {
        name: "hold_cottrell_slope_trend",
        unit: "A s^0.5/cycle",
        doc: "Drift of that slope, a cycle.",
        citation: "Cottrell1903",
        formula: "Theil-Sen slope over cycles of the slope of current over t^-0.5",
        needs: HOLD_TREND,
        compute: |c| trend(holds(c)?, |h| Ok(h.cottrell()?.slope)),
    },
    EarlyDescriptor {
        name: "hold_cottrell_r_squared_median",
        unit: "1",
        doc: "Median share of the current's variance that the law of diffusion explains.",
        citation: "Cottrell1903",
        formula: "median over holds of R^2 of current over t^-0.5",
        needs: HOLD,
        compute: |c| median(holds(c)?, |h| Ok(h.cottrell()?.r_squared)),
    },
    EarlyDescriptor {
        name: "hold_power_exponent_median",
        unit: "1",
        doc: "Median slope of the logarithm of the current over that of time: -0.5 where diffusion limits.",
        citation: "Cottrell1903",
        formula: "median over holds of the least-squares slope of ln current over ln t",
        needs: HOLD,
        compute: |c| median(holds(c)?, Hold::power_exponent),
    },
    EarlyDescriptor {
        name: "hold_log_decay_slowing_median",
        unit: "1",
        doc: "Median rate of the first half of a hold over that of its second half: 1 for a single exponential.",
        citation: "Cottrell1903",
        formula: "median over holds of the slope of ln current over t in the first half over that in the second",
        needs: HOLD,
        compute: |c| median(holds(c)?, |h| Ok(h.log_decay(0.0, 0.5)? / h.log_decay(0.5, 1.0)?)),
    },
    EarlyDescriptor {
        name: "hold_time_constant_median",
        unit: "s",
        doc: "Median time constant of an exponential decay of the current to a steady one.",
        citation: "Barai2019",
        formula: "median over holds of tau of the fit i = a + b exp(-t / tau)",
        needs: HOLD,
        compute: |c| median(holds(c)?, |h| Ok(h.relaxation()?.constant)),
    },
    EarlyDescriptor {
        name: "hold_time_constant_trend",
        unit: "s/cycle",
        doc: "Drift of that time constant, a cycle.",
        citation: "Barai2019",
        formula: "Theil-Sen slope over cycles of tau of the fit i = a + b exp(-t / tau)",
        needs: HOLD_TREND,
        compute: |c| trend(holds(c)?, |h| Ok(h.relaxation()?.constant)),
    },
    EarlyDescriptor {
        name: "hold_steady_current_median",
        unit: "A",
        doc: "Median steady current that the decay tends to: side reactions and leaks.",
        citation: "Barai2019",
        formula: "median over holds of a of the fit i = a + b exp(-t / tau)",
        needs: HOLD,
        compute: |c| median(holds(c)?, |h| Ok(h.relaxation()?.limit)),
    },
    EarlyDescriptor {
        name: "hold_steady_current_trend",
        unit: "A/cycle",
        doc: "Drift of that steady current, a cycle.",
        citation: "Barai2019",
        formula: "Theil-Sen slope over cycles of a of the fit i = a + b exp(-t / tau)",
        needs: HOLD_TREND,
        compute: |c| trend(holds(c)?, |h| Ok(h.relaxation()?.limit)),
    },
    EarlyDescriptor {
        name: "hold_throughput_growth",
        unit: "1",
        doc: "Charge that passes in the last hold over that in the first, less 1.",
        citation: "Cottrell1903",
        formula: "last over first integral of the current at constant voltage - 1",
        needs: &[Need::Chronoamperometry, Need::Cycles(2)],
        compute: |c| growth(holds(c)?, |h| Ok(h.charge_ah())),
    },
    EarlyDescriptor {
        name: "hold_throughput_variation",
        unit: "1",
        doc: "Standard deviation of the charge that passes in holds over its mean.",
        citation: "Severson2019",
        formula: "standard deviation over mean of the integral of the current at constant voltage",
        needs: HOLD_TREND,
        compute: |c| variation(holds(c)?, |h| Ok(h.charge_ah())),
    },
    EarlyDescriptor {
        name: "hold_current_fade_median",
        unit: "1",
        doc: "Median last current over the first.",
        citation: "Cottrell1903",
        formula: "median over holds of last over first current",
        needs: HOLD,
        compute: |c| median(holds(c)?, |h| Ok(h.last() / h.first())),
    },
];

/// The current at a constant voltage, over the time since it began to fall.
#[derive(Debug)]
pub(super) struct Hold {
    cycle: u32,
    trace: Trace,
    relaxation: Option<exponential::Relaxation>,
}

/// Returns the hold of every charge of the window that has one.
pub(super) fn find(cell: &EarlyCell) -> Vec<Hold> {
    cell.cycles.iter().filter_map(Hold::new).collect()
}

fn holds<'a>(c: &'a EarlyCell) -> Result<&'a [Hold], Missing> {
    let holds = c.probes.holds(c);
    if holds.is_empty() { Err(Missing::No(Need::Chronoamperometry)) } else { Ok(holds) }
}

impl Measured for Hold {
    fn cycle(&self) -> u32 {
        self.cycle
    }
}

impl Hold {
    fn new(cycle: &Cycle) -> Option<Self> {
        let half = cycle.charge.as_ref()?;
        let charge = Trace::new(&Samples {
            time_second: half.time_second().to_vec(),
            voltage_volt: half.voltage_volt().to_vec(),
            current_ampere: half.current_ampere().to_vec(),
            temperature_celsius: Vec::new(),
        });
        let highest = charge.volt.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let held = charge.volt.iter().position(|v| *v >= highest - TOLERANCE_VOLT)?;
        let full = FULL_SHARE * charge.ampere[held..].iter().copied().fold(0.0, f64::max);
        let begin = charge.ampere.iter().rposition(|i| *i >= full)?.max(held);
        let loaded = charge.steps(false).into_iter().find(|s| s.rows.contains(&begin))?;
        let trace = charge.part(&(begin..loaded.rows.end));
        let faded = trace.ampere.last()? <= &((1.0 - LEAST.2) * trace.ampere[0]);
        let enough = trace.second.len() >= LEAST.0 && trace.span() >= LEAST.1;
        let relaxation = exponential::fit(&trace.second, &trace.ampere);
        (faded && enough).then_some(Self { cycle: cycle.count, trace, relaxation })
    }

    fn first(&self) -> f64 {
        self.trace.ampere[0]
    }

    fn last(&self) -> f64 {
        self.trace.ampere[self.trace.ampere.len() - 1]
    }

    fn charge_ah(&self) -> f64 {
        self.trace.charge_ah()
    }

    /// Returns times and currents after the first sample, between two shares of the duration.
    fn between(&self, from: f64, to: f64) -> (Vec<f64>, Vec<f64>) {
        let span = self.trace.span();
        let both = self.trace.second.iter().copied().zip(self.trace.ampere.iter().copied());
        both.filter(|(t, i)| *t > 0.0 && *i > 0.0 && (from * span..=to * span).contains(t)).unzip()
    }

    fn cottrell(&self) -> Result<line::Line, Missing> {
        let (second, ampere) = self.between(0.0, 1.0);
        let inverse: Vec<f64> = second.iter().map(|t| 1.0 / t.sqrt()).collect();
        line::least_squares(&inverse, &ampere).ok_or(Missing::Flat)
    }

    fn power_exponent(&self) -> Value {
        let (second, ampere) = self.between(0.0, 1.0);
        sloped(&logarithms(&second), &logarithms(&ampere))
    }

    /// Returns the slope of the logarithm of the current over time between two shares of the duration [1/s].
    fn log_decay(&self, from: f64, to: f64) -> Value {
        let (second, ampere) = self.between(from, to);
        sloped(&second, &logarithms(&ampere))
    }

    fn relaxation(&self) -> Result<exponential::Relaxation, Missing> {
        self.relaxation.ok_or(Missing::Undefined("no decay with a constant within the hold"))
    }
}

fn logarithms(values: &[f64]) -> Vec<f64> {
    values.iter().map(|v| v.ln()).collect()
}

fn sloped(x: &[f64], y: &[f64]) -> Value {
    let line = if x.len() < 3 { None } else { line::least_squares(x, y) };
    line.map(|l| l.slope).ok_or(Missing::Undefined("fewer than three samples in that part of the hold"))
}
