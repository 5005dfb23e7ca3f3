//! From cells to what a model can learn from: a frame of rows, folds that separate cells or time, scaled rows.
//!
//! A split never separates rows at random, and everything that is fitted here (scalers, imputed values) is fitted
//! on the training rows of a fold only.

pub mod batch;
pub mod early;
pub mod folds;
pub mod frame;
mod given;
pub mod nested;
pub mod scale;
pub mod select;
pub mod split;
pub mod tier;

pub use early::EarlyConfig;
pub use frame::{Column, Frame, FrameConfig, FrameError, Quantity, Reference, Row};
pub use given::given_doc;
pub use nested::Part;
pub use scale::Scaler;
pub use select::{SelectConfig, SelectError, Selection};
pub use split::{Fold, SplitConfig, SplitError};
pub use tier::{TierConfig, TierError, Tiers};
