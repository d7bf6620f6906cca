//! What a server lets one composition ask for. The values are the operator's; the contract's
//! own ranges are in the schema tables.

use super::time::MediaTime;

/// Limits that validation and resolving hold a composition to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Elements in one composition.
    pub elements: usize,
    /// Length of the output.
    pub duration: MediaTime,
    /// Width times height of the canvas.
    pub pixels: u64,
    /// Output frames times pixels of the canvas.
    pub render_pixels: u64,
    /// Characters in one text.
    pub text_chars: usize,
    /// Names of the buckets that a `destination` may name.
    pub destinations: Vec<String>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            elements: 500,
            duration: MediaTime::new(3 * 3600, 1),
            pixels: 33_177_600,
            render_pixels: 6_000_000_000_000,
            text_chars: 10_000,
            destinations: Vec::new(),
        }
    }
}

impl Limits {
    /// Why an output of this size is too large, if it is.
    pub fn refuse_render(&self, frames: u64, width: u64, height: u64) -> Option<String> {
        let pixels = u128::from(frames) * u128::from(width) * u128::from(height);
        (pixels > u128::from(self.render_pixels)).then(|| {
            format!(
                "{frames} frames of {width}x{height} are {pixels} pixels to render, the limit is {}",
                self.render_pixels
            )
        })
    }
}
