//! Between RGB and the encoder's planes: matrix coefficients and the conversion the
//! processor does. Always `YuvColor::OUTPUT`: BT.709, limited, chroma on the left columns.

use super::pixels::{i420_frame, index, row};
use crate::media::Frame;
use crate::timeline::{Matrix, YuvColor};

/// The weights of red and blue in luma.
#[must_use]
pub fn coefficients(matrix: Matrix) -> (f64, f64) {
    matrix.weights()
}

/// Premultiplied RGB to premultiplied luma and colour differences, in codes without offsets.
pub(super) fn luma_and_differences([r, g, b]: [f32; 3]) -> [f32; 3] {
    let grey = 0.2126 * r + 0.7152 * g + 0.0722 * b;
    [
        grey * (219.0 / 255.0),
        (b - grey) * (224.0 / 255.0 / 1.8556),
        (r - grey) * (224.0 / 255.0 / 1.5748),
    ]
}

/// Converts premultiplied RGBA over black to I420 in [`YuvColor::OUTPUT`]. An odd last column
/// or row is doubled to even size. Chroma is filtered [1 2 1] across and [1 1] down.
#[must_use]
pub fn i420_from_rgba(frame: &Frame) -> Frame {
    let source = Source { frame };
    let (width, height) = (even(frame.width), even(frame.height));
    let mut y_plane = Vec::with_capacity(index(width) * index(height));
    for y in 0..height {
        for x in 0..width {
            let [luma, ..] = luma_and_differences(source.rgb(x, y));
            y_plane.push(round_to_byte(16.0 + luma));
        }
    }
    let mut u_plane = Vec::with_capacity(y_plane.len() / 4);
    let mut v_plane = Vec::with_capacity(y_plane.len() / 4);
    for y in (0..height).step_by(2) {
        for x in (0..width).step_by(2) {
            let [_, u, v] = luma_and_differences(source.filtered(x, y));
            u_plane.push(round_to_byte(128.0 + u));
            v_plane.push(round_to_byte(128.0 + v));
        }
    }
    i420_frame(width, height, YuvColor::OUTPUT, [y_plane, u_plane, v_plane])
}

/// The next even number.
#[must_use]
pub fn even(length: u32) -> u32 {
    length + length % 2
}

struct Source<'a> {
    frame: &'a Frame,
}

impl Source<'_> {
    /// The colour of pixel (`x`, `y`); beyond the edges, the edge's.
    fn rgb(&self, x: u32, y: u32) -> [f32; 3] {
        let line = row(
            &self.frame.planes[0],
            y.min(self.frame.height - 1),
            index(self.frame.width) * 4,
        );
        let at = index(x.min(self.frame.width - 1)) * 4;
        [line[at], line[at + 1], line[at + 2]].map(f32::from)
    }

    /// The mean under the chroma sample of the 2×2 block at (`x`, `y`).
    fn filtered(&self, x: u32, y: u32) -> [f32; 3] {
        let mut sum = [0.0; 3];
        for line in [y, y + 1] {
            for (column, weight) in [(x.saturating_sub(1), 1.0), (x, 2.0), (x + 1, 1.0)] {
                for (total, channel) in sum.iter_mut().zip(self.rgb(column, line)) {
                    *total += channel * weight;
                }
            }
        }
        sum.map(|total: f32| total / 8.0)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to a byte before the cast"
)]
pub(super) fn round_to_byte(value: f32) -> u8 {
    (value + 0.5).floor().clamp(0.0, 255.0) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::pixels::rgba_frame;
    use crate::render::reference::rgba_from_i420;

    fn flat(width: u32, height: u32, color: [u8; 4]) -> Frame {
        rgba_frame(width, height, color.repeat(index(width * height)))
    }

    #[test]
    fn known_colours_have_their_bt709_codes() {
        let cases = [
            ([0, 0, 0, 255], [16, 128, 128]),
            ([255, 255, 255, 255], [235, 128, 128]),
            ([255, 0, 0, 255], [63, 102, 240]),
            ([0, 255, 0, 255], [173, 42, 26]),
            ([0, 0, 255, 255], [32, 240, 118]),
            ([0, 0, 0, 0], [16, 128, 128]),
        ];
        for (color, want) in cases {
            let frame = i420_from_rgba(&flat(4, 2, color));
            let got = [0, 1, 2].map(|plane| frame.planes[plane].data[0]);
            assert_eq!(got, want, "{color:?}");
        }
    }

    #[test]
    fn odd_sizes_double_the_last_column_and_row() {
        let mut pixels = flat(3, 3, [0, 0, 0, 255]).planes[0].data.to_vec();
        pixels[8..11].copy_from_slice(&[255, 255, 255]);
        let frame = i420_from_rgba(&rgba_frame(3, 3, pixels));
        assert_eq!((frame.width, frame.height), (4, 4));
        assert_eq!(
            frame.planes[0].data[..8],
            [16, 16, 235, 235, 16, 16, 16, 16]
        );
        assert_eq!(frame.planes[0].data[8..12], frame.planes[0].data[12..]);
    }

    #[test]
    fn flat_colours_survive_the_way_there_and_back() {
        for color in [[200, 30, 90, 255], [12, 250, 128, 255], [77, 77, 77, 255]] {
            let there = i420_from_rgba(&flat(4, 4, color));
            let back = rgba_from_i420(&there, YuvColor::OUTPUT);
            for (got, want) in back.planes[0].data[..3].iter().zip(color) {
                assert!(got.abs_diff(want) <= 2, "{color:?}: {got} for {want}");
            }
        }
    }

    #[test]
    fn chroma_sits_on_the_left_column() {
        // Red in column 2 alone: half its colour in chroma column 1, none in column 0 and a
        // quarter leaves nothing for column 2, whose taps are columns 3, 4 and 5.
        let mut pixels = flat(6, 2, [0, 0, 0, 255]).planes[0].data.to_vec();
        for line in 0..2 {
            pixels[(line * 6 + 2) * 4] = 255;
        }
        let frame = i420_from_rgba(&rgba_frame(6, 2, pixels));
        assert_eq!(frame.planes[2].data[..], [128, 184, 128]);
    }
}
