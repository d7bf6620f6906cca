//! Positioned glyphs to pixels: outlines as coverage of one colour, emoji as pictures.

use cosmic_text::FontSystem;
use cosmic_text::fontdb::Weight;
use swash::FontRef;
use swash::scale::{Render, ScaleContext, Source, StrikeWith};
use swash::zeno::{Angle, Format, Placement, Transform, Vector};

use super::layout::Glyph;
use super::strike::{self, Strike};
use crate::composition::Rgba;

/// How far synthesised italics lean, in degrees.
const SLANT: f32 = 14.0;

/// A rectangle of raster pixels; may begin left of or above the origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bounds {
    pub(super) left: i32,
    pub(super) top: i32,
    pub(super) right: i32,
    pub(super) bottom: i32,
}

impl Bounds {
    fn of(placement: Placement, x: i32, y: i32) -> Self {
        let length = |value: u32| i32::try_from(value).unwrap_or(i32::MAX);
        let left = x.saturating_add(placement.left);
        let top = y.saturating_sub(placement.top);
        Self {
            left,
            top,
            right: left.saturating_add(length(placement.width)),
            bottom: top.saturating_add(length(placement.height)),
        }
    }

    fn union(self, other: Self) -> Self {
        Self {
            left: self.left.min(other.left),
            top: self.top.min(other.top),
            right: self.right.max(other.right),
            bottom: self.bottom.max(other.bottom),
        }
    }

    /// The part within `window`, if there is one.
    pub(super) fn cut(self, window: Self) -> Option<Self> {
        let part = Self {
            left: self.left.max(window.left),
            top: self.top.max(window.top),
            right: self.right.min(window.right),
            bottom: self.bottom.min(window.bottom),
        };
        (part.left < part.right && part.top < part.bottom).then_some(part)
    }

    pub(super) fn width(self) -> usize {
        usize::try_from(self.right - self.left).unwrap_or(0)
    }

    pub(super) fn height(self) -> usize {
        usize::try_from(self.bottom - self.top).unwrap_or(0)
    }

    /// Where (`x`, `y`) lies in a row-major picture of these bounds.
    fn offset(self, x: i32, y: i32) -> Option<usize> {
        let inside = x >= self.left && x < self.right && y >= self.top && y < self.bottom;
        inside.then(|| {
            let column = usize::try_from(x - self.left).unwrap_or(0);
            let line = usize::try_from(y - self.top).unwrap_or(0);
            line * self.width() + column
        })
    }
}

/// A glyph as pixels.
enum Stamp {
    /// Coverage, one byte a pixel.
    Mask(Bounds, Vec<u8>),
    /// Premultiplied RGBA.
    Picture(Bounds, Vec<u8>),
}

/// Draws `glyphs`, moved by `origin`, in `color`; only what lies in `window`. Answers
/// premultiplied RGBA with its place, or `None` when there is no ink.
pub(super) fn draw(
    system: &mut FontSystem,
    scaler: &mut ScaleContext,
    glyphs: &[Glyph],
    origin: (f64, f64),
    color: Rgba,
    window: Bounds,
) -> Option<(Bounds, Vec<u8>)> {
    let stamps: Vec<Stamp> = glyphs
        .iter()
        .filter_map(|glyph| stamp(system, scaler, glyph, origin, window))
        .collect();
    let ink = stamps
        .iter()
        .map(|stamp| match stamp {
            Stamp::Mask(bounds, _) | Stamp::Picture(bounds, _) => *bounds,
        })
        .reduce(Bounds::union)?
        .cut(window)?;
    let mut pixels = paint(&covered(&stamps, ink), color);
    for stamp in &stamps {
        if let Stamp::Picture(bounds, picture) = stamp {
            lay_over(&mut pixels, ink, *bounds, picture, color.a);
        }
    }
    Some((ink, pixels))
}

/// Renders one glyph, or `None` if it has no ink or lies outside.
fn stamp(
    system: &mut FontSystem,
    scaler: &mut ScaleContext,
    glyph: &Glyph,
    origin: (f64, f64),
    window: Bounds,
) -> Option<Stamp> {
    let font = system.get_font(glyph.font, Weight(glyph.weight))?;
    let font = font.as_swash();
    let x = f64::from(glyph.x) + origin.0;
    // Baselines lie on whole pixels, as in print: horizontal stems stay sharp.
    let y = (f64::from(glyph.y) + origin.1).round();
    if !near(window, (x, y), f64::from(glyph.size)) {
        return None;
    }
    if let Some(strike) = Strike::of(scaler, font, glyph.id) {
        let (placement, picture) = strike::scaled(&strike, (x, y), f64::from(glyph.size))?;
        return Some(Stamp::Picture(placement, picture));
    }
    outline(scaler, font, glyph, (x, y))
}

/// Whether a glyph at `at` can reach into `window`: no glyph is six times its size.
fn near(window: Bounds, at: (f64, f64), size: f64) -> bool {
    let reach = size * 6.0;
    at.0 + reach >= f64::from(window.left)
        && at.0 - reach <= f64::from(window.right)
        && at.1 + reach >= f64::from(window.top)
        && at.1 - reach <= f64::from(window.bottom)
}

fn outline(
    scaler: &mut ScaleContext,
    font: FontRef<'_>,
    glyph: &Glyph,
    (x, y): (f64, f64),
) -> Option<Stamp> {
    let (column, part) = split(x);
    let (line, _) = split(y);
    let slant = Transform::skew(Angle::from_degrees(SLANT), Angle::from_degrees(0.0));
    let mut scaler = scaler.builder(font).size(glyph.size).hint(false).build();
    let image = Render::new(&[Source::Outline])
        .format(Format::Alpha)
        .offset(Vector::new(part, 0.0))
        .transform(glyph.slanted.then_some(slant))
        .render(&mut scaler, glyph.id)?;
    let bounds = Bounds::of(image.placement, column, line);
    (bounds.width() > 0 && bounds.height() > 0).then_some(Stamp::Mask(bounds, image.data))
}

/// Whole pixels and the rest.
#[expect(clippy::cast_possible_truncation, reason = "near the window by now")]
fn split(value: f64) -> (i32, f32) {
    let whole = value.floor();
    (whole as i32, (value - whole) as f32)
}

/// The union of all masks: overlapping glyphs don't darken a translucent colour.
fn covered(stamps: &[Stamp], ink: Bounds) -> Vec<u8> {
    let mut coverage = vec![0; ink.width() * ink.height()];
    for stamp in stamps {
        let Stamp::Mask(bounds, mask) = stamp else {
            continue;
        };
        each_pixel(*bounds, ink, |from, to| {
            let (above, below) = (u16::from(mask[from]), u16::from(coverage[to]));
            coverage[to] = byte(above + below - product(above, below));
        });
    }
    coverage
}

fn paint(coverage: &[u8], color: Rgba) -> Vec<u8> {
    let mut pixels = Vec::with_capacity(coverage.len() * 4);
    for covered in coverage {
        let alpha = product(u16::from(*covered), u16::from(color.a));
        let channels = [color.r, color.g, color.b];
        pixels.extend(channels.map(|channel| byte(product(u16::from(channel), alpha))));
        pixels.push(byte(alpha));
    }
    pixels
}

/// Source-over of a premultiplied picture, made as opaque as the text's colour is.
fn lay_over(pixels: &mut [u8], ink: Bounds, bounds: Bounds, picture: &[u8], opacity: u8) {
    each_pixel(bounds, ink, |from, to| {
        let over: [u16; 4] =
            [0, 1, 2, 3].map(|n| product(u16::from(picture[from * 4 + n]), u16::from(opacity)));
        for (under, over_channel) in pixels[to * 4..to * 4 + 4].iter_mut().zip(over) {
            *under = byte(over_channel + product(u16::from(*under), 255 - over[3]));
        }
    });
}

/// Calls `visit(from, to)` with the offsets in both pictures of each pixel they share.
fn each_pixel(from: Bounds, to: Bounds, mut visit: impl FnMut(usize, usize)) {
    let Some(shared) = from.cut(to) else {
        return;
    };
    for y in shared.top..shared.bottom {
        for x in shared.left..shared.right {
            if let (Some(a), Some(b)) = (from.offset(x, y), to.offset(x, y)) {
                visit(a, b);
            }
        }
    }
}

/// a × b as fractions of 255, rounded.
fn product(a: u16, b: u16) -> u16 {
    let product = u32::from(a) * u32::from(b) + 127;
    u16::try_from(product / 255).unwrap_or(255)
}

fn byte(value: u16) -> u8 {
    u8::try_from(value.min(255)).unwrap_or(255)
}

/// Emoji come as one large picture each.
pub(super) fn largest_strike(
    scaler: &mut ScaleContext,
    font: FontRef<'_>,
    glyph: u16,
) -> Option<(u16, swash::scale::image::Image)> {
    let ppem = font.color_strikes().find_by_largest_ppem(glyph)?.ppem();
    let mut scaler = scaler.builder(font).size(0.0).build();
    let image = scaler.scale_color_bitmap(glyph, StrikeWith::LargestSize)?;
    Some((ppem, image))
}
