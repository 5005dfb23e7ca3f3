//! Parameters as Keras Tuner writes them: its five classes, its conditions, and what its types make of our values.

use serde_json::{Value as Json, json};

use crate::tuner::space::{Domain, Param, Scale, Space};
use crate::tuner::value::Value;

/// Returns all parameters as Keras Tuner's list `space`.
pub(super) fn list(space: &Space) -> Vec<Json> {
    space.params.iter().map(|param| entry(param, space)).collect()
}

/// Returns the value as Keras Tuner keeps it for a parameter: all values of a choice have one type there.
pub(super) fn to_keras(domain: &Domain, value: &Value) -> Value {
    match domain {
        Domain::Float { .. } => value.as_f64().map_or_else(|| value.clone(), Value::Float),
        Domain::Int { .. } => match value {
            Value::Float(v) if v.fract() == 0.0 => Value::Int(*v as i64),
            _ => value.clone(),
        },
        Domain::Choice { values, .. } => of_one_type(values, value),
        Domain::Bool | Domain::Fixed(_) => value.clone(),
    }
}

/// Returns the value of the domain that Keras Tuner wrote as `value`; `None` where it is none.
pub(super) fn from_keras(domain: &Domain, value: &Value) -> Option<Value> {
    let own = match domain {
        Domain::Choice { values, .. } => {
            values.iter().find(|v| v.is(value) || to_keras(domain, v).is(value)).cloned()?
        }
        Domain::Bool => match value {
            Value::Int(v @ 0..=1) => Value::Bool(*v == 1),
            _ => value.clone(),
        },
        Domain::Fixed(fixed) => Some(fixed.clone()).filter(|v| v.is(value))?,
        Domain::Int { .. } | Domain::Float { .. } => to_keras(domain, value),
    };
    domain.unit(&own).map(|_| own)
}

fn of_one_type(values: &[Value], value: &Value) -> Value {
    let all = |is: fn(&Value) -> bool| values.iter().all(is);
    let float = |v: &Value| v.as_f64().map_or_else(|| v.clone(), Value::Float);
    if all(|v| matches!(v, Value::Text(_))) || all(|v| matches!(v, Value::Int(_))) {
        return value.clone();
    }
    if all(|v| v.as_f64().is_some()) {
        return float(value);
    }
    match value {
        Value::Bool(v) if all(|v| matches!(v, Value::Bool(_))) => Value::Int(i64::from(*v)),
        _ => Value::Text(value.python()),
    }
}

fn entry(param: &Param, space: &Space) -> Json {
    let conditions: Vec<Json> = param.conditions.iter().map(|c| condition(c, space)).collect();
    let (class, mut config) = match &param.domain {
        Domain::Int { min, max, step, scale } => {
            // On a logarithmic scale a step is a factor there; without one, any whole number may come.
            let step = (*scale == Scale::Linear).then_some(*step);
            (
                "Int",
                json!({"default": null, "min_value": min, "max_value": max, "step": step, "sampling": scale}),
            )
        }
        Domain::Float { min, max, step, scale } => (
            "Float",
            json!({"default": min, "min_value": min, "max_value": max, "step": step, "sampling": scale}),
        ),
        Domain::Choice { values, ordered } => {
            let values: Vec<Value> = values.iter().map(|v| of_one_type(values, v)).collect();
            let ordered = *ordered && values[0].as_f64().is_some();
            ("Choice", json!({"default": values[0], "values": values, "ordered": ordered}))
        }
        Domain::Bool => ("Boolean", json!({"default": false})),
        Domain::Fixed(value) => ("Fixed", json!({"value": value})),
    };
    config["name"] = json!(param.name);
    config["conditions"] = json!(conditions);
    json!({"class_name": class, "config": config})
}

fn condition(condition: &crate::tuner::space::Condition, space: &Space) -> Json {
    let parent = space.params.iter().find(|p| p.name == condition.parent);
    let kept = |v: &Value| parent.map_or_else(|| v.clone(), |p| to_keras(&p.domain, v));
    let values: Vec<Value> = condition.values.iter().map(kept).collect();
    json!({"class_name": "Parent", "config": {"name": condition.parent, "values": values}})
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn choice(values: &[Value]) -> Domain {
        Domain::Choice { values: values.to_vec(), ordered: false }
    }

    fn text(v: &str) -> Value {
        Value::Text(v.into())
    }

    #[test]
    fn a_choice_has_one_type_and_comes_back() {
        // keras_tuner 1.4.8 raises a TypeError for a choice of two types and makes 0 and 1 of truth values.
        let cases = [
            (choice(&[Value::Bool(true), Value::Bool(false)]), Value::Bool(true), Value::Int(1)),
            (choice(&[Value::Int(1), Value::Float(2.5)]), Value::Int(1), Value::Float(1.0)),
            (choice(&[text("none"), Value::Int(3)]), Value::Int(3), text("3")),
            (choice(&[text("a"), text("b")]), text("b"), text("b")),
        ];
        for (domain, own, theirs) in cases {
            assert_eq!(to_keras(&domain, &own), theirs);
            assert_eq!(from_keras(&domain, &theirs), Some(own));
        }
        assert_eq!(from_keras(&choice(&[text("a")]), &text("b")), None);
        assert_eq!(from_keras(&Domain::Bool, &Value::Int(1)), Some(Value::Bool(true)));
        assert_eq!(from_keras(&Domain::Bool, &Value::Int(2)), None);
    }

    proptest! {
        #[test]
        fn every_value_of_a_range_comes_back(unit in 0.0..1.0_f64, min in 1_i64..50, width in 0_i64..500, log in any::<bool>()) {
            let scale = if log { Scale::Log } else { Scale::Linear };
            let int = Domain::Int { min, max: min + width, step: 1, scale };
            let float = Domain::Float { min: min as f64, max: (min + width) as f64, step: None, scale };
            for domain in [int, float] {
                let value = domain.value(unit);
                prop_assert_eq!(from_keras(&domain, &to_keras(&domain, &value)), Some(value));
            }
        }
    }
}
