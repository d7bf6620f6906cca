//! Which pixels layers can touch, so that the rest of a frame need not be drawn. No drawing.

use super::geometry::place;
use super::yuv::even;
use super::{Picture, PixelRect};
use crate::timeline::Layer;

/// The rectangle that `layers` (with their `pictures`) can change on a canvas of `width` ×
/// `height`, grown so that it begins at even coordinates and holds every chroma sample they
/// reach. It ends at the canvas's edge at the latest, even if that is odd. None: nothing is
/// visible.
#[must_use]
pub fn touched(
    layers: &[Layer],
    pictures: &[Picture],
    width: u32,
    height: u32,
) -> Option<PixelRect> {
    layers
        .iter()
        .zip(pictures)
        .filter_map(|(layer, picture)| place(layer, picture)?.bounds(width, height))
        .reduce(union)
        .map(|rect| grown(rect, width, height))
}

/// Whether `layer` hides everything below it by copying its picture, texel for pixel, onto
/// the whole canvas: what a base that stays in its planes needs (besides its format).
#[must_use]
pub fn covers_exactly(layer: &Layer, picture: &Picture, width: u32, height: u32) -> bool {
    layer.opacity >= 1.0
        && place(layer, picture).is_some_and(|placement| {
            placement.exact
                && placement.to_texel.e == 0.0
                && placement.to_texel.f == 0.0
                && (picture.frame.width, picture.frame.height) == (width, height)
                && placement.region == (f64::from(width), f64::from(height))
        })
}

fn union(a: PixelRect, b: PixelRect) -> PixelRect {
    let (x, y) = (a.x.min(b.x), a.y.min(b.y));
    PixelRect {
        x,
        y,
        width: (a.x + a.width).max(b.x + b.width) - x,
        height: (a.y + a.height).max(b.y + b.height) - y,
    }
}

/// Chroma sample *i* reads luma columns 2i − 1 to 2i + 1: the pair right of an even edge is
/// reached too. Rows are paired without overlap.
fn grown(rect: PixelRect, width: u32, height: u32) -> PixelRect {
    let x = rect.x - rect.x % 2;
    let y = rect.y - rect.y % 2;
    let right = ((rect.x + rect.width) / 2 * 2 + 2).min(width);
    let bottom = even(rect.y + rect.height).min(height);
    PixelRect {
        x,
        y,
        width: right - x,
        height: bottom - y,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::pixels::{index, rgba_frame};
    use crate::timeline::{Affine, Content, Rect};

    fn at(x: f64, y: f64, width: u32, height: u32) -> (Layer, Picture) {
        let size = (f64::from(width), f64::from(height));
        let rect = Rect {
            x: 0.0,
            y: 0.0,
            width: size.0,
            height: size.1,
        };
        let layer = Layer {
            element: 0,
            content: Content::Image { source: 0 },
            size,
            content_rect: rect,
            clipped: true,
            transform: Affine {
                a: 1.0,
                b: 0.0,
                c: 0.0,
                d: 1.0,
                e: x,
                f: y,
            },
            opacity: 1.0,
        };
        let frame = rgba_frame(width, height, vec![9; index(width * height * 4)]);
        (layer, Picture { id: 0, frame, rect })
    }

    #[test]
    fn the_rectangle_is_even_and_holds_the_chroma_it_reaches() {
        let cases = [
            ((3.0, 5.0, 4, 3), (2, 4, 6, 4)),
            ((4.0, 4.0, 4, 2), (4, 4, 6, 2)),
            ((18.0, 8.0, 4, 4), (18, 8, 2, 2)),
            ((-3.0, -3.0, 4, 4), (0, 0, 2, 2)),
        ];
        for ((x, y, width, height), want) in cases {
            let (layer, picture) = at(x, y, width, height);
            let got = touched(&[layer], &[picture], 20, 10).unwrap();
            assert_eq!((got.x, got.y, got.width, got.height), want, "{x},{y}");
        }
    }

    #[test]
    fn nothing_is_touched_by_what_cannot_be_seen() {
        let (layer, picture) = at(30.0, 0.0, 4, 4);
        assert_eq!(touched(&[layer], &[picture], 20, 10), None);
        let (mut layer, picture) = at(0.0, 0.0, 4, 4);
        layer.opacity = 0.0;
        assert_eq!(touched(&[layer], &[picture], 20, 10), None);
    }

    #[test]
    fn only_an_opaque_copy_of_the_whole_canvas_covers_it() {
        let (layer, picture) = at(0.0, 0.0, 20, 10);
        assert!(covers_exactly(&layer, &picture, 20, 10));
        assert!(!covers_exactly(&layer, &picture, 20, 9));
        let (shifted, _) = at(1.0, 0.0, 20, 10);
        assert!(!covers_exactly(&shifted, &picture, 20, 10));
        let faint = Layer {
            opacity: 0.5,
            ..layer
        };
        assert!(!covers_exactly(&faint, &picture, 20, 10));
    }
}
