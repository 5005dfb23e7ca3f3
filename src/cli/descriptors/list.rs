//! `fadecast descriptors list`: one line a descriptor, those of whole cells first.

use serde::Serialize;

use crate::cli::{Globals, print};
use crate::descriptor::early::matrix::UnknownName;
use crate::descriptor::early::{EarlyDescriptor, FAMILIES, needs};
use crate::descriptor::{self, Descriptor};

/// Family of the descriptors of one discharge.
const DISCHARGE: &str = "discharge";

/// Which descriptors to list.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Only those that need all of this (`gitt`, `impedance`, `curve`, ...).
    #[arg(long, value_name = "NEED", num_args = 1.., value_delimiter = ',')]
    needs: Vec<String>,
    /// Only those of a family (`capacity`, `"voltage curve"`, ...).
    #[arg(long)]
    family: Option<String>,
}

/// One line.
#[derive(Debug, Serialize)]
struct Line {
    name: &'static str,
    unit: &'static str,
    scope: &'static str,
    family: &'static str,
    needs: Vec<String>,
    citation: Option<&'static str>,
    doc: &'static str,
    #[serde(skip)]
    need_names: Vec<&'static str>,
}

/// Runs the verb.
///
/// # Errors
/// Where a need or family is unknown.
pub(super) fn run(args: &Args, globals: &Globals) -> anyhow::Result<()> {
    if let Some(unknown) = args.needs.iter().find(|n| !needs::NAMES.contains(&n.as_str())) {
        let known = UnknownName::new("need", unknown, needs::NAMES.into_iter());
        let all = || format!("; needs are {}", needs::NAMES.join(", "));
        let hint = if known.hint.is_empty() { all() } else { known.hint };
        return Err(UnknownName { hint, ..known }.into());
    }
    let families = || FAMILIES.iter().map(|(name, _)| *name).chain([DISCHARGE]);
    if let Some(unknown) = args.family.as_ref().filter(|f| families().all(|name| name != f.as_str())) {
        return Err(UnknownName::new("family", unknown, families()).into());
    }
    let mut lines = lines();
    lines.retain(|line| args.family.as_ref().is_none_or(|f| line.family == f.as_str()));
    lines.retain(|line| args.needs.iter().all(|n| line.need_names.contains(&n.as_str())));
    if lines.is_empty() {
        globals.say("no descriptor needs all of that in this family; leave a word out");
    }
    if globals.json {
        return print(&serde_json::to_string(&lines)?);
    }
    print(&columns(&lines.into_iter().map(Line::row).collect::<Vec<_>>()))
}

/// Returns rows of text in columns that begin below one another; no line is wrapped.
fn columns<const N: usize>(rows: &[[String; N]]) -> String {
    let length = |text: &String| text.chars().count();
    let widths: Vec<usize> = (0..N).map(|c| rows.iter().map(|r| length(&r[c])).max().unwrap_or(0)).collect();
    let padded = |row: &[String; N]| -> String {
        row.iter().zip(&widths).map(|(t, w)| format!("{t:<w$}  ")).collect()
    };
    rows.iter().map(|row| format!("{}\n", padded(row).trim_end())).collect()
}

fn lines() -> Vec<Line> {
    let whole = FAMILIES.iter().flat_map(|(family, rows)| rows.iter().map(|d| Line::of_cell(family, d)));
    whole.chain(descriptor::catalogue().map(Line::of_discharge)).collect()
}

impl Line {
    fn of_cell(family: &'static str, d: &'static EarlyDescriptor) -> Self {
        Self {
            name: d.name,
            unit: d.unit,
            scope: "cell",
            family,
            needs: d.needs.iter().map(ToString::to_string).collect(),
            citation: Some(d.citation),
            doc: d.doc,
            need_names: d.needs.iter().map(|need| need.name()).collect(),
        }
    }

    fn of_discharge(d: &'static Descriptor) -> Self {
        let (needs, need_names) = (Vec::new(), Vec::new());
        let Descriptor { name, unit, doc, .. } = *d;
        Self { name, unit, scope: "discharge", family: DISCHARGE, needs, citation: None, doc, need_names }
    }

    fn row(self) -> [String; 7] {
        let needs = if self.needs.is_empty() { "-".into() } else { self.needs.join(", ") };
        let cells =
            [self.name, self.unit, self.scope, self.family, &needs, self.citation.unwrap_or("-"), self.doc];
        cells.map(str::to_owned)
    }
}
