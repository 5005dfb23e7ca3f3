//! The groups of a `.weights.h5` file: one a layer, marked with its name, each with its variables.

use hdf5_pure::{AttrValue, FileBuilder, FinishedGroup, GroupBuilder};

use super::{KerasError, VARIABLES, at};

/// A layer's group: its name (`dense_1`), and the shape and numbers of each variable, row-major.
pub(crate) type LayerGroup = (String, Vec<(Vec<usize>, Vec<f32>)>);

/// Makes the bytes of a file of layers, in the order in which the model holds them; `model` marks the model itself.
///
/// # Errors
/// [`KerasError::Hdf5`].
pub(crate) fn groups_h5(layers: &[LayerGroup], model: &str) -> Result<Vec<u8>, KerasError> {
    let mut file = FileBuilder::new();
    let mut all = file.create_group("layers");
    for (name, variables) in layers {
        let mut group = all.create_group(name);
        let own = fill(group.create_group(VARIABLES), name, variables);
        group.add_group(own);
        all.add_group(group.finish());
    }
    file.add_group(all.finish());
    let own = fill(file.create_group(VARIABLES), model, &[]);
    file.add_group(own);
    file.finish().map_err(at("layers"))
}

/// Returns the group of the layers of class `name` (`Dense`) that come after `n` of them (`dense_1`).
pub(crate) fn group_name(class: &str, n: usize) -> String {
    let mut name = String::new();
    for c in class.chars() {
        if c.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(c.to_ascii_lowercase());
    }
    if n == 0 { name } else { format!("{name}_{n}") }
}

/// Fills the group of a layer's variables, which Keras marks with the layer's name.
fn fill(mut group: GroupBuilder, name: &str, variables: &[(Vec<usize>, Vec<f32>)]) -> FinishedGroup {
    group.set_attr("name", AttrValue::String(name.into()));
    for (idx, (shape, numbers)) in variables.iter().enumerate() {
        let shape: Vec<u64> = shape.iter().map(|&d| d as u64).collect();
        group.create_dataset(&idx.to_string()).with_f32_data(numbers).with_shape(&shape);
    }
    group.finish()
}
