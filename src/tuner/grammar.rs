//! The grammar of `[tuner.space]`: one line a key of the experiment, read into a [`Space`] with all problems at once.
//!
//! ```toml
//! "model.layers" = { int = [1, 4] }
//! "model.units" = { int = [16, 128], step = 16, per = "model.layers" }      # model/units_0, model/units_1, ...
//! "model.prior" = { choice = ["exponential", "xu2018"], when = { "model.kind" = ["hybrid"] } }
//! "model.skip" = { bool = true }
//! "train.learning_rate" = { float = [1e-4, 1e-2], sampling = "log" }         # linear, log or reverse_log
//! "train.dropout" = { float = [0.0, 0.4], step = 0.1, when = { "model.layers" = [2, 3, 4] } }
//! "train.loss" = { fixed = "mae" }
//! ```

use std::collections::{BTreeMap, BTreeSet};

use toml::{Table, Value as Toml};

use super::space::{Condition, Domain, Param, Scale, Space};
use super::value::Value;

/// One thing that is wrong with a space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpaceProblem {
    /// Key of the space with dots (`model.units`).
    pub key: String,
    /// What is wrong and what to do.
    pub text: String,
}

/// What else a space is read with.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// Value of a key of the experiment that does not vary, for `per` and `when`; none where it has none.
    pub fixed: &'a dyn Fn(&str) -> Option<Value>,
    /// Name in the files by key, where it is not the key with `/` for its dots.
    pub names: &'a BTreeMap<String, String>,
}

/// Reads a space.
///
/// # Errors
/// Every problem, in the order of the keys.
pub fn parse(table: &Table, context: Context<'_>) -> Result<Space, Vec<SpaceProblem>> {
    let mut problems = Vec::new();
    let mut entries = Vec::new();
    for (key, value) in table {
        match entry(key, value) {
            Ok(entry) => entries.push(entry),
            Err(texts) => {
                problems.extend(texts.into_iter().map(|text| SpaceProblem { key: key.clone(), text }));
            }
        }
    }
    if table.is_empty() {
        problems.push(SpaceProblem {
            key: String::new(),
            text: "is empty; name at least one key that may vary".into(),
        });
    }
    let space =
        if problems.is_empty() { assemble(&entries, context, &mut problems) } else { Space::default() };
    if problems.is_empty() { Ok(space) } else { Err(problems) }
}

/// One line of the space.
struct Entry {
    key: String,
    domain: Domain,
    per: Option<String>,
    when: Vec<(String, Vec<Value>)>,
}

const KINDS: [&str; 5] = ["int", "float", "choice", "bool", "fixed"];
const MODIFIERS: [&str; 5] = ["step", "sampling", "ordered", "per", "when"];

fn entry(key: &str, value: &Toml) -> Result<Entry, Vec<String>> {
    let Some(table) = value.as_table() else {
        return Err(vec!["give a table, as { int = [1, 4] } or { choice = [\"a\", \"b\"] }".into()]);
    };
    let mut problems = Vec::new();
    for name in table.keys().filter(|k| !KINDS.contains(&k.as_str()) && !MODIFIERS.contains(&k.as_str())) {
        problems.push(format!(
            "`{name}` is unknown; there are {} and {}",
            KINDS.join(", "),
            MODIFIERS.join(", ")
        ));
    }
    let kinds: Vec<&str> = KINDS.into_iter().filter(|k| table.contains_key(*k)).collect();
    let domain = if let [kind] = kinds[..] {
        domain(kind, table).map_err(|text| problems.push(text)).ok()
    } else {
        problems.push(format!("give exactly one of {}", KINDS.join(", ")));
        None
    };
    let per = table.get("per").map(|v| v.as_str().map(str::to_owned).ok_or("`per` is the key that counts"));
    let per = per.transpose().map_err(|text| problems.push(text.into())).unwrap_or_default();
    let when = table.get("when").map_or(Ok(Vec::new()), when);
    let when = when.map_err(|text| problems.push(text)).unwrap_or_default();
    match domain {
        Some(domain) if problems.is_empty() => Ok(Entry { key: key.into(), domain, per, when }),
        _ => Err(problems),
    }
}

fn when(value: &Toml) -> Result<Vec<(String, Vec<Value>)>, String> {
    let text = "`when` names parents and their values, as { \"model.layers\" = [2, 3] }";
    let table = value.as_table().ok_or(text)?;
    let values =
        |v: &Toml| v.as_array().map_or_else(|| vec![plain(v)], |list| list.iter().map(plain).collect());
    Ok(table.iter().map(|(parent, v)| (parent.clone(), values(v))).collect())
}

fn domain(kind: &str, table: &Table) -> Result<Domain, String> {
    let scale = scale(table.get("sampling"))?;
    let misplaced = |name: &str, kinds: &[&str]| table.contains_key(name) && !kinds.contains(&kind);
    for (name, kinds) in
        [("step", &["int", "float"][..]), ("sampling", &["int", "float"]), ("ordered", &["choice"])]
    {
        if misplaced(name, kinds) {
            return Err(format!("`{name}` goes with {}, not with {kind}", kinds.join(" and ")));
        }
    }
    if table.contains_key("step") && scale != Scale::Linear {
        return Err("`step` goes with linear sampling; leave one of them out".into());
    }
    match kind {
        "int" => int_domain(table, scale),
        "float" => float_domain(table, scale),
        "choice" => choice_domain(table),
        "bool" if table["bool"] != Toml::Boolean(true) => Err("write bool = true, or fixed = false".into()),
        "bool" => Ok(Domain::Bool),
        _ => Ok(Domain::Fixed(plain(&table["fixed"]))),
    }
}

fn int_domain(table: &Table, scale: Scale) -> Result<Domain, String> {
    let ends =
        table["int"].as_array().map(|list| list.iter().map(Toml::as_integer).collect::<Option<Vec<_>>>());
    let Some(Some(ends)) = ends.filter(|e| e.as_ref().is_some_and(|e| e.len() == 2)) else {
        return Err("`int` is a range of two whole numbers, as [1, 4]".into());
    };
    let (min, max) = (ends[0], ends[1]);
    let step = table.get("step").map_or(Some(1), Toml::as_integer).filter(|s| *s >= 1);
    let step = step.ok_or("`step` of an int is a whole number, 1 or more")?;
    check_range(min as f64, max as f64, scale)?;
    Ok(Domain::Int { min, max, step, scale })
}

fn float_domain(table: &Table, scale: Scale) -> Result<Domain, String> {
    let ends = table["float"].as_array().map(|list| list.iter().map(number).collect::<Option<Vec<_>>>());
    let Some(Some(ends)) = ends.filter(|e| e.as_ref().is_some_and(|e| e.len() == 2)) else {
        return Err("`float` is a range of two numbers, as [0.0, 0.5]".into());
    };
    let step = table
        .get("step")
        .map(|v| number(v).filter(|s| *s > 0.0 && s.is_finite()).ok_or("`step` is a number above 0"));
    check_range(ends[0], ends[1], scale)?;
    Ok(Domain::Float { min: ends[0], max: ends[1], step: step.transpose()?, scale })
}

fn choice_domain(table: &Table) -> Result<Domain, String> {
    let list = table["choice"].as_array().filter(|list| !list.is_empty());
    let values: Vec<Value> =
        list.ok_or("`choice` is a list of values, as [\"relu\", \"tanh\"]")?.iter().map(plain).collect();
    let twice = values.iter().enumerate().find(|(i, v)| values[..*i].iter().any(|w| w.is(v)));
    if let Some((_, value)) = twice {
        return Err(format!("`{value}` is listed twice"));
    }
    let ordered =
        table.get("ordered").map_or(Some(false), Toml::as_bool).ok_or("`ordered` is true or false")?;
    Ok(Domain::Choice { values, ordered })
}

fn check_range(min: f64, max: f64, scale: Scale) -> Result<(), String> {
    if !(min.is_finite() && max.is_finite()) {
        return Err("its range has no end; give two finite numbers".into());
    }
    if min > max {
        return Err(format!("its range is empty: {min} is above {max}"));
    }
    if scale != Scale::Linear && min <= 0.0 {
        return Err(format!("its range begins at {min}; {} sampling needs numbers above 0", name_of(scale)));
    }
    Ok(())
}

fn scale(value: Option<&Toml>) -> Result<Scale, String> {
    match value.map(|v| v.as_str()) {
        None | Some(Some("linear")) => Ok(Scale::Linear),
        Some(Some("log")) => Ok(Scale::Log),
        Some(Some("reverse_log")) => Ok(Scale::ReverseLog),
        _ => Err("`sampling` is linear, log or reverse_log".into()),
    }
}

fn name_of(scale: Scale) -> &'static str {
    match scale {
        Scale::Linear => "linear",
        Scale::Log => "log",
        Scale::ReverseLog => "reverse_log",
    }
}

fn number(value: &Toml) -> Option<f64> {
    value.as_float().or_else(|| value.as_integer().map(|v| v as f64))
}

/// Returns a value of the search; lists and tables become their JSON.
pub fn plain(value: &Toml) -> Value {
    match value {
        Toml::Boolean(v) => Value::Bool(*v),
        Toml::Integer(v) => Value::Int(*v),
        Toml::Float(v) => Value::Float(*v),
        Toml::String(v) => Value::Text(v.clone()),
        other => Value::Text(serde_json::to_string(other).unwrap_or_default()),
    }
}

/// Returns the value for an experiment's key; JSON of lists and tables becomes them again.
pub fn toml_value(value: &Value) -> Toml {
    match value {
        Value::Bool(v) => Toml::Boolean(*v),
        Value::Int(v) => Toml::Integer(*v),
        Value::Float(v) => Toml::Float(*v),
        Value::Text(v) if v.starts_with(['[', '{']) => {
            serde_json::from_str(v).unwrap_or_else(|_| Toml::String(v.clone()))
        }
        Value::Text(v) => Toml::String(v.clone()),
    }
}

/// Puts parents before children, lays lists out and resolves conditions.
fn assemble(entries: &[Entry], context: Context<'_>, problems: &mut Vec<SpaceProblem>) -> Space {
    let mut space = Space::default();
    let (mut left, mut done): (Vec<&Entry>, BTreeSet<&str>) = (entries.iter().collect(), BTreeSet::new());
    while !left.is_empty() {
        let waits = |e: &&Entry| parents(e).any(|p| entries.iter().any(|o| o.key == p) && !done.contains(p));
        let (waiting, ready): (Vec<&Entry>, Vec<&Entry>) = left.iter().partition(|e| waits(e));
        if ready.is_empty() {
            let key = waiting[0].key.clone();
            problems.push(SpaceProblem { key, text: "its conditions go in a circle".into() });
            return space;
        }
        for entry in ready {
            match params(entry, &space, context) {
                Ok(params) => space.params.extend(params),
                Err(text) => problems.push(SpaceProblem { key: entry.key.clone(), text }),
            }
            done.insert(&entry.key);
        }
        left = waiting;
    }
    space
}

fn parents(entry: &Entry) -> impl Iterator<Item = &str> {
    entry.when.iter().map(|(parent, _)| parent.as_str()).chain(entry.per.as_deref())
}

fn params(entry: &Entry, space: &Space, context: Context<'_>) -> Result<Vec<Param>, String> {
    let mut conditions = Vec::new();
    for (parent, values) in &entry.when {
        if let Some(found) = space.params.iter().find(|p| p.key == *parent && p.index.is_none()) {
            let odd = values.iter().find(|v| found.domain.unit(v).is_none());
            if let Some(odd) = odd {
                return Err(format!("`when`: `{parent}` is never {odd}"));
            }
            conditions.push(Condition { parent: found.name.clone(), values: values.clone() });
        } else {
            let fixed =
                (context.fixed)(parent).ok_or_else(|| format!("`when`: there is no key `{parent}`"))?;
            if !values.iter().any(|v| v.is(&fixed)) {
                return Err(format!("is never active: `{parent}` is {fixed} and does not vary"));
            }
        }
    }
    let name = context.names.get(&entry.key).cloned().unwrap_or_else(|| entry.key.replace('.', "/"));
    let param = |name: String, index, conditions| Param {
        name,
        key: entry.key.clone(),
        index,
        domain: entry.domain.clone(),
        conditions,
    };
    let Some(per) = &entry.per else { return Ok(vec![param(name, None, conditions)]) };
    let counts = counts(per, space, context)?;
    let of = |idx: usize| {
        let active: Vec<Value> = counts
            .1
            .iter()
            .filter(|n| **n > i64::try_from(idx).unwrap_or(i64::MAX))
            .map(|n| Value::Int(*n))
            .collect();
        let parent = counts.0.iter().filter(|_| active.len() < counts.1.len());
        let own = parent.map(|parent| Condition { parent: parent.clone(), values: active.clone() });
        param(format!("{name}_{idx}"), Some(idx), conditions.iter().cloned().chain(own).collect())
    };
    Ok((0..counts.1.iter().copied().max().unwrap_or(0) as usize).map(of).collect())
}

/// Returns the parameter that counts, if it varies, and the counts that there can be.
fn counts(per: &str, space: &Space, context: Context<'_>) -> Result<(Option<String>, Vec<i64>), String> {
    let whole = format!("`per`: `{per}` must be a whole number, 0 or more");
    if let Some(found) = space.params.iter().find(|p| p.key == per && p.index.is_none()) {
        return match &found.domain {
            Domain::Int { min, max, step, .. } if *min >= 0 => {
                let counts = (*min..=*max).step_by(*step as usize).collect();
                Ok((Some(found.name.clone()), counts))
            }
            _ => Err(whole),
        };
    }
    match (context.fixed)(per) {
        Some(Value::Int(n)) if n >= 0 => Ok((None, vec![n])),
        Some(_) => Err(whole),
        None => Err(format!("`per`: there is no key `{per}`")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Space, Vec<SpaceProblem>> {
        let table: Table = text.parse().unwrap();
        let fixed = |key: &str| match key {
            "model.kind" => Some(Value::Text("hybrid".into())),
            "model.depth" => Some(Value::Int(2)),
            _ => None,
        };
        let names = [("train.learning_rate".to_owned(), "lr".to_owned())].into();
        parse(&table, Context { fixed: &fixed, names: &names })
    }

    fn problem(text: &str) -> String {
        let problems = read(text).unwrap_err();
        problems.iter().map(|p| format!("{}: {}", p.key, p.text)).collect::<Vec<_>>().join("; ")
    }

    #[test]
    fn a_list_has_one_parameter_a_layer_that_needs_the_layer() {
        let space = read(
            "\"model.units\" = { int = [16, 64], step = 16, per = \"model.layers\" }\n\
             \"model.layers\" = { int = [1, 3] }\n\"train.learning_rate\" = { float = [1e-4, 1e-2], sampling = \"log\" }",
        )
        .unwrap();
        let names: Vec<&str> = space.params.iter().map(|p| p.name.as_str()).collect();
        assert_eq!(names, ["model/layers", "lr", "model/units_0", "model/units_1", "model/units_2"]);
        assert!(space.params[2].conditions.is_empty());
        let parents: Vec<_> =
            space.params[3].conditions.iter().map(|c| (c.parent.as_str(), c.values.len())).collect();
        assert_eq!((parents, space.params[4].index), (vec![("model/layers", 2)], Some(2)));
    }

    #[test]
    fn a_count_that_does_not_vary_needs_no_condition() {
        let space = read("\"model.units\" = { int = [16, 64], per = \"model.depth\" }").unwrap();
        assert_eq!(space.len(), 2);
        assert!(space.params.iter().all(|p| p.conditions.is_empty()));
    }

    #[test]
    fn lists_and_tables_are_choices_too() {
        let space = read("\"inputs.descriptors\" = { choice = [[\"a\", \"b\"], [\"a\"]] }").unwrap();
        let Value::Text(text) = space.params[0].domain.value(0.0) else { panic!() };
        assert_eq!(text, "[\"a\",\"b\"]");
        assert_eq!(toml_value(&Value::Text(text)), "a = ['a', 'b']".parse::<Table>().unwrap()["a"]);
    }

    #[test]
    fn all_problems_are_found_at_once_and_say_what_to_do() {
        let found = problem(
            "a = { int = [4, 1] }\nb = { float = [0.0, 1.0], sampling = \"log\" }\nc = { choice = [] }\n\
             d = { int = [1, 4], float = [0.0, 1.0] }\ne = 3\nf = { int = [1, 4], stepp = 2 }\n\
             g = { float = [0.1, 1.0], sampling = \"log\", step = 0.1 }\nh = { choice = [1, 1.0] }",
        );
        for text in [
            "a: its range is empty: 4 is above 1",
            "b: its range begins at 0; log sampling",
            "c: `choice` is a list",
            "d: give exactly one of",
            "e: give a table",
            "f: `stepp` is unknown",
            "g: `step` goes with linear",
            "h: `1` is listed twice",
        ] {
            assert!(found.contains(text), "{text} in {found}");
        }
        assert!(problem("").contains("is empty"));
        assert!(problem("a = { int = [1, 2], when = { b = [1] } }").contains("no key `b`"));
        assert!(
            problem("a = { int = [1, 2], when = { b = [9] } }\nb = { int = [1, 3] }")
                .contains("`b` is never 9")
        );
        let never = problem("a = { bool = true, when = { \"model.kind\" = [\"dense\"] } }");
        assert!(never.contains("never active: `model.kind` is hybrid"), "{never}");
        let circle = "a = { bool = true, when = { b = [true] } }\nb = { bool = true, when = { a = [true] } }";
        assert!(problem(circle).contains("in a circle"));
    }
}
