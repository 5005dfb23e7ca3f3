//! What people look at: tables as text and figures as SVG and PNG.

pub mod figure;
pub mod table;

pub use figure::{Figure, FigureError};
