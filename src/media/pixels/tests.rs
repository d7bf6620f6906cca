//! Every layout, matrix and range against colours computed here.
#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "codes of a test are within their words"
)]

use super::*;
use crate::media::PixelFormat;
use crate::media::container::ColorTags;
use crate::timeline::Matrix;

const COLORS: [[f64; 3]; 7] = [
    [200.0, 80.0, 40.0],
    [0.0, 255.0, 0.0],
    [17.0, 17.0, 17.0],
    [255.0, 255.0, 255.0],
    [0.0, 0.0, 0.0],
    [12.0, 34.0, 200.0],
    [250.0, 128.0, 3.0],
];
const MATRICES: [(u8, Matrix, f64, f64); 4] = [
    (1, Matrix::Bt709, 0.2126, 0.0722),
    (6, Matrix::Bt601, 0.299, 0.114),
    (7, Matrix::Smpte240m, 0.212, 0.087),
    (9, Matrix::Bt2020, 0.2627, 0.0593),
];
const SIZE: u32 = 8;

/// Coded components of a colour in `bits` bits.
fn coded(color: [f64; 3], (red, blue): (f64, f64), full: bool, bits: u8) -> [u16; 3] {
    let [r, g, b] = color.map(|value| value / 255.0);
    let luma = red * r + (1.0 - red - blue) * g + blue * b;
    let (u, v) = (
        (b - luma) / (2.0 - 2.0 * blue),
        (r - luma) / (2.0 - 2.0 * red),
    );
    let unit = f64::from(1_u32 << (bits - 8));
    let most = unit * 256.0 - 1.0;
    let words = if full {
        [
            luma * most,
            u * most + 128.0 * unit,
            v * most + 128.0 * unit,
        ]
    } else {
        [
            (16.0 + 219.0 * luma) * unit,
            (128.0 + 224.0 * u) * unit,
            (128.0 + 224.0 * v) * unit,
        ]
    };
    words.map(|word| word.round().clamp(0.0, most) as u16)
}

fn stored(word: u16, bits: u8, count: usize) -> Vec<u8> {
    if bits > 8 {
        word.to_le_bytes().repeat(count)
    } else {
        vec![word as u8; count]
    }
}

/// A flat picture of a layout of luma and colour differences.
fn picture(layout: Layout, words: [u16; 3]) -> Vec<(Vec<u8>, usize)> {
    let bits = layout.bits();
    match layout {
        Layout::Yuy2 | Layout::Uyvy => {
            let [y, u, v] = words.map(|word| word as u8);
            let group = if layout == Layout::Yuy2 {
                [y, u, y, v]
            } else {
                [u, y, v, y]
            };
            vec![(group.repeat(32), 16)]
        }
        Layout::Nv12 => vec![
            (stored(words[0], 8, 64), 8),
            ([words[1] as u8, words[2] as u8].repeat(16), 8),
        ],
        Layout::V210 => {
            let [y, u, v] = words.map(u32::from);
            let group = [
                u | y << 10 | v << 20,
                y | u << 10 | y << 20,
                v | y << 10 | u << 20,
                y | v << 10 | y << 20,
            ];
            let bytes: Vec<u8> = group.iter().flat_map(|word| word.to_le_bytes()).collect();
            vec![(bytes.repeat(2 * 8), 32)]
        }
        _ => (0..layout.planes())
            .map(|plane| {
                let (row, rows) = layout.plane_size(plane, SIZE, SIZE);
                let word = if plane == 3 {
                    (1 << bits) - 1
                } else {
                    words[plane.min(2)]
                };
                let count = row * rows / if bits > 8 { 2 } else { 1 };
                (stored(word, bits, count), row)
            })
            .collect(),
    }
}

fn native(layout: Layout, planes: &[(Vec<u8>, usize)]) -> Native<'_> {
    Native {
        layout,
        width: SIZE,
        height: SIZE,
        planes: planes
            .iter()
            .map(|(data, stride)| NativePlane {
                data,
                stride: *stride,
            })
            .collect(),
        palette: None,
        alpha: None,
        is_interlaced: false,
    }
}

/// Red, green and blue of a frame's middle.
fn shown(frame: &crate::media::Frame) -> [f64; 3] {
    let at = |plane: usize, x: usize, y: usize| {
        f64::from(frame.planes[plane].data[y * frame.planes[plane].stride + x])
    };
    match frame.format {
        PixelFormat::Rgba => [0, 1, 2].map(|channel| at(0, 4 * 4 + channel, 4)),
        PixelFormat::I420(color) => {
            let (red, blue) = MATRICES
                .iter()
                .find(|entry| entry.1 == color.matrix)
                .map(|entry| (entry.2, entry.3))
                .expect("a matrix");
            let (y, u, v) = (at(0, 4, 4), at(1, 2, 2) - 128.0, at(2, 2, 2) - 128.0);
            let (y, u, v) = if color.full_range {
                (y, u, v)
            } else {
                (
                    (y - 16.0) * 255.0 / 219.0,
                    u * 255.0 / 224.0,
                    v * 255.0 / 224.0,
                )
            };
            let r = y + 2.0 * (1.0 - red) * v;
            let b = y + 2.0 * (1.0 - blue) * u;
            [r, (y - red * r - blue * b) / (1.0 - red - blue), b]
        }
    }
}

fn assert_near(found: [f64; 3], wanted: [f64; 3], case: &str) {
    for (found, wanted) in found.iter().zip(wanted) {
        assert!(
            (found.clamp(0.0, 255.0) - wanted).abs() <= 2.0,
            "{case}: {found} for {wanted}"
        );
    }
}

#[test]
fn luma_and_colour_differences_keep_their_colour_in_every_layout_matrix_and_range() {
    let layouts = [
        Layout::I420,
        Layout::Nv12,
        Layout::I422,
        Layout::Y41b,
        Layout::I444,
        Layout::I420Deep(10),
        Layout::I420Deep(12),
        Layout::I422Deep(10),
        Layout::I422Deep(12),
        Layout::I444Deep(10),
        Layout::I444Deep(12),
        Layout::Alpha(true, true, 8),
        Layout::Alpha(true, true, 10),
        Layout::Alpha(true, false, 10),
        Layout::Alpha(false, false, 10),
        Layout::Yuy2,
        Layout::Uyvy,
        Layout::V210,
    ];
    for layout in layouts {
        for (code, _, red, blue) in MATRICES {
            for full in [false, true] {
                for color in COLORS {
                    let words = coded(color, (red, blue), full, layout.bits());
                    let planes = picture(layout, words);
                    let tags = ColorTags {
                        matrix: Some(code),
                        full_range: Some(full),
                        ..ColorTags::default()
                    };
                    let decision = decide(&tags, None, layout, SIZE);
                    let frame = to_frame(&native(layout, &planes), &decision).expect("converted");
                    let case = format!("{layout:?} {code} {full} {color:?}");
                    assert_near(shown(&frame), color, &case);
                }
            }
        }
    }
}

#[test]
fn gray_is_gray_in_both_ranges() {
    for (full, white, black) in [(false, 235, 16), (true, 255, 0)] {
        for (code, wanted) in [(white, 255.0), (black, 0.0)] {
            let planes = [(vec![code; 64], 8)];
            let tags = ColorTags {
                full_range: Some(full),
                ..ColorTags::default()
            };
            let decision = decide(&tags, None, Layout::Gray8, SIZE);
            let frame = to_frame(&native(Layout::Gray8, &planes), &decision).expect("converted");
            assert_near(shown(&frame), [wanted; 3], &format!("{code} {full}"));
        }
    }
}

#[test]
fn red_green_and_blue_stay_what_they_are() {
    let [r, g, b] = [200_u8, 80, 40];
    let cases: [(Layout, Vec<u8>); 9] = [
        (Layout::Rgb, vec![r, g, b]),
        (Layout::Bgr, vec![b, g, r]),
        (Layout::Rgbx, vec![r, g, b, 9]),
        (Layout::Bgrx, vec![b, g, r, 9]),
        (Layout::Xrgb, vec![9, r, g, b]),
        (Layout::Rgba, vec![r, g, b, 255]),
        (Layout::Bgra, vec![b, g, r, 255]),
        (Layout::Argb, vec![255, r, g, b]),
        (Layout::Abgr, vec![255, b, g, r]),
    ];
    for (layout, pixel) in cases {
        let planes = [(pixel.repeat(64), pixel.len() * 8)];
        // Below 720 lines too: no matrix is in it.
        let decision = decide(&ColorTags::default(), None, layout, SIZE);
        let frame = to_frame(&native(layout, &planes), &decision).expect("converted");
        assert_near(shown(&frame), [200.0, 80.0, 40.0], &format!("{layout:?}"));
    }
    for bits in [8, 10, 12] {
        let word = |value: f64| {
            stored(
                (value / 255.0 * f64::from((1_u32 << bits) - 1)).round() as u16,
                bits,
                64,
            )
        };
        let stride = if bits > 8 { 16 } else { 8 };
        let planes = [
            (word(80.0), stride),
            (word(40.0), stride),
            (word(200.0), stride),
        ];
        let layout = Layout::Gbr(bits);
        let decision = decide(&ColorTags::default(), None, layout, SIZE);
        let frame = to_frame(&native(layout, &planes), &decision).expect("converted");
        assert_near(shown(&frame), [200.0, 80.0, 40.0], &format!("{layout:?}"));
    }
}

#[test]
fn alpha_is_kept_and_colours_are_premultiplied() {
    let planes = [([200_u8, 80, 40, 128].repeat(64), 32)];
    let decision = decide(&ColorTags::default(), None, Layout::Rgba, SIZE);
    let frame = to_frame(&native(Layout::Rgba, &planes), &decision).expect("converted");
    assert_eq!(frame.planes[0].data[..4], [100, 40, 20, 128]);
    let words = coded([200.0, 80.0, 40.0], (0.299, 0.114), false, 8);
    let mut planes = picture(Layout::Alpha(true, true, 8), words);
    planes[3].0.fill(0);
    let layout = Layout::Alpha(true, true, 8);
    let decision = decide(&ColorTags::default(), None, layout, SIZE);
    let frame = to_frame(&native(layout, &planes), &decision).expect("converted");
    assert_eq!(frame.planes[0].data[..4], [0; 4]);
}

#[test]
fn the_containers_tag_wins_field_by_field() {
    let coded = crate::media::bitstream::Coded {
        width: 8,
        height: 8,
        pixel_aspect: None,
        chroma: crate::media::bitstream::Chroma::Yuv420,
        depth: 8,
        color: ColorTags {
            matrix: Some(9),
            full_range: Some(true),
            ..ColorTags::default()
        },
        is_interlaced: false,
        has_alpha: false,
    };
    let tags = ColorTags {
        matrix: Some(1),
        ..ColorTags::default()
    };
    let decision = decide(&tags, Some(&coded), Layout::I420, 480);
    assert_eq!(
        (decision.matrix, decision.matrix_source),
        (Some(Matrix::Bt709), Source::Container)
    );
    assert_eq!(
        (decision.full_range, decision.range_source),
        (true, Source::Bitstream)
    );
    let none = decide(&ColorTags::default(), None, Layout::I420, 480);
    assert_eq!(
        (none.matrix, none.matrix_source),
        (Some(Matrix::Bt601), Source::Assumed)
    );
    let high = decide(&ColorTags::default(), None, Layout::I420, 720);
    assert_eq!((high.matrix, high.full_range), (Some(Matrix::Bt709), false));
}
