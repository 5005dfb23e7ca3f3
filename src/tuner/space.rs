//! Search spaces: what may vary, on which scale, and under which condition; every parameter is a coordinate of the unit cube.
//!
//! The maps between a coordinate and a value are those of Keras Tuner, so that random, grid and Bayesian search share one path and
//! its projects mean the same here: levels are `floor(u n)`, and a value's coordinate is the centre of its level.

use serde::{Deserialize, Serialize};

use super::value::{Value, Values};
use crate::file;

/// All parameters; parents stand before those whose conditions name them.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Space {
    /// Parameters, each one coordinate.
    pub params: Vec<Param>,
}

/// One parameter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Param {
    /// Unique name, as in Keras Tuner's files (`model/units_0`).
    pub name: String,
    /// Key that it sets, with dots (`model.units`).
    pub key: String,
    /// Position in the list that the key gets, for keys with `per`; `None` for plain keys.
    pub index: Option<usize>,
    /// What it may be.
    pub domain: Domain,
    /// When it is active: all must hold; always where there are none.
    #[serde(default)]
    pub conditions: Vec<Condition>,
}

/// A parent that must be active with one of some values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Condition {
    /// Name of the parent.
    pub parent: String,
    /// Values of the parent under which the child is active.
    pub values: Vec<Value>,
}

/// What a parameter may be.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Domain {
    /// Whole numbers from `min` to `max`, both included.
    Int {
        /// Least value.
        min: i64,
        /// Greatest value; at least `min`.
        max: i64,
        /// Distance of neighbours, 1 or more; 1 unless the scale is linear.
        step: i64,
        /// How the coordinate is spread.
        scale: Scale,
    },
    /// Numbers from `min` to `max`.
    Float {
        /// Least value, above 0 unless the scale is linear.
        min: f64,
        /// Greatest value; at least `min`.
        max: f64,
        /// Distance of neighbours on a linear scale; none for any number.
        step: Option<f64>,
        /// How the coordinate is spread.
        scale: Scale,
    },
    /// One of some values without order (or with, if `ordered`).
    Choice {
        /// Values, at least one, no two alike.
        values: Vec<Value>,
        /// Whether neighbours in the list are alike.
        ordered: bool,
    },
    /// False or true.
    Bool,
    /// Always one value.
    Fixed(Value),
}

/// How the coordinate is spread over the range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// Evenly.
    #[default]
    Linear,
    /// Evenly in the logarithm: dense near `min`.
    Log,
    /// Dense near `max`, the mirror image of `Log`.
    ReverseLog,
}

impl Domain {
    /// Returns the value at coordinate `unit` (0-1; 1 is the last level).
    pub fn value(&self, unit: f64) -> Value {
        let unit = unit.clamp(0.0, 1.0);
        match self {
            Self::Int { min, max, step, scale: Scale::Linear } => {
                let idx = level(unit, int_levels(*min, *max, *step));
                Value::Int(min + step * i64::try_from(idx).unwrap_or(0))
            }
            Self::Int { min, max, scale, .. } => {
                let value = spread(*min as f64, (*max + 1) as f64, *scale, unit);
                Value::Int((value.floor() as i64).clamp(*min, *max))
            }
            Self::Float { min, max, step: None, scale } => {
                Value::Float(spread(*min, *max, *scale, unit).clamp(*min, *max))
            }
            Self::Float { min, max, step: Some(step), .. } => {
                Value::Float(on_step(*min, *step, level(unit, float_levels(*min, *max, *step))))
            }
            Self::Choice { values, .. } => values[level(unit, values.len())].clone(),
            Self::Bool => Value::Bool(unit >= 0.5),
            Self::Fixed(value) => value.clone(),
        }
    }

    /// Returns the coordinate of `value`, the centre of its level; `None` where it is no value of the domain.
    pub fn unit(&self, value: &Value) -> Option<f64> {
        match self {
            Self::Int { min, max, step, scale } => {
                let v = whole(value)?;
                if v < *min || v > *max || (v - min) % step != 0 {
                    return None;
                }
                if *scale == Scale::Linear {
                    return Some(centre(((v - min) / step) as usize, int_levels(*min, *max, *step)));
                }
                let edge = |v: f64| gather(*min as f64, (*max + 1) as f64, *scale, v);
                Some(0.5 * (edge(v as f64) + edge((v + 1) as f64)))
            }
            Self::Float { min, max, step, scale } => {
                let v = value.as_f64()?;
                // Values that Python rounded may miss an end by an ulp.
                let slack = 1e-9 * (max - min).abs().max(min.abs());
                if !(v >= min - slack && v <= max + slack) {
                    return None;
                }
                let Some(step) = step else { return Some(gather(*min, *max, *scale, v.clamp(*min, *max))) };
                let idx = ((v - min) / step).round();
                ((min + idx * step - v).abs() <= 1e-6 * step)
                    .then(|| centre(idx as usize, float_levels(*min, *max, *step)))
            }
            Self::Choice { values, .. } => {
                values.iter().position(|v| v.is(value)).map(|idx| centre(idx, values.len()))
            }
            Self::Bool => match value {
                Value::Bool(v) => Some(if *v { 0.75 } else { 0.25 }),
                _ => None,
            },
            Self::Fixed(fixed) => fixed.is(value).then_some(0.5),
        }
    }

    /// Returns the number of values; `None` for any number of a range.
    pub fn levels(&self) -> Option<usize> {
        match self {
            Self::Int { min, max, step, .. } => Some(int_levels(*min, *max, *step)),
            Self::Float { min, max, .. } if min >= max => Some(1),
            Self::Float { step: None, .. } => None,
            Self::Float { min, max, step: Some(step), .. } => Some(float_levels(*min, *max, *step)),
            Self::Choice { values, .. } => Some(values.len()),
            Self::Bool => Some(2),
            Self::Fixed(_) => Some(1),
        }
    }

    /// Returns whether neighbouring coordinates mean alike values.
    pub fn is_ordered(&self) -> bool {
        !matches!(self, Self::Choice { ordered: false, .. } | Self::Bool)
    }
}

impl Space {
    /// Returns the number of coordinates.
    pub fn len(&self) -> usize {
        self.params.len()
    }

    /// Returns whether nothing may vary.
    pub fn is_empty(&self) -> bool {
        self.params.is_empty()
    }

    /// Returns the active values at a point of the unit cube, one coordinate a parameter.
    pub fn values(&self, point: &[f64]) -> Values {
        let mut values = Values::new();
        for (param, &unit) in self.params.iter().zip(point) {
            if param.is_active(&values) {
                values.insert(param.name.clone(), param.domain.value(unit));
            }
        }
        values
    }

    /// Returns the point of some values; NaN where a parameter is inactive or has none of its values.
    pub fn point(&self, values: &Values) -> Vec<f64> {
        let unit = |p: &Param| {
            let value = values.get(&p.name).filter(|_| p.is_active(values));
            value.and_then(|v| p.domain.unit(v)).unwrap_or(f64::NAN)
        };
        self.params.iter().map(unit).collect()
    }

    /// Returns the point in the middle of its levels that means the same as `point`; NaN where inactive.
    pub fn snap(&self, point: &[f64]) -> Vec<f64> {
        self.point(&self.values(point))
    }

    /// Returns what keeps `values` from being a point of the space; `None` when they are one.
    pub fn misfit(&self, values: &Values) -> Option<String> {
        for param in &self.params {
            match (param.is_active(values), values.get(&param.name)) {
                (true, None) => return Some(format!("`{}` is missing", param.name)),
                (true, Some(v)) if param.domain.unit(v).is_none() => {
                    return Some(format!("`{}` = {v} is outside its range", param.name));
                }
                _ => {}
            }
        }
        let known = |name: &&String| self.params.iter().any(|p| p.name == **name);
        values.keys().find(|name| !known(name)).map(|name| format!("`{name}` is no parameter"))
    }

    /// Returns the number of different trials; `None` when there is no end to them.
    pub fn cardinality(&self) -> Option<u128> {
        self.params.iter().try_fold(1_u128, |n, p| n.checked_mul(p.domain.levels()? as u128))
    }
}

impl Param {
    /// Returns whether the parents among `values` allow this parameter.
    pub fn is_active(&self, values: &Values) -> bool {
        let holds = |c: &Condition| values.get(&c.parent).is_some_and(|v| c.values.iter().any(|w| w.is(v)));
        self.conditions.iter().all(holds)
    }
}

/// Returns Keras Tuner's hash of values: 32 hexadecimal digits of the SHA-256 of `name=value` in the order of the names.
pub fn hash(values: &Values) -> String {
    let text: String = values.iter().map(|(name, value)| format!("{name}={}", value.python())).collect();
    file::sha256_bytes(text.as_bytes())[..32].to_owned()
}

fn spread(min: f64, max: f64, scale: Scale, unit: f64) -> f64 {
    match scale {
        Scale::Linear => min + unit * (max - min),
        Scale::Log => min * (max / min).powf(unit),
        Scale::ReverseLog => max + min - min * (max / min).powf(1.0 - unit),
    }
}

fn gather(min: f64, max: f64, scale: Scale, value: f64) -> f64 {
    if max <= min {
        return 0.5;
    }
    match scale {
        Scale::Linear => (value - min) / (max - min),
        Scale::Log => (value / min).ln() / (max / min).ln(),
        Scale::ReverseLog => 1.0 - ((max + min - value) / min).ln() / (max / min).ln(),
    }
}

fn level(unit: f64, n: usize) -> usize {
    ((unit * n as f64) as usize).min(n - 1)
}

fn centre(idx: usize, n: usize) -> f64 {
    (idx as f64 + 0.5) / n as f64
}

fn int_levels(min: i64, max: i64, step: i64) -> usize {
    ((max - min) / step) as usize + 1
}

fn float_levels(min: f64, max: f64, step: f64) -> usize {
    ((max - min) / step + 1e-8).floor() as usize + 1
}

/// Returns `min + idx step` without the last digits that binary fractions add (0.3, not 0.30000000000000004).
fn on_step(min: f64, step: f64, idx: usize) -> f64 {
    let value = min + idx as f64 * step;
    format!("{value:.12e}").parse().unwrap_or(value)
}

fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Int(v) => Some(*v),
        Value::Float(v) if v.fract() == 0.0 => Some(*v as i64),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn int(min: i64, max: i64, step: i64, scale: Scale) -> Domain {
        Domain::Int { min, max, step, scale }
    }

    fn float(min: f64, max: f64, step: Option<f64>, scale: Scale) -> Domain {
        Domain::Float { min, max, step, scale }
    }

    fn param(name: &str, domain: Domain, conditions: &[(&str, &[i64])]) -> Param {
        let condition = |(parent, values): &(&str, &[i64])| Condition {
            parent: (*parent).into(),
            values: values.iter().map(|v| Value::Int(*v)).collect(),
        };
        let conditions = conditions.iter().map(condition).collect();
        Param { name: name.into(), key: name.replace('/', "."), index: None, domain, conditions }
    }

    fn layered() -> Space {
        let units = int(32, 256, 32, Scale::Linear);
        Space {
            params: vec![
                param("layers", int(1, 2, 1, Scale::Linear), &[]),
                param("units_0", units.clone(), &[]),
                param("units_1", units, &[("layers", &[2])]),
                param("lr", float(1e-4, 1e-2, None, Scale::Log), &[]),
            ],
        }
    }

    #[test]
    fn a_coordinate_means_what_keras_tuner_takes_it_for() {
        // keras-tuner 1.4.8: hp.prob_to_value(p) for the draws of seeds 7-10.
        let lr = float(1e-4, 1e-2, None, Scale::Log);
        let Value::Float(v) = lr.value(0.323_832_764_833_165_15) else { panic!() };
        assert!((v - 4.443_4e-4).abs() < 1e-7, "{v}");
        assert_eq!(int(32, 256, 32, Scale::Linear).value(0.226_71), Value::Int(64));
        assert_eq!(float(0.0, 0.5, Some(0.1), Scale::Linear).value(0.571_40), Value::Float(0.3));
        assert_eq!(Domain::Bool.value(0.5), Value::Bool(true));
        let reverse = float(1.0, 100.0, None, Scale::ReverseLog);
        assert_eq!(reverse.value(0.0), Value::Float(1.0));
        assert_eq!(reverse.value(0.5), Value::Float(91.0));
    }

    #[test]
    fn the_hash_is_keras_tuners() {
        let text =
            r#"{"arch":"dense","bn":false,"layers":1,"loss":"mse","lr":0.0013893292827173778,"units_0":4}"#;
        let values: Values = serde_json::from_str(text).unwrap();
        assert_eq!(hash(&values), "506e398d7842c17e5a00e1fe84b368da");
    }

    #[test]
    fn a_child_is_there_only_with_its_parent() {
        let space = layered();
        let one = space.values(&[0.1, 0.5, 0.9, 0.5]);
        assert_eq!(one.keys().collect::<Vec<_>>(), ["layers", "lr", "units_0"]);
        assert!(space.point(&one)[2].is_nan());
        let two = space.values(&[0.9, 0.5, 0.9, 0.5]);
        assert_eq!(two["units_1"], Value::Int(256));
        assert_eq!((space.misfit(&one), space.misfit(&two)), (None, None));
        let mut wrong = two.clone();
        wrong.insert("units_1".into(), Value::Int(33));
        assert!(space.misfit(&wrong).unwrap().contains("units_1"));
        wrong.remove("units_1");
        assert!(space.misfit(&wrong).unwrap().contains("missing"));
        let mut more = one;
        more.insert("depth".into(), Value::Int(1));
        assert!(space.misfit(&more).unwrap().contains("depth"));
        assert_eq!((layered().cardinality(), space.len()), (None, 4));
    }

    fn domains() -> impl Strategy<Value = Domain> {
        let scales = prop_oneof![Just(Scale::Linear), Just(Scale::Log), Just(Scale::ReverseLog)];
        prop_oneof![
            (1_i64..50, 0_i64..200, 1_i64..20).prop_map(|(min, more, step)| int(
                min,
                min + more,
                step,
                Scale::Linear
            )),
            (1_i64..50, 0_i64..200, scales.clone()).prop_map(|(min, more, scale)| int(
                min,
                min + more,
                1,
                scale
            )),
            (1e-6..1.0, 1.0..1e3, scales).prop_map(|(min, f, scale)| float(min, min * f, None, scale)),
            (-5.0..5.0, 0.0..9.0, 0.01..3.0).prop_map(|(min, more, step)| float(
                min,
                min + more,
                Some(step),
                Scale::Linear
            )),
            (1_usize..9).prop_map(|n| Domain::Choice {
                values: (0..n).map(|i| Value::Text(format!("c{i}"))).collect(),
                ordered: false
            }),
            Just(Domain::Bool),
        ]
    }

    proptest! {
        #[test]
        fn every_coordinate_has_a_value_and_every_value_a_coordinate(domain in domains(), unit in 0.0_f64..=1.0) {
            let value = domain.value(unit);
            let back = domain.unit(&value);
            prop_assert!(back.is_some(), "{value:?} of {domain:?}");
            let back = back.unwrap();
            prop_assert!((0.0..=1.0).contains(&back));
            match (domain.value(back), &value) {
                (Value::Float(a), Value::Float(b)) => prop_assert!((a - b).abs() <= 1e-9 * b.abs().max(1e-9)),
                (a, b) => prop_assert_eq!(&a, b),
            }
            let json = serde_json::to_string(&domain).unwrap();
            prop_assert_eq!(serde_json::from_str::<Domain>(&json).unwrap(), domain);
        }

        #[test]
        fn a_snapped_point_means_the_same_and_stays(point in proptest::collection::vec(0.0_f64..1.0, 4)) {
            let space = layered();
            let snapped = space.snap(&point);
            let filled: Vec<f64> = snapped.iter().map(|u| if u.is_nan() { 0.5 } else { *u }).collect();
            let (a, b) = (space.values(&point), space.values(&filled));
            prop_assert_eq!(a.keys().collect::<Vec<_>>(), b.keys().collect::<Vec<_>>());
            prop_assert!((a["lr"].as_f64().unwrap() - b["lr"].as_f64().unwrap()).abs() < 1e-15);
            prop_assert_eq!(&a["units_0"], &b["units_0"]);
        }
    }
}
