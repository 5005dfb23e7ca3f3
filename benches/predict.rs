//! Time of predictions: one row, and a batch of 100,000 rows on the threads of `RAYON_NUM_THREADS`.
//!
//! `cargo bench --bench predict [-- MODEL...]` prints `MODEL one_us SECONDS batch_ms SECONDS`. `-- write FOLDER` writes each
//! model as one ONNX graph of one packed input, its networks as JSON, rows and their labels, for benches/predict.py.

#![expect(clippy::print_stdout, reason = "a bench prints what it measures")]

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::time::Instant;

use fadecast::dataset::leakage::Source;
use fadecast::export::{Options, onnx};
use fadecast::file;
use fadecast::model::{Activation, Architecture, NetworkConfig, PriorConfig, PriorStart};
use fadecast::physics::Law;
use fadecast::pipeline::manifest::{Manifest, RowsOf, SCHEMA};
use fadecast::pipeline::scorer::Scorer;
use fadecast::pipeline::{Body, Input, Member, Output, Part, Pipeline};
use fadecast::prepare::Scaler;
use fadecast::seed::Seed;
use serde_json::json;

/// What the program itself allocates with.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Rows of a batch.
const ROWS: usize = 100_000;

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).filter(|arg| !arg.starts_with('-')).collect();
    if let [verb, folder] = &words[..]
        && verb == "write"
    {
        return MODELS.iter().try_for_each(|model| model.write(Path::new(folder)));
    }
    for model in MODELS.iter().filter(|m| words.is_empty() || words.iter().any(|word| word == m.name)) {
        model.print()?;
    }
    Ok(())
}

/// A model, made of random numbers: what it costs does not depend on them.
struct Model {
    name: &'static str,
    n_inputs: usize,
    hidden: &'static [usize],
    activation: Activation,
    law: Option<Law>,
    n_parts: usize,
    n_members: usize,
}

const MODELS: [Model; 3] = [
    Model {
        name: "single",
        n_inputs: 8,
        hidden: &[64, 64],
        activation: Activation::Relu,
        law: None,
        n_parts: 1,
        n_members: 1,
    },
    Model {
        name: "ensemble",
        n_inputs: 8,
        hidden: &[64, 64],
        activation: Activation::Relu,
        law: None,
        n_parts: 4,
        n_members: 8,
    },
    // experiments/quickstart.toml
    Model {
        name: "quickstart",
        n_inputs: 6,
        hidden: &[32, 32],
        activation: Activation::Silu,
        law: Some(Law::CoulombBalance),
        n_parts: 2,
        n_members: 8,
    },
];

impl Model {
    fn architecture(&self) -> Architecture {
        let network = NetworkConfig {
            hidden: self.hidden.to_vec(),
            activation: self.activation,
            ..NetworkConfig::default()
        };
        Architecture { d_input: self.n_inputs, d_output: 1, network, prior: self.law.map(PriorConfig::new) }
    }

    fn pipeline(&self) -> Pipeline {
        let stress = self.law.map_or(&[][..], |law| law.stress());
        let names = (0..self.n_inputs).map(|idx| format!("input_{idx}"));
        let input = |name: String| Input {
            name,
            unit: "1".into(),
            doc: String::new(),
            source: Source::PastRecord,
            range: [-2.0, 2.0],
            leaks: false,
        };
        Pipeline {
            name: self.name.into(),
            run: self.name.into(),
            model: if self.law.is_some() { "hybrid" } else { "dense" }.into(),
            inputs: names.chain(stress.iter().map(|s| s.name.into())).map(input).collect(),
            output: Output::Soh { reference_ah: None },
            parts: (0..self.n_parts).map(|idx| self.part(idx, stress.len())).collect(),
            interval: None,
        }
    }

    fn part(&self, idx: usize, n_stress: usize) -> Part {
        let d = self.n_inputs;
        let numbers = |from: f64| (0..d).map(|c| from + 0.01 * (idx * d + c) as f64).collect::<Vec<f64>>();
        let label = (0.85, 0.1);
        let start =
            self.law.map(|law| PriorStart { theta: law.start(), label_mean: label.0, label_sd: label.1 });
        let architecture = self.architecture();
        let member = |member: usize| {
            let seed = Seed::new(1).child(format!("part/{idx}/member/{member}"));
            Member { weights: architecture.initial_weights(&seed), statistics: Vec::new() }
        };
        let members = (0..self.n_members).map(member).collect();
        Part {
            fold: format!("fold{idx}"),
            repetition: 0,
            columns: (0..d).collect(),
            scaler: Scaler { median: numbers(0.0), mean: numbers(0.1), sd: numbers(0.9) },
            stress: (d..d + n_stress).collect(),
            stress_median: vec![0.5; n_stress],
            label,
            body: Body::Networks { architecture: architecture.clone(), classes: false, start, members },
            calibration: None,
        }
    }

    /// Returns rows of plausible numbers, one in a hundred missing, each a 32-bit number.
    fn rows(&self) -> Vec<f64> {
        let n = self.pipeline().inputs.len() * ROWS;
        let value = |i: usize| f64::from(((i * 7919) % 1009) as f32 / 252.0 - 2.0);
        (0..n).map(|i| if i % 101 == 7 { f64::NAN } else { value(i) }).collect()
    }

    /// Prints the median time of a row, over rows one after the other, and the least time of a batch.
    fn print(&self) -> Result<(), Box<dyn Error>> {
        let scorer = Scorer::new(&self.pipeline())?;
        let (rows, mut labels) = (self.rows(), Vec::new());
        let batches = (0..9).map(|_| seconds(|| scorer.score(&rows, &mut labels)));
        let batch = batches.fold(f64::INFINITY, f64::min);
        let width = scorer.n_inputs();
        // Many rows a reading of the clock, which takes some 20 ns itself.
        let group = |rows: &[f64]| {
            let n = rows.len() / width;
            seconds(|| rows.chunks_exact(width).for_each(|row| scorer.score(row, &mut labels))) / n as f64
        };
        let mut times: Vec<f64> = rows[..20_000 * width].chunks(20 * width).map(group).collect();
        times.sort_by(f64::total_cmp);
        println!("{} one_us {:.3} batch_ms {:.3}", self.name, times[times.len() / 2] * 1e6, batch * 1e3);
        Ok(())
    }

    fn write(&self, folder: &Path) -> Result<(), Box<dyn Error>> {
        let pipeline = self.pipeline();
        let path = |extension: &str| folder.join(format!("{}.{extension}", self.name));
        let options = Options { packed: true, ..Options::default() };
        let exported = onnx::export(&pipeline, &manifest(&pipeline), &options)?;
        file::write_atomic(&path("onnx"), &exported.files[0].bytes)?;
        let (rows, mut labels) = (self.rows(), Vec::new());
        Scorer::new(&pipeline)?.score(&rows, &mut labels);
        let bytes: Vec<u8> = rows.iter().flat_map(|&v| (v as f32).to_le_bytes()).collect();
        file::write_atomic(&path("rows"), &bytes)?;
        let bytes: Vec<u8> = labels.iter().flat_map(|v| v.to_le_bytes()).collect();
        file::write_atomic(&path("labels"), &bytes)?;
        file::write_atomic(&path("json"), &serde_json::to_vec(&self.networks(&pipeline))?)?;
        Ok(())
    }

    /// Returns everything that a graph of the networks is made of; nothing for a hybrid.
    fn networks(&self, pipeline: &Pipeline) -> serde_json::Value {
        let part = |part: &Part| {
            let Body::Networks { architecture, members, .. } = &part.body else { return json!(null) };
            let layers = |member: &Member| -> Vec<_> {
                let slices = architecture.slices();
                slices
                    .iter()
                    .map(|s| json!({"shape": s.shape, "numbers": member.weights[s.range()]}))
                    .collect()
            };
            json!({
                "scaler": part.scaler,
                "label": part.label,
                "members": members.iter().map(layers).collect::<Vec<_>>(),
            })
        };
        if self.law.is_some() {
            return json!(null);
        }
        json!(pipeline.parts.iter().map(part).collect::<Vec<_>>())
    }
}

fn seconds(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64()
}

fn manifest(pipeline: &Pipeline) -> Manifest {
    Manifest {
        schema: SCHEMA,
        fadecast: env!("CARGO_PKG_VERSION").into(),
        experiment: pipeline.name.clone(),
        run: pipeline.run.clone(),
        kind: "capacity".into(),
        model: pipeline.model.clone(),
        created: "2026-01-01T00:00:00Z".into(),
        dataset: "none".into(),
        data_sha256: String::new(),
        refused: None,
        inputs: pipeline.inputs.clone(),
        output: pipeline.output.clone(),
        interval: None,
        rows: RowsOf::Table,
        files: BTreeMap::new(),
    }
}
