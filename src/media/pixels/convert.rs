//! Pictures converted row by row.

use super::Native;
use super::decide::{ColorDecision, Curve};
use super::rows::{self, Row};
use crate::media::{Frame, MediaError, PixelFormat, Plane};
use crate::timeline::{Matrix, YuvColor};

/// The picture as a frame.
///
/// # Errors
/// [`MediaError::Engine`] when it has another number of planes than its layout.
pub fn to_frame(native: &Native<'_>, decision: &ColorDecision) -> Result<Frame, MediaError> {
    if native.planes.len() < native.layout.planes() {
        return Err(MediaError::Engine("a picture lacks planes".into()));
    }
    Ok(match decision.yuv().filter(|_| native.alpha.is_none()) {
        Some(color) => planes(native, color),
        None => rgba(native, decision),
    })
}

/// A word of `bits` bits in eight, rounded.
fn narrowed(word: u16, bits: u8) -> u8 {
    let rounded = if bits > 8 {
        let shift = bits - 8;
        (u32::from(word) + (1 << (shift - 1))) >> shift
    } else {
        u32::from(word)
    };
    u8::try_from(rounded).unwrap_or(255)
}

/// Luma and colour differences in 8 bits, halved both ways.
fn planes(native: &Native<'_>, color: YuvColor) -> Frame {
    let (width, height) = (native.width as usize, native.height as usize);
    let (half_width, half_height) = (width.div_ceil(2), height.div_ceil(2));
    let bits = native.layout.bits();
    let mut row = Row::default();
    let mut luma = Vec::with_capacity(width * height);
    for y in 0..height {
        rows::luma(native, y, &mut row);
        luma.extend(row.parts[0].iter().map(|&word| narrowed(word, bits)));
    }
    let mut chroma = [Vec::new(), Vec::new()];
    match native.layout.halved() {
        None => {
            chroma = [
                vec![128; half_width * half_height],
                vec![128; half_width * half_height],
            ];
        }
        Some((across, down)) => {
            let mut below = Row::default();
            for y in 0..half_height {
                if down {
                    rows::chroma(native, y, &mut row);
                } else {
                    rows::chroma(native, 2 * y, &mut row);
                    // The rows of two fields are moments apart.
                    let other = if native.is_interlaced {
                        2 * y
                    } else {
                        (2 * y + 1).min(height - 1)
                    };
                    rows::chroma(native, other, &mut below);
                }
                for (out, part) in chroma.iter_mut().zip([1, 2]) {
                    let own = &row.parts[part];
                    let next = if down { own } else { &below.parts[part] };
                    halved(own, next, across, half_width, bits, out);
                }
            }
        }
    }
    let [u, v] = chroma;
    let plane = |data: Vec<u8>, stride| Plane {
        data: data.into(),
        stride,
    };
    Frame {
        width: native.width,
        height: native.height,
        format: PixelFormat::I420(color),
        planes: vec![
            plane(luma, width),
            plane(u, half_width),
            plane(v, half_width),
        ],
    }
}

/// One row of halved chroma out of two: their mean, and where it is not halved across yet the
/// weights 1 2 1 about every other column.
fn halved(own: &[u16], next: &[u16], across: bool, count: usize, bits: u8, out: &mut Vec<u8>) {
    let shift = bits.saturating_sub(8);
    let at = |row: &[u16], x: usize| u32::from(row.get(x).or(row.last()).copied().unwrap_or(0));
    let pair = |x: usize| at(own, x) + at(next, x);
    let mean = |sum: u32, weight: u32| {
        let whole = weight << shift;
        u8::try_from((sum + whole / 2) / whole).unwrap_or(255)
    };
    if across {
        out.extend((0..count).map(|x| mean(pair(x), 2)));
        return;
    }
    out.extend((0..count).map(|x| {
        let x = 2 * x;
        mean(pair(x.saturating_sub(1)) + 2 * pair(x) + pair(x + 1), 8)
    }));
}

/// How words become numbers of 0–1, and colour differences about one half.
struct Scale {
    luma_base: f32,
    luma: f32,
    chroma: f32,
    middle: f32,
}

impl Scale {
    fn new(bits: u8, full_range: bool) -> Self {
        let unit = f32::from(1_u16 << (bits.min(15) - 8)) * if bits == 16 { 2.0 } else { 1.0 };
        let most = unit * 256.0 - 1.0;
        if full_range {
            return Self {
                luma_base: 0.0,
                luma: 1.0 / most,
                chroma: 1.0 / most,
                middle: unit * 128.0,
            };
        }
        Self {
            luma_base: 16.0 * unit,
            luma: 1.0 / (219.0 * unit),
            chroma: 1.0 / (224.0 * unit),
            middle: 128.0 * unit,
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to a byte before the cast"
)]
fn byte(value: f32) -> u8 {
    (value * 255.0 + 0.5).clamp(0.0, 255.0) as u8
}

/// Premultiplied RGBA.
fn rgba(native: &Native<'_>, decision: &ColorDecision) -> Frame {
    let (width, height) = (native.width as usize, native.height as usize);
    let bits = native.layout.bits();
    let scale = Scale::new(bits, decision.full_range);
    let most = f32::from(u16::try_from((1_u32 << bits) - 1).unwrap_or(u16::MAX));
    let (across, down) = native.layout.halved().unwrap_or((false, false));
    let mut row = Row::default();
    let mut pixels = Vec::with_capacity(width * height * 4);
    for y in 0..height {
        rows::luma(native, y, &mut row);
        if decision.matrix.is_some() && native.layout.halved().is_some() {
            rows::chroma(native, if down { y / 2 } else { y }, &mut row);
        }
        for x in 0..width {
            let word = |part: usize, x: usize| {
                let row = &row.parts[part];
                f32::from(row.get(x).or(row.last()).copied().unwrap_or(0))
            };
            let coded = match decision.matrix {
                None => [0, 1, 2].map(|part| (word(part, x) - scale.luma_base) * scale.luma),
                Some(_) => {
                    let luma = (word(0, x) - scale.luma_base) * scale.luma;
                    let difference = |part: usize| {
                        let value = if !across {
                            word(part, x)
                        } else if x % 2 == 0 {
                            word(part, x / 2)
                        } else {
                            (word(part, x / 2) + word(part, x / 2 + 1)) * 0.5
                        };
                        (value - scale.middle) * scale.chroma + 0.5
                    };
                    if native.layout.is_gray() {
                        [luma, 0.5, 0.5]
                    } else {
                        [luma, difference(1), difference(2)]
                    }
                }
            };
            let color = if decision.curve == Curve::Sdr {
                sdr(decision.matrix, coded)
            } else {
                decision.lut().apply(coded)
            };
            let alpha = match native.alpha {
                Some(plane) => {
                    // Full range, as the encoder was given it.
                    plane.row(y, width).get(x).copied().unwrap_or(255)
                }
                None if row.parts[3].is_empty() => 255,
                None => byte(word(3, x) / most),
            };
            let over = |channel: u8| {
                u8::try_from((u16::from(channel) * u16::from(alpha) + 127) / 255).unwrap_or(255)
            };
            let [r, g, b] = if alpha == 255 { color } else { color.map(over) };
            pixels.extend([r, g, b, alpha]);
        }
    }
    Frame {
        width: native.width,
        height: native.height,
        format: PixelFormat::Rgba,
        planes: vec![Plane {
            data: pixels.into(),
            stride: width * 4,
        }],
    }
}

fn sdr(matrix: Option<Matrix>, coded: [f32; 3]) -> [u8; 3] {
    let Some(matrix) = matrix else {
        return coded.map(byte);
    };
    let (red, blue) = matrix.weights();
    #[expect(clippy::cast_possible_truncation, reason = "four digits")]
    let (red, blue) = (red as f32, blue as f32);
    let [luma, u, v] = [coded[0], coded[1] - 0.5, coded[2] - 0.5];
    let r = luma + 2.0 * (1.0 - red) * v;
    let b = luma + 2.0 * (1.0 - blue) * u;
    let g = (luma - red * r - blue * b) / (1.0 - red - blue);
    [r, g, b].map(byte)
}
