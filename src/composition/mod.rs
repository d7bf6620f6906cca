//! The client's description of a video: parsing, validation, identity.

mod problem;
pub mod time;
mod valid;

pub use problem::{Violation, ViolationCode, Warning};
pub use valid::{
    Clip, Element, ElementKind, Fit, Length, Output, OutputFormat, Rgba, Size, TextAlign,
    TextStyle, ValidComposition, VerticalAlign, Visual,
};
