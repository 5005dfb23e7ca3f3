//! Export: a trial as an ordinary experiment file, with where it comes from in its notes.

use toml::{Table, Value};

use super::nested;
use super::plan::Plan;
use crate::experiment::config::ExperimentConfig;
use crate::experiment::error::ExperimentError;
use crate::file::FileError;
use crate::prepare::Part;
use crate::tuner::Trial;

/// Returns the experiment of a trial. It says `tuned_on_test` where its folds, or those of another part, chose it.
///
/// # Errors
/// [`ExperimentError::Config`] where the values do not go together.
pub fn experiment(plan: &Plan, part: &Part, trial: &Trial) -> Result<ExperimentConfig, ExperimentError> {
    let mut config = nested::chosen(plan, &trial.values)?;
    config.references.clone_from(&plan.config.references);
    config.notes.clone_from(&plan.config.notes);
    config.notes.push(origin(plan, part, trial));
    config.tuned_on_test = plan.config.tuned_on_test || plan.sees_test();
    Ok(config)
}

fn origin(plan: &Plan, part: &Part, trial: &Trial) -> String {
    let scores: Vec<String> = plan
        .settings
        .objectives
        .iter()
        .filter_map(|o| Some(format!("{} {:.5}", o.metric, trial.metric(&o.metric)?)))
        .collect();
    let of = part.name.as_ref().map_or(String::new(), |name| format!(", part {name}"));
    let rows =
        if plan.settings.tuner.nested { "folds of training rows" } else { "the folds that are reported" };
    let budget = trial.budget.as_ref().map_or(String::new(), |b| format!(" after {} epochs", b.until));
    format!(
        "trial {} of the search {}{of}: chosen by {}{budget} on {rows}",
        trial.id,
        plan.name,
        scores.join(", ")
    )
}

/// Returns an experiment as TOML that says only what differs from the defaults.
///
/// # Errors
/// [`ExperimentError::File`] where a value has no TOML form.
pub fn sparse_toml(config: &ExperimentConfig) -> Result<String, ExperimentError> {
    let table = |config: &ExperimentConfig| {
        Table::try_from(config).map_err(|e| FileError::parse("experiment.toml", e))
    };
    let mut own = table(config)?;
    strip(&mut own, &table(&ExperimentConfig::default())?, true);
    Ok(toml::to_string(&own).map_err(|e| FileError::parse("experiment.toml", e))?)
}

/// Removes what is as in `defaults`; a table that is chosen by `kind` is kept whole.
fn strip(table: &mut Table, defaults: &Table, is_top: bool) {
    let same: Vec<String> =
        table.iter().filter(|(k, v)| defaults.get(*k) == Some(v)).map(|(k, _)| k.clone()).collect();
    for key in same {
        table.remove(&key);
    }
    for (key, value) in table.iter_mut() {
        let tagged = !is_top || key != "model";
        let default = defaults.get(key).and_then(Value::as_table);
        if let (Some(inner), Some(default)) = (value.as_table_mut(), default)
            && !(tagged && inner.contains_key("kind"))
        {
            strip(inner, default, false);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::parse;

    #[test]
    fn the_sparse_file_reads_back_as_the_experiment() {
        let text = "kind = \"trajectory\"\ncells = [\"A\"]\n[split]\nkind = \"time\"\nfraction = 0.8\n[references]\nline = 0.04\n\
            [model]\nkind = \"hybrid\"\nhidden = [8, 4]\n[train]\nloss = \"mae\"\noptimizer = { kind = \"sgd\" }\n\
            schedule = { kind = \"step\", every = 3, factor = 0.5 }";
        let config = parse::parse(text, "x.toml", &[]).unwrap();
        let sparse = sparse_toml(&config).unwrap();
        assert_eq!(parse::parse(&sparse, "y.toml", &[]).unwrap(), config);
        for absent in ["learning_rate", "dropout", "seed", "inputs"] {
            assert!(!sparse.contains(absent), "{absent} in {sparse}");
        }
    }
}
