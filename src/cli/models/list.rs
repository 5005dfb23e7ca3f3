//! `fadecast models list`: every finished run in a line.

use crate::cli::{Globals, print};
use crate::registry::shelf::{self, Figure, Shelved};
use crate::report::table::aligned;

/// Runs the verb.
///
/// # Errors
/// Where a file that says what is promoted is damaged.
pub(super) fn run(globals: &Globals) -> anyhow::Result<()> {
    let shelved = shelf::list(&globals.root)?;
    if globals.json {
        return print(&serde_json::to_string(&shelved)?);
    }
    if shelved.is_empty() {
        return print("no finished run yet; `fadecast train` makes one of the embedded fleet");
    }
    let head = ["run", "kind", "model", "figure", "", "best baseline", "", "created", ""];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    rows.extend(shelved.iter().map(row));
    print(&format!("{}{}", aligned(&rows), remarks(&shelved)))
}

fn row(run: &Shelved) -> Vec<String> {
    let or_dash = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".into());
    let [figure, value] = figure(run.figure.as_ref());
    let [baseline, beside] = self::figure(run.baseline.as_ref());
    let mark = match (&run.refused, run.promoted) {
        (Some(_), _) => "not served",
        (None, true) => "PROMOTED",
        (None, false) => "",
    };
    let path = run.path.display().to_string();
    let created = run.created.clone();
    vec![path, or_dash(&run.kind), or_dash(&run.model), figure, value, baseline, beside, created, mark.into()]
}

fn figure(figure: Option<&Figure>) -> [String; 2] {
    let Some(Figure { name, mean, unit }) = figure else { return ["-".into(), String::new()] };
    let unit = if unit == "1" { String::new() } else { format!(" {unit}") };
    [name.replace('_', " "), format!("{mean:.4}{unit}")]
}

/// Says why runs are not served, a line each.
fn remarks(shelved: &[Shelved]) -> String {
    let remark = |run: &Shelved| run.refused.as_ref().map(|why| format!("  {}: {why}\n", run.path.display()));
    let remarks: String = shelved.iter().filter_map(remark).collect();
    if remarks.is_empty() { remarks } else { format!("not served\n{remarks}") }
}
