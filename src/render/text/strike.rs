//! Colour bitmaps of emoji fonts, scaled to the text's size by the renderer's own filter.

use swash::FontRef;
use swash::scale::ScaleContext;

use super::raster::{Bounds, largest_strike};

/// One glyph's bitmap as the font has it.
pub(super) struct Strike {
    /// Pixels per em it was drawn for.
    ppem: f64,
    /// From the glyph's origin to its left edge and up to its top edge.
    left: f64,
    top: f64,
    width: usize,
    height: usize,
    /// Premultiplied RGBA.
    pixels: Vec<u8>,
}

impl Strike {
    /// The largest bitmap of `glyph`, if the font has one.
    pub(super) fn of(scaler: &mut ScaleContext, font: FontRef<'_>, glyph: u16) -> Option<Self> {
        let (ppem, image) = largest_strike(scaler, font, glyph)?;
        let mut pixels = image.data;
        for pixel in pixels.chunks_exact_mut(4) {
            let alpha = u16::from(pixel[3]);
            for channel in &mut pixel[..3] {
                let product = (u16::from(*channel) * alpha + 127) / 255;
                *channel = u8::try_from(product).unwrap_or(255);
            }
        }
        let size = |length: u32| usize::try_from(length).ok();
        let (width, height) = (size(image.placement.width)?, size(image.placement.height)?);
        let whole = ppem > 0 && width > 0 && height > 0 && pixels.len() == width * height * 4;
        whole.then(|| Self {
            ppem: f64::from(ppem),
            left: f64::from(image.placement.left),
            top: f64::from(image.placement.top),
            width,
            height,
            pixels,
        })
    }
}

/// Draws `strike` with its origin at `at` for text of `size` pixels per em: premultiplied
/// RGBA and its place.
pub(super) fn scaled(strike: &Strike, at: (f64, f64), size: f64) -> Option<(Bounds, Vec<u8>)> {
    let scale = size / strike.ppem;
    let left = at.0 + strike.left * scale;
    let top = at.1 - strike.top * scale;
    let columns = axis(left, strike.width, scale);
    let rows = axis(top, strike.height, scale);
    let bounds = Bounds {
        left: whole(left.floor()),
        top: whole(top.floor()),
        right: whole(left.floor()) + i32::try_from(columns.len()).ok()?,
        bottom: whole(top.floor()) + i32::try_from(rows.len()).ok()?,
    };
    let mut pixels = Vec::with_capacity(columns.len() * rows.len() * 4);
    for row in &rows {
        for column in &columns {
            let mut sum = [0.0; 4];
            for (j, down) in row {
                for (i, across) in column {
                    let texel = (j * strike.width + i) * 4;
                    for (channel, value) in sum.iter_mut().zip(&strike.pixels[texel..texel + 4]) {
                        *channel += down * across * f64::from(*value);
                    }
                }
            }
            pixels.extend(sum.map(byte));
        }
    }
    Some((bounds, pixels))
}

/// For each pixel along one axis, the texels under it and their weights: a tent as wide as
/// the pixel, times the part of the pixel that the bitmap covers.
fn axis(start: f64, texels: usize, scale: f64) -> Vec<Vec<(usize, f64)>> {
    let length = length(texels) * scale;
    let first = start.floor();
    let count = whole((start + length).ceil() - first).max(1);
    (0..count)
        .map(|n| {
            let pixel = first + f64::from(n);
            let covered = (pixel + 1.0).min(start + length) - pixel.max(start);
            tent(pixel + 0.5 - start, texels, scale, covered.max(0.0))
        })
        .collect()
}

fn tent(at: f64, texels: usize, scale: f64, covered: f64) -> Vec<(usize, f64)> {
    let radius = (1.0 / scale).max(1.0);
    let centre = at / scale;
    let first = whole((centre - radius - 0.5).ceil());
    let last = whole((centre + radius - 0.5).floor());
    let weights: Vec<(usize, f64)> = (first..=last)
        .map(|i| {
            let distance = (f64::from(i) + 0.5 - centre).abs();
            let inside = usize::try_from(i).unwrap_or(0).min(texels - 1);
            (inside, (1.0 - distance / radius).max(0.0))
        })
        .collect();
    let total: f64 = weights.iter().map(|(_, weight)| weight).sum();
    weights
        .into_iter()
        .map(|(i, weight)| (i, weight * covered / total))
        .collect()
}

#[expect(clippy::cast_precision_loss, reason = "bitmaps are small")]
fn length(texels: usize) -> f64 {
    texels as f64
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "whole by now, and the cast saturates"
)]
fn whole(value: f64) -> i32 {
    value as i32
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to a byte before the cast"
)]
fn byte(value: f64) -> u8 {
    value.round().clamp(0.0, 255.0) as u8
}
