//! Decoded planes to RGBA, by the definition of their numbers.

use super::round_to_byte;
use crate::media::Frame;
use crate::render::pixels::{index, plane_size, rgba_frame, row};
use crate::render::yuv::coefficients;
use crate::timeline::YuvColor;

/// Converts an I420 picture to opaque RGBA; chroma is interpolated bilinearly from where its
/// samples lie.
#[must_use]
pub fn rgba_from_i420(frame: &Frame, color: YuvColor) -> Frame {
    let [u_plane, v_plane] = [1, 2].map(|n| Chroma::of(frame, n));
    let (kr, kb) = coefficients(color.matrix);
    let kg = 1.0 - kr - kb;
    let mut pixels = Vec::with_capacity(index(frame.width) * index(frame.height) * 4);
    for y in 0..frame.height {
        let luma = row(&frame.planes[0], y, index(frame.width));
        for x in 0..frame.width {
            let place = chroma_place(x, y, color.centered_chroma);
            let sample = f64::from(luma[index(x)]);
            let (luma, u, v) = ranged(color, sample, u_plane.at(place), v_plane.at(place));
            let red = luma + 2.0 * (1.0 - kr) * v;
            let blue = luma + 2.0 * (1.0 - kb) * u;
            let green = (luma - kr * red - kb * blue) / kg;
            pixels.extend([red, green, blue, 1.0].map(|channel| round_to_byte(channel * 255.0)));
        }
    }
    rgba_frame(frame.width, frame.height, pixels)
}

/// Codes to luma in 0–1 and colour differences in ±½.
fn ranged(color: YuvColor, y: f64, u: f64, v: f64) -> (f64, f64, f64) {
    if color.full_range {
        (y / 255.0, (u - 128.0) / 255.0, (v - 128.0) / 255.0)
    } else {
        ((y - 16.0) / 219.0, (u - 128.0) / 224.0, (v - 128.0) / 224.0)
    }
}

/// Where luma sample (`x`, `y`) lies in the chroma planes.
fn chroma_place(x: u32, y: u32, centered: bool) -> (f64, f64) {
    let first_column = if centered { 0.5 } else { 0.0 };
    (
        (f64::from(x) - first_column) / 2.0,
        (f64::from(y) - 0.5) / 2.0,
    )
}

struct Chroma<'a> {
    rows: Vec<&'a [u8]>,
}

impl<'a> Chroma<'a> {
    fn of(frame: &'a Frame, n: usize) -> Self {
        let (width, height) = plane_size(frame, n);
        Self {
            rows: (0..height)
                .map(|y| row(&frame.planes[n], y, index(width)))
                .collect(),
        }
    }

    fn at(&self, (x, y): (f64, f64)) -> f64 {
        let (left, top) = (x.floor(), y.floor());
        let (across, down) = (x - left, y - top);
        let mut sum = 0.0;
        for (dy, weight_y) in [(0.0, 1.0 - down), (1.0, down)] {
            for (dx, weight_x) in [(0.0, 1.0 - across), (1.0, across)] {
                sum += weight_x * weight_y * self.sample(left + dx, top + dy);
            }
        }
        sum
    }

    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the cast saturates at zero, and the minimum keeps it inside"
    )]
    fn sample(&self, x: f64, y: f64) -> f64 {
        let line = self.rows[(y as usize).min(self.rows.len() - 1)];
        f64::from(line[(x as usize).min(line.len() - 1)])
    }
}
