//! Titles over untouched video: a drawn region is converted once to luma and chroma with
//! alpha, then blended into each frame's planes. Samples under alpha 0 stay byte-identical.

use bytes::{Bytes, BytesMut};

use super::pixels::{index, row};
use super::yuv::{luma_and_differences, round_to_byte};
use super::{PixelRect, RenderError};
use crate::media::{Frame, PixelFormat, Plane};
use crate::timeline::YuvColor;

/// A premultiplied RGBA region made ready for blending into I420 frames.
#[derive(Debug, Clone)]
pub struct PreparedOverlay {
    at: PixelRect,
    planes: [OverlayPlane; 3],
}

/// One plane of the overlay: what is added, and what is left of the base.
#[derive(Debug, Clone)]
struct OverlayPlane {
    width: usize,
    added: Vec<u8>,
    kept: Vec<u8>,
    /// Columns of each row that change anything.
    spans: Vec<std::ops::Range<usize>>,
}

impl PreparedOverlay {
    /// Prepares `overlay`, whose top left pixel lies at the even position (`at.x`, `at.y`).
    /// An odd last column or row is doubled: it lies at an odd canvas's edge, whose output is
    /// padded the same way.
    ///
    /// # Errors
    /// [`RenderError::Picture`] when the frame is not RGBA of `at`'s size or lies oddly.
    pub fn new(overlay: &Frame, at: PixelRect) -> Result<Self, RenderError> {
        let fits = overlay.format == PixelFormat::Rgba
            && (overlay.width, overlay.height) == (at.width, at.height)
            && at.x.is_multiple_of(2)
            && at.y.is_multiple_of(2)
            && at.width > 0
            && at.height > 0
            && super::pixels::is_whole(overlay);
        if !fits {
            return Err(RenderError::Picture(format!(
                "an overlay of {}×{} cannot lie at {at:?}",
                overlay.width, overlay.height
            )));
        }
        let source = Source {
            frame: overlay,
            at_canvas_edge: at.x == 0,
        };
        let (columns, rows) = (at.width.div_ceil(2), at.height.div_ceil(2));
        let at = PixelRect {
            width: columns * 2,
            height: rows * 2,
            ..at
        };
        let mut planes = [
            OverlayPlane::sized(at.width, at.height),
            OverlayPlane::sized(columns, rows),
            OverlayPlane::sized(columns, rows),
        ];
        for y in 0..at.height {
            for x in 0..at.width {
                let [r, g, b, alpha] = source.pixel(i64::from(x), y);
                let [luma, ..] = luma_and_differences([r, g, b]);
                planes[0].push(luma, 16.0, alpha);
            }
        }
        for y in 0..rows {
            for x in 0..columns {
                let [r, g, b, alpha] = source.filtered(x * 2, y * 2);
                let [_, u, v] = luma_and_differences([r, g, b]);
                planes[1].push(u, 128.0, alpha);
                planes[2].push(v, 128.0, alpha);
            }
        }
        for plane in &mut planes {
            plane.find_spans();
        }
        Ok(Self { at, planes })
    }

    /// Blends the overlay into a copy of `base`, an I420 frame in [`YuvColor::OUTPUT`].
    ///
    /// # Errors
    /// [`RenderError::Picture`] when the base is of another format or too small.
    pub fn apply(&self, base: &Frame) -> Result<Frame, RenderError> {
        let fits = base.format == PixelFormat::I420(YuvColor::OUTPUT)
            && self.at.x + self.at.width <= base.width
            && self.at.y + self.at.height <= base.height
            && super::pixels::is_whole(base);
        if !fits {
            return Err(RenderError::Picture(format!(
                "an overlay at {:?} does not fit a base of {}×{} in {:?}",
                self.at, base.width, base.height, base.format
            )));
        }
        let planes = base.planes.iter().zip(&self.planes).enumerate();
        Ok(Frame {
            planes: planes
                .map(|(n, (plane, layer))| {
                    let half = u32::from(n > 0);
                    layer.over(plane, index(self.at.x >> half), index(self.at.y >> half))
                })
                .collect(),
            ..*base
        })
    }
}

impl OverlayPlane {
    fn sized(width: u32, height: u32) -> Self {
        let samples = index(width) * index(height);
        Self {
            width: index(width),
            added: Vec::with_capacity(samples),
            kept: Vec::with_capacity(samples),
            spans: Vec::with_capacity(index(height)),
        }
    }

    /// Adds a sample: `value` is premultiplied and without its offset.
    fn push(&mut self, value: f32, offset: f32, alpha: f32) {
        self.added
            .push(round_to_byte(value + offset * alpha / 255.0));
        self.kept.push(255 - round_to_byte(alpha));
    }

    fn find_spans(&mut self) {
        let touched = |(added, kept): (&u8, &u8)| *added != 0 || *kept != 255;
        for (added, kept) in self
            .added
            .chunks_exact(self.width)
            .zip(self.kept.chunks_exact(self.width))
        {
            let first = added.iter().zip(kept).position(touched);
            let last = added.iter().zip(kept).rposition(touched);
            self.spans.push(match (first, last) {
                (Some(first), Some(last)) => first..last + 1,
                _ => 0..0,
            });
        }
    }

    fn over(&self, base: &Plane, x: usize, y: usize) -> Plane {
        let mut data = BytesMut::from(&base.data[..]);
        for (line, span) in self.spans.iter().enumerate() {
            let from = (y + line) * base.stride + x;
            let own = line * self.width;
            blend_row(
                &mut data[from + span.start..from + span.end],
                &self.added[own + span.start..own + span.end],
                &self.kept[own + span.start..own + span.end],
            );
        }
        Plane {
            data: Bytes::from(data),
            stride: base.stride,
        }
    }
}

/// base × kept ÷ 255 + added, rounded; `kept` 255 with `added` 0 changes nothing.
fn blend_row(base: &mut [u8], added: &[u8], kept: &[u8]) {
    for ((base, added), kept) in base.iter_mut().zip(added).zip(kept) {
        let product = u32::from(*base) * u32::from(*kept) + 128;
        let left = (product * 257) >> 16;
        *base = (left + u32::from(*added)).min(255).to_le_bytes()[0];
    }
}

struct Source<'a> {
    frame: &'a Frame,
    at_canvas_edge: bool,
}

impl Source<'_> {
    /// The pixel at (`x`, `y`). Left of the region there is nothing, unless the canvas ends
    /// there and its first column stands in; right and below, the last ones do.
    fn pixel(&self, x: i64, y: u32) -> [f32; 4] {
        if x < 0 && !self.at_canvas_edge {
            return [0.0; 4];
        }
        let column = u32::try_from(x).unwrap_or(0).min(self.frame.width - 1);
        let line = row(
            &self.frame.planes[0],
            y.min(self.frame.height - 1),
            index(self.frame.width) * 4,
        );
        let at = index(column) * 4;
        [line[at], line[at + 1], line[at + 2], line[at + 3]].map(f32::from)
    }

    /// The mean under the chroma sample of the 2×2 block at (`x`, `y`), as
    /// [`super::yuv::i420_from_rgba`] filters it.
    fn filtered(&self, x: u32, y: u32) -> [f32; 4] {
        let mut sum = [0.0; 4];
        let x = i64::from(x);
        for line in [y, y + 1] {
            for (column, weight) in [(x - 1, 1.0), (x, 2.0), (x + 1, 1.0)] {
                for (total, channel) in sum.iter_mut().zip(self.pixel(column, line)) {
                    *total += channel * weight;
                }
            }
        }
        sum.map(|total: f32| total / 8.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::pixels::{i420_frame, rgba_frame};
    use crate::render::yuv::i420_from_rgba;

    fn base() -> Frame {
        let plane = |count: usize, seed: usize| {
            (0..count)
                .map(|n| u8::try_from((n * 7 + seed) % 220).unwrap())
                .collect()
        };
        i420_frame(
            16,
            8,
            YuvColor::OUTPUT,
            [plane(128, 3), plane(32, 90), plane(32, 60)],
        )
    }

    fn at(x: u32, y: u32, width: u32, height: u32) -> PixelRect {
        PixelRect {
            x,
            y,
            width,
            height,
        }
    }

    #[test]
    fn a_transparent_overlay_changes_no_byte() {
        let overlay = rgba_frame(8, 4, vec![0; 8 * 4 * 4]);
        let prepared = PreparedOverlay::new(&overlay, at(4, 2, 8, 4)).unwrap();
        let result = prepared.apply(&base()).unwrap();
        for (got, want) in result.planes.iter().zip(&base().planes) {
            assert_eq!(got.data, want.data);
        }
    }

    #[test]
    fn an_opaque_overlay_of_the_whole_canvas_is_its_own_conversion() {
        let pixels: Vec<u8> = (0..16u32 * 8)
            .flat_map(|n| [n * 2 % 256, n * 5 % 256, n * 11 % 256, 255])
            .map(|value| u8::try_from(value).unwrap())
            .collect();
        let overlay = rgba_frame(16, 8, pixels);
        let prepared = PreparedOverlay::new(&overlay, at(0, 0, 16, 8)).unwrap();
        let result = prepared.apply(&base()).unwrap();
        for (got, want) in result.planes.iter().zip(&i420_from_rgba(&overlay).planes) {
            assert_eq!(got.data, want.data);
        }
    }

    #[test]
    fn only_the_touched_rectangle_changes() {
        let overlay = rgba_frame(4, 2, [120, 60, 0, 128].repeat(8));
        let prepared = PreparedOverlay::new(&overlay, at(6, 4, 4, 2)).unwrap();
        let (before, after) = (base(), prepared.apply(&base()).unwrap());
        for y in 0..8 {
            for x in 0..16 {
                let inside = (6..10).contains(&x) && (4..6).contains(&y);
                let n = y * 16 + x;
                let same = before.planes[0].data[n] == after.planes[0].data[n];
                assert!(same || inside, "{x},{y}");
            }
        }
        // 219/255 × (0.2126·120 + 0.7152·60) + 16·128/255 over half of what was there.
        let under = f64::from(before.planes[0].data[4 * 16 + 6]);
        let want = 219.0 / 255.0 * (0.2126 * 120.0 + 0.7152 * 60.0)
            + 16.0 * 128.0 / 255.0
            + under * 127.0 / 255.0;
        assert!((f64::from(after.planes[0].data[4 * 16 + 6]) - want).abs() <= 1.0);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let overlay = rgba_frame(4, 2, vec![0; 32]);
        assert!(PreparedOverlay::new(&overlay, at(1, 0, 4, 2)).is_err());
        assert!(PreparedOverlay::new(&overlay, at(0, 0, 6, 2)).is_err());
        let prepared = PreparedOverlay::new(&overlay, at(14, 0, 4, 2)).unwrap();
        assert!(prepared.apply(&base()).is_err());
    }
}
