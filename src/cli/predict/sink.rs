//! Where answers go: to a file, to lines of JSON, or to a table that a person reads.

use std::io::{BufWriter, Stdout, Write};
use std::path::Path;

use serde_json::{Map, Value, json};

use super::Args;
use super::tally::Tally;
use crate::cli::{Globals, print};
use crate::dataset::rows::Writer;
use crate::predict::{Answers, Predictor, Values};
use crate::report::table::aligned;

/// Rows that a person is shown.
const MOST_ROWS: usize = 20;

/// Letters of a text that a person is shown.
const MOST_LETTERS: usize = 60;

/// Takes answers, batch after batch.
pub(super) enum Sink {
    /// A file, begun with the first batch.
    File { path: std::path::PathBuf, writer: Option<Writer> },
    /// A line of JSON a row on stdout.
    Lines(BufWriter<Stdout>),
    /// The first rows, with a line of names.
    Shown(Vec<Vec<String>>),
}

impl Sink {
    pub(super) fn new(out: Option<&Path>, is_json: bool) -> Self {
        match (out, is_json) {
            (Some(path), _) => Self::File { path: path.into(), writer: None },
            (None, true) => Self::Lines(BufWriter::new(std::io::stdout())),
            (None, false) => Self::Shown(Vec::new()),
        }
    }

    pub(super) fn take(&mut self, answers: &Answers) -> anyhow::Result<()> {
        if answers.columns.is_empty() {
            return Ok(());
        }
        match self {
            Self::File { path, writer } => {
                let writer = match writer {
                    Some(writer) => writer,
                    None => writer.insert(Writer::create(path, &answers.order())?),
                };
                writer.write(&answers.table())?;
            }
            Self::Lines(out) => lines(out, answers)?,
            Self::Shown(rows) => show(rows, answers),
        }
        Ok(())
    }

    /// Ends the output and says what it amounts to.
    pub(super) fn finish(
        self,
        predictor: &Predictor,
        tally: &Tally,
        args: &Args,
        globals: &Globals,
    ) -> anyhow::Result<()> {
        let mut text = match self {
            Self::File { writer: None, .. } => {
                print(&tally.text())?;
                anyhow::bail!("nothing was answered, so no file was written");
            }
            Self::File { path, writer: Some(writer) } => {
                writer.finish()?;
                if globals.json {
                    let mut summary = tally.json(predictor, args.level);
                    summary["out"] = json!(path);
                    return print(&serde_json::to_string(&summary)?);
                }
                format!("wrote   {}\n", path.display())
            }
            Self::Lines(mut out) => {
                quietly(out.flush())?;
                globals.say(tally.text().trim_end());
                return Ok(());
            }
            Self::Shown(rows) => {
                let more = tally.n_rows().saturating_sub(rows.len().saturating_sub(1));
                let more = if more > 0 { format!("  and {more} rows more\n") } else { String::new() };
                format!("{}{more}\n", aligned(&rows))
            }
        };
        text.insert_str(0, &heading(predictor, args.level));
        text.push_str(&tally.text());
        print(&text)
    }
}

fn heading(predictor: &Predictor, level: f64) -> String {
    let pipeline = predictor.pipeline();
    let interval = match &pipeline.interval {
        Some(interval) => format!("intervals of {:.0} % from {} cells", 100.0 * level, interval.n_cells),
        None => "no intervals".into(),
    };
    format!("{} {} · {} · {interval}\n", pipeline.name, pipeline.run, pipeline.model)
}

/// Writes a line of JSON a row.
fn lines(out: &mut impl Write, answers: &Answers) -> anyhow::Result<()> {
    for row in 0..answers.n_rows {
        let mut object = Map::new();
        for (name, values) in &answers.keys.texts {
            object.insert(name.clone(), json!(values[row]));
        }
        for (name, values) in &answers.keys.numbers {
            object.insert(name.clone(), json!(values[row]));
        }
        for column in &answers.columns {
            let value = match &column.values {
                Values::Numbers(values) => json!(values[row]),
                Values::Names { .. } => json!(column.values.text(row)),
                Values::Sets { .. } => {
                    let text = column.values.text(row);
                    json!(text.split('|').filter(|name| !name.is_empty()).collect::<Vec<_>>())
                }
            };
            object.insert(column.name.clone(), value);
        }
        object.insert("warnings".into(), json!(answers.warnings.of(row)));
        quietly(writeln!(out, "{}", Value::Object(object)))?;
    }
    Ok(())
}

/// A reader that has gone away is no error.
fn quietly(written: std::io::Result<()>) -> anyhow::Result<()> {
    match written {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => Err(e.into()),
        _ => Ok(()),
    }
}

/// Keeps the first rows as texts.
fn show(rows: &mut Vec<Vec<String>>, answers: &Answers) {
    let left = (MOST_ROWS + 1).saturating_sub(rows.len().max(1)).min(answers.n_rows);
    if rows.is_empty() {
        rows.push(answers.order().into_iter().map(str::to_owned).collect());
    }
    for row in 0..left {
        let texts = answers.keys.texts.iter().map(|(_, values)| short(&values[row]));
        let numbers = answers.keys.numbers.iter().map(|(_, values)| number(values[row]));
        let answered = answers.columns.iter().map(|column| match &column.values {
            Values::Numbers(values) => number(values[row]),
            _ => column.values.text(row),
        });
        let warnings = std::iter::once(short(&answers.warnings.text(row)));
        rows.push(texts.chain(numbers).chain(answered).chain(warnings).collect());
    }
}

fn number(value: f64) -> String {
    if value.is_nan() {
        return "-".into();
    }
    if value.fract() == 0.0 && value.abs() < 1e15 { format!("{value}") } else { format!("{value:.4}") }
}

fn short(text: &str) -> String {
    let cut: String = text.chars().take(MOST_LETTERS).collect();
    if cut.len() < text.len() { format!("{cut}…") } else { cut }
}
