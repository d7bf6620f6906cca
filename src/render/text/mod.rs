//! Text to pictures: fonts, layout and rasterising behind one engine. Draws into memory; the
//! compositor places the picture.

mod fonts;
mod layout;
mod raster;
mod strike;

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use fonts::Fonts;
pub use fonts::fonts_digest;
use raster::Bounds;
use swash::scale::ScaleContext;

use super::RenderError;
use super::pixels::rgba_frame;
use crate::composition::{TextStyle, VerticalAlign};
use crate::media::Frame;
use crate::timeline::{Rect, TextMeasure};

/// Pixels per em beyond which nothing is drawn: an outline's mask would fill the memory.
const MAX_SIZE: f64 = 16_384.0;

/// Lays out and draws text with the bundled fonts.
pub struct TextEngine {
    state: Mutex<State>,
}

struct State {
    fonts: Fonts,
    scaler: ScaleContext,
}

/// Text as pixels.
#[derive(Debug, Clone)]
pub struct TextPicture {
    /// Premultiplied RGBA, just large enough for the ink.
    pub frame: Frame,
    /// Where the picture lies in box coordinates.
    pub rect: Rect,
}

/// What a client should know about how its text is drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TextNotice {
    /// The family is not there; another is used. A `font_substituted` warning.
    FontSubstituted {
        /// What was asked for.
        wanted: String,
        /// What is used.
        used: String,
    },
    /// No font has this character; a box is drawn. A `missing_glyph` warning.
    MissingGlyph(char),
}

impl TextEngine {
    /// An engine with the bundled fonts.
    #[must_use]
    pub fn new() -> Self {
        Self {
            state: Mutex::new(State {
                fonts: Fonts::bundled(),
                scaler: ScaleContext::new(),
            }),
        }
    }

    /// Makes a TrueType or OpenType file usable; the answer is the family name that selects
    /// it. Loading the same bytes again answers the same name.
    ///
    /// # Errors
    /// [`RenderError::Font`] when the bytes are not a usable font.
    pub fn load_font(&self, bytes: Vec<u8>) -> Result<String, RenderError> {
        self.state().fonts.load(bytes)
    }

    /// Lets styles whose `font_url` is `url` use a family that [`Self::load_font`] answered.
    pub fn bind_font(&self, url: &str, family: &str) {
        self.state().fonts.bind(url, family);
    }

    /// Families a composition may name, sorted.
    #[must_use]
    pub fn known_families(&self) -> Vec<String> {
        self.state().fonts.known()
    }

    /// What about `style` is not drawn as asked.
    #[must_use]
    pub fn notices(&self, style: &TextStyle) -> Vec<TextNotice> {
        let mut state = self.state();
        let (used, found) = state
            .fonts
            .resolve(&style.family, style.font_url.as_deref());
        let substituted = (!found).then(|| TextNotice::FontSubstituted {
            wanted: style.family.clone(),
            used,
        });
        let missing = layout::missing(&mut state.fonts, style);
        substituted
            .into_iter()
            .chain(missing.into_iter().map(TextNotice::MissingGlyph))
            .collect()
    }

    /// Draws `style` in a box of `size`. `fraction` is where, within a canvas pixel, the
    /// box's corner lies: the glyphs are drawn for it, so that the picture's pixels are
    /// canvas pixels. Only what lies in `window` (box coordinates) is drawn. None: no ink.
    ///
    /// # Errors
    /// [`RenderError::Limit`] when the glyphs would be unreasonably large.
    pub fn draw(
        &self,
        style: &TextStyle,
        size: (f64, f64),
        fraction: (f64, f64),
        window: Rect,
    ) -> Result<Option<TextPicture>, RenderError> {
        if style.size > MAX_SIZE {
            return Err(RenderError::Limit(format!(
                "text of {} pixels per em; {MAX_SIZE} is the most",
                style.size
            )));
        }
        let mut state = self.state();
        let State { fonts, scaler } = &mut *state;
        let block = layout::lay_out(fonts, style, size.0);
        let top = match style.vertical_align {
            VerticalAlign::Top => 0.0,
            VerticalAlign::Middle => (size.1 - block.height) / 2.0,
            VerticalAlign::Bottom => size.1 - block.height,
        };
        let origin = (fraction.0, fraction.1 + top);
        let window = pixels_of(window, fraction);
        let drawn = raster::draw(
            &mut fonts.system,
            scaler,
            &block.glyphs,
            origin,
            style.color,
            window,
        );
        Ok(drawn.map(|(ink, pixels)| picture(ink, &pixels, fraction)))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere leaves caches, not half-made fonts.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for TextEngine {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for TextEngine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TextEngine").finish_non_exhaustive()
    }
}

impl TextMeasure for TextEngine {
    fn height(&self, style: &TextStyle, width: f64) -> f64 {
        layout::lay_out(&mut self.state().fonts, style, width).height
    }
}

/// The ink with a transparent pixel round it, so that turned text fades out evenly.
fn picture(ink: Bounds, pixels: &[u8], fraction: (f64, f64)) -> TextPicture {
    let row = ink.width() * 4;
    let (width, height) = (ink.width() + 2, ink.height() + 2);
    let mut framed = vec![0; width * height * 4];
    for (n, line) in pixels.chunks_exact(row).enumerate() {
        let start = ((n + 1) * width + 1) * 4;
        framed[start..start + row].copy_from_slice(line);
    }
    let side = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
    let (width, height) = (side(width), side(height));
    TextPicture {
        frame: rgba_frame(width, height, framed),
        rect: Rect {
            x: f64::from(ink.left) - 1.0 - fraction.0,
            y: f64::from(ink.top) - 1.0 - fraction.1,
            width: f64::from(width),
            height: f64::from(height),
        },
    }
}

/// Raster pixels that hold a window given in box coordinates.
#[expect(
    clippy::cast_possible_truncation,
    reason = "the cast saturates, and a window that large is everything"
)]
fn pixels_of(window: Rect, fraction: (f64, f64)) -> Bounds {
    Bounds {
        left: (window.x + fraction.0).floor() as i32,
        top: (window.y + fraction.1).floor() as i32,
        right: (window.x + window.width + fraction.0).ceil() as i32,
        bottom: (window.y + window.height + fraction.1).ceil() as i32,
    }
}

#[cfg(test)]
mod tests;
