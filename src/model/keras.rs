//! A member of a dense network as Keras 3 keeps it: the bytes of a `.weights.h5` file, and the Python that makes its layers.
//!
//! Keras files a layer's variables by its class and its place among the layers of that class, whatever its name:
//!
//! | here | in the file | Keras |
//! |---|---|---|
//! | `weight`, `bias` | `layers/dense/vars/0` `[d_in, d_out]`, `1`; then `dense_1`, ... | `Dense` |
//! | `norm_scale`, `norm_shift` | `layers/layer_normalization/vars/0`, `1`; then `layer_normalization_1`, ... | `LayerNormalization` |
//! | the same, `mean`, `variance` | `layers/batch_normalization/vars/0` to `3`; then `batch_normalization_1`, ... | `BatchNormalization` |
//! | | `layers/activation/vars`, `layers/dropout/vars`, which are empty | `Activation`, `Dropout` |
//!
//! The file holds numbers only. Its reader must know the rest: Keras's own defaults are 1e-3 for the epsilon of both
//! normalisations and the error function in `gelu`, where we have 1e-5 and the hyperbolic tangent. A file has no
//! state of an optimiser, without which Keras starts its own afresh. Seen in Keras 3.0.5, 3.4.1, 3.8.0 and 3.15.1.

mod groups;
mod pieces;

use hdf5_pure::{DType, Error, File, FormatError, Group};
use serde_json::{Value, json};

use super::{Activation, Architecture, Normalisation, Slice};
pub(crate) use groups::{LayerGroup, group_name, groups_h5};
pub(crate) use pieces::pieces;

/// Group of the variables of a layer and of the model; Keras before 3.5 wants it where it is empty, too.
const VARIABLES: &str = "vars";

/// Our `gelu` in Python; Keras means the error function's by that name, which is up to 5e-4 apart.
const GELU: &str = "
@keras.saving.register_keras_serializable()
def gelu_tanh(x):
    return keras.activations.gelu(x, approximate=True)
";

/// A network that has no form in Keras, or a file that does not hold the network.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KerasError {
    /// Occurs when a network has a physics prior, which Keras has no layer for.
    #[error("a network with a physics prior has no form in Keras: only `prior = none` has")]
    Prior,
    /// Occurs when a hidden layer adds its input to its output, which a `Sequential` cannot.
    #[error(
        "hidden layer {layer_idx} has a skip connection, which a Keras Sequential cannot have: set `skip = false`"
    )]
    Skip {
        /// Position of the first such layer, counted from 0.
        layer_idx: usize,
    },
    /// Occurs when a member has more or fewer numbers than its architecture.
    #[error("the member has {found} {what}, its architecture {needed}")]
    Length {
        /// `weights` or `statistics`.
        what: &'static str,
        /// How many there are.
        found: usize,
        /// How many the architecture has.
        needed: usize,
    },
    /// Occurs when a file lacks a variable of the network.
    #[error("`{place}` is not in the file, which then is of another network")]
    Missing {
        /// Place in the file (`layers/dense/vars/0`).
        place: String,
    },
    /// Occurs when a variable of a file has another shape than in the network.
    #[error("`{place}` has the shape {found:?} in the file and {needed:?} in the network")]
    Shape {
        /// Place in the file.
        place: String,
        /// Shape in the file.
        found: Vec<u64>,
        /// Shape in the network.
        needed: Vec<u64>,
    },
    /// Occurs when a variable of a file is of another type than Keras's usual `float32`.
    #[error("`{place}` is not of the type float32 in the file: save the model with the dtype policy float32")]
    Type {
        /// Place in the file.
        place: String,
    },
    /// Occurs when a file holds a variable that the network has not.
    #[error("`{place}` is in the file, but not in the network")]
    Unexpected {
        /// Place in the file.
        place: String,
    },
    /// Occurs when HDF5 itself is broken or of a kind that is not read.
    #[error("`{place}`: HDF5 cannot be read or written")]
    Hdf5 {
        /// Place in the file.
        place: String,
        /// What the HDF5 library said.
        #[source]
        source: Error,
    },
}

/// Makes the bytes of a `.weights.h5` file that `load_weights` of the model of [`python`] reads.
///
/// The inputs and outputs are those of the network, which are scaled. The second output of a Gaussian likelihood is
/// an output like the first, and those of a classifier are its logits, before the softmax. The same numbers make the
/// same bytes.
///
/// # Errors
/// [`KerasError::Prior`] and [`KerasError::Skip`] for a network that has no form in Keras, [`KerasError::Length`] for
/// numbers of another.
pub fn weights_h5(
    architecture: &Architecture,
    weights: &[f32],
    statistics: &[f32],
) -> Result<Vec<u8>, KerasError> {
    let layers = layers(architecture)?;
    expect_length("weights", weights.len(), architecture.n_weights())?;
    expect_length("statistics", statistics.len(), architecture.initial_statistics().len())?;
    let numbers = [weights, statistics].concat();
    let own = |slice: &Slice| (slice.shape.clone(), numbers[slice.range()].to_vec());
    let group = |layer: &Layer| (layer.name.clone(), layer.variables.iter().map(own).collect());
    groups_h5(&layers.iter().map(group).collect::<Vec<LayerGroup>>(), "sequential")
}

/// Reads the weights and running statistics of a member of `architecture` from the bytes of a `.weights.h5` file.
///
/// # Errors
/// [`KerasError::Missing`], [`KerasError::Shape`], [`KerasError::Type`] and [`KerasError::Unexpected`] name the first
/// place where the file is not of this network; [`KerasError::Prior`] and [`KerasError::Skip`] as [`weights_h5`].
pub fn read_weights_h5(
    bytes: Vec<u8>,
    architecture: &Architecture,
) -> Result<(Vec<f32>, Vec<f32>), KerasError> {
    let layers = layers(architecture)?;
    let file = File::from_bytes(bytes).map_err(at("layers"))?;
    let all = file.group("layers").map_err(at("layers"))?;
    for name in all.groups().map_err(at("layers"))? {
        let n = layers.iter().find(|layer| layer.name == name).map_or(0, |layer| layer.variables.len());
        expect_no_more(&all.group(&name).map_err(at("layers"))?, &format!("layers/{name}"), n)?;
    }
    let mut numbers = vec![0.0; architecture.n_weights() + architecture.initial_statistics().len()];
    for layer in &layers {
        for (idx, slice) in layer.variables.iter().enumerate() {
            let place = format!("layers/{}/vars/{idx}", layer.name);
            numbers[slice.range()].copy_from_slice(&read(&file, &place, slice)?);
        }
    }
    let statistics = numbers.split_off(architecture.n_weights());
    Ok((numbers, statistics))
}

/// Returns what Keras Tuner keeps beside the weights in `build_config.json`: the shape of the inputs.
pub fn build_config(architecture: &Architecture) -> Value {
    json!({ "input_shape": [null, architecture.d_input] })
}

/// Returns the Python that makes `model`, an untrained `keras.Sequential` that computes what the network computes.
///
/// # Errors
/// [`KerasError::Prior`] and [`KerasError::Skip`] for a network that has no form in Keras.
pub fn python(architecture: &Architecture) -> Result<String, KerasError> {
    let layers = layers(architecture)?;
    let line = |layer: &Layer| format!("    keras.layers.{}({}),\n", layer.class, layer.arguments);
    let lines: String = layers.iter().map(line).collect();
    let input = format!("    keras.Input(({},)),\n", architecture.d_input);
    let gelu = if architecture.network.activation == Activation::Gelu { GELU } else { "" };
    Ok(format!("import keras\n{gelu}\nmodel = keras.Sequential([\n{input}{lines}])\n"))
}

/// One layer of a `keras.Sequential`.
struct Layer {
    /// Class (`Dense`).
    class: &'static str,
    /// What Python makes it with.
    arguments: String,
    /// Group in the file (`dense_1`).
    name: String,
    /// Places of its variables in weights and statistics, one after the other.
    variables: Vec<Slice>,
}

/// Returns the layers of an architecture in Keras.
fn layers(architecture: &Architecture) -> Result<Vec<Layer>, KerasError> {
    expect_a_chain(architecture)?;
    let numbers = numbers(architecture);
    let network = &architecture.network;
    let mut layers = Vec::new();
    for (idx, (_, d_out)) in architecture.layers().into_iter().enumerate() {
        let of = |parts: &[&str]| {
            let is_of = |slice: &&Slice| parts.iter().any(|part| slice.name == format!("layer{idx}.{part}"));
            numbers.iter().filter(is_of).cloned().collect()
        };
        push(&mut layers, "Dense", d_out.to_string(), of(&["weight", "bias"]));
        if idx == network.hidden.len() {
            break;
        }
        if let Some((class, arguments)) = normalisation(network.normalisation) {
            let variables = of(&["norm_scale", "norm_shift", "mean", "variance"]);
            push(&mut layers, class, arguments, variables);
        }
        push(&mut layers, "Activation", activation(network.activation).into(), Vec::new());
        if network.dropout > 0.0 {
            push(&mut layers, "Dropout", network.dropout.to_string(), Vec::new());
        }
    }
    Ok(layers)
}

/// Adds a layer, named after the layers of its class before it.
fn push(layers: &mut Vec<Layer>, class: &'static str, arguments: String, variables: Vec<Slice>) {
    let name = group_name(class, layers.iter().filter(|layer| layer.class == class).count());
    layers.push(Layer { class, arguments, name, variables });
}

/// Returns the places of all weights, and behind them of all running statistics.
fn numbers(architecture: &Architecture) -> Vec<Slice> {
    let n_weights = architecture.n_weights();
    let behind = |slice: Slice| Slice { offset: n_weights + slice.offset, ..slice };
    architecture.slices().into_iter().chain(architecture.statistics().into_iter().map(behind)).collect()
}

/// Returns the layer of a normalisation, and what Python makes it with.
fn normalisation(normalisation: Normalisation) -> Option<(&'static str, String)> {
    let (epsilon, momentum) = (Normalisation::EPSILON, 1.0 - Normalisation::MOMENTUM);
    match normalisation {
        Normalisation::None => None,
        Normalisation::Layer => Some(("LayerNormalization", format!("epsilon={epsilon}"))),
        Normalisation::Batch => {
            Some(("BatchNormalization", format!("momentum={momentum}, epsilon={epsilon}")))
        }
    }
}

/// Returns what Python makes an activation with.
fn activation(activation: Activation) -> &'static str {
    match activation {
        Activation::Relu => "\"relu\"",
        Activation::Tanh => "\"tanh\"",
        Activation::Gelu => "gelu_tanh",
        Activation::Silu => "\"silu\"",
        Activation::Sigmoid => "\"sigmoid\"",
        Activation::Softplus => "\"softplus\"",
    }
}

fn expect_a_chain(architecture: &Architecture) -> Result<(), KerasError> {
    if architecture.prior.is_some() {
        return Err(KerasError::Prior);
    }
    let hidden = &architecture.layers()[..architecture.network.hidden.len()];
    match hidden.iter().position(|(d_in, d_out)| architecture.network.skip && d_in == d_out) {
        Some(layer_idx) => Err(KerasError::Skip { layer_idx }),
        None => Ok(()),
    }
}

fn expect_length(what: &'static str, found: usize, needed: usize) -> Result<(), KerasError> {
    if found == needed { Ok(()) } else { Err(KerasError::Length { what, found, needed }) }
}

/// Expects at most `n` variables in the group of a layer, and no layers inside it.
fn expect_no_more(layer: &Group, place: &str, n: usize) -> Result<(), KerasError> {
    let unexpected = |name: &str| KerasError::Unexpected { place: format!("{place}/{name}") };
    let groups = layer.groups().map_err(at(place))?;
    let inside = groups.iter().find(|name| *name != VARIABLES);
    if let Some(name) = inside.or(layer.datasets().map_err(at(place))?.first()) {
        return Err(unexpected(name));
    }
    if !groups.iter().any(|name| name == VARIABLES) {
        return Ok(());
    }
    let variables = layer.group(VARIABLES).and_then(|group| group.datasets()).map_err(at(place))?;
    let is_known = |name: &&String| (0..n).any(|idx| **name == idx.to_string());
    match variables.iter().find(|name| !is_known(name)) {
        Some(name) => Err(unexpected(&format!("{VARIABLES}/{name}"))),
        None => Ok(()),
    }
}

fn read(file: &File, place: &str, slice: &Slice) -> Result<Vec<f32>, KerasError> {
    let dataset = file.dataset(place).map_err(at(place))?;
    let (found, needed) = (dataset.shape().map_err(at(place))?, shape(slice));
    if found != needed {
        return Err(KerasError::Shape { place: place.into(), found, needed });
    }
    if dataset.dtype().map_err(at(place))? != DType::F32 {
        return Err(KerasError::Type { place: place.into() });
    }
    dataset.read_f32().map_err(at(place))
}

fn shape(slice: &Slice) -> Vec<u64> {
    slice.shape.iter().map(|&d| d as u64).collect()
}

/// Returns what makes an error of the HDF5 library one at `place`.
fn at(place: &str) -> impl Fn(Error) -> KerasError {
    move |source| match source {
        Error::Format(FormatError::PathNotFound(_)) => KerasError::Missing { place: place.into() },
        source => KerasError::Hdf5 { place: place.into(), source },
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use proptest::prelude::*;
    use rand::{Rng, RngExt};
    use serde::Deserialize;

    use super::*;
    use hdf5_pure::{AttrValue, FileBuilder};

    use crate::device::Backend;
    use crate::model::{NetworkConfig, PriorConfig};
    use crate::physics::Law;
    use crate::seed::Seed;
    use crate::train::engine::{self, EngineKind, MemberStart, MemberState, Population, Rows};
    use crate::train::loss::Objective;
    use crate::train::optimizer::OptimizerConfig;

    /// Ours and Keras's numbers may be this far apart.
    const TOLERANCE: f32 = 1e-5;

    fn architecture(d_input: usize, hidden: &[usize], d_output: usize) -> Architecture {
        let network = NetworkConfig { hidden: hidden.to_vec(), ..NetworkConfig::default() };
        Architecture { d_input, d_output, network, prior: None }
    }

    /// Files that Keras wrote (tests/fixtures/PROVENANCE.md), the networks in them, and what Keras predicts with them.
    fn of_keras() -> [(&'static [u8], Architecture, Vec<f32>); 3] {
        #[derive(Deserialize)]
        struct Expected {
            plain: Vec<f32>,
            batch: Vec<f32>,
            layer: Vec<f32>,
        }
        let expected = include_str!("../../tests/fixtures/keras/expected.json");
        let expected: Expected = serde_json::from_str(expected).unwrap();
        let mut plain = architecture(3, &[4], 1);
        plain.network.activation = Activation::Tanh;
        let mut batch = architecture(2, &[3], 2);
        batch.network.normalisation = Normalisation::Batch;
        batch.network.activation = Activation::Silu;
        batch.network.dropout = 0.25;
        let mut layer = architecture(4, &[5, 3], 1);
        layer.network.normalisation = Normalisation::Layer;
        layer.network.activation = Activation::Gelu;
        [
            (include_bytes!("../../tests/fixtures/keras/plain.weights.h5"), plain, expected.plain),
            (include_bytes!("../../tests/fixtures/keras/batch.weights.h5"), batch, expected.batch),
            (include_bytes!("../../tests/fixtures/keras/layer.weights.h5"), layer, expected.layer),
        ]
    }

    /// Five rows of the ramp of tests/fixtures/keras/make.py.
    fn ramp(d_input: usize) -> Vec<f32> {
        (0..5 * d_input).map(|i| ((i * 29 % 97) as f64 / 48.5 - 1.0) as f32).collect()
    }

    /// Predicts the rows of the ramp.
    fn predict(architecture: &Architecture, weights: &[f32], statistics: &[f32]) -> Vec<f32> {
        let population = Population {
            architecture: architecture.clone(),
            objective: Objective::default(),
            optimizer: OptimizerConfig::default(),
            members: vec![MemberStart { seed: Seed::new(1), prior: None }],
        };
        let mut engine = engine::create(EngineKind::Fused, Backend::Flex, &population).unwrap();
        let (weights, statistics) = (weights.to_vec(), statistics.to_vec());
        engine.set_state(0, &MemberState { weights, statistics, ..engine.state(0) });
        let rows = Rows {
            d_input: architecture.d_input,
            inputs: ramp(architecture.d_input),
            labels: vec![0.0; 5],
            weights: vec![1.0; 5],
            later: (0..5).collect(),
            ..Rows::default()
        };
        engine.predict(&[Arc::new(rows)]).remove(0)
    }

    /// Returns weights and statistics drawn from -1 to 1, variances from 0.5.
    fn member(architecture: &Architecture) -> (Vec<f32>, Vec<f32>) {
        let mut rng = Seed::new(3).stream("member");
        let weights = (0..architecture.n_weights()).map(|_| rng.random_range(-1.0..1.0)).collect();
        let lower = |start: f32| if start == 0.0 { -1.0 } else { 0.5 };
        let start = architecture.initial_statistics().into_iter();
        (weights, start.map(|start| rng.random_range(lower(start)..1.0)).collect())
    }

    fn bits(numbers: &[f32]) -> Vec<u32> {
        numbers.iter().map(|number| number.to_bits()).collect()
    }

    /// Lists groups with their names as Keras marks them, and variables with their shapes.
    fn tree(group: &Group, place: &str) -> Vec<String> {
        let attributes = group.attrs().unwrap();
        let name = attributes.get("name").and_then(AttrValue::as_str).unwrap_or_default();
        let mut lines = vec![format!("{place} {name}")];
        for name in group.datasets().unwrap() {
            let dataset = group.dataset(&name).unwrap();
            lines.push(format!(
                "{place}/{name} {:?} {:?}",
                dataset.shape().unwrap(),
                dataset.dtype().unwrap()
            ));
        }
        for name in group.groups().unwrap() {
            lines.extend(tree(&group.group(&name).unwrap(), &format!("{place}/{name}")));
        }
        lines.sort();
        lines
    }

    fn tree_of(bytes: &[u8]) -> Vec<String> {
        tree(&File::from_bytes(bytes.to_vec()).unwrap().root(), "")
    }

    #[test]
    fn networks_of_keras_predict_what_keras_predicts() {
        for (bytes, architecture, expected) in of_keras() {
            let (weights, statistics) = read_weights_h5(bytes.to_vec(), &architecture).unwrap();
            let found = predict(&architecture, &weights, &statistics);
            let difference = found.iter().zip(&expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(difference < TOLERANCE && found.len() == expected.len(), "{found:?} {expected:?}");
        }
    }

    #[test]
    fn a_file_has_the_groups_names_and_shapes_that_keras_writes() {
        for (bytes, architecture, _) in of_keras() {
            let (weights, statistics) = read_weights_h5(bytes.to_vec(), &architecture).unwrap();
            let ours = weights_h5(&architecture, &weights, &statistics).unwrap();
            let (ours, mut theirs) = (tree_of(&ours), tree_of(bytes));
            if architecture.d_input == 3 {
                // Its activation is part of the dense layer, and so has no group.
                theirs.extend(["/layers/activation ".into(), "/layers/activation/vars activation".into()]);
                theirs.sort();
            }
            assert_eq!(ours, theirs);
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_bit_by_bit(
            (d_input, d_output) in (1..5_usize, 1..7_usize),
            hidden in prop::collection::vec(1..7_usize, 0..14),
            normalisation in prop::sample::select(&[Normalisation::None, Normalisation::Layer, Normalisation::Batch]),
            dropout in prop::sample::select(&[0.0_f32, 0.3]),
            seed in any::<u64>(),
        ) {
            let mut architecture = architecture(d_input, &hidden, d_output);
            architecture.network.normalisation = normalisation;
            architecture.network.dropout = dropout;
            let mut rng = Seed::new(seed).stream("bits");
            let mut draw = |n: usize| -> Vec<f32> { (0..n).map(|_| f32::from_bits(rng.next_u32())).collect() };
            let weights = draw(architecture.n_weights());
            let statistics = draw(architecture.initial_statistics().len());
            let bytes = weights_h5(&architecture, &weights, &statistics).unwrap();
            prop_assert_eq!(&bytes, &weights_h5(&architecture, &weights, &statistics).unwrap());
            let read = read_weights_h5(bytes, &architecture).unwrap();
            prop_assert_eq!((bits(&read.0), bits(&read.1)), (bits(&weights), bits(&statistics)));
        }

        #[test]
        fn broken_bytes_are_no_panic(at in any::<prop::sample::Index>(), flip in 1..=255_u8, cut in any::<bool>()) {
            let [_, (bytes, architecture, _), _] = of_keras();
            let mut bytes = bytes.to_vec();
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            bytes.truncate(if cut { at } else { bytes.len() });
            let read = read_weights_h5(bytes, &architecture);
            prop_assert!(!cut || read.is_err());
        }
    }

    /// Also leaves the files in the folder `FADECAST_KERAS`, for `tests/fixtures/keras/check_weights.py`.
    #[test]
    fn every_kind_of_network_predicts_alike_after_a_file() {
        let deep = [5; 12];
        let mut networks =
            vec![("linear".to_string(), architecture(3, &[], 1)), ("deep".into(), architecture(3, &deep, 1))];
        networks.extend(
            [3, 64].map(|n_classes| (format!("classes{n_classes}"), architecture(4, &[7], n_classes))),
        );
        for activation in Activation::ALL {
            for normalisation in [Normalisation::None, Normalisation::Layer, Normalisation::Batch] {
                let mut architecture =
                    architecture(5, &[16, 7], 1 + usize::from(activation == Activation::Silu));
                architecture.network.activation = activation;
                architecture.network.normalisation = normalisation;
                architecture.network.dropout = if activation == Activation::Tanh { 0.2 } else { 0.0 };
                networks.push((format!("{activation:?}-{normalisation:?}").to_lowercase(), architecture));
            }
        }
        for (name, architecture) in networks {
            let (weights, statistics) = member(&architecture);
            let bytes = weights_h5(&architecture, &weights, &statistics).unwrap();
            let predictions = predict(&architecture, &weights, &statistics);
            let (weights, statistics) = read_weights_h5(bytes.clone(), &architecture).unwrap();
            assert_eq!(bits(&predict(&architecture, &weights, &statistics)), bits(&predictions), "{name}");
            assert!(
                predictions.iter().all(|y| y.is_finite())
                    && bits(&predictions[..1]) != bits(&predictions[1..2]),
                "{name}"
            );
            if let Some(folder) = std::env::var_os("FADECAST_KERAS") {
                let path = Path::new(&folder).join(format!("{name}.weights.h5"));
                crate::file::write_atomic(&path, &bytes).unwrap();
                let told = json!({
                    "python": python(&architecture).unwrap(),
                    "build_config": build_config(&architecture),
                    "inputs": ramp(architecture.d_input),
                    "predictions": predictions,
                });
                crate::file::write_json(&Path::new(&folder).join(format!("{name}.json")), &told).unwrap();
            }
        }
    }

    #[test]
    fn a_network_that_is_no_chain_of_layers_of_keras_is_refused() {
        let mut hybrid = architecture(2, &[4], 1);
        hybrid.prior = Some(PriorConfig::new(Law::SingleExponential));
        assert!(matches!(python(&hybrid), Err(KerasError::Prior)));
        let mut skip = architecture(4, &[5, 5], 1);
        skip.network.skip = true;
        assert!(matches!(weights_h5(&skip, &[], &[]), Err(KerasError::Skip { layer_idx: 1 })));
        assert!(matches!(read_weights_h5(Vec::new(), &skip), Err(KerasError::Skip { layer_idx: 1 })));
        // No two widths agree, so nothing is added.
        skip.network.hidden = vec![5, 3];
        assert!(python(&skip).is_ok());
    }

    #[test]
    fn a_file_of_another_network_is_refused_where_it_differs() {
        let network = architecture(2, &[4, 4], 1);
        let (weights, statistics) = member(&network);
        let bytes = weights_h5(&network, &weights, &statistics).unwrap();
        let refused = |change: &dyn Fn(&mut Architecture)| {
            let mut other = network.clone();
            change(&mut other);
            read_weights_h5(bytes.clone(), &other).unwrap_err().to_string()
        };
        let norm = "`layers/layer_normalization/vars/0` is not in the file, which then is of another network";
        assert_eq!(refused(&|other| other.network.normalisation = Normalisation::Layer), norm);
        let shape = "`layers/dense/vars/0` has the shape [2, 4] in the file and [3, 4] in the network";
        assert_eq!(refused(&|other| other.d_input = 3), shape);
        let deeper = "`layers/dense_2/vars/0` is in the file, but not in the network";
        assert_eq!(refused(&|other| other.network.hidden = vec![4]), deeper);
        let mut doubles = FileBuilder::new();
        let mut groups = ["layers", "dense", "vars"].map(|name| doubles.create_group(name));
        groups[2].create_dataset("0").with_f64_data(&[1.0; 8]).with_shape(&[2, 4]);
        let [mut layers, mut dense, vars] = groups;
        dense.add_group(vars.finish());
        layers.add_group(dense.finish());
        doubles.add_group(layers.finish());
        let read = read_weights_h5(doubles.finish().unwrap(), &network);
        assert!(matches!(read, Err(KerasError::Type { place }) if place == "layers/dense/vars/0"));
        let lengths = weights_h5(&network, &weights, &[1.0]).unwrap_err().to_string();
        assert_eq!(lengths, "the member has 1 statistics, its architecture 0");
    }

    #[test]
    fn layers_stand_in_the_order_in_which_they_compute() {
        let mut network = architecture(3, &[8], 2);
        network.network.normalisation = Normalisation::Batch;
        network.network.dropout = 0.2;
        let expected = "\
import keras

model = keras.Sequential([
    keras.Input((3,)),
    keras.layers.Dense(8),
    keras.layers.BatchNormalization(momentum=0.9, epsilon=0.00001),
    keras.layers.Activation(\"relu\"),
    keras.layers.Dropout(0.2),
    keras.layers.Dense(2),
])
";
        assert_eq!(python(&network).unwrap(), expected);
        network.network.activation = Activation::Gelu;
        assert!(python(&network).unwrap().contains("(x, approximate=True)"));
        assert_eq!(build_config(&network).to_string(), "{\"input_shape\":[null,3]}");
    }
}
