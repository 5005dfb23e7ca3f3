//! What people look at: tables as text and figures as SVG and PNG.

mod course;
pub mod figure;
pub mod search;
pub mod table;

pub use figure::{Figure, FigureError};
