//! Boxes and pictures in them, by tables.

use super::*;
use crate::composition::Fit::{Contain, Cover, Fill};
use crate::composition::Length::{Percent, Px};

const CANVAS: (f64, f64) = (1000.0, 500.0);

fn visual() -> Visual {
    Visual {
        x: Percent(50.0),
        y: Percent(50.0),
        x_anchor: Percent(50.0),
        y_anchor: Percent(50.0),
        width: Size::Length(Percent(100.0)),
        height: Size::Length(Percent(100.0)),
        aspect_ratio: None,
        fit: Cover,
        z_rotation: 0.0,
        opacity: 1.0,
        z_index: 0,
    }
}

/// Left, top, width, height of an unturned box.
fn placed(visual: &Visual, natural: Natural) -> (f64, f64, f64, f64) {
    let placement = place(visual, CANVAS, natural);
    let (left, top) = placement.transform.apply((0.0, 0.0));
    (left, top, placement.size.0, placement.size.1)
}

#[test]
fn sizes_come_from_the_canvas_the_source_and_the_ratio() {
    let picture = Natural::Picture(1920.0, 1080.0);
    let (whole, half, px) = (Percent(100.0), Percent(50.0), Px(160.0));
    let given = Size::Length;
    let cases = [
        (given(whole), given(whole), None, (1000.0, 500.0)),
        (given(half), given(Px(10.0)), None, (500.0, 10.0)),
        (given(px), Size::Auto, None, (160.0, 90.0)),
        (
            Size::Auto,
            given(half),
            None,
            (250.0 * 1920.0 / 1080.0, 250.0),
        ),
        (Size::Auto, Size::Auto, None, (1920.0, 1080.0)),
        (given(px), Size::Auto, Some(2.0), (160.0, 80.0)),
        (Size::Auto, given(Px(80.0)), Some(2.0), (160.0, 80.0)),
        // Without an automatic axis the ratio has no effect.
        (given(px), given(px), Some(2.0), (160.0, 160.0)),
    ];
    for (width, height, aspect_ratio, size) in cases {
        let visual = Visual {
            width,
            height,
            aspect_ratio,
            ..visual()
        };
        assert_eq!(box_size(&visual, CANVAS, picture), size, "{visual:?}");
    }
    let text = Visual {
        height: Size::Auto,
        ..visual()
    };
    assert_eq!(
        box_size(&text, CANVAS, Natural::Lines(40.0)),
        (1000.0, 40.0)
    );
}

#[test]
fn the_anchor_of_the_box_lies_at_its_position() {
    let size = |visual| Visual {
        width: Size::Length(Px(200.0)),
        height: Size::Length(Px(100.0)),
        ..visual
    };
    let natural = Natural::Picture(4.0, 4.0);
    let cases = [
        (
            (Percent(50.0), Percent(50.0)),
            (Percent(50.0), Percent(50.0)),
            (400.0, 200.0),
        ),
        ((Px(0.0), Px(0.0)), (Percent(0.0), Percent(0.0)), (0.0, 0.0)),
        (
            (Percent(100.0), Percent(100.0)),
            (Percent(100.0), Percent(100.0)),
            (800.0, 400.0),
        ),
        ((Px(30.0), Px(40.0)), (Px(10.0), Px(20.0)), (20.0, 20.0)),
    ];
    for (at, anchor, corner) in cases {
        let visual = size(Visual {
            x: at.0,
            y: at.1,
            x_anchor: anchor.0,
            y_anchor: anchor.1,
            ..visual()
        });
        assert_eq!(placed(&visual, natural), (corner.0, corner.1, 200.0, 100.0));
    }
}

#[test]
fn pictures_cover_are_contained_or_fill() {
    let rect = |x, y, width, height| Rect {
        x,
        y,
        width,
        height,
    };
    let cases = [
        (
            Cover,
            (100.0, 100.0),
            (200.0, 100.0),
            rect(-50.0, 0.0, 200.0, 100.0),
        ),
        (
            Cover,
            (100.0, 100.0),
            (100.0, 200.0),
            rect(0.0, -50.0, 100.0, 200.0),
        ),
        (
            Contain,
            (100.0, 100.0),
            (200.0, 100.0),
            rect(0.0, 25.0, 100.0, 50.0),
        ),
        (
            Contain,
            (100.0, 100.0),
            (100.0, 200.0),
            rect(25.0, 0.0, 50.0, 100.0),
        ),
        (
            Fill,
            (100.0, 100.0),
            (200.0, 100.0),
            rect(0.0, 0.0, 100.0, 100.0),
        ),
        // Equal ratios make the box itself, to the last bit.
        (
            Cover,
            (1280.0, 720.0),
            (1920.0, 1080.0),
            rect(0.0, 0.0, 1280.0, 720.0),
        ),
        (
            Contain,
            (1920.0, 1080.0),
            (640.0, 360.0),
            rect(0.0, 0.0, 1920.0, 1080.0),
        ),
    ];
    for (fit, size, natural, expected) in cases {
        assert_eq!(
            content_rect(fit, size, natural),
            expected,
            "{fit:?} {size:?} {natural:?}"
        );
    }
}

#[test]
fn quarter_turns_are_exact_and_positive_is_clockwise() {
    let turned = |degrees| {
        let visual = Visual {
            x: Px(100.0),
            y: Px(100.0),
            width: Size::Length(Px(40.0)),
            height: Size::Length(Px(20.0)),
            z_rotation: degrees,
            ..visual()
        };
        place(&visual, CANVAS, Natural::Picture(1.0, 1.0))
            .transform
            .apply((40.0, 10.0))
    };
    // The middle of the right edge, seen from the anchor in the box's middle.
    assert_eq!(turned(0.0), (120.0, 100.0));
    assert_eq!(turned(90.0), (100.0, 120.0));
    assert_eq!(turned(180.0), (80.0, 100.0));
    assert_eq!(turned(-90.0), (100.0, 80.0));
    assert_eq!(turned(450.0), turned(90.0));
    let (x, y) = turned(30.0);
    assert!((x - (100.0 + 20.0 * 0.75_f64.sqrt())).abs() < 1e-9 && (y - 110.0).abs() < 1e-9);
}
