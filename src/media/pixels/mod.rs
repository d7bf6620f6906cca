//! From a decoded picture in the layout its decoder gives it to a frame as the renderer takes it:
//! luma and colour differences in 8 bits where they stay what they are, premultiplied RGBA where
//! there is alpha, RGB or a high dynamic range. Pure.

mod convert;
mod decide;
mod layout;
mod rows;
mod tone;

pub use convert::to_frame;
pub use decide::{ColorDecision, Curve, Source, decide};
pub use layout::Layout;

/// A decoded picture.
#[derive(Debug, Clone)]
pub struct Native<'a> {
    /// How its samples lie.
    pub layout: Layout,
    /// Width in samples.
    pub width: u32,
    /// Height in samples.
    pub height: u32,
    /// Its planes, as many as the layout has.
    pub planes: Vec<NativePlane<'a>>,
    /// Of palette layouts: 256 entries of blue, green, red, alpha.
    pub palette: Option<&'a [u8]>,
    /// Alpha that comes as a second picture: the plane of its luma.
    pub alpha: Option<NativePlane<'a>>,
    /// Made of two fields, whose colour must not be mixed.
    pub is_interlaced: bool,
}

/// One plane.
#[derive(Debug, Clone, Copy)]
pub struct NativePlane<'a> {
    /// Rows from the top.
    pub data: &'a [u8],
    /// Bytes from one row to the next.
    pub stride: usize,
}

impl NativePlane<'_> {
    /// The bytes of row `y`, at most `length`.
    fn row(&self, y: usize, length: usize) -> &[u8] {
        let rest = self.data.get(y * self.stride..).unwrap_or_default();
        &rest[..length.min(rest.len())]
    }
}

#[cfg(test)]
mod tests;
