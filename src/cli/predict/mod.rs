//! `fadecast predict`: answers of a trained model for tables of inputs, raw cycler files and datasets.

mod sink;
mod source;
mod tally;

use std::path::PathBuf;
use std::sync::mpsc::sync_channel;

use clap::builder::{PossibleValue, PossibleValuesParser};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rayon::prelude::*;

use super::Globals;
use super::experiment::{INTERRUPT, catch_interrupt};
use crate::dataset::reader::registry::readers;
use crate::dataset::rows::{RowBatch, RowsError};
use crate::dataset::store::StoreError;
use crate::experiment::cells::CellSource;
use crate::predict::{Answers, PredictError, Predictor, Settings};
use crate::registry;
use sink::Sink;
use source::Source;
use tally::Tally;

/// Answers tables of inputs, raw cycler files or datasets with a trained model.
///
/// Each row gets an answer, its interval and what is doubtful about it. Without --out a person's table is shown; with
/// --json every row is a line of JSON on stdout, or, with --out, the summary is one object.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Run: its folder, `models/NAME/latest`, `models/NAME/promoted`, or NAME.
    run: PathBuf,
    /// Tables of inputs (CSV, Parquet, Arrow), raw cycler files, or datasets by name or folder.
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<String>,
    /// File to write, `.csv` or `.parquet`: whole or not at all.
    #[arg(long, value_name = "FILE", value_parser = table_file)]
    out: Option<PathBuf>,
    /// Level of the intervals, one that the model has.
    #[arg(long, default_value_t = crate::predict::LEVEL)]
    level: f64,
    /// Format of raw cycler files; without one it is looked for.
    #[arg(long, value_parser = formats())]
    format: Option<String>,
    /// Column map (TOML) of the formats `csv` and `inputs`.
    #[arg(long, value_name = "FILE")]
    map: Option<PathBuf>,
    /// Nominal capacity of raw cells, where their files do not state it [Ah].
    #[arg(long, value_name = "AH")]
    nominal_capacity_ah: Option<f64>,
    /// Only these cells of a dataset; `*` stands for any text.
    #[arg(long, value_name = "PATTERN", num_args = 1.., value_delimiter = ',')]
    cells: Vec<String>,
    /// Takes an input whose column is missing as one without values.
    #[arg(long)]
    impute_missing: bool,
}

/// Runs the verb.
///
/// # Errors
/// Where the run, an input or the file cannot be used.
pub(super) fn run(args: &Args, globals: &Globals) -> anyhow::Result<()> {
    catch_interrupt()?;
    let loaded = registry::load(&globals.root, &args.run)?;
    let predictor = Predictor::new(loaded)?;
    let settings = Settings { level: args.level, impute_missing: args.impute_missing };
    let sink = Sink::new(args.out.as_deref(), globals.json);
    let mut work = Work { predictor, settings, sink, tally: Tally::default(), bar: bar(globals) };
    for input in &args.inputs {
        let source = source::open(input, &work.predictor, args, globals)?;
        work.answer(source)?;
    }
    work.bar.finish_and_clear();
    let Work { predictor, sink, tally, .. } = work;
    sink.finish(&predictor, &tally, args, globals)
}

/// What goes through all inputs.
struct Work {
    predictor: Predictor,
    settings: Settings,
    sink: Sink,
    tally: Tally,
    bar: ProgressBar,
}

impl Work {
    fn answer(&mut self, source: Source) -> anyhow::Result<()> {
        match source {
            Source::Table { batches, n_rows } => {
                self.bar.set_length(self.bar.position() + n_rows.unwrap_or_default() as u64);
                self.of_batches(batches)
            }
            Source::Cells(cells) => {
                let answers = self.predictor.of_cells(&cells, &self.settings)?;
                self.tally.synthetic |= cells.iter().any(|cell| cell.facts.synthetic);
                self.take(&answers)
            }
            Source::Dataset(cells) => self.of_dataset(&cells),
        }
    }

    /// Answers batches while the next one is read.
    fn of_batches(&mut self, batches: source::Batches) -> anyhow::Result<()> {
        let (sender, batches_read) = sync_channel::<Result<RowBatch, RowsError>>(1);
        std::thread::scope(|scope| {
            // A receiver that has gone away has met an error: there is no use in more rows.
            scope.spawn(move || batches.map(|batch| sender.send(batch)).find(Result::is_err));
            for batch in batches_read {
                let answers = self.predictor.answer(&batch?, &self.settings)?;
                self.take(&answers)?;
            }
            Ok(())
        })
    }

    /// Answers the cells of a dataset, as many at a time as there are threads.
    fn of_dataset(&mut self, source: &CellSource) -> anyhow::Result<()> {
        self.tally.synthetic |= source.synthetic;
        let needed = source::needed(&self.predictor);
        let positions: Vec<usize> = (0..source.len()).collect();
        for some in positions.chunks(rayon::current_num_threads()) {
            let load = |&position: &usize| source.cell(position, &needed);
            let cells = some.par_iter().map(load).collect::<Result<Vec<_>, StoreError>>()?;
            let answers = self.predictor.of_cells(&cells, &self.settings)?;
            self.take(&answers)?;
        }
        Ok(())
    }

    fn take(&mut self, answers: &Answers) -> anyhow::Result<()> {
        if INTERRUPT.reason().is_some() {
            return Err(PredictError::Interrupted.into());
        }
        self.bar.inc(answers.n_rows as u64);
        self.tally.add(answers);
        self.sink.take(answers)
    }
}

fn bar(globals: &Globals) -> ProgressBar {
    let target = if globals.quiet { ProgressDrawTarget::hidden() } else { ProgressDrawTarget::stderr() };
    let bar = ProgressBar::with_draw_target(Some(0), target);
    let template = "predict  {bar:32} {human_pos} rows  {per_sec}  {elapsed}";
    bar.set_style(ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}

fn table_file(text: &str) -> Result<PathBuf, String> {
    let path = PathBuf::from(text);
    match path.extension().and_then(|e| e.to_str()) {
        Some("parquet" | "csv") => Ok(path),
        _ => Err("no table; the name ends in `.parquet` or `.csv`".into()),
    }
}

fn formats() -> PossibleValuesParser {
    readers().iter().map(|r| PossibleValue::new(r.name()).help(r.summary())).collect::<Vec<_>>().into()
}
