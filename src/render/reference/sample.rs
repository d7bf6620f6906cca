//! The one filter of the renderer, as its formula reads.

use crate::render::geometry::Placement;
use crate::render::pixels::index;

/// A picture's texels, premultiplied RGBA.
pub(super) struct Texels {
    width: i64,
    height: i64,
    bytes: Vec<u8>,
}

impl Texels {
    pub(super) fn new(width: u32, height: u32, bytes: Vec<u8>) -> Self {
        debug_assert_eq!(bytes.len(), index(width) * index(height) * 4);
        Self {
            width: i64::from(width),
            height: i64::from(height),
            bytes,
        }
    }

    /// The colour under a canvas pixel's centre, 0–255 a channel: texels weighted by a tent
    /// as wide as the pixel, never narrower than one texel.
    pub(super) fn at(&self, place: &Placement, centre: (f64, f64)) -> [f64; 4] {
        let (u, v) = place.to_texel.apply(centre);
        if place.exact {
            return self.texel(whole(u.floor()), whole(v.floor()));
        }
        let columns = weights(u, place.density.0.max(1.0));
        let rows = weights(v, place.density.1.max(1.0));
        let mut sum = [0.0; 4];
        let mut total = 0.0;
        for &(j, down) in &rows {
            for &(i, across) in &columns {
                let weight = down * across;
                for (channel, texel) in sum.iter_mut().zip(self.texel(i, j)) {
                    *channel += weight * texel;
                }
                total += weight;
            }
        }
        sum.map(|channel| channel / total)
    }

    /// Texel (`i`, `j`); beyond the edges, the edge's.
    fn texel(&self, i: i64, j: i64) -> [f64; 4] {
        let i = i.clamp(0, self.width - 1);
        let j = j.clamp(0, self.height - 1);
        let at = usize::try_from((j * self.width + i) * 4).expect("clamped into the picture");
        [0, 1, 2, 3].map(|channel| f64::from(self.bytes[at + channel]))
    }
}

/// Texel indices near `centre` and their weights under a tent of `radius`.
fn weights(centre: f64, radius: f64) -> Vec<(i64, f64)> {
    let first = whole((centre - radius - 0.5).ceil());
    let last = whole((centre + radius - 0.5).floor());
    (first..=last)
        .map(|i| {
            let distance = (middle(i) - centre).abs();
            (i, (1.0 - distance / radius).max(0.0))
        })
        .filter(|(_, weight)| *weight > 0.0)
        .collect()
}

#[expect(clippy::cast_precision_loss, reason = "texel indices are small")]
fn middle(i: i64) -> f64 {
    i as f64 + 0.5
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "whole by now, and the cast saturates"
)]
fn whole(value: f64) -> i64 {
    value as i64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_bilinear_when_enlarging() {
        assert_eq!(weights(2.5, 1.0), vec![(2, 1.0)]);
        assert_eq!(weights(2.75, 1.0), vec![(2, 0.75), (3, 0.25)]);
    }

    #[test]
    fn weights_widen_when_reducing() {
        let total: f64 = weights(4.0, 2.0).iter().map(|(_, weight)| weight).sum();
        assert!((total - 2.0).abs() < 1e-12);
        assert_eq!(weights(4.0, 2.0).len(), 4);
    }
}
