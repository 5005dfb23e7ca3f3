//! Every sample pipeline through rten, batch 1 and 17, with gaps, against the reference in double precision.

use std::collections::BTreeSet;
use std::path::Path;

use prost::Message;
use rand::RngExt;
use rten::Value as Tensor;

use super::proto::{Attribute, GraphProto, Model, Node};
use super::*;
use crate::experiment::folder::RunFolder;
use crate::experiment::task::Task;
use crate::export::tests::manifest;
use crate::file;
use crate::pipeline::{Input, sample};
use crate::seed::Seed;

/// Largest difference from the reference, relative to the size of a value above 1.
const TOLERANCE: f64 = 1e-5;

fn graph_of(pipeline: &Pipeline, options: &Options) -> Model {
    let exported = export(pipeline, &manifest(pipeline), options).unwrap();
    Model::decode(&exported.files[0].bytes[..]).unwrap()
}

/// Returns rows of 32-bit numbers, every seventh missing: NaN, or infinite, which counts as missing, too.
fn rows(pipeline: &Pipeline, n: usize) -> Vec<Vec<f64>> {
    let mut missing = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY].into_iter().cycle();
    let mut single = |v: f64| if v.is_nan() { missing.next().unwrap() } else { f64::from(v as f32) };
    let rows = sample::rows(pipeline, n, true).into_iter();
    rows.map(|row| row.into_iter().map(&mut single).collect()).collect()
}

/// Returns name and values of every output but bools and integers, by the reference.
fn expected(pipeline: &Pipeline, rows: &[Vec<f64>], level: f64) -> Vec<(String, Vec<f64>)> {
    let labels: Vec<Vec<f64>> = rows.iter().map(|row| pipeline.reference(row)).collect();
    let score = pipeline.interval.as_ref().and_then(|interval| interval.score(level));
    let number = |name: &str, scale: f64| {
        let mut ends = vec![("", 0.0)];
        ends.extend(score.into_iter().flat_map(|score| [("_lower", -score), ("_upper", score)]));
        let at = |(end, shift): (&str, f64)| {
            let value = |label: &Vec<f64>| scale * pipeline.output.physical(label[0] + shift);
            (format!("{name}{end}"), labels.iter().map(value).collect())
        };
        ends.into_iter().map(at).collect::<Vec<_>>()
    };
    match &pipeline.output {
        Output::Soh { reference_ah } => {
            let capacity = reference_ah.map(|ah| number("discharging_capacity_ah", ah));
            number("soh", 1.0).into_iter().chain(capacity.into_iter().flatten()).collect()
        }
        Output::Life { .. } => number("cycle_life", 1.0),
        Output::Tier { .. } => {
            let names = pipeline.output.probability_names().into_iter().enumerate();
            names.map(|(class, name)| (name, labels.iter().map(|l| l[class]).collect())).collect()
        }
    }
}

/// Runs a graph; what rten has no operator for, the trees, is computed here and fed in.
fn run(mut model: Model, pipeline: &Pipeline, rows: &[Vec<f64>], outputs: &[String]) -> Vec<Tensor> {
    let graph = model.graph.as_mut().unwrap();
    let mut inputs: Vec<(String, usize, Vec<f32>)> = Vec::new();
    if graph.input[0].name.as_deref() == Some("inputs") {
        inputs.push((
            "inputs".into(),
            pipeline.inputs.len(),
            rows.concat().iter().map(|&v| v as f32).collect(),
        ));
    } else {
        let column = |idx: usize| rows.iter().map(|row| row[idx] as f32).collect();
        inputs.extend(pipeline.inputs.iter().enumerate().map(|(idx, i)| (i.name.clone(), 1, column(idx))));
    }
    if let Some(at) = graph.node.iter().position(|node| node.domain.is_some()) {
        let node = graph.node.remove(at);
        let name = node.output[0].clone();
        let place = graph.value_info.iter().position(|v| v.name.as_ref() == Some(&name)).unwrap();
        graph.input.push(graph.value_info.remove(place));
        let sums: Vec<Vec<f32>> =
            rows.iter().map(|row| trees_of(&node, &graph.clone(), pipeline, row)).collect();
        inputs.push((name, sums[0].len(), sums.concat()));
    }
    let model = rten::Model::load(model.encode_to_vec()).unwrap();
    let given = inputs.into_iter().filter_map(|(name, width, data)| {
        let id = model.find_node(&name)?;
        Some((id, Tensor::from_shape([rows.len(), width].as_slice(), data).unwrap().into()))
    });
    let wanted: Vec<_> = outputs.iter().map(|name| model.node_id(name).unwrap()).collect();
    model.run(given.collect(), &wanted, None).unwrap()
}

/// Computes a tree ensemble from its attributes, for one row.
fn trees_of(node: &Node, graph: &GraphProto, pipeline: &Pipeline, row: &[f64]) -> Vec<f32> {
    let attribute = |name: &str| -> Attribute {
        node.attribute.iter().find(|a| a.name.as_deref() == Some(name)).unwrap().clone()
    };
    let ints = |name: &str| attribute(name).ints;
    let (tree, id, feature) = (ints("nodes_treeids"), ints("nodes_nodeids"), ints("nodes_featureids"));
    let (left, right) = (ints("nodes_truenodeids"), ints("nodes_falsenodeids"));
    let (missing_left, threshold) =
        (ints("nodes_missing_value_tracks_true"), attribute("nodes_values").floats);
    let (leaf_tree, leaf_node) = (ints("target_treeids"), ints("target_nodeids"));
    let (target, weight) = (ints("target_ids"), attribute("target_weights").floats);
    let modes = attribute("nodes_modes").strings;
    let columns = columns_of(&node.input[0], graph, pipeline);
    let mut sums = attribute("base_values").floats;
    for root in (0..id.len()).filter(|&at| id[at] == 0) {
        let find =
            |wanted: i64| (root..id.len()).find(|&at| tree[at] == tree[root] && id[at] == wanted).unwrap();
        let mut at = root;
        let number = |v: f64| if v.is_finite() { v as f32 } else { f32::NAN };
        while modes[at] == b"BRANCH_LT" {
            let x = number(row[columns[feature[at] as usize]]);
            let goes_left = x < threshold[at] || (x.is_nan() && missing_left[at] == 1);
            at = find(if goes_left { left[at] } else { right[at] });
        }
        let leaf =
            (0..leaf_tree.len()).find(|&l| leaf_tree[l] == tree[at] && leaf_node[l] == id[at]).unwrap();
        sums[target[leaf] as usize] += weight[leaf];
    }
    sums
}

/// Returns the pipeline's inputs that a value is made of, through the nodes before it.
fn columns_of(value: &str, graph: &GraphProto, pipeline: &Pipeline) -> Vec<usize> {
    let position = |name: &String| pipeline.inputs.iter().position(|input| input.name == *name).unwrap();
    let before = |value: &str| graph.node.iter().find(|node| node.output[0] == value).unwrap();
    let chosen = before(value);
    let joined = before(&chosen.input[1]);
    assert_eq!((chosen.op_type.as_deref(), joined.op_type.as_deref()), (Some("Where"), Some("Concat")));
    joined.input.iter().map(position).collect()
}

/// Returns the largest difference from the reference, batch 1 and 17.
fn largest_difference(pipeline: &Pipeline) -> f64 {
    let mut largest: f64 = 0.0;
    for n in [1, 17] {
        let rows = rows(pipeline, n);
        let expected = expected(pipeline, &rows, 0.9);
        let names: Vec<String> = expected.iter().map(|(name, _)| name.clone()).collect();
        let found = run(graph_of(pipeline, &Options::default()), pipeline, &rows, &names);
        for ((output, expected), found) in expected.iter().zip(found) {
            let (shape, found) = found.into_shape_vec::<f32, 2>().unwrap();
            assert_eq!(shape, [n, 1], "{output}");
            let difference = |(e, f): (&f64, f32)| (f64::from(f) - e).abs() / e.abs().max(1.0);
            largest = expected.iter().zip(found).map(difference).fold(largest, f64::max);
        }
    }
    largest
}

#[test]
fn every_sample_agrees_with_the_reference() {
    for (name, pipeline) in sample::all() {
        let largest = largest_difference(&pipeline);
        assert!(largest < TOLERANCE, "{name}: {largest:e}");
    }
}

#[test]
fn a_packed_graph_answers_the_same() {
    for (name, pipeline) in sample::all().into_iter().filter(|(name, _)| !name.contains("trees")) {
        let rows = rows(&pipeline, 5);
        let outputs = vec![expected(&pipeline, &rows, 0.9).swap_remove(0).0];
        let answers = [false, true].map(|packed| {
            let options = Options { packed, ..Options::default() };
            run(graph_of(&pipeline, &options), &pipeline, &rows, &outputs).swap_remove(0)
        });
        let [named, packed] = answers.map(|a| a.into_shape_vec::<f32, 2>().unwrap().1);
        for (a, b) in named.iter().zip(&packed) {
            assert!((a - b).abs() <= 1e-6 * a.abs().max(1.0), "{name}: {a} {b}");
        }
    }
}

#[test]
fn tiers_are_named_by_position_and_sets_hold_the_probable_ones() {
    let (_, mut pipeline) = sample::all().into_iter().find(|(name, _)| name == "temperature").unwrap();
    let rows = rows(&pipeline, 40);
    let mut probabilities: Vec<f64> = rows.iter().flat_map(|row| pipeline.reference(row)).collect();
    probabilities.sort_by(f64::total_cmp);
    let score = 1.0 - probabilities[60..62].iter().sum::<f64>() / 2.0;
    pipeline.interval.as_mut().unwrap().scores = vec![score; 4];
    let found =
        run(graph_of(&pipeline, &Options::default()), &pipeline, &rows, &["tier".into(), "tier_set".into()]);
    let [tier, set] = <[Tensor; 2]>::try_from(found).unwrap();
    let (tier, set) = (tier.into_shape_vec::<i32, 2>().unwrap().1, set.into_shape_vec::<i32, 2>().unwrap().1);
    let mut sizes = BTreeSet::new();
    for (idx, row) in rows.iter().enumerate() {
        let p = pipeline.reference(row);
        let most = (0..3).max_by(|&a, &b| p[a].total_cmp(&p[b])).unwrap();
        assert_eq!(usize::try_from(tier[idx]).unwrap(), most);
        for class in (0..3).filter(|&class| (p[class] - (1.0 - score)).abs() > 1e-5) {
            assert_eq!(set[3 * idx + class] != 0, 1.0 - p[class] <= score, "{p:?}");
        }
        sizes.insert(set[3 * idx..3 * idx + 3].iter().filter(|&&is_in| is_in != 0).count());
    }
    assert!(sizes.len() > 1, "sets of one size only test nothing: {sizes:?}");
}

/// What a reader of the file relies on: names are unique, every value has a type, nodes come after what they need.
#[test]
fn every_graph_is_well_formed() {
    for (name, pipeline) in sample::all() {
        for packed in [false, true] {
            let model = graph_of(&pipeline, &Options { packed, ..Options::default() });
            check(&model.graph.unwrap(), &name);
        }
    }
}

fn check(graph: &GraphProto, name: &str) {
    let typed = || graph.input.iter().chain(&graph.value_info).chain(&graph.output);
    let types: BTreeSet<&str> = typed().filter_map(|v| v.kind.as_ref().and(v.name.as_deref())).collect();
    assert_eq!(types.len(), typed().count(), "{name}: a value is described twice, or without a type");
    let mut known: BTreeSet<&str> = graph.input.iter().filter_map(|v| v.name.as_deref()).collect();
    known.extend(graph.initializer.iter().filter_map(|t| t.name.as_deref()));
    assert_eq!(known.len(), graph.input.len() + graph.initializer.len(), "{name}");
    let nodes: BTreeSet<_> = graph.node.iter().filter_map(|node| node.name.as_deref()).collect();
    assert_eq!(nodes.len(), graph.node.len(), "{name}: two nodes of one name");
    for node in &graph.node {
        assert!(node.input.iter().all(|i| known.contains(i.as_str())), "{name}: {node:?}");
        for output in &node.output {
            assert!(known.insert(output), "{name}: {output} is made twice");
            assert!(types.contains(output.as_str()), "{name}: {output} has no type");
        }
    }
    assert!(graph.output.iter().all(|o| known.contains(o.name.as_deref().unwrap())), "{name}");
}

#[test]
fn equal_parts_are_computed_once() {
    let (_, mut pipeline) = sample::all().into_iter().find(|(name, _)| name == "dense Tanh None").unwrap();
    let nodes = |pipeline: &Pipeline| graph_of(pipeline, &Options::default()).graph.unwrap().node.len();
    let two = nodes(&pipeline);
    pipeline.parts[1] = pipeline.parts[0].clone();
    let alike = nodes(&pipeline);
    assert!(alike < two, "{alike} {two}");
    pipeline.parts.extend_from_within(..);
    assert_eq!(nodes(&pipeline), alike);
}

#[test]
fn parts_of_several_kinds_are_averaged_by_their_number() {
    let find = |wanted: &str| sample::all().into_iter().find(|(name, _)| name == wanted).unwrap().1;
    let (mut pipeline, linear) = (find("dense Relu None"), find("linear"));
    pipeline.parts.push(linear.parts[0].clone());
    let rows = rows(&pipeline, 9);
    let expected = expected(&pipeline, &rows, 0.9);
    let found = run(graph_of(&pipeline, &Options::default()), &pipeline, &rows, &[expected[0].0.clone()]);
    let found = found.into_iter().next().unwrap().into_shape_vec::<f32, 2>().unwrap().1;
    for (e, f) in expected[0].1.iter().zip(found) {
        assert!((f64::from(f) - e).abs() < TOLERANCE, "{f} {e}");
    }
}

/// 32 bits lose a millionth of the mean here, which would be a hundredth of a standard deviation.
#[test]
fn a_mean_far_above_its_spread_is_taken_off_exactly() {
    let (_, mut pipeline) = sample::all().into_iter().find(|(name, _)| name == "linear").unwrap();
    for part in &mut pipeline.parts {
        part.scaler.mean.iter_mut().for_each(|mean| *mean += 30_000.001_3);
        part.scaler.median.iter_mut().for_each(|median| *median += 30_000.001_3);
    }
    let mut rows = rows(&pipeline, 20);
    rows.iter_mut().flatten().for_each(|v| *v = f64::from((*v + 30_000.0) as f32));
    let expected = expected(&pipeline, &rows, 0.9);
    let found = run(graph_of(&pipeline, &Options::default()), &pipeline, &rows, &[expected[0].0.clone()]);
    let found = found.into_iter().next().unwrap().into_shape_vec::<f32, 2>().unwrap().1;
    for (e, f) in expected[0].1.iter().zip(found) {
        assert!((f64::from(f) - e).abs() < 1e-6 * e.abs().max(1.0), "{f} {e}");
    }
}

#[test]
fn an_input_named_like_another_value_is_refused() {
    let (_, mut pipeline) = sample::all().swap_remove(0);
    for taken in ["soh", "input_1", "/constant_0"] {
        pipeline.inputs[0].name = taken.into();
        let result = export(&pipeline, &manifest(&pipeline), &Options::default());
        assert!(matches!(&result, Err(ExportError::SameName { name }) if name == taken), "{result:?}");
    }
}

#[test]
fn the_metadata_say_unit_level_coverage_and_origin() {
    let (_, pipeline) = sample::all().swap_remove(0);
    let mut manifest = manifest(&pipeline);
    manifest.rows = crate::pipeline::manifest::RowsOf::Discharges {
        reference: crate::prepare::Reference::Nominal,
        given: 10,
        anchor: 5,
    };
    let exported = export(&pipeline, &manifest, &Options::default()).unwrap();
    let model = Model::decode(&exported.files[0].bytes[..]).unwrap();
    let of = |key: &str| {
        let entry = model.metadata_props.iter().find(|entry| entry.key.as_deref() == Some(key));
        entry.and_then(|entry| entry.value.clone()).unwrap_or_default()
    };
    assert_eq!((of("level").as_str(), of("coverage").as_str()), ("0.9", "0.9"));
    assert_eq!(of("data_sha256"), "ab".repeat(32));
    let inputs: Vec<Input> = serde_json::from_str(&of("inputs")).unwrap();
    assert_eq!(inputs, pipeline.inputs);
    assert!(of("anchoring").contains("last 5 given"));
    assert!(exported.left_out.iter().any(|sentence| sentence.contains("anchoring")));
}

/// Writes every sample, and the runs of `FADECAST_ROUND_TRIP_RUNS` (`:` between folders), for `tests/round_trip/onnx.sh`,
/// where `FADECAST_ROUND_TRIP` says to: graphs, rows and the answers of the reference.
#[test]
fn graphs_are_written_for_the_round_trip() {
    let Some(folder) = std::env::var_os("FADECAST_ROUND_TRIP") else { return };
    let folder = Path::new(&folder);
    file::create_folder(folder).unwrap();
    let mut differences = String::new();
    for (name, pipeline) in sample::all() {
        differences += &format!("{name:<32} {:.1e}\n", largest_difference(&pipeline));
        let name = name.to_lowercase().replace(' ', "_");
        write_graphs(folder, &name, (&pipeline, &manifest(&pipeline)), &rows(&pipeline, 257));
    }
    file::write_atomic(&folder.join("rten.txt"), differences.as_bytes()).unwrap();
    let runs = std::env::var("FADECAST_ROUND_TRIP_RUNS").unwrap_or_default();
    for run in runs.split(':').filter(|run| !run.is_empty()) {
        let run = Path::new(run);
        let root = run.ancestors().nth(3).unwrap();
        let loaded = crate::registry::load(root, run).unwrap();
        let model = (&loaded.pipeline, &loaded.manifest);
        let name = format!("run_{}", loaded.pipeline.name);
        write_graphs(folder, &format!("{name}_real_rows"), model, &real_rows(root, run, &loaded.pipeline));
        write_graphs(folder, &format!("{name}_random_rows"), model, &random_rows(&loaded.pipeline, 1000));
    }
}

/// Returns rows of the trained ranges, one number in ten missing.
fn random_rows(pipeline: &Pipeline, n: usize) -> Vec<Vec<f64>> {
    let mut rng = Seed::new(5).stream("rows");
    let mut value = |input: &Input| {
        let value = rng.random_range(input.range[0]..=input.range[1]);
        if rng.random_bool(0.1) { f64::NAN } else { f64::from(value as f32) }
    };
    (0..n).map(|_| pipeline.inputs.iter().map(&mut value).collect()).collect()
}

/// Returns the rows of the data that a run was judged on.
fn real_rows(root: &Path, run: &Path, pipeline: &Pipeline) -> Vec<Vec<f64>> {
    let (folder, _) = RunFolder::open(root, run).unwrap();
    let frame = Task::load(&folder.config().unwrap(), root).unwrap().frame;
    let all = || frame.inputs.iter().chain(&frame.stress);
    let column = |input: &Input| &all().find(|column| column.name == input.name).unwrap().values;
    let columns: Vec<&Vec<f64>> = pipeline.inputs.iter().map(column).collect();
    let row = |idx: usize| columns.iter().map(|values| f64::from(values[idx] as f32)).collect();
    (0..frame.rows.len()).map(row).collect()
}

fn write_graphs(folder: &Path, name: &str, (pipeline, manifest): (&Pipeline, &Manifest), rows: &[Vec<f64>]) {
    let names: Vec<String> = pipeline.inputs.iter().map(|input| input.name.clone()).collect();
    write(&folder.join(format!("{name}.inputs.csv")), &names, rows);
    let (names, columns): (Vec<String>, Vec<Vec<f64>>) = expected(pipeline, rows, 0.9).into_iter().unzip();
    let answers: Vec<Vec<f64>> = (0..rows.len()).map(|r| columns.iter().map(|c| c[r]).collect()).collect();
    write(&folder.join(format!("{name}.answers.csv")), &names, &answers);
    for (packed, end) in [(false, "onnx"), (true, "packed.onnx")] {
        let options = Options { packed, ..Options::default() };
        let exported = export(pipeline, manifest, &options).unwrap();
        file::write_atomic(&folder.join(format!("{name}.{end}")), &exported.files[0].bytes).unwrap();
    }
}

fn write(path: &Path, names: &[String], rows: &[Vec<f64>]) {
    let line = |row: &Vec<f64>| row.iter().map(f64::to_string).collect::<Vec<_>>().join(",");
    let lines: Vec<String> = std::iter::once(names.join(",")).chain(rows.iter().map(line)).collect();
    file::write_atomic(path, lines.join("\n").as_bytes()).unwrap();
}
