//! What compositions look like. Each test stores a picture, claims something about it that
//! follows from arithmetic alone, and changes one field to see the picture change.
#![expect(
    clippy::unwrap_used,
    reason = "a test that cannot be set up has failed"
)]

use crate::support::golden::{golden, staged};
use framelane::render::reference::ReferenceCompositor;
use framelane::render::{Compositor, PixelRect};
use serde_json::{Value, json};

/// A canvas of 320 × 180 with `elements` on black.
fn scene(elements: &[Value]) -> Value {
    json!({ "width": 320, "height": 180, "duration": 1, "elements": elements })
}

fn with(mut base: Value, fields: &Value) -> Value {
    for (name, value) in fields.as_object().unwrap() {
        base[name] = value.clone();
    }
    base
}

fn image(file: &str, fields: &Value) -> Value {
    let id = format!("{file} {fields}");
    let url = format!("http://media.test/{file}.png");
    with(
        json!({ "type": "image", "id": id, "source_url": url, "duration": 1 }),
        fields,
    )
}

fn video(file: &str, fields: &Value) -> Value {
    let url = format!("http://media.test/{file}.mp4");
    with(json!({ "type": "video", "source_url": url }), fields)
}

fn text(content: &str, fields: &Value) -> Value {
    with(
        json!({ "type": "text", "text": content, "font_size": 32, "duration": 1 }),
        fields,
    )
}

macro_rules! goldens {
    ($($name:ident: $scene:expr, $mutation:expr, $claim:expr;)*) => {
        $(
            #[test]
            fn $name() {
                golden(stringify!($name), &$scene, $claim, $mutation);
            }
        )*
    };
}

goldens! {
    background_fills_the_canvas:
        with(scene(&[]), &json!({ "background_color": "#336699" })),
        ("/background_color", json!("#336698")),
        |p| { p.is(0, 0, [51, 102, 153]); p.is(319, 179, [51, 102, 153]); };
    background_alpha_is_premultiplied:
        with(scene(&[]), &json!({ "background_color": "#ff000080" })),
        ("/background_color", json!("#ff000090")),
        |p| assert_eq!(p.at(160, 90), [128, 0, 0, 128]);
    image_contained_keeps_its_shape:
        scene(&[image("quad", &json!({ "fit": "contain" }))]),
        ("/elements/0/fit", json!("fill")),
        |p| { p.is(69, 90, [0; 3]); p.is(75, 10, [255, 0, 0]); p.is(245, 170, [255; 3]); p.is(250, 90, [0; 3]); };
    image_covering_is_cut:
        scene(&[image("quad", &json!({ "fit": "cover" }))]),
        ("/elements/0/fit", json!("contain")),
        |p| { p.is(0, 0, [255, 0, 0]); p.is(319, 0, [0, 255, 0]); p.is(0, 179, [0, 0, 255]); };
    image_filling_is_stretched:
        scene(&[image("quad", &json!({ "fit": "fill" }))]),
        ("/elements/0/fit", json!("contain")),
        |p| { p.is(0, 0, [255, 0, 0]); p.is(150, 80, [255, 0, 0]); p.is(319, 179, [255; 3]); };
    image_on_whole_pixels_is_a_copy:
        scene(&[image("ramp", &json!({ "x": 100, "y": 50, "x_anchor": 0, "y_anchor": 0, "width": 64, "height": 36 }))]),
        ("/elements/0/x", json!(101)),
        |p| for (x, y) in [(0u8, 0u8), (10, 5), (63, 35)] {
            let want = [x * 4, y * 7, 128, 255];
            assert_eq!(p.at(100 + u32::from(x), 50 + u32::from(y)), want);
        };
    image_between_pixels_has_half_edges:
        scene(&[image("ramp", &json!({ "x": 100.5, "y": 50, "x_anchor": 0, "y_anchor": 0, "width": 64, "height": 36 }))]),
        ("/elements/0/x", json!(100)),
        |p| { p.is(99, 60, [0; 3]); p.is(100, 60, [0, 35, 64]); p.is(101, 60, [2, 70, 128]); p.is(164, 60, [126, 35, 64]); };
    image_by_its_bottom_right_anchor:
        scene(&[image("ramp", &json!({ "x": "100%", "y": "100%", "x_anchor": "100%", "y_anchor": "100%", "width": 64, "height": 36 }))]),
        ("/elements/0/x_anchor", json!("50%")),
        |p| { assert_eq!(p.at(319, 179), [252, 245, 128, 255]); assert_eq!(p.at(256, 144), [0, 0, 128, 255]); };
    image_in_percent_of_the_canvas:
        scene(&[image("quad", &json!({ "width": "25%", "height": "25%", "fit": "fill" }))]),
        ("/elements/0/width", json!("30%")),
        |p| { p.is(119, 80, [0; 3]); p.is(120, 80, [255, 0, 0]); p.is(125, 67, [128, 0, 0]); p.is(199, 112, [128; 3]); };
    image_with_an_automatic_height:
        scene(&[image("quad", &json!({ "width": 160, "height": "auto" }))]),
        ("/elements/0/width", json!(120)),
        |p| { p.is(100, 9, [0; 3]); p.is(100, 10, [255, 0, 0]); p.is(230, 169, [255; 3]); p.is(230, 170, [0; 3]); };
    image_reduced_does_not_alias:
        scene(&[image("fine", &json!({ "width": 32, "height": "auto" }))]),
        ("/elements/0/width", json!(160)),
        |p| for x in 148..172 { for y in 84..96 {
            let [r, ..] = p.at(x, y);
            assert!((120..=135).contains(&r), "({x}, {y}) is {r}");
        } };
    image_enlarged_is_interpolated:
        scene(&[image("odd", &json!({ "width": 231, "height": 119 }))]),
        ("/elements/0/height", json!(118)),
        |p| {
            // Seven pixels a texel; centres of texels 3 and 4 are 21 and 28 plus 3 from the left edge.
            let (left, middle, right) = (p.at(44 + 24, 34), p.at(44 + 28, 34), p.at(44 + 31, 34));
            assert!(left[0] < middle[0] && middle[0] < right[0], "{left:?} {middle:?} {right:?}");
        };
    image_turned_about_its_middle:
        scene(&[image("quad", &json!({ "width": 100, "height": 100, "z_rotation": 45 }))]),
        ("/elements/0/z_rotation", json!(30)),
        |p| { p.is(160, 40, [255, 0, 0]); p.is(210, 90, [0, 255, 0]); p.is(110, 90, [0, 0, 255]); p.is(160, 140, [255; 3]);
            p.is(115, 45, [0; 3]);
            // A quarter of red's 50 × 50 over the canvas, and white's.
            let want = 255.0 * 5000.0 / 57600.0;
            assert!((p.mean(0) - want).abs() < 0.3, "{} {want}", p.mean(0)); };
    image_turned_about_its_corner:
        scene(&[image("ramp", &json!({ "x": 200, "y": 40, "x_anchor": 0, "y_anchor": 0, "width": 64, "height": 36, "z_rotation": 90 }))]),
        ("/elements/0/z_rotation", json!(-90)),
        |p| { assert_eq!(p.at(199, 40), [0, 0, 128, 255]); assert_eq!(p.at(164, 103), [252, 245, 128, 255]); p.is(163, 60, [0; 3]); p.is(200, 60, [0; 3]); };
    image_half_opaque:
        with(scene(&[image("quad", &json!({ "opacity": 50 }))]), &json!({ "background_color": "#ffffff" })),
        ("/elements/0/opacity", json!(80)),
        |p| { p.is(100, 50, [255, 128, 128]); p.is(200, 50, [128, 255, 128]); p.is(10, 10, [255; 3]); };
    higher_z_lies_above:
        scene(&[
            image("ramp", &json!({ "z_index": 1, "width": 100, "height": 100, "fit": "fill" })),
            image("quad", &json!({ "z_index": 2, "width": 60, "height": 60 })),
        ]),
        ("/elements/0/z_index", json!(3)),
        |p| { p.is(140, 70, [255, 0, 0]); p.is(180, 110, [255; 3]); };
    earlier_lies_above_at_equal_z:
        scene(&[
            image("quad", &json!({ "width": 60, "height": 60 })),
            image("ramp", &json!({ "width": 100, "height": 100, "fit": "fill" })),
        ]),
        ("/elements/1/z_index", json!(1)),
        |p| { p.is(140, 70, [255, 0, 0]); p.is(180, 110, [255; 3]); };
    image_alpha_shows_what_is_below:
        with(scene(&[image("disc", &json!({ "width": 96, "height": 96 }))]), &json!({ "background_color": "#0000ff" })),
        ("/background_color", json!("#0000fe")),
        |p| { p.is(115, 45, [0, 0, 255]); p.is(160, 90, [200, 125, 55]); };
    image_over_the_canvas_edge:
        scene(&[image("quad", &json!({ "x": 0, "y": 0, "width": 100, "height": 100 }))]),
        ("/elements/0/x", json!(10)),
        |p| { p.is(5, 5, [255; 3]); p.is(45, 45, [255; 3]); p.is(50, 20, [0; 3]); };
    canvas_of_odd_size:
        with(scene(&[image("ramp", &json!({ "fit": "fill" }))]), &json!({ "width": 161, "height": 91 })),
        ("/width", json!(163)),
        |p| { assert_eq!((p.width, p.height), (161, 91)); p.is(0, 0, [0, 0, 128]); p.is(160, 90, [252, 245, 128]); };
    text_flush_left:
        scene(&[text("Left edge", &json!({ "text_align": "left" }))]),
        ("/elements/0/text_align", json!("right")),
        |p| { let [left, _, right, _] = p.ink(); assert!(left < 6 && right < 200, "{:?}", p.ink()); };
    text_flush_right:
        scene(&[text("Right edge", &json!({ "text_align": "right" }))]),
        ("/elements/0/text_align", json!("center")),
        |p| { let [left, _, right, _] = p.ink(); assert!(left > 120 && right > 313, "{:?}", p.ink()); };
    text_centred:
        scene(&[text("HHHHHH", &json!({}))]),
        ("/elements/0/text", json!("HHHHH")),
        |p| { let [left, top, right, bottom] = p.ink();
            assert!((left + right).abs_diff(319) <= 2, "{:?}", p.ink());
            // Cap height of Inter is 0.727 em.
            assert!((bottom - top + 1).abs_diff(23) <= 1, "{:?}", p.ink());
            assert!((top + bottom).abs_diff(180) <= 8, "{:?}", p.ink()); };
    text_sizes:
        scene(&[
            text("Small", &json!({ "y": 30, "font_size": 12 })),
            text("Large", &json!({ "y": 110, "font_size": 72 })),
        ]),
        ("/elements/0/font_size", json!(13)),
        |p| { let [_, top, _, bottom] = p.ink(); assert!(top < 30 && bottom > 125); };
    text_weights:
        scene(&[
            text("Thin 100", &json!({ "y": 40, "font_weight": 100 })),
            text("Regular 400", &json!({ "y": 90, "font_weight": 400 })),
            text("Black 900", &json!({ "y": 140, "font_weight": 900 })),
        ]),
        ("/elements/0/font_weight", json!(200)),
        |p| { let ink = |from: u32| (from..from + 40).flat_map(|y| (0..320).map(move |x| (x, y))).map(|(x, y)| u32::from(p.at(x, y)[0])).sum::<u32>();
            assert!(ink(20) < ink(70) && ink(70) < ink(120)); };
    text_italic:
        scene(&[text("HIHI", &json!({ "font_style": "italic", "font_size": 64 }))]),
        ("/elements/0/font_style", json!("normal")),
        |p| { let [_, top, _, bottom] = p.ink();
            let first = |y: u32| (0..320).find(|x| p.at(*x, y)[0] > 128).unwrap();
            assert!(first(top + 3) > first(bottom - 3) + 4); };
    text_colour_and_alpha:
        scene(&[text("■", &json!({ "text_color": "#ff800080", "font_size": 150 }))]),
        ("/elements/0/text_color", json!("#ff8000")),
        |p| p.is(160, 90, [128, 64, 0]);
    text_wraps_at_its_box:
        scene(&[text("These words are broken into lines", &json!({ "width": 160, "font_size": 20 }))]),
        ("/elements/0/text_wrap", json!("nowrap")),
        |p| { let [left, top, right, bottom] = p.ink(); assert!(left >= 79 && right <= 241 && bottom - top > 30, "{:?}", p.ink()); };
    text_unwrapped_overflows_evenly:
        scene(&[text("One line that is wider than its box", &json!({ "width": 80, "font_size": 16, "text_wrap": "nowrap" }))]),
        ("/elements/0/text_wrap", json!("wrap")),
        |p| { let [left, top, right, bottom] = p.ink();
            assert!(left < 60 && right > 260 && bottom - top < 24 && (left + right).abs_diff(319) <= 3, "{:?}", p.ink()); };
    text_leading:
        scene(&[text("H\nH", &json!({ "leading": 2, "font_size": 30 }))]),
        ("/elements/0/leading", json!(1.2)),
        |p| { let [_, top, _, bottom] = p.ink();
            // From the first cap's top to the second's bottom: one line of 60 and a cap of 22.
            assert!((bottom - top + 1).abs_diff(82) <= 1, "{:?}", p.ink()); };
    text_at_the_bottom_of_its_box:
        scene(&[text("Base", &json!({ "height": "100%", "vertical_align": "bottom" }))]),
        ("/elements/0/vertical_align", json!("top")),
        |p| { let [_, top, _, bottom] = p.ink(); assert!(top > 140 && bottom < 180, "{:?}", p.ink()); };
    text_lines_of_different_length:
        scene(&[text("A first line\nand\n\na fourth", &json!({ "font_size": 24, "text_align": "left", "x": 170 }))]),
        ("/elements/0/text", json!("A first line\nand\na fourth")),
        |p| { let row = |y: u32| (0..320).any(|x| p.at(x, y)[0] > 40); assert!(!row(108) && row(90 - 43)); };
    text_with_emoji:
        scene(&[text("Hi 👋🏽 👩‍👩‍👧‍👦 🇩🇪 ❤️", &json!({ "font_size": 40 }))]),
        ("/elements/0/text", json!("Hi 👋🏿 👩‍👩‍👧‍👦 🇩🇪 ❤️")),
        |p| { let yellow = (0..320).any(|x| (0..180).any(|y| { let [r, g, b, _] = p.at(x, y); r > 150 && g < 60 && b < 80 })); assert!(yellow, "no colour in it"); };
    text_in_both_directions:
        scene(&[text("abc שלום 123 مرحبا", &json!({ "font_size": 30 }))]),
        ("/elements/0/text", json!("abc שלום 124 مرحبا")),
        |p| { let [left, _, right, _] = p.ink(); assert!((left + right).abs_diff(319) <= 8, "{:?}", p.ink()); };
    text_in_han_and_kana:
        scene(&[text("日本語の字幕", &json!({ "font_size": 40 }))]),
        ("/elements/0/text", json!("日本语の字幕")),
        |p| { let [left, _, right, _] = p.ink(); assert!((right - left).abs_diff(240) <= 8, "{:?}", p.ink()); };
    text_without_a_glyph_shows_boxes:
        scene(&[text("a\u{12000}b", &json!({ "font_size": 60 }))]),
        ("/elements/0/text", json!("ab")),
        |p| assert!(p.mean(0) > 1.0);
    text_turned:
        scene(&[text("Turned text", &json!({ "z_rotation": -30, "font_size": 36 }))]),
        ("/elements/0/z_rotation", json!(30)),
        |p| { let [left, top, right, bottom] = p.ink(); assert!(bottom - top > 80 && right - left > 120, "{:?}", p.ink()); };
    video_one_to_one:
        scene(&[video("bars", &json!({}))]),
        ("/elements/0/x", json!(170)),
        |p| { p.is(10, 10, [255; 3]); p.is(120, 90, [254, 0, 0]); p.is(200, 90, [0, 255, 0]); p.is(300, 90, [0; 3]); };
    video_reduced:
        scene(&[video("bars", &json!({ "width": 160, "height": 90 }))]),
        ("/elements/0/width", json!(150)),
        |p| { p.is(79, 90, [0; 3]); p.is(90, 60, [255; 3]); p.is(140, 90, [254, 0, 0]); p.is(90, 44, [0; 3]); };
    video_of_bt601:
        scene(&[video("bars601", &json!({}))]),
        ("/elements/0/source_url", json!("http://media.test/bars.mp4")),
        |p| p.is(120, 90, [234, 0, 2]);
    video_of_full_range:
        scene(&[video("full", &json!({}))]),
        ("/elements/0/source_url", json!("http://media.test/bars.mp4")),
        |p| { p.is(120, 90, [239, 15, 15]); p.is(300, 90, [16; 3]); };
    video_of_centred_chroma:
        scene(&[video("centered", &json!({}))]),
        ("/elements/0/source_url", json!("http://media.test/bars.mp4")),
        |p| { p.is(10, 10, [255; 3]); p.is(120, 90, [254, 0, 0]); };
    video_faint_over_colour:
        with(scene(&[video("bars", &json!({ "opacity": 25 }))]), &json!({ "background_color": "#0000ff" })),
        ("/elements/0/opacity", json!(26)),
        |p| { p.is(10, 10, [64, 64, 255]); p.is(300, 90, [0, 0, 191]); };
    everything_stacked:
        scene(&[
            text("Title 🎬", &json!({ "y": 40, "z_index": 3 })),
            image("disc", &json!({ "x": 60, "y": 120, "width": 80, "height": 80, "z_index": 2, "z_rotation": 20 })),
            video("bars", &json!({ "x": 230, "y": 120, "width": 120, "height": "auto", "z_index": 1, "opacity": 80 })),
            video("bars", &json!({ "z_index": 0 })),
        ]),
        ("/elements/2/opacity", json!(79)),
        |p| { p.is(5, 175, [255; 3]); p.is(60, 120, [255, 180, 55]); p.is(310, 60, [0; 3]); };
}

#[test]
fn a_region_is_that_part_of_the_whole() {
    let scene = scene(&[
        image(
            "quad",
            &json!({ "width": 101, "height": 99, "z_rotation": 15 }),
        ),
        text("Part", &json!({ "font_size": 60 })),
    ]);
    let (list, pictures) = staged(&scene);
    let whole = PixelRect {
        x: 0,
        y: 0,
        width: 320,
        height: 180,
    };
    let part = PixelRect {
        x: 102,
        y: 51,
        width: 77,
        height: 60,
    };
    let mut reference = ReferenceCompositor::new();
    let whole = reference.draw(&list, &pictures, whole).unwrap();
    let drawn = reference.draw(&list, &pictures, part).unwrap();
    for y in 0..60 {
        let start = ((51 + y) * 320 + 102) * 4;
        let want = &whole.planes[0].data[start..start + 77 * 4];
        assert_eq!(
            &drawn.planes[0].data[y * 77 * 4..(y + 1) * 77 * 4],
            want,
            "row {y}"
        );
    }
}
