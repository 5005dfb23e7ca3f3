//! Why networks cannot start from other weights.

use std::path::PathBuf;

use crate::model::chain::ChainError;
use crate::model::rescale::SkipsInputs;

/// Why networks cannot start from other weights.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Occurs when the weights are not those that the experiment was begun with.
    #[error(
        "start.from: the weights of `{from}` have the SHA-256 {found}, the experiment was begun with {expected}"
    )]
    Changed {
        /// Run or file.
        from: String,
        /// Hash in the experiment.
        expected: String,
        /// Hash that was found.
        found: String,
    },
    /// Occurs when a run's model has no networks.
    #[error("start.from: `{from}` is a run of kind `{kind}`, which has no networks to start from")]
    NoNetworks {
        /// The run.
        from: String,
        /// Kind of its model.
        kind: &'static str,
    },
    /// Occurs when a run's networks have another form than the experiment's.
    #[error("start.from: the networks of `{from}` have {key} = {found}, those of the experiment {needed}")]
    Differs {
        /// The run.
        from: String,
        /// What differs.
        key: &'static str,
        /// In the run.
        found: String,
        /// In the experiment.
        needed: String,
    },
    /// Occurs when a network takes other inputs than those of a fold.
    #[error("start.from: a network of `{from}` takes {found}; fold `{fold}` has {needed}")]
    Inputs {
        /// Run or file.
        from: String,
        /// The fold.
        fold: String,
        /// Inputs of the network.
        found: String,
        /// Inputs of the fold.
        needed: String,
    },
    /// Occurs when a file of weights cannot be read, or holds another network.
    #[error("`{path}`")]
    Chain {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: ChainError,
    },
    /// Occurs when a file of weights is longer than any network's.
    #[error("`{path}` has {bytes} bytes, which no file of a dense network has")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its length.
        bytes: u64,
    },
    /// Occurs when a file's dense network meets another kind of model.
    #[error(
        "`{path}` holds a dense network, the experiment asks for model.kind = \"{kind}\": set it to \"dense\""
    )]
    Kind {
        /// The file.
        path: PathBuf,
        /// Kind of the experiment's model.
        kind: &'static str,
    },
    /// Occurs when folds choose inputs of their own, which a file cannot know.
    #[error(
        "`{path}` takes the same inputs in every fold, but [select] chooses them fold by fold: leave it out"
    )]
    Select {
        /// The file.
        path: PathBuf,
    },
    /// Occurs when a network cannot be written for the scaling of a fold.
    #[error("fold `{fold}` scales its inputs otherwise than the start")]
    Skip {
        /// The fold.
        fold: String,
        /// Why that matters.
        #[source]
        source: SkipsInputs,
    },
    /// Occurs when every network of a run diverged.
    #[error("start.from: no network of `{from}` has finite weights")]
    NotFinite {
        /// The run.
        from: String,
    },
    /// Occurs when weights may have seen the cells that they are to be tested on.
    #[error(
        "start.from: `{from}` was trained on the same data in other folds, so its weights may have seen the test cells of \
         this experiment; start from a run with the same folds, or set inputs.allow_leak = true"
    )]
    Leak {
        /// The run.
        from: String,
    },
    /// Occurs when a search is to start from other weights.
    #[error(
        "start: a search draws the weights of every trial; leave [start] out, and train its best trial from them"
    )]
    Search,
}
