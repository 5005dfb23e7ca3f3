//! The state of a `PyTorch` module in a safetensors file, as the pieces of a chain.
//!
//! Linear layers are `<module>.weight` `[d_out, d_in]` and `<module>.bias`; normalisations have a weight of one axis, those of
//! batches `running_mean` and `running_var`, too. A file does not hold the order of its modules, so it is that of their
//! names, numbers by their value: `net.0`, `net.2`, `net.10`; `fc1`, `fc2`.

use std::collections::{BTreeMap, BTreeSet};

use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

use super::chain::{ChainError, Piece, Tensor};

/// Most numbers of one array that are read: the widest layer.
const MAX_NUMBERS: usize = 1 << 24;

/// Returns the pieces of a file, of names that begin with `prefix`.
///
/// # Errors
/// [`ChainError::Damaged`], [`ChainError::Empty`], [`ChainError::Foreign`], [`ChainError::Shape`], [`ChainError::Type`].
pub(super) fn pieces(bytes: &[u8], prefix: &str) -> Result<Vec<Piece>, ChainError> {
    let damaged = |source| ChainError::Damaged { place: "safetensors".into(), source: Box::new(source) };
    let file = SafeTensors::deserialize(bytes).map_err(damaged)?;
    let names: BTreeSet<&str> = file.names().into_iter().filter(|name| name.starts_with(prefix)).collect();
    if names.is_empty() {
        let all: Vec<&str> = file.names().into_iter().take(5).collect();
        return Err(ChainError::Empty {
            hint: format!(" named `{prefix}...`; its names begin with {all:?}"),
        });
    }
    let mut modules: BTreeMap<Vec<Word>, Module> = BTreeMap::new();
    for name in names {
        let (module, key) = name.rsplit_once('.').unwrap_or(("", name));
        let own =
            modules.entry(words(module)).or_insert_with(|| Module { name: module, keys: BTreeMap::new() });
        own.keys.insert(key, name);
    }
    modules.values().map(|module| piece(&file, module)).collect()
}

/// Arrays of one module, by the last word of their names.
struct Module<'a> {
    name: &'a str,
    keys: BTreeMap<&'a str, &'a str>,
}

/// A run of digits or of other characters; numbers stand before words.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Word {
    Number(u64, String),
    Text(String),
}

fn words(name: &str) -> Vec<Word> {
    let runs = name.as_bytes().chunk_by(|a, b| a.is_ascii_digit() == b.is_ascii_digit());
    let word = |run: &[u8]| {
        let text = String::from_utf8_lossy(run).into_owned();
        text.parse().map_or_else(|_| Word::Text(text.clone()), |number| Word::Number(number, text.clone()))
    };
    runs.map(word).collect()
}

fn piece(file: &SafeTensors, module: &Module) -> Result<Piece, ChainError> {
    let place = module.name.to_owned();
    let foreign = |what: &str| {
        let reason = format!("{what}; name the network's own arrays by --prefix, or save the network alone");
        ChainError::Foreign { place: place.clone(), reason }
    };
    let known = ["weight", "bias", "running_mean", "running_var", "num_batches_tracked"];
    if let Some(key) = module.keys.keys().find(|key| !known.contains(key)) {
        return Err(foreign(&format!("it has an array `{key}`")));
    }
    let read = |key: &str| module.keys.get(key).map(|name| tensor(file, name)).transpose();
    let weight = read("weight")?.ok_or_else(|| foreign("it has no `weight`"))?;
    let (bias, mean, variance) = (read("bias")?, read("running_mean")?, read("running_var")?);
    if weight.shape.len() != 1 {
        return Ok(Piece::Linear { place, weight: turned(weight), bias });
    }
    let shift = bias.ok_or_else(|| foreign("a normalisation without `bias`"))?;
    Ok(Piece::Norm { place, scale: weight, shift, running: mean.zip(variance) })
}

/// Turns `[d_out, d_in]` into `[d_in, d_out]`; another shape stays, to be refused.
fn turned(tensor: Tensor) -> Tensor {
    let [d_out, d_in] = tensor.shape[..] else { return tensor };
    let numbers = (0..d_in * d_out).map(|idx| tensor.numbers[idx % d_out * d_in + idx / d_out]).collect();
    Tensor { shape: vec![d_in, d_out], numbers, ..tensor }
}

fn tensor(file: &SafeTensors, name: &str) -> Result<Tensor, ChainError> {
    let damaged = |source| ChainError::Damaged { place: name.into(), source: Box::new(source) };
    let view = file.tensor(name).map_err(damaged)?;
    let shape = view.shape().to_vec();
    if shape.iter().try_fold(1_usize, |n, &d| n.checked_mul(d)).is_none_or(|n| n > MAX_NUMBERS) {
        let needed = format!("{MAX_NUMBERS} numbers at most");
        return Err(ChainError::Shape { place: name.into(), found: shape, needed });
    }
    Ok(Tensor { place: name.into(), numbers: numbers(name, &view)?, shape })
}

fn numbers(name: &str, view: &TensorView) -> Result<Vec<f32>, ChainError> {
    let bytes = view.data();
    match view.dtype() {
        Dtype::F32 => Ok(bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect()),
        Dtype::F64 => Ok(bytes.as_chunks().0.iter().map(|b| f64::from_le_bytes(*b) as f32).collect()),
        other => Err(ChainError::Type { place: name.into(), found: format!("{other:?}") }),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use safetensors::serialize;

    use super::*;
    use crate::model::chain::{self, Chain};

    type Named<'a> = (&'a str, &'a [usize], &'a [f32]);

    fn file(arrays: &[Named]) -> Vec<u8> {
        let bytes: Vec<Vec<u8>> = arrays
            .iter()
            .map(|(_, _, values)| values.iter().flat_map(|v| v.to_le_bytes()).collect())
            .collect();
        let view = |((name, shape, _), bytes): (&Named, &'_ Vec<u8>)| {
            (name.to_string(), shape.to_vec(), bytes.clone())
        };
        let parts: Vec<_> = arrays.iter().zip(&bytes).map(view).collect();
        let views = parts.iter().map(|(name, shape, bytes)| {
            (name.as_str(), TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap())
        });
        serialize(views, None).unwrap()
    }

    /// 2 inputs, 3 hidden units with batch normalisation, 1 output; as `state_dict` of a `Sequential` within a module.
    fn state() -> Vec<u8> {
        let three = [0.5, 0.25, 0.125];
        file(&[
            ("net.0.weight", &[3, 2], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]),
            ("net.0.bias", &[3], &three),
            ("net.1.weight", &[3], &three),
            ("net.1.bias", &[3], &three),
            ("net.1.running_mean", &[3], &three),
            ("net.1.running_var", &[3], &three),
            ("net.10.weight", &[1, 3], &[7.0, 8.0, 9.0]),
        ])
    }

    #[test]
    fn modules_compute_in_the_order_of_their_numbers_and_weights_are_turned() {
        let chain = chain::read(state(), "").unwrap();
        assert_eq!(chain.to_string(), "`net.0` 2 -> 3, `net.10` 3 -> 1");
        let Piece::Linear { weight, .. } = &pieces(&state(), "net.").unwrap()[0] else { panic!() };
        assert_eq!(
            (weight.shape.as_slice(), weight.numbers.as_slice()),
            (&[2, 3][..], &[1.0, 3.0, 5.0, 2.0, 4.0, 6.0][..])
        );
    }

    #[test]
    fn a_prefix_chooses_one_network_of_several() {
        let two: &[f32] = &[1.0, 2.0];
        let bytes =
            file(&[("a.0.weight", &[1, 2], two), ("b.0.weight", &[1, 2], two), ("b.scaler.mean", &[2], two)]);
        assert!(chain::read(bytes.clone(), "a.").is_ok());
        let error = |prefix: &str| chain::read(bytes.clone(), prefix).unwrap_err().to_string();
        assert!(
            error("").contains("`a.0` 2 -> 1") || error("").contains("it has an array `mean`"),
            "{}",
            error("")
        );
        assert!(error("b.").contains("--prefix"), "{}", error("b."));
        assert!(error("c.").contains("named `c....`"), "{}", error("c."));
    }

    #[test]
    fn other_types_of_numbers_and_shapes_are_refused() {
        let half = TensorView::new(Dtype::F16, vec![1, 1], &[0, 0]).unwrap();
        let bytes = serialize([("a.weight", half)], None).unwrap();
        assert!(matches!(chain::read(bytes, ""), Err(ChainError::Type { place, .. }) if place == "a.weight"));
        let bytes = file(&[("a.weight", &[1, 1, 1], &[1.0])]);
        assert!(matches!(chain::read(bytes, ""), Err(ChainError::Shape { .. })));
    }

    #[test]
    fn lying_headers_are_refused() {
        let with = |header: &str, data: usize| {
            let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
            bytes.extend(header.as_bytes());
            bytes.extend(vec![0; data]);
            chain::read(bytes, "").unwrap_err().to_string()
        };
        let tensor = |shape: &str, offsets: &str| {
            format!("{{\"a.weight\":{{\"dtype\":\"F32\",\"shape\":{shape},\"data_offsets\":{offsets}}}}}")
        };
        for (shape, offsets) in [
            ("[1,2]", "[0,800]"),
            ("[1,2]", "[8,0]"),
            ("[1,2]", "[0,4]"),
            ("[4294967296,4294967296]", "[0,8]"),
            ("[9223372036854775807,2]", "[0,8]"),
            ("[1,2]", "[0,18446744073709551615]"),
            ("[1,2]", "[4,12]"),
        ] {
            assert!(with(&tensor(shape, offsets), 8).contains("damaged"), "{shape} {offsets}");
        }
        assert!(with("{\"a.weight\":3}", 0).contains("damaged"));
        let mut huge = u64::MAX.to_le_bytes().to_vec();
        huge.extend([b'{'; 100]);
        assert!(chain::read(huge, "").is_err());
    }

    proptest! {
        #[test]
        fn broken_bytes_are_no_panic(at in any::<prop::sample::Index>(), flip in 1..=255_u8, cut in any::<bool>()) {
            let mut bytes = state();
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            bytes.truncate(if cut { at } else { bytes.len() });
            let read: Result<Chain, _> = chain::read(bytes, "");
            prop_assert!(!cut || read.is_err());
        }
    }
}
