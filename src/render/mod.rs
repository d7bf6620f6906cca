//! Drawing: a draw list and its pictures in, pixels out. Two compositors, one meaning:
//! the reference is slow and obvious, the GPU one is held to it by golden pictures.

pub mod damage;
pub mod geometry;
#[cfg(feature = "gpu")]
pub mod gpu;
mod icc;
pub mod image;
mod jpeg;
pub mod overlay;
mod pixels;
pub mod reference;
mod stage;
pub mod text;
pub mod yuv;

pub use pixels::{i420_frame, rgba_frame};
pub use stage::{Stage, StageSource};

use crate::media::Frame;
use crate::timeline::{DrawList, Rect};

/// What one layer shows, as pixels. `pictures[n]` belongs to `list.layers[n]`.
#[derive(Debug, Clone)]
pub struct Picture {
    /// Equal ids mean equal pixels: textures are kept by it.
    pub id: u64,
    /// The pixels: I420 as decoded, or premultiplied RGBA.
    pub frame: Frame,
    /// Where the whole picture lies in the layer's box coordinates. For video and image the
    /// layer's `content_rect`; for text, where its ink was drawn.
    pub rect: Rect,
}

/// A rectangle of whole canvas pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PixelRect {
    /// Left column.
    pub x: u32,
    /// Top row.
    pub y: u32,
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

/// Draws. Not shared: one per worker, on the worker's own thread.
pub trait Compositor: Send {
    /// Draws `region` of the canvas: background, then layers back to front, blended in gamma
    /// space. The answer is premultiplied RGBA of the region's size.
    ///
    /// # Errors
    /// [`RenderError`] when the device is lost or out of memory.
    fn draw(
        &mut self,
        list: &DrawList,
        pictures: &[Picture],
        region: PixelRect,
    ) -> Result<Frame, RenderError>;

    /// Draws the whole canvas over black and converts it to I420 in `YuvColor::OUTPUT`, the
    /// last column and row doubled up to even size.
    ///
    /// # Errors
    /// As [`Compositor::draw`].
    fn draw_i420(&mut self, list: &DrawList, pictures: &[Picture]) -> Result<Frame, RenderError>;

    /// What of it can change pixels: adapter, driver, backend.
    fn fingerprint(&self) -> String;
}

/// Why nothing was drawn.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// No adapter of the wanted kind is there.
    #[error("no gpu adapter: {0}")]
    NoAdapter(String),
    /// The device went away.
    #[error("gpu device was lost: {0}")]
    DeviceLost(String),
    /// The device cannot hold what was asked.
    #[error("gpu limit exceeded: {0}")]
    Limit(String),
    /// A font that was asked for cannot be used.
    #[error("font cannot be used: {0}")]
    Font(String),
    /// A picture file cannot be used.
    #[error("picture cannot be used: {0}")]
    Picture(String),
}
