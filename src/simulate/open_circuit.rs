//! Open-circuit voltage of a cell from the potentials of its electrodes, and how lost lithium shifts one against the other.
//!
//! The stoichiometries follow from two balances: lithium in the negative electrode plus lithium in the positive is the
//! inventory, and the difference of the potentials is the voltage. Losing inventory slides the electrodes past each
//! other, so the peaks of dQ/dV move with age as they do in real cells.

/// Potential of an electrode against lithium, a published fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Electrode {
    /// Graphite with some silicon oxide, LG M50 (`[Chen2020]`).
    GraphiteChen2020,
    /// NMC 811, LG M50 (`[Chen2020]`).
    NmcChen2020,
    /// Graphite, A123 26650 (`[Safari2011]`).
    GraphiteSafari2011,
    /// Lithium iron phosphate, A123 26650 (`[Safari2011]`).
    LfpSafari2011,
    /// NMC, as a function of the effective stoichiometry (`[Mohtat2020]`).
    NmcMohtat2020,
    /// Lithium metal: the reference, 0 V by definition.
    LithiumMetal,
}

impl Electrode {
    /// Returns the potential against lithium [V] at the lithium fraction `s`, 0-1, and 25 degrees Celsius.
    pub(super) fn potential(self, s: f64) -> f64 {
        match self {
            Self::GraphiteChen2020 => graphite_chen2020(s),
            Self::NmcChen2020 => nmc_chen2020(s),
            Self::GraphiteSafari2011 => graphite_safari2011(s),
            Self::LfpSafari2011 => lfp_safari2011(s),
            Self::NmcMohtat2020 => nmc_mohtat2020(s),
            Self::LithiumMetal => 0.0,
        }
    }
}

/// Two electrodes in balance: how much each can hold and how much lithium they share.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Balance {
    pub(super) negative: Electrode,
    pub(super) positive: Electrode,
    /// Capacity of the negative electrode from empty of lithium to full [Ah].
    pub(super) negative_ah: f64,
    /// Capacity of the positive electrode from empty of lithium to full [Ah].
    pub(super) positive_ah: f64,
    /// Lithium in both [Ah].
    pub(super) lithium_ah: f64,
    /// Capacity of the fresh cell between its limits [Ah], the unit of a loss.
    pub(super) cyclable_ah: f64,
}

/// Stoichiometries of a fresh cell at both ends of its charge.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Window {
    /// Negative electrode: empty cell, full cell.
    pub(super) negative: (f64, f64),
    /// Positive electrode: empty cell, full cell.
    pub(super) positive: (f64, f64),
}

/// What ageing has taken, as shares of the fresh cell.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Loss {
    /// Lithium inventory, as a share of the fresh capacity [1].
    pub(super) lithium: f64,
    /// Active material of the negative electrode [1].
    pub(super) negative: f64,
    /// Active material of the positive electrode with the lithium in it [1].
    pub(super) positive: f64,
}

impl Balance {
    pub(super) fn fresh(
        (negative, positive): (Electrode, Electrode),
        window: &Window,
        capacity_ah: f64,
    ) -> Self {
        let negative_ah = capacity_ah / (window.negative.1 - window.negative.0);
        let positive_ah = capacity_ah / (window.positive.0 - window.positive.1);
        let lithium_ah = negative_ah * window.negative.0 + positive_ah * window.positive.0;
        Self { negative, positive, negative_ah, positive_ah, lithium_ah, cyclable_ah: capacity_ah }
    }

    pub(super) fn aged(&self, loss: &Loss) -> Self {
        Self {
            negative_ah: self.negative_ah * (1.0 - loss.negative),
            positive_ah: self.positive_ah * (1.0 - loss.positive),
            lithium_ah: self.lithium_ah * (1.0 - loss.positive) - self.cyclable_ah * loss.lithium,
            ..*self
        }
    }

    /// Returns the open-circuit voltage [V] with `stored_ah` of lithium in the negative electrode.
    pub(super) fn voltage(&self, stored_ah: f64) -> f64 {
        self.positive.potential((self.lithium_ah - stored_ah) / self.positive_ah)
            - self.negative.potential(stored_ah / self.negative_ah)
    }

    /// Returns the lithium in the negative electrode [Ah] at which the open-circuit voltage is `volt`, by bisection.
    pub(super) fn stored_at(&self, volt: f64) -> f64 {
        let mut low = (self.lithium_ah - 0.9999 * self.positive_ah).max(0.0);
        let mut high = (self.lithium_ah - 0.001 * self.positive_ah).min(self.negative_ah);
        for _ in 0..50 {
            let middle = 0.5 * (low + high);
            if self.voltage(middle) < volt {
                low = middle;
            } else {
                high = middle;
            }
        }
        0.5 * (low + high)
    }
}

/// Chen et al. 2020 (`[Chen2020]`).
fn graphite_chen2020(x: f64) -> f64 {
    1.9793 * (-39.3631 * x).exp() + 0.2482
        - 0.0909 * (29.8538 * (x - 0.1234)).tanh()
        - 0.04478 * (14.9159 * (x - 0.2769)).tanh()
        - 0.0205 * (30.4444 * (x - 0.6103)).tanh()
}

/// Chen et al. 2020 (`[Chen2020]`).
fn nmc_chen2020(y: f64) -> f64 {
    -0.8090 * y + 4.4875
        - 0.0428 * (18.5138 * (y - 0.5542)).tanh()
        - 17.7326 * (15.7890 * (y - 0.3117)).tanh()
        + 17.5842 * (15.9308 * (y - 0.3120)).tanh()
}

/// Safari and Delacourt 2011 (`[Safari2011]`).
fn graphite_safari2011(x: f64) -> f64 {
    0.6379 + 0.5416 * (-305.5309 * x).exp() + 0.044 * (-(x - 0.1958) / 0.1088).tanh()
        - 0.1978 * ((x - 1.0571) / 0.0854).tanh()
        - 0.6875 * ((x + 0.0117) / 0.0529).tanh()
        - 0.0175 * ((x - 0.5692) / 0.0875).tanh()
}

/// Safari and Delacourt 2011 (`[Safari2011]`).
fn lfp_safari2011(y: f64) -> f64 {
    let z = (1.0 - y).max(0.0);
    3.4323 - 0.8428 * (-80.2493 * z.powf(1.3198)).exp() - 3.2474e-6 * (20.2645 * z.powf(3.8003)).exp()
        + 3.2482e-6 * (20.2646 * z.powf(3.7995)).exp()
}

/// Mohtat et al. 2020 (`[Mohtat2020]`).
fn nmc_mohtat2020(y: f64) -> f64 {
    let polynomial = 4.3452 + y * (-1.6518 + y * (1.6225 + y * (-2.0843 + y * (3.5146 - y * 2.2166))));
    polynomial - 0.5623e-4 * (109.451 * y - 100.006).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Half a unit of the last digit that is stated.
    const TOLERANCE: f64 = 1e-11;

    #[test]
    fn potentials_are_those_of_an_independent_evaluation() {
        // numpy; `[Chen2020]` and `[Mohtat2020]` by the functions of PyBaMM 26.10, `[Safari2011]` typed anew for numpy.
        let at = [0.05, 0.2, 0.5, 0.8, 0.95];
        let golden = [
            (
                Electrode::GraphiteChen2020,
                [
                    0.678_570_594_611,
                    0.216_986_223_182,
                    0.133_085_512_859,
                    0.092_020_409_795,
                    0.092_020_000_213,
                ],
            ),
            (
                Electrode::GraphiteSafari2011,
                [
                    0.325_673_630_443,
                    0.164_454_111_26,
                    0.116_056_639_258,
                    0.085_921_643_787,
                    0.056_922_925_185,
                ],
            ),
            (
                Electrode::NmcChen2020,
                [
                    4.637_445_768_881,
                    4.468_982_762_287,
                    3.971_958_656_404,
                    3.649_110_459_391,
                    3.527_750_047_247,
                ],
            ),
            (
                Electrode::NmcMohtat2020,
                [4.266_426_986_062, 4.067_979_648, 3.814_781_25, 3.708_243_071_779, 3.597_783_749_235],
            ),
            (
                Electrode::LfpSafari2011,
                [
                    3.489_764_663_539,
                    3.432_335_113_207,
                    3.432_300_014_754,
                    3.432_242_500_751,
                    3.251_505_004_479,
                ],
            ),
        ];
        for (electrode, expected) in golden {
            for (s, e) in at.into_iter().zip(expected) {
                let got = electrode.potential(s);
                assert!((got - e).abs() < TOLERANCE, "{electrode:?} at {s}: expected {e}, got {got}");
            }
        }
    }

    #[test]
    fn lost_lithium_slides_the_electrodes_as_an_independent_root_finder_says() {
        // scipy.optimize.brentq on the same balance, 1 Ah, `[Chen2020]` electrodes, 2.5 V and 4.2 V.
        let pair = (Electrode::GraphiteChen2020, Electrode::NmcChen2020);
        let window = Window { negative: (0.0279, 0.9014), positive: (0.9084, 0.2661) };
        let fresh = Balance::fresh(pair, &window, 1.0);
        let golden = [
            (0.0, 0.027_987_917_483, 0.904_466_396_402, 1.003_409_821_315),
            (0.1, 0.026_098_884_089, 0.817_116_459_507, 0.905_572_496_185),
            (0.3, 0.022_682_558_069, 0.644_375_037_326, 0.711_725_791_937),
        ];
        for (lithium, empty, full, capacity) in golden {
            let aged = fresh.aged(&Loss { lithium, ..Loss::default() });
            let (low, high) = (aged.stored_at(2.5), aged.stored_at(4.2));
            assert!((low / aged.negative_ah - empty).abs() < 1e-9, "{lithium}: {}", low / aged.negative_ah);
            assert!((high / aged.negative_ah - full).abs() < 1e-9, "{lithium}: {}", high / aged.negative_ah);
            assert!((high - low - capacity).abs() < 1e-9, "{lithium}: {}", high - low);
        }
    }
}
