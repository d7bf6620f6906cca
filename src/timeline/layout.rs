//! Where a box lies on the canvas and where the picture lies in its box.
//!
//! Only exact arithmetic and `libm` here: every machine must place a layer alike.

use super::{Affine, Rect};
use crate::composition::{Fit, Length, Size, Visual};

/// A box in pixels, and how it gets onto the canvas.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Placement {
    /// Width and height before `transform`.
    pub(super) size: (f64, f64),
    /// Box to canvas.
    pub(super) transform: Affine,
}

/// What a box asks of its content when an axis is automatic.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Natural {
    /// A picture's own size.
    Picture(f64, f64),
    /// The height of a text's lines.
    Lines(f64),
}

impl Length {
    /// In pixels, along an axis of `axis` pixels.
    pub(super) fn pixels(self, axis: f64) -> f64 {
        match self {
            Self::Px(pixels) => pixels,
            // Multiplied first: 50 % of 1080 stays exact.
            Self::Percent(percent) => percent * axis / 100.0,
        }
    }
}

/// Lays a box out on a canvas of `canvas` pixels.
pub(super) fn place(visual: &Visual, canvas: (f64, f64), natural: Natural) -> Placement {
    let size = box_size(visual, canvas, natural);
    let at = (visual.x.pixels(canvas.0), visual.y.pixels(canvas.1));
    let anchor = (
        visual.x_anchor.pixels(size.0),
        visual.y_anchor.pixels(size.1),
    );
    let (sin, cos) = sin_cos_degrees(visual.z_rotation);
    // y points down, so this turns clockwise for positive angles.
    let transform = Affine {
        a: cos,
        b: sin,
        c: -sin,
        d: cos,
        e: at.0 - cos * anchor.0 + sin * anchor.1,
        f: at.1 - sin * anchor.0 - cos * anchor.1,
    };
    Placement { size, transform }
}

/// The width that a text's lines are broken to.
pub(super) fn text_width(visual: &Visual, canvas_width: u32) -> f64 {
    let axis = f64::from(canvas_width);
    match visual.width {
        Size::Length(length) => length.pixels(axis),
        // Validation lets no automatic width of text through.
        Size::Auto => axis,
    }
}

fn box_size(visual: &Visual, canvas: (f64, f64), natural: Natural) -> (f64, f64) {
    let given = |size: Size, axis: f64| match size {
        Size::Length(length) => Some(length.pixels(axis)),
        Size::Auto => None,
    };
    let width = given(visual.width, canvas.0);
    let height = given(visual.height, canvas.1);
    match natural {
        Natural::Lines(lines) => {
            let width = width.unwrap_or(canvas.0);
            let automatic = visual.aspect_ratio.map_or(lines, |ratio| width / ratio);
            (width, height.unwrap_or(automatic))
        }
        Natural::Picture(natural_width, natural_height) => {
            // Kept as a fraction: with the source's own ratio the other axis comes out exact.
            let (across, down) = match visual.aspect_ratio {
                Some(ratio) => (ratio, 1.0),
                None => (natural_width, natural_height),
            };
            match (width, height) {
                (Some(width), Some(height)) => (width, height),
                (Some(width), None) => (width, width * down / across),
                (None, Some(height)) => (height * across / down, height),
                (None, None) => (natural_width, natural_width * down / across),
            }
        }
    }
}

/// Where a picture of `natural` pixels lies in a box of `size`, centred.
pub(super) fn content_rect(fit: Fit, size: (f64, f64), natural: (f64, f64)) -> Rect {
    let (box_width, box_height) = size;
    // Compares the ratios without dividing: equal ratios make exactly the box.
    let wide = natural.0 * box_height;
    let tall = natural.1 * box_width;
    let match_width = match fit {
        Fit::Fill => {
            return Rect {
                x: 0.0,
                y: 0.0,
                width: box_width,
                height: box_height,
            };
        }
        Fit::Contain => wide >= tall,
        Fit::Cover => wide <= tall,
    };
    let (width, height) = if match_width {
        (box_width, natural.1 * box_width / natural.0)
    } else {
        (natural.0 * box_height / natural.1, box_height)
    };
    Rect {
        x: (box_width - width) / 2.0,
        y: (box_height - height) / 2.0,
        width,
        height,
    }
}

/// Whether no point of the placed box lies on the canvas.
pub(super) fn is_off_canvas(placement: &Placement, canvas: (f64, f64)) -> bool {
    let (width, height) = placement.size;
    let corners = [(0.0, 0.0), (width, 0.0), (0.0, height), (width, height)]
        .map(|corner| placement.transform.apply(corner));
    corners.iter().all(|corner| corner.0 <= 0.0)
        || corners.iter().all(|corner| corner.1 <= 0.0)
        || corners.iter().all(|corner| corner.0 >= canvas.0)
        || corners.iter().all(|corner| corner.1 >= canvas.1)
}

impl Affine {
    /// Where a point goes.
    pub fn apply(&self, point: (f64, f64)) -> (f64, f64) {
        (
            self.a * point.0 + self.c * point.1 + self.e,
            self.b * point.0 + self.d * point.1 + self.f,
        )
    }
}

/// Sine and cosine of an angle in degrees; exact at every quarter turn.
fn sin_cos_degrees(degrees: f64) -> (f64, f64) {
    let turn = degrees.rem_euclid(360.0);
    if turn == 0.0 || turn == 360.0 {
        (0.0, 1.0)
    } else if turn == 90.0 {
        (1.0, 0.0)
    } else if turn == 180.0 {
        (0.0, -1.0)
    } else if turn == 270.0 {
        (-1.0, 0.0)
    } else {
        libm::sincos(turn * (std::f64::consts::PI / 180.0))
    }
}

#[cfg(test)]
mod tests;
