//! Where a layer's picture lies on the canvas, as numbers both compositors read the same way.
//! Pure arithmetic in 64-bit floats; no pixels here.

use super::{Picture, PixelRect};
use crate::timeline::{Affine, Layer, Rect};

/// Coefficients this close to a whole number are meant to be that number: sines of right
/// angles and sums of halves miss it by rounding.
const SNAP: f64 = 1e-7;

/// A layer placed: how canvas pixels find their texels and their coverage.
#[derive(Debug, Clone, PartialEq)]
pub struct Placement {
    /// Canvas to texel coordinates of the picture (texel centres at halves).
    pub to_texel: Affine,
    /// Texels per canvas pixel along the picture's own axes.
    pub density: (f64, f64),
    /// Canvas to the drawn region's own coordinates, in canvas pixels from its corner.
    pub to_region: Affine,
    /// Size of the drawn region in canvas pixels.
    pub region: (f64, f64),
    /// The region's corners on the canvas, clockwise from its own top left.
    pub corners: [(f64, f64); 4],
    /// Texels are copied one to one: no filter is to run.
    pub exact: bool,
}

/// Places `picture` by the settings of `layer`. `None` when it is outside the canvas.
#[must_use]
pub fn place(layer: &Layer, picture: &Picture) -> Option<Placement> {
    let drawn = drawn_region(layer, &picture.rect)?;
    let to_box = inverse(layer.transform)?;
    let texels = (
        f64::from(picture.frame.width),
        f64::from(picture.frame.height),
    );
    if texels.0 < 1.0 || texels.1 < 1.0 || layer.opacity <= 0.0 {
        return None;
    }
    let per_box = (
        texels.0 / picture.rect.width,
        texels.1 / picture.rect.height,
    );
    let to_texel = snapped(from_origin(to_box, &picture.rect, per_box));
    let density = (to_texel.a.hypot(to_texel.c), to_texel.b.hypot(to_texel.d));

    // One box unit along an axis is this many canvas pixels, measured across the edges.
    let pixels = (
        1.0 / to_box.a.hypot(to_box.c),
        1.0 / to_box.b.hypot(to_box.d),
    );
    let to_region = snapped(from_origin(to_box, &drawn, pixels));
    let region = (snap(drawn.width * pixels.0), snap(drawn.height * pixels.1));
    let (right, bottom) = (drawn.x + drawn.width, drawn.y + drawn.height);
    let corners = [
        (drawn.x, drawn.y),
        (right, drawn.y),
        (right, bottom),
        (drawn.x, bottom),
    ]
    .map(|corner| layer.transform.apply(corner));
    let finite = [
        density.0, density.1, region.0, region.1, to_texel.e, to_texel.f,
    ]
    .iter()
    .all(|number| number.is_finite());
    finite.then_some(Placement {
        to_texel,
        density,
        to_region,
        region,
        corners,
        exact: is_shift(to_texel),
    })
}

impl Placement {
    /// How much of the canvas pixel with centre (`x`, `y`) the region covers, 0–1: the exact
    /// area for upright regions, by the distance to the edges for turned ones.
    #[must_use]
    pub fn coverage(&self, x: f64, y: f64) -> f64 {
        let (s, t) = self.to_region.apply((x, y));
        overlap(s, self.region.0) * overlap(t, self.region.1)
    }

    /// The whole pixels the region can touch, cut to `width` × `height`.
    #[must_use]
    pub fn bounds(&self, width: u32, height: u32) -> Option<PixelRect> {
        let [mut left, mut top] = [f64::INFINITY; 2];
        let [mut right, mut bottom] = [f64::NEG_INFINITY; 2];
        for (x, y) in self.corners {
            left = left.min(x);
            top = top.min(y);
            right = right.max(x);
            bottom = bottom.max(y);
        }
        // Turned edges fade over half a pixel to each side.
        let upright = (self.to_region.b == 0.0 && self.to_region.c == 0.0)
            || (self.to_region.a == 0.0 && self.to_region.d == 0.0);
        let margin = if upright { 0.0 } else { 0.75 };
        let left = pixel((left - margin + SNAP).floor(), width);
        let top = pixel((top - margin + SNAP).floor(), height);
        let right = pixel((right + margin - SNAP).ceil(), width);
        let bottom = pixel((bottom + margin - SNAP).ceil(), height);
        (left < right && top < bottom).then(|| PixelRect {
            x: left,
            y: top,
            width: right - left,
            height: bottom - top,
        })
    }
}

/// Length of `[at − ½, at + ½]` that lies within `[0, extent]`.
fn overlap(at: f64, extent: f64) -> f64 {
    (at.min(0.5) + (extent - at).min(0.5)).clamp(0.0, 1.0)
}

/// A whole coordinate, cut to a canvas axis.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "clamped to the axis before the cast"
)]
fn pixel(at: f64, limit: u32) -> u32 {
    at.clamp(0.0, f64::from(limit)) as u32
}

/// What of the content is drawn, in box coordinates.
fn drawn_region(layer: &Layer, content: &Rect) -> Option<Rect> {
    let mut region = *content;
    if layer.clipped {
        let right = (content.x + content.width).min(layer.size.0);
        let bottom = (content.y + content.height).min(layer.size.1);
        region.x = content.x.max(0.0);
        region.y = content.y.max(0.0);
        region.width = right - region.x;
        region.height = bottom - region.y;
    }
    (region.width > 0.0 && region.height > 0.0).then_some(region)
}

/// `to_box` continued to coordinates that begin at `rect`'s corner and are scaled by `scale`.
fn from_origin(to_box: Affine, rect: &Rect, scale: (f64, f64)) -> Affine {
    Affine {
        a: to_box.a * scale.0,
        c: to_box.c * scale.0,
        e: (to_box.e - rect.x) * scale.0,
        b: to_box.b * scale.1,
        d: to_box.d * scale.1,
        f: (to_box.f - rect.y) * scale.1,
    }
}

/// A picture moved by whole pixels, and nothing else.
fn is_shift(to_texel: Affine) -> bool {
    let Affine { a, b, c, d, e, f } = to_texel;
    a == 1.0 && b == 0.0 && c == 0.0 && d == 1.0 && e.fract() == 0.0 && f.fract() == 0.0
}

fn snapped(affine: Affine) -> Affine {
    Affine {
        a: snap(affine.a),
        b: snap(affine.b),
        c: snap(affine.c),
        d: snap(affine.d),
        e: snap(affine.e),
        f: snap(affine.f),
    }
}

fn snap(value: f64) -> f64 {
    let whole = value.round();
    if (value - whole).abs() < SNAP {
        whole
    } else {
        value
    }
}

/// What undoes `affine`, unless it flattens everything.
#[must_use]
pub fn inverse(affine: Affine) -> Option<Affine> {
    let Affine { a, b, c, d, e, f } = affine;
    let determinant = a * d - b * c;
    if !determinant.is_finite() || determinant.abs() < 1e-12 {
        return None;
    }
    Some(Affine {
        a: d / determinant,
        b: -b / determinant,
        c: -c / determinant,
        d: a / determinant,
        e: (c * f - d * e) / determinant,
        f: (b * e - a * f) / determinant,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::pixels::rgba_frame;
    use crate::timeline::Content;

    fn layer(transform: Affine, size: (f64, f64)) -> Layer {
        Layer {
            element: 0,
            content: Content::Image { source: 0 },
            size,
            content_rect: Rect {
                x: 0.0,
                y: 0.0,
                width: size.0,
                height: size.1,
            },
            clipped: true,
            transform,
            opacity: 1.0,
        }
    }

    fn picture(texels: (u32, u32), layer: &Layer) -> Picture {
        let bytes = vec![0; usize::try_from(texels.0 * texels.1 * 4).unwrap()];
        Picture {
            id: 1,
            frame: rgba_frame(texels.0, texels.1, bytes),
            rect: layer.content_rect,
        }
    }

    fn shift(e: f64, f: f64) -> Affine {
        Affine {
            a: 1.0,
            b: 0.0,
            c: 0.0,
            d: 1.0,
            e,
            f,
        }
    }

    #[test]
    fn a_whole_pixel_shift_is_exact_and_a_half_is_not() {
        for (e, want) in [(3.0, true), (3.5, false), (-2.0, true), (2.0 + 1e-12, true)] {
            let layer = layer(shift(e, 1.0), (8.0, 4.0));
            let placed = place(&layer, &picture((8, 4), &layer)).unwrap();
            assert_eq!(placed.exact, want, "{e}");
        }
    }

    #[test]
    fn coverage_of_an_upright_edge_is_its_area() {
        let layer = layer(shift(0.25, 0.5), (2.0, 2.0));
        let placed = place(&layer, &picture((2, 2), &layer)).unwrap();
        assert!((placed.coverage(0.5, 1.5) - 0.75).abs() < 1e-9);
        assert!((placed.coverage(2.5, 1.5) - 0.25).abs() < 1e-9);
        assert!((placed.coverage(0.5, 0.5) - 0.375).abs() < 1e-9);
        assert_eq!(placed.coverage(3.5, 1.5), 0.0);
    }

    #[test]
    fn a_sliver_thinner_than_a_pixel_covers_its_width() {
        let layer = layer(shift(0.4, 0.0), (0.2, 1.0));
        let placed = place(&layer, &picture((1, 1), &layer)).unwrap();
        assert!((placed.coverage(0.5, 0.5) - 0.2).abs() < 1e-9);
    }

    #[test]
    fn bounds_are_cut_to_the_canvas() {
        let layer = layer(shift(-1.5, 3.25), (4.0, 4.0));
        let placed = place(&layer, &picture((4, 4), &layer)).unwrap();
        let want = PixelRect {
            x: 0,
            y: 3,
            width: 3,
            height: 2,
        };
        assert_eq!(placed.bounds(10, 5), Some(want));
        assert_eq!(placed.bounds(10, 3), None);
    }
}
