//! What is put into the files: pictures with a number in black and white and a row of colours
//! below it, and a track of clicks.

use anyhow::{Result, ensure};

use crate::clips::read_number;
use crate::measure::sound::{RATE, click, whole};

/// Width of the pictures.
pub const WIDTH: usize = 128;
/// Height of the pictures; what lies below [`NUMBER_HEIGHT`] are the colours.
pub const HEIGHT: usize = 96;
/// Rows with the number.
pub const NUMBER_HEIGHT: usize = 72;
/// Seconds of sound and of pictures in a file; pictures may last a frame longer.
pub const SECONDS: f64 = 1.6;
/// Seconds at which the track clicks.
pub const CLICKS: [f64; 3] = [0.25, 0.75, 1.25];
/// Colours from left to right, each an eighth of the width.
pub const COLORS: [[u8; 3]; 8] = [
    [17, 17, 17],
    [128, 128, 128],
    [255, 255, 255],
    [200, 80, 40],
    [0, 255, 0],
    [0, 0, 255],
    [40, 160, 200],
    [200, 0, 120],
];

const COLUMNS: usize = 8;
const ROWS: usize = 3;

/// The picture of a number: RGB, row after row. Its bits are laid out as [`read_number`] reads them.
pub fn picture(number: u16) -> Vec<u8> {
    let [low, high] = number.to_le_bytes();
    let bits = [low, high, !(low ^ high)];
    let mut rgb = Vec::with_capacity(WIDTH * HEIGHT * 3);
    for y in 0..HEIGHT {
        for x in 0..WIDTH {
            let column = x * COLUMNS / WIDTH;
            let color = match bits.get(y * ROWS / NUMBER_HEIGHT) {
                Some(bits) if bits >> column & 1 == 1 => [255; 3],
                Some(_) => [0; 3],
                None => COLORS[column],
            };
            rgb.extend_from_slice(&color);
        }
    }
    rgb
}

/// What a decoded RGB picture shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// Nothing of the source: the black background.
    Blank,
    /// A picture by its number.
    Number(u16),
}

/// Reads the number in an RGB picture of the canvas's size.
///
/// # Errors
/// When it shows neither a number nor black.
pub fn read(rgb: &[u8]) -> Result<Seen> {
    let green: Vec<u8> = rgb.chunks_exact(3).map(|pixel| pixel[1]).collect();
    ensure!(green.len() == WIDTH * HEIGHT, "{} pixels", green.len());
    if green.iter().all(|value| *value < 24) {
        return Ok(Seen::Blank);
    }
    let rows = &green[..WIDTH * NUMBER_HEIGHT];
    Ok(Seen::Number(read_number(rows, WIDTH, NUMBER_HEIGHT)?))
}

/// The largest difference, in codes, of a shown picture's colours from [`COLORS`], or from their
/// luma if the file has no colours.
pub fn color_error(rgb: &[u8], gray: bool) -> i32 {
    let width = WIDTH / COLUMNS;
    let middle = (NUMBER_HEIGHT + HEIGHT) / 2;
    let errors = COLORS.iter().enumerate().flat_map(|(column, expected)| {
        let (from, to) = (
            column * width + width / 2 - 2,
            column * width + width / 2 + 2,
        );
        let expected = if gray {
            [luma(*expected); 3]
        } else {
            *expected
        };
        (0..3).map(move |channel| {
            let block = (middle - 2..middle + 2).flat_map(|y| (from..to).map(move |x| (x, y)));
            let sum: i32 = block
                .map(|(x, y)| i32::from(rgb[(y * WIDTH + x) * 3 + channel]))
                .sum();
            (sum / 16 - i32::from(expected[channel])).abs()
        })
    });
    errors.max().unwrap_or(0)
}

/// BT.601, which files of this size are written with unless they say otherwise.
fn luma([red, green, blue]: [u8; 3]) -> u8 {
    let sum = 299 * u32::from(red) + 587 * u32::from(green) + 114 * u32::from(blue);
    u8::try_from(sum / 1000).unwrap_or(u8::MAX)
}

/// The clicks as a mono WAVE file in 16 bits at [`RATE`].
pub fn click_track() -> Vec<u8> {
    let mut samples = vec![0.0_f32; whole(SECONDS * f64::from(RATE))];
    let click = click();
    for time in CLICKS {
        let at = whole(time * f64::from(RATE));
        samples[at..at + click.len()].copy_from_slice(&click);
    }
    let data: Vec<u8> = samples
        .iter()
        .flat_map(|sample| code(*sample).to_le_bytes())
        .collect();
    let length = u32::try_from(data.len()).unwrap_or(u32::MAX);
    let mut file = Vec::new();
    file.extend_from_slice(b"RIFF");
    file.extend_from_slice(&(36 + length).to_le_bytes());
    file.extend_from_slice(b"WAVEfmt ");
    file.extend_from_slice(&16_u32.to_le_bytes());
    file.extend_from_slice(&1_u16.to_le_bytes());
    file.extend_from_slice(&1_u16.to_le_bytes());
    file.extend_from_slice(&RATE.to_le_bytes());
    file.extend_from_slice(&(RATE * 2).to_le_bytes());
    file.extend_from_slice(&2_u16.to_le_bytes());
    file.extend_from_slice(&16_u16.to_le_bytes());
    file.extend_from_slice(b"data");
    file.extend_from_slice(&length.to_le_bytes());
    file.extend_from_slice(&data);
    file
}

#[expect(clippy::cast_possible_truncation, reason = "samples lie within -1..1")]
fn code(sample: f32) -> i16 {
    (sample * 32767.0).round() as i16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_reads_as_its_number_with_its_colours_and_black_as_blank() {
        for number in [0, 1, 47, 95] {
            let rgb = picture(number);
            assert_eq!(read(&rgb).unwrap(), Seen::Number(number));
            assert_eq!(color_error(&rgb, false), 0);
            assert!(color_error(&rgb, true) > 50);
        }
        assert_eq!(read(&vec![3; WIDTH * HEIGHT * 3]).unwrap(), Seen::Blank);
        assert!(read(&vec![128; WIDTH * HEIGHT * 3]).is_err());
    }
}
