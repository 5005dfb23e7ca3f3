//! Why a file of weights is no dense network, or another one than an experiment's.

/// A file that holds no dense network, or another one than is asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChainError {
    /// Occurs when a file is of no kind that is read.
    #[error("this is neither Keras's HDF5 (.weights.h5, .h5) nor safetensors")]
    Unknown,
    /// Occurs when the library that reads a kind of file cannot read it.
    #[error("`{place}` cannot be read: the file is damaged or of another kind")]
    Damaged {
        /// Where, or the kind of file.
        place: String,
        /// What the library says.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Occurs when a file has no linear layer.
    #[error("the file holds no linear layer{hint}")]
    Empty {
        /// Which names it has, if any.
        hint: String,
    },
    /// Occurs when a file holds what a dense network has not.
    #[error("`{place}` is no part of a dense network: {reason}")]
    Foreign {
        /// Layer or array.
        place: String,
        /// What it is, and what to do.
        reason: String,
    },
    /// Occurs when an array is not of 32 or 64-bit numbers.
    #[error("`{place}` holds {found}: save the network as float32")]
    Type {
        /// The array.
        place: String,
        /// Type of its numbers.
        found: String,
    },
    /// Occurs when an array has a shape that its layer cannot have.
    #[error("`{place}` has the shape {found:?}, its layer needs {needed}")]
    Shape {
        /// The array.
        place: String,
        /// Shape in the file.
        found: Vec<usize>,
        /// Shape that is needed.
        needed: String,
    },
    /// Occurs when a number is NaN or infinite.
    #[error("`{place}` holds {value}: a network whose weights are no numbers is not imported")]
    NotFinite {
        /// The array.
        place: String,
        /// First such number.
        value: f32,
    },
    /// Occurs when a layer does not take what the layer before it gives.
    #[error(
        "layer `{place}` takes {found} numbers, but `{before}` before it gives {needed}; the file's layers in order: {order}"
    )]
    Broken {
        /// The layer.
        place: String,
        /// Numbers that it takes.
        found: usize,
        /// The layer before it.
        before: String,
        /// Numbers that that one gives.
        needed: usize,
        /// All linear layers with their shapes.
        order: String,
    },
    /// Occurs when the first layer takes more or fewer inputs than the experiment has.
    #[error("layer `{place}` takes {found} inputs, the experiment has {needed}: {inputs}")]
    Inputs {
        /// The first layer.
        place: String,
        /// Inputs that it takes.
        found: usize,
        /// Inputs of the experiment.
        needed: usize,
        /// Their names.
        inputs: String,
    },
    /// Occurs when the last layer gives more or fewer outputs than the experiment's networks.
    #[error("layer `{place}` gives {found} outputs, the experiment's networks give {needed}")]
    Outputs {
        /// The last layer.
        place: String,
        /// Outputs that it gives.
        found: usize,
        /// Outputs that are needed.
        needed: usize,
    },
    /// Occurs when a hidden layer has another width than the experiment's.
    #[error("layer `{place}` gives {found} numbers, the hidden layer {layer_idx} of the experiment {needed}")]
    Width {
        /// The layer.
        place: String,
        /// Position of the hidden layer, from 0.
        layer_idx: usize,
        /// Width in the file.
        found: usize,
        /// Width in the experiment.
        needed: usize,
    },
    /// Occurs when a file has more or fewer layers than the experiment.
    #[error("the file has {found} linear layers, the experiment's networks {needed}: {order}")]
    Depth {
        /// Linear layers of the file.
        found: usize,
        /// Linear layers of the experiment's networks.
        needed: usize,
        /// All linear layers with their shapes.
        order: String,
    },
    /// Occurs when hidden layers are normalised otherwise than in the experiment, or not alike.
    #[error("layer `{place}` has {found}, the experiment {needed}: set model.normalisation, or train it so")]
    Normalisation {
        /// The layer.
        place: String,
        /// Normalisation in the file.
        found: &'static str,
        /// Normalisation of the experiment.
        needed: &'static str,
    },
}
