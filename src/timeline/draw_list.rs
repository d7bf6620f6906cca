//! The contract between deciding and drawing: what to draw in one frame, back to front.

use serde::{Deserialize, Serialize};

use crate::composition::Rgba;

/// One frame's picture, as instructions. Equal lists draw equal pixels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DrawList {
    /// Canvas width in pixels.
    pub width: u32,
    /// Canvas height in pixels.
    pub height: u32,
    /// What lies under everything.
    pub background: Rgba,
    /// Back to front.
    pub layers: Vec<Layer>,
}

/// One thing drawn. A layer has a *box* with its own coordinates: pixels, origin at the
/// box's top left corner, y down. `transform` takes box coordinates to the canvas.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Layer {
    /// `elements[element]` of the composition.
    pub element: usize,
    /// What it shows.
    pub content: Content,
    /// Size of the box in pixels (before `transform`).
    pub size: (f64, f64),
    /// Where the whole content lies in box coordinates. Larger than the box under `cover`:
    /// what is outside the box is not drawn. For text it is the box itself.
    pub content_rect: Rect,
    /// Whether the box cuts the content off. False for text.
    pub clipped: bool,
    /// Box to canvas.
    pub transform: Affine,
    /// 0–1.
    pub opacity: f64,
}

/// What a layer shows.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Content {
    /// Frame `frame` (in presentation order) of a video source.
    Video {
        /// Index in the timeline's sources.
        source: usize,
        /// Index in presentation order.
        frame: u64,
    },
    /// A still picture.
    Image {
        /// Index in the timeline's sources.
        source: usize,
    },
    /// The text of element `element`.
    Text {
        /// Index in the composition's elements.
        element: usize,
    },
}

/// An axis-parallel rectangle in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Rect {
    /// Left edge.
    pub x: f64,
    /// Top edge.
    pub y: f64,
    /// Width.
    pub width: f64,
    /// Height.
    pub height: f64,
}

/// `x' = a·x + c·y + e`, `y' = b·x + d·y + f`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Affine {
    /// x' from x.
    pub a: f64,
    /// y' from x.
    pub b: f64,
    /// x' from y.
    pub c: f64,
    /// y' from y.
    pub d: f64,
    /// x' offset.
    pub e: f64,
    /// y' offset.
    pub f: f64,
}
