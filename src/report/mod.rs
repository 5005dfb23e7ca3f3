//! What people look at: tables as text and figures as SVG and PNG.

mod axis;
mod canvas;
mod course;
pub mod early;
pub mod figure;
mod number;
mod panel;
pub mod search;
pub mod table;

pub use figure::{Figure, FigureError};
