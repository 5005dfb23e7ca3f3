//! Keras's files of weights as the pieces of a chain: `.weights.h5` of Keras 3, and the older `.h5` with names of weights.
//!
//! Keras 3 files layers by class and place (`layers/dense_1/vars/0`); the older form, which `model.save("x.h5")` still
//! writes, lists the layers in their order, each with the names of its weights (`dense_1/kernel`, `gamma`, `moving_mean`).

use std::collections::BTreeMap;

use hdf5_pure::{AttrValue, DType, Dataset, File, Group};

use super::VARIABLES;
use crate::model::chain::{ChainError, Piece, Tensor};

/// Most numbers of one array that are read: the widest layer.
const MAX_NUMBERS: u64 = 1 << 24;

/// Names of the variables of each class, in the order in which Keras 3 counts them.
const LINEAR: [&str; 2] = ["kernel", "bias"];
const NORM: [&str; 4] = ["gamma", "beta", "moving_mean", "moving_variance"];

/// Attribute of the older form that lists the layers.
const LAYER_NAMES: &str = "layer_names";

/// Returns the pieces of a file.
///
/// # Errors
/// [`ChainError::Damaged`], [`ChainError::Empty`], [`ChainError::Foreign`], [`ChainError::Shape`], [`ChainError::Type`].
pub(crate) fn pieces(bytes: Vec<u8>) -> Result<Vec<Piece>, ChainError> {
    let file = File::from_bytes(bytes).map_err(damaged("HDF5"))?;
    let root = file.root();
    let groups = root.groups().map_err(damaged("/"))?;
    let has = |name: &str| groups.iter().any(|group| group == name);
    if has("layers") {
        return of_layers(&file.group("layers").map_err(damaged("layers"))?);
    }
    let older = if has("model_weights") {
        file.group("model_weights").map_err(damaged("model_weights"))?
    } else {
        root
    };
    match older.attrs().map_err(damaged("/"))?.get(LAYER_NAMES).map(strings) {
        Some(names) => of_names(&older, &names),
        None => Err(ChainError::Empty { hint: format!("; its groups are {groups:?}, not `layers`") }),
    }
}

/// Returns what Keras 3 filed: the linear layers by number, each followed by the normalisation of its number.
fn of_layers(layers: &Group) -> Result<Vec<Piece>, ChainError> {
    let (mut linear, mut norms) = (BTreeMap::new(), BTreeMap::new());
    for name in layers.groups().map_err(damaged("layers"))? {
        let place = format!("layers/{name}");
        let (class, number) = class_of(&name);
        let group = layers.group(&name).map_err(damaged(&place))?;
        let inner = group.groups().map_err(damaged(&place))?;
        if let Some(inside) = inner.iter().find(|group| *group != VARIABLES) {
            let reason = format!("it has `{inside}` inside; save the chain of its layers alone");
            return Err(ChainError::Foreign { place, reason });
        }
        let variables = if inner.is_empty() { BTreeMap::new() } else { numbered(&group, &place)? };
        match class {
            _ if variables.is_empty() => {}
            "dense" => drop(linear.insert(number, linear_of(place, named(variables, &LINEAR)?)?)),
            "batch_normalization" | "layer_normalization" => {
                drop(norms.insert(number, norm_of(place, named(variables, &NORM)?)?));
            }
            _ => {
                return Err(ChainError::Foreign { place, reason: format!("a layer of the class `{class}`") });
            }
        }
    }
    if let (Some((_, Piece::Norm { place, .. })), true) =
        (norms.last_key_value(), norms.len() >= linear.len().max(1))
    {
        let reason = format!("{} normalisations beside {} linear layers", norms.len(), linear.len());
        return Err(ChainError::Foreign { place: place.clone(), reason });
    }
    let mut norms = norms.into_values();
    Ok(linear.into_values().flat_map(|layer| [Some(layer), norms.next()]).flatten().collect())
}

/// Splits `dense_12` into `dense` and 12; without a number it is the first.
fn class_of(name: &str) -> (&str, usize) {
    let split = name.rsplit_once('_').and_then(|(class, number)| Some((class, number.parse().ok()?)));
    split.unwrap_or((name, 0))
}

fn numbered(group: &Group, place: &str) -> Result<BTreeMap<String, Tensor>, ChainError> {
    let own = group.group(VARIABLES).map_err(damaged(place))?;
    let names = own.datasets().map_err(damaged(place))?;
    let one = |name: String| {
        let place = format!("{place}/{VARIABLES}/{name}");
        let tensor = read(&own.dataset(&name).map_err(damaged(&place))?, &place)?;
        Ok((name, tensor))
    };
    names.into_iter().map(one).collect()
}

/// Gives numbered variables their names.
fn named(
    mut variables: BTreeMap<String, Tensor>,
    names: &[&str],
) -> Result<BTreeMap<String, Tensor>, ChainError> {
    let own: BTreeMap<String, Tensor> = names
        .iter()
        .enumerate()
        .filter_map(|(idx, name)| Some(((*name).to_owned(), variables.remove(&idx.to_string())?)))
        .collect();
    match variables.into_values().next() {
        Some(other) => Err(ChainError::Foreign { place: other.place, reason: "a variable too many".into() }),
        None => Ok(own),
    }
}

/// Returns what the older form lists.
fn of_names(file: &Group, names: &[String]) -> Result<Vec<Piece>, ChainError> {
    let mut pieces = Vec::new();
    for name in names {
        let group = file.group(name).map_err(damaged(name))?;
        let mut own = BTreeMap::new();
        for path in group.attrs().map_err(damaged(name))?.get("weight_names").map(strings).unwrap_or_default()
        {
            let place = format!("{name}/{path}");
            let tensor = read(&group.dataset(&path).map_err(damaged(&place))?, &place)?;
            let last = path.rsplit('/').next().unwrap_or_default();
            own.insert(last.split(':').next().unwrap_or_default().to_owned(), tensor);
        }
        if own.contains_key("kernel") {
            pieces.push(linear_of(name.clone(), own)?);
        } else if own.contains_key("gamma") || own.contains_key("moving_mean") {
            pieces.push(norm_of(name.clone(), own)?);
        } else if !own.is_empty() {
            let reason = format!("a layer with the weights {:?}", own.keys().collect::<Vec<_>>());
            return Err(ChainError::Foreign { place: name.clone(), reason });
        }
    }
    Ok(pieces)
}

fn strings(value: &AttrValue) -> Vec<String> {
    value.as_strings().map(<[String]>::to_vec).unwrap_or_default()
}

fn linear_of(place: String, mut own: BTreeMap<String, Tensor>) -> Result<Piece, ChainError> {
    let weight = take(&mut own, &place, "kernel")?;
    let bias = own.remove("bias");
    expect_none(&own, &place)?;
    Ok(Piece::Linear { place, weight, bias })
}

fn norm_of(place: String, mut own: BTreeMap<String, Tensor>) -> Result<Piece, ChainError> {
    let (scale, shift) = (take(&mut own, &place, "gamma")?, take(&mut own, &place, "beta")?);
    let running = own.remove("moving_mean").zip(own.remove("moving_variance"));
    expect_none(&own, &place)?;
    Ok(Piece::Norm { place, scale, shift, running })
}

fn take(own: &mut BTreeMap<String, Tensor>, place: &str, name: &str) -> Result<Tensor, ChainError> {
    let reason = format!("it has no `{name}`");
    own.remove(name).ok_or_else(|| ChainError::Foreign { place: place.into(), reason })
}

fn expect_none(own: &BTreeMap<String, Tensor>, place: &str) -> Result<(), ChainError> {
    let Some(name) = own.keys().next() else { return Ok(()) };
    Err(ChainError::Foreign { place: place.into(), reason: format!("it has a weight `{name}`") })
}

fn read(dataset: &Dataset, place: &str) -> Result<Tensor, ChainError> {
    let shape = dataset.shape().map_err(damaged(place))?;
    let found: Vec<usize> = shape.iter().map(|&d| usize::try_from(d).unwrap_or(usize::MAX)).collect();
    if shape.iter().try_fold(1_u64, |n, &d| n.checked_mul(d)).is_none_or(|n| n > MAX_NUMBERS) {
        let needed = format!("{MAX_NUMBERS} numbers at most");
        return Err(ChainError::Shape { place: place.into(), found, needed });
    }
    let numbers = match dataset.dtype().map_err(damaged(place))? {
        DType::F32 => dataset.read_f32().map_err(damaged(place))?,
        DType::F64 => dataset.read_f64().map_err(damaged(place))?.into_iter().map(|v| v as f32).collect(),
        other => return Err(ChainError::Type { place: place.into(), found: format!("{other:?}") }),
    };
    Ok(Tensor { place: place.into(), shape: found, numbers })
}

fn damaged(place: &str) -> impl Fn(hdf5_pure::Error) -> ChainError {
    move |source| ChainError::Damaged { place: place.into(), source: Box::new(source) }
}

#[cfg(test)]
mod tests {
    use hdf5_pure::FileBuilder;
    use proptest::prelude::*;

    use super::*;
    use crate::model::chain::{self, Chain};
    use crate::model::keras::read_weights_h5;
    use crate::model::{Activation, Architecture, NetworkConfig, Normalisation};

    const PLAIN: &[u8] = include_bytes!("../../../tests/fixtures/keras/plain.weights.h5");
    const BATCH: &[u8] = include_bytes!("../../../tests/fixtures/keras/batch.weights.h5");
    const LAYER: &[u8] = include_bytes!("../../../tests/fixtures/keras/layer.weights.h5");
    const OLDER: &[u8] = include_bytes!("../../../tests/fixtures/keras/older.h5");

    fn architecture(
        d_input: usize,
        hidden: &[usize],
        d_output: usize,
        normalisation: Normalisation,
    ) -> Architecture {
        let activation = Activation::Tanh;
        let network =
            NetworkConfig { hidden: hidden.into(), normalisation, activation, ..NetworkConfig::default() };
        Architecture { d_input, d_output, network, prior: None }
    }

    #[test]
    fn files_of_keras_are_chains_with_the_numbers_that_the_other_reader_finds() {
        for (bytes, architecture) in [
            (PLAIN, architecture(3, &[4], 1, Normalisation::None)),
            (BATCH, architecture(2, &[3], 2, Normalisation::Batch)),
            (LAYER, architecture(4, &[5, 3], 1, Normalisation::Layer)),
        ] {
            let chain = chain::read(bytes.to_vec(), "").unwrap();
            assert_eq!(chain.hidden(), architecture.network.hidden);
            let names = ["x"; 4];
            let member = chain.member(&architecture, &names[..architecture.d_input], None).unwrap();
            assert_eq!(member, read_weights_h5(bytes.to_vec(), &architecture).unwrap());
        }
    }

    #[test]
    fn the_older_form_is_read_in_the_order_of_its_layers() {
        let chain = chain::read(OLDER.to_vec(), "").unwrap();
        assert_eq!(chain.to_string(), "`first` 3 -> 4, `answer` 4 -> 1");
        let architecture = architecture(3, &[4], 1, Normalisation::Batch);
        let (weights, statistics) = chain.member(&architecture, &["x"; 3], None).unwrap();
        // What make.py sets: kernel i / 16, bias i / 4, gamma 1 + i, beta i, moving mean -i, moving variance 0.5 + i.
        assert_eq!((weights[11], weights[15], weights[16], weights[20 + 3]), (11.0 / 16.0, 0.75, 1.0, 3.0));
        assert_eq!(statistics, [0.0, -1.0, -2.0, -3.0, 0.5, 1.5, 2.5, 3.5]);
    }

    /// Name of a layer, names and shapes of its variables.
    type Layer<'a> = (&'a str, &'a [(&'a str, &'a [u64])]);

    fn layers(layers: &[Layer]) -> Vec<u8> {
        let mut file = FileBuilder::new();
        let mut all = file.create_group("layers");
        for (name, variables) in layers {
            let mut layer = all.create_group(name);
            let mut own = layer.create_group(VARIABLES);
            for (name, shape) in *variables {
                let n = shape.iter().product::<u64>() as usize;
                own.create_dataset(name).with_f32_data(&vec![0.5; n]).with_shape(shape);
            }
            layer.add_group(own.finish());
            all.add_group(layer.finish());
        }
        file.add_group(all.finish());
        file.finish().unwrap()
    }

    #[test]
    fn layers_compute_in_the_order_of_their_numbers() {
        let one: &[(&str, &[u64])] = &[("0", &[1, 1])];
        let names: Vec<String> =
            (0..12).map(|n| if n == 0 { "dense".into() } else { format!("dense_{n}") }).collect();
        let chain =
            chain::read(layers(&names.iter().map(|n| (n.as_str(), one)).collect::<Vec<_>>()), "").unwrap();
        assert!(
            chain.to_string().starts_with("`layers/dense` 1 -> 1, `layers/dense_1` 1 -> 1, `layers/dense_2`")
        );
    }

    #[test]
    fn what_is_no_dense_network_is_refused_by_name() {
        let dense: Layer = ("dense", &[("0", &[2, 1]), ("1", &[1])]);
        let refused = |file: &[Layer]| chain::read(layers(file), "").unwrap_err().to_string();
        let other = refused(&[dense, ("conv1d", &[("0", &[2, 1])])]);
        assert_eq!(other, "`layers/conv1d` is no part of a dense network: a layer of the class `conv1d`");
        assert!(refused(&[("dense", &[("0", &[2, 1]), ("1", &[1]), ("2", &[1])])]).contains("too many"));
        assert!(refused(&[("dense", &[("1", &[1])])]).contains("no `kernel`"));
        assert!(
            refused(&[dense, ("batch_normalization", &[("0", &[1]), ("1", &[1])])])
                .contains("1 normalisations beside 1")
        );
        assert!(refused(&[]).contains("no linear layer"));
        assert!(refused(&[("dense", &[("0", &[2])])]).contains("two axes"));
    }

    #[test]
    fn a_shape_beyond_the_widest_layer_is_refused_before_it_is_read() {
        let mut file = FileBuilder::new();
        let mut groups = ["layers", "dense", VARIABLES].map(|name| file.create_group(name));
        groups[2].create_dataset("0").with_f32_data(&[0.5; 2]).with_shape(&[2, 1]);
        let [mut all, mut dense, vars] = groups;
        dense.add_group(vars.finish());
        all.add_group(dense.finish());
        file.add_group(all.finish());
        let mut bytes = file.finish().unwrap();
        // The shape stands as two 8-byte numbers, 2 and 1.
        let shape: Vec<u8> = [2_u64, 1].iter().flat_map(|d| d.to_le_bytes()).collect();
        let at = bytes.windows(16).position(|w| w == shape).unwrap();
        bytes[at..at + 8].copy_from_slice(&(1_u64 << 40).to_le_bytes());
        assert!(chain::read(bytes, "").is_err());
    }

    proptest! {
        #[test]
        fn broken_bytes_are_no_panic(at in any::<prop::sample::Index>(), flip in 1..=255_u8, cut in any::<bool>(), older in any::<bool>()) {
            let mut bytes = if older { OLDER } else { BATCH }.to_vec();
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            bytes.truncate(if cut { at } else { bytes.len() });
            let read: Result<Chain, _> = chain::read(bytes, "");
            prop_assert!(!cut || at > 1000 || read.is_err());
        }
    }
}
