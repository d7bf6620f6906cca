//! Claims about layout and fonts that need no picture to look at.

use super::*;
use crate::composition::{Rgba, TextAlign};

const EVERYWHERE: Rect = Rect {
    x: -4000.0,
    y: -4000.0,
    width: 8000.0,
    height: 8000.0,
};

fn style(text: &str) -> TextStyle {
    TextStyle {
        text: text.to_owned(),
        family: "Inter".to_owned(),
        font_url: None,
        size: 20.0,
        weight: 400,
        italic: false,
        color: Rgba {
            r: 255,
            g: 255,
            b: 255,
            a: 255,
        },
        align: TextAlign::Left,
        vertical_align: VerticalAlign::Top,
        leading: 1.5,
        wrap: true,
    }
}

fn drawn(engine: &TextEngine, style: &TextStyle, width: f64) -> TextPicture {
    engine
        .draw(style, (width, 100.0), (0.0, 0.0), EVERYWHERE)
        .unwrap()
        .unwrap()
}

#[test]
fn lines_times_leading_is_the_height() {
    let engine = TextEngine::new();
    for (text, width, lines) in [
        ("one", 400.0, 1.0),
        ("one\ntwo", 400.0, 2.0),
        ("one\n\nthree", 400.0, 3.0),
        ("one\r\ntwo", 400.0, 2.0),
        ("seven words that do not fit here", 120.0, 3.0),
    ] {
        assert_eq!(engine.height(&style(text), width), lines * 30.0, "{text:?}");
    }
    let unwrapped = TextStyle {
        wrap: false,
        ..style("seven words that do not fit here")
    };
    assert_eq!(engine.height(&unwrapped, 120.0), 30.0);
}

#[test]
fn alignment_moves_the_ink_to_its_side() {
    let engine = TextEngine::new();
    let left = |align| {
        drawn(
            &engine,
            &TextStyle {
                align,
                ..style("HHH")
            },
            300.0,
        )
        .rect
    };
    let (start, middle, end) = (
        left(TextAlign::Left),
        left(TextAlign::Center),
        left(TextAlign::Right),
    );
    assert!(start.x < 4.0, "{start:?}");
    assert!(
        (middle.x + middle.width / 2.0 - 150.0).abs() < 1.5,
        "{middle:?}"
    );
    assert!(
        end.x + end.width > 296.0 && end.x + end.width < 303.0,
        "{end:?}"
    );
}

#[test]
fn bundled_families_are_found_in_any_case_and_others_replaced() {
    let engine = TextEngine::new();
    for (family, known) in [("inter", true), ("NOTO SANS", true), ("Comic Sans", false)] {
        let notices = engine.notices(&TextStyle {
            family: family.to_owned(),
            ..style("a")
        });
        assert_eq!(notices.is_empty(), known, "{family}: {notices:?}");
    }
    assert!(engine.known_families().contains(&"Inter".to_owned()));
}

#[test]
fn a_character_in_no_font_is_reported_and_a_covered_one_is_not() {
    let engine = TextEngine::new();
    for text in [
        "Grüße Ελλάδα Привет",
        "日本語 漢字 かな",
        "שלום مرحبا",
        "สวัสดี नमस्ते",
        "👩‍👩‍👧‍👦 🇩🇪 1️⃣ ☕ ❤️ 👍🏽",
    ] {
        assert_eq!(engine.notices(&style(text)), vec![], "{text}");
    }
    // Cuneiform: no bundled font has it.
    assert_eq!(
        engine.notices(&style("a\u{12000}")),
        vec![TextNotice::MissingGlyph('\u{12000}')]
    );
}

#[test]
fn a_joined_family_is_one_emoji_wide() {
    let engine = TextEngine::new();
    let one = drawn(&engine, &style("👩"), 400.0).rect.width;
    let family = drawn(&engine, &style("👩\u{200D}👩\u{200D}👧\u{200D}👦"), 400.0)
        .rect
        .width;
    assert!((one - family).abs() <= 3.0, "{one} and {family}");
}

#[test]
fn heavier_weights_have_more_ink() {
    let engine = TextEngine::new();
    let ink = |weight| {
        let picture = drawn(
            &engine,
            &TextStyle {
                weight,
                ..style("Weight")
            },
            400.0,
        );
        let bytes = &picture.frame.planes[0].data;
        bytes
            .iter()
            .skip(3)
            .step_by(4)
            .map(|alpha| u64::from(*alpha))
            .sum::<u64>()
    };
    let inks: Vec<u64> = (1..=9).map(|hundred| ink(hundred * 100)).collect();
    assert!(inks.windows(2).all(|pair| pair[0] < pair[1]), "{inks:?}");
}

#[test]
fn a_fraction_moves_the_picture_to_whole_canvas_pixels() {
    let engine = TextEngine::new();
    let picture = engine
        .draw(&style("Half"), (200.0, 50.0), (0.5, 0.25), EVERYWHERE)
        .unwrap()
        .unwrap();
    assert_eq!((picture.rect.x + 0.5).fract(), 0.0);
    assert_eq!((picture.rect.y + 0.25).fract(), 0.0);
}

#[test]
fn loaded_fonts_are_checked_and_named_by_content() {
    let engine = TextEngine::new();
    assert!(engine.load_font(b"not a font".to_vec()).is_err());
    let bytes = include_bytes!("../../../config/fonts/noto/NotoSans-Bold.ttf").to_vec();
    let name = engine.load_font(bytes.clone()).unwrap();
    assert_eq!(engine.load_font(bytes).unwrap(), name);
    let url = "https://fonts.test/a.ttf";
    let asked = TextStyle {
        font_url: Some(url.to_owned()),
        ..style("a")
    };
    assert_eq!(engine.notices(&asked).len(), 1);
    engine.bind_font(url, &name);
    assert_eq!(engine.notices(&asked), vec![]);
    assert_ne!(
        drawn(&engine, &asked, 200.0).frame.planes[0].data,
        drawn(&engine, &style("a"), 200.0).frame.planes[0].data,
    );
}
