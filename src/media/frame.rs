//! Pictures in memory, independent of their origin.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::timeline::YuvColor;

/// One picture. Cheap to clone: the pixels are shared and never change.
#[derive(Debug, Clone)]
pub struct Frame {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// How pixels are laid out.
    pub format: PixelFormat,
    /// One entry a plane, in the format's order.
    pub planes: Vec<Plane>,
}

/// One plane of a [`Frame`].
#[derive(Debug, Clone)]
pub struct Plane {
    /// Rows from the top, each `stride` bytes long.
    pub data: Bytes,
    /// Bytes from one row to the next; at least the row's own length.
    pub stride: usize,
}

/// Layouts that cross module borders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum PixelFormat {
    /// 8-bit Y, U, V planes; U and V at half size each way, rounded up.
    I420(YuvColor),
    /// 8-bit RGBA, alpha premultiplied (as every picture inside the renderer is).
    Rgba,
}
