//! Rows of samples out of whatever layout, widened to words.

use super::{Layout, Native, NativePlane};

/// A row of each component as words of the layout's own depth: luma or red first. Colour
/// differences are as many as the layout has across.
#[derive(Debug, Default)]
pub(super) struct Row {
    pub(super) parts: [Vec<u16>; 4],
}

fn words(plane: Option<&NativePlane<'_>>, y: usize, count: usize, bits: u8, into: &mut Vec<u16>) {
    into.clear();
    let Some(plane) = plane else {
        into.resize(count, 0);
        return;
    };
    if bits > 8 {
        let row = plane.row(y, count * 2);
        into.extend(
            row.as_chunks::<2>()
                .0
                .iter()
                .map(|pair| u16::from_le_bytes(*pair)),
        );
    } else {
        into.extend(plane.row(y, count).iter().map(|&byte| u16::from(byte)));
    }
    into.resize(count, 0);
}

/// Row `y` of luma (or red, green, blue, and alpha) of a picture.
pub(super) fn luma(native: &Native<'_>, y: usize, row: &mut Row) {
    let width = native.width as usize;
    let plane = |index: usize| native.planes.get(index);
    let bits = native.layout.bits();
    let [first, second, third, alpha] = &mut row.parts;
    match native.layout {
        Layout::Gbr(_) | Layout::Gbra(_) => {
            words(plane(2), y, width, bits, first);
            words(plane(0), y, width, bits, second);
            words(plane(1), y, width, bits, third);
            if native.layout.has_alpha() {
                words(plane(3), y, width, bits, alpha);
            }
        }
        Layout::Gray16(is_big) => {
            first.clear();
            let bytes = plane(0).map_or(&[][..], |plane| plane.row(y, width * 2));
            first.extend(bytes.as_chunks::<2>().0.iter().map(|pair| {
                if is_big {
                    u16::from_be_bytes(*pair)
                } else {
                    u16::from_le_bytes(*pair)
                }
            }));
            first.resize(width, 0);
        }
        Layout::Yuy2 | Layout::Uyvy => {
            let offset = usize::from(native.layout == Layout::Uyvy);
            let bytes = plane(0).map_or(&[][..], |plane| plane.row(y, width.div_ceil(2) * 4));
            first.clear();
            first.extend(
                bytes
                    .iter()
                    .skip(offset)
                    .step_by(2)
                    .map(|&byte| u16::from(byte)),
            );
            first.resize(width, 0);
        }
        Layout::V210 => {
            let samples = v210(native, y);
            first.clear();
            first.extend(samples.iter().skip(1).step_by(2).take(width));
            first.resize(width, 0);
        }
        layout if layout.is_rgb() => packed(native, y, row),
        Layout::Alpha(..) => {
            words(plane(0), y, width, bits, first);
            words(plane(3), y, width, bits, alpha);
        }
        _ => words(plane(0), y, width, bits, first),
    }
}

/// Row `y` of the colour differences, counted in their own rows.
pub(super) fn chroma(native: &Native<'_>, y: usize, row: &mut Row) {
    let width = native.width as usize;
    let plane = |index: usize| native.planes.get(index);
    let bits = native.layout.bits();
    let [_, second, third, _] = &mut row.parts;
    match native.layout {
        Layout::Nv12 => {
            let bytes = plane(1).map_or(&[][..], |plane| plane.row(y, width.div_ceil(2) * 2));
            for (offset, part) in [(0, second), (1, third)] {
                part.clear();
                part.extend(
                    bytes
                        .iter()
                        .skip(offset)
                        .step_by(2)
                        .map(|&byte| u16::from(byte)),
                );
                part.resize(width.div_ceil(2), 128);
            }
        }
        Layout::Yuy2 | Layout::Uyvy => {
            let offset = usize::from(native.layout == Layout::Yuy2);
            let bytes = plane(0).map_or(&[][..], |plane| plane.row(y, width.div_ceil(2) * 4));
            for (more, part) in [(0, second), (2, third)] {
                part.clear();
                let own = bytes.iter().skip(offset + more).step_by(4);
                part.extend(own.map(|&byte| u16::from(byte)));
                part.resize(width.div_ceil(2), 128);
            }
        }
        Layout::V210 => {
            let samples = v210(native, y);
            for (offset, part) in [(0, second), (2, third)] {
                part.clear();
                part.extend(
                    samples
                        .iter()
                        .skip(offset)
                        .step_by(4)
                        .take(width.div_ceil(2)),
                );
                part.resize(width.div_ceil(2), 512);
            }
        }
        Layout::Y41b => {
            // Doubled, so that it is halved like the others.
            let quarter = width.div_ceil(4);
            let half = width.div_ceil(2);
            for (index, part) in [(1, second), (2, third)] {
                let mut narrow = Vec::new();
                words(plane(index), y, quarter, bits, &mut narrow);
                part.clear();
                part.extend((0..half).map(|x| {
                    let left = narrow.get(x / 2).copied().unwrap_or(128);
                    let right = narrow.get(x / 2 + 1).copied().unwrap_or(left);
                    if x % 2 == 0 {
                        left
                    } else {
                        u16::midpoint(left, right)
                    }
                }));
            }
        }
        layout => {
            let count = match layout.halved() {
                Some((true, _)) => width.div_ceil(2),
                _ => width,
            };
            words(plane(1), y, count, bits, second);
            words(plane(2), y, count, bits, third);
        }
    }
}

/// The samples of a row in the order of the format: blue difference, luma, red difference, luma.
fn v210(native: &Native<'_>, y: usize) -> Vec<u16> {
    let bytes = native.planes.first().map_or(&[][..], |plane| {
        plane.row(y, native.width.div_ceil(6) as usize * 16)
    });
    bytes
        .as_chunks::<4>()
        .0
        .iter()
        .flat_map(|word| {
            let word = u32::from_le_bytes(*word);
            [word, word >> 10, word >> 20].map(|part| u16::try_from(part & 0x3ff).unwrap_or(0))
        })
        .collect()
}

/// Packed red, green, blue and alpha.
fn packed(native: &Native<'_>, y: usize, row: &mut Row) {
    let width = native.width as usize;
    // Places of red, green, blue, alpha, and bytes of a pixel.
    let (places, bytes): ([Option<usize>; 4], usize) = match native.layout {
        Layout::Rgb => ([Some(0), Some(1), Some(2), None], 3),
        Layout::Bgr => ([Some(2), Some(1), Some(0), None], 3),
        Layout::Rgbx => ([Some(0), Some(1), Some(2), None], 4),
        Layout::Bgrx => ([Some(2), Some(1), Some(0), None], 4),
        Layout::Xrgb => ([Some(1), Some(2), Some(3), None], 4),
        Layout::Xbgr => ([Some(3), Some(2), Some(1), None], 4),
        Layout::Rgba => ([Some(0), Some(1), Some(2), Some(3)], 4),
        Layout::Bgra => ([Some(2), Some(1), Some(0), Some(3)], 4),
        Layout::Argb => ([Some(1), Some(2), Some(3), Some(0)], 4),
        Layout::Abgr => ([Some(3), Some(2), Some(1), Some(0)], 4),
        _ => return numbered(native, y, row),
    };
    let Some(plane) = native.planes.first() else {
        return;
    };
    let pixels = plane.row(y, width * bytes);
    for (part, place) in row.parts.iter_mut().zip(places) {
        part.clear();
        if let Some(place) = place {
            let own = pixels.iter().skip(place).step_by(bytes);
            part.extend(own.map(|&byte| u16::from(byte)));
            part.resize(width, 0);
        }
    }
}

/// Words of 15 and 16 bits, and palettes.
fn numbered(native: &Native<'_>, y: usize, row: &mut Row) {
    let width = native.width as usize;
    let Some(plane) = native.planes.first() else {
        return;
    };
    for part in &mut row.parts {
        part.clear();
    }
    let [red, green, blue, alpha] = &mut row.parts;
    let wide = |value: u16, bits: u32| {
        let most = (1_u32 << bits) - 1;
        u16::try_from((u32::from(value) * 255 + most / 2) / most).unwrap_or(255)
    };
    if native.layout == Layout::Rgb8Palette {
        let palette = native.palette.unwrap_or_default();
        for &index in plane.row(y, width) {
            let at = usize::from(index) * 4;
            let entry = palette.get(at..at + 4).unwrap_or(&[0, 0, 0, 255]);
            for (part, place) in [
                (&mut *red, 2),
                (&mut *green, 1),
                (&mut *blue, 0),
                (&mut *alpha, 3),
            ] {
                part.push(u16::from(entry[place]));
            }
        }
    } else {
        for pair in plane.row(y, width * 2).as_chunks::<2>().0 {
            let word = u16::from_le_bytes(*pair);
            let (r, g) = if native.layout == Layout::Rgb16 {
                (wide(word >> 11, 5), wide(word >> 5 & 63, 6))
            } else {
                (wide(word >> 10 & 31, 5), wide(word >> 5 & 31, 5))
            };
            red.push(r);
            green.push(g);
            blue.push(wide(word & 31, 5));
        }
    }
    for part in [red, green, blue] {
        part.resize(width, 0);
    }
}
