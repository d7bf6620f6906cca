//! What is allowed and probably not meant.

use super::fields::Fields;
use super::report::{Report, item};
use crate::composition::{Length, Size};

/// Warns about a composition without violations.
pub(super) fn check(fields: &Fields, report: &mut Report<'_>) {
    let elements = fields.list("elements");
    let is_visible = |element: &Fields| element.flag("visible") == Some(true);
    if !elements.iter().any(|(_, element)| is_visible(element)) {
        let message = "no element is visible: the output is its background";
        report.warning("", "no_visible_element", message);
    }
    for (index, element) in elements.iter().filter(|(_, element)| is_visible(element)) {
        let path = item("elements", *index);
        if let (Some(time), Some(end)) = (element.time("time"), fields.time("duration"))
            && time >= end
        {
            let message = format!("it starts at {time}, when the output has ended at {end}");
            report.warning(&path, "starts_after_end", message);
        }
        if is_off_canvas(element, fields) == Some(true) {
            report.warning(&path, "off_canvas", "it lies wholly off the canvas");
        }
    }
}

/// Whether a box of known size lies off the canvas however it is turned about its anchor.
/// Nothing for sound and for sizes that depend on the source. Text may reach out of its box,
/// but a client who puts the box away has put the text away.
fn is_off_canvas(element: &Fields, composition: &Fields) -> Option<bool> {
    let axes = [
        axis(element, composition, "x", "x_anchor", "width")?,
        axis(element, composition, "y", "y_anchor", "height")?,
    ];
    let turned = element.number("z_rotation")? != 0.0;
    let radius = libm::hypot(axes[0].farthest(), axes[1].farthest());
    Some(axes.iter().any(|axis| {
        let (before, after) = if turned {
            (axis.at - radius, axis.at + radius)
        } else {
            (axis.at - axis.anchor, axis.at - axis.anchor + axis.size)
        };
        after <= 0.0 || before >= axis.canvas
    }))
}

/// A box along one axis, in pixels.
struct Axis {
    at: f64,
    anchor: f64,
    size: f64,
    canvas: f64,
}

impl Axis {
    /// How far the box reaches from its anchor.
    fn farthest(&self) -> f64 {
        self.anchor.abs().max((self.size - self.anchor).abs())
    }
}

fn axis(
    element: &Fields,
    composition: &Fields,
    at: &str,
    anchor: &str,
    size: &str,
) -> Option<Axis> {
    #[expect(
        clippy::cast_precision_loss,
        reason = "a canvas has at most 8192 pixels"
    )]
    let canvas = composition.integer(size)? as f64;
    let Size::Length(size) = element.size(size)? else {
        return None;
    };
    let size = pixels(size, canvas);
    Some(Axis {
        at: pixels(element.length(at)?, canvas),
        anchor: pixels(element.length(anchor)?, size),
        size,
        canvas,
    })
}

fn pixels(length: Length, axis: f64) -> f64 {
    match length {
        Length::Px(pixels) => pixels,
        Length::Percent(percent) => percent * axis / 100.0,
    }
}
