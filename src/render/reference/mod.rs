//! The compositor on the processor: slow, obvious, and what the golden pictures mean. It
//! uses no graphics library and shares only placement arithmetic with the other.

mod convert;
mod sample;

pub use convert::rgba_from_i420;

use super::geometry::{Placement, place};
use super::pixels::{index, is_whole, premultiplied, rgba_frame, row};
use super::{Compositor, Picture, PixelRect, RenderError, yuv};
use crate::media::{Frame, PixelFormat};
use crate::timeline::{DrawList, Layer};
use sample::Texels;

/// A layer's colour is rounded to whole codes before it is blended. A little more than a half
/// sends exact halves up, where single precision on a GPU would send them either way.
const TIES_UP: f64 = 0.502;

/// Draws on the calling thread, one pixel after the other.
#[derive(Debug, Default)]
pub struct ReferenceCompositor;

impl ReferenceCompositor {
    /// Ready at once.
    #[must_use]
    pub fn new() -> Self {
        Self
    }
}

impl Compositor for ReferenceCompositor {
    fn draw(
        &mut self,
        list: &DrawList,
        pictures: &[Picture],
        region: PixelRect,
    ) -> Result<Frame, RenderError> {
        let mut canvas = Canvas::filled(region, premultiplied(list.background));
        for (layer, picture) in list.layers.iter().zip(pictures) {
            if !is_whole(&picture.frame) {
                return Err(RenderError::Picture(format!(
                    "element {} has a frame shorter than its size",
                    layer.element
                )));
            }
            if let Some(placement) = place(layer, picture) {
                let texels = texels(&picture.frame);
                canvas.lay_over(list, layer, &placement, &texels);
            }
        }
        Ok(rgba_frame(region.width, region.height, canvas.pixels))
    }

    fn draw_i420(&mut self, list: &DrawList, pictures: &[Picture]) -> Result<Frame, RenderError> {
        let whole = PixelRect {
            x: 0,
            y: 0,
            width: list.width,
            height: list.height,
        };
        Ok(yuv::i420_from_rgba(&self.draw(list, pictures, whole)?))
    }

    fn fingerprint(&self) -> String {
        "reference 1".to_owned()
    }
}

/// The picture as RGBA in memory, without row padding.
fn texels(frame: &Frame) -> Texels {
    let frame = match frame.format {
        PixelFormat::Rgba => frame.clone(),
        PixelFormat::I420(color) => rgba_from_i420(frame, color),
    };
    let length = index(frame.width) * 4;
    let bytes = (0..frame.height)
        .flat_map(|y| row(&frame.planes[0], y, length))
        .copied()
        .collect();
    Texels::new(frame.width, frame.height, bytes)
}

/// What has been drawn so far, rounded to 8 bits after every layer as a GPU's target is.
struct Canvas {
    region: PixelRect,
    pixels: Vec<u8>,
}

impl Canvas {
    fn filled(region: PixelRect, color: [u8; 4]) -> Self {
        let count = index(region.width) * index(region.height);
        Self {
            region,
            pixels: color.repeat(count),
        }
    }

    fn lay_over(&mut self, list: &DrawList, layer: &Layer, place: &Placement, texels: &Texels) {
        let Some(bounds) = place.bounds(list.width, list.height) else {
            return;
        };
        for y in bounds.y..bounds.y + bounds.height {
            for x in bounds.x..bounds.x + bounds.width {
                let Some(offset) = self.offset(x, y) else {
                    continue;
                };
                let centre = (f64::from(x) + 0.5, f64::from(y) + 0.5);
                let strength = place.coverage(centre.0, centre.1) * layer.opacity.min(1.0);
                if strength <= 0.0 {
                    continue;
                }
                let color = texels
                    .at(place, centre)
                    .map(|channel| (channel * strength + TIES_UP).floor());
                let through = 1.0 - color[3] / 255.0;
                let below = &mut self.pixels[offset..offset + 4];
                for (under, over) in below.iter_mut().zip(color) {
                    *under = round_to_byte(over + f64::from(*under) * through);
                }
            }
        }
    }

    /// Where canvas pixel (`x`, `y`) lies in memory, if the region has it.
    fn offset(&self, x: u32, y: u32) -> Option<usize> {
        let column = x.checked_sub(self.region.x)?;
        let line = y.checked_sub(self.region.y)?;
        (column < self.region.width && line < self.region.height)
            .then(|| (index(line) * index(self.region.width) + index(column)) * 4)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to a byte before the cast"
)]
fn round_to_byte(value: f64) -> u8 {
    value.round().clamp(0.0, 255.0) as u8
}
