//! Text to positioned glyphs: font choice per character, shaping, line breaking, alignment.
//! No pixels.

use cosmic_text::{Align, Attrs, Buffer, Family, Metrics, Shaping, Style, Weight, Wrap, fontdb};
use unicode_segmentation::UnicodeSegmentation;

use super::fonts::{EMOJI_FAMILY, Fonts};
use crate::composition::{TextAlign, TextStyle};

/// Stands for a character that no font has.
const MISSING: &str = "\u{25A1}";

/// One glyph, placed in pixels from the box's left edge and the block's top.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Glyph {
    pub(super) font: fontdb::ID,
    pub(super) weight: u16,
    pub(super) id: u16,
    /// Origin on the baseline.
    pub(super) x: f32,
    pub(super) y: f32,
    pub(super) size: f32,
    /// No italic was there: slant the outline.
    pub(super) slanted: bool,
}

/// Lines of text, laid out.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Block {
    pub(super) glyphs: Vec<Glyph>,
    /// Height of all lines in pixels.
    pub(super) height: f64,
}

/// Characters drawn by one family.
struct FontRun {
    text: String,
    family: String,
}

/// A paragraph's runs, and which characters no font had.
struct Paragraph {
    runs: Vec<FontRun>,
    missing: Vec<char>,
}

/// Lays `style` out in a box `width` pixels wide.
pub(super) fn lay_out(fonts: &mut Fonts, style: &TextStyle, width: f64) -> Block {
    let (family, _) = fonts.resolve(&style.family, style.font_url.as_deref());
    let size = narrow(style.size).max(0.01);
    let line_height = narrow(style.size * style.leading).max(0.001);
    let width = narrow(width);
    let baseline = baseline_offset(fonts, &family, style, size, line_height);
    let mut glyphs = Vec::new();
    let mut lines: u32 = 0;
    for text in style.text.replace("\r\n", "\n").split(['\n', '\r']) {
        let runs = itemise(fonts, text, &family).runs;
        let mut buffer = Buffer::new_empty(Metrics::new(size, line_height));
        buffer.set_wrap(if style.wrap { Wrap::Word } else { Wrap::None });
        buffer.set_size(style.wrap.then_some(width.max(1.0)), None);
        let spans: Vec<(&str, Attrs<'_>)> = runs
            .iter()
            .map(|run| (run.text.as_str(), attributes(fonts, run, style)))
            .collect();
        buffer.set_rich_text(spans, &Attrs::new(), Shaping::Advanced, Some(Align::Left));
        buffer.shape_until_scroll(&mut fonts.system, false);
        let before = lines;
        for run in buffer.layout_runs() {
            let top = line_top(lines, line_height);
            let (left, right) = extent(&run);
            let shift = match style.align {
                TextAlign::Left => -left,
                TextAlign::Center => (width - (right - left)) / 2.0 - left,
                TextAlign::Right => width - right,
            };
            for glyph in run.glyphs {
                glyphs.push(Glyph {
                    font: glyph.font_id,
                    weight: glyph.font_weight.0,
                    id: glyph.glyph_id,
                    x: glyph.x + glyph.font_size * glyph.x_offset + shift,
                    y: top + baseline + glyph.y - glyph.font_size * glyph.y_offset,
                    size: glyph.font_size,
                    slanted: glyph
                        .cache_key_flags
                        .contains(cosmic_text::CacheKeyFlags::FAKE_ITALIC),
                });
            }
            lines += 1;
        }
        // An empty line takes its place too.
        lines = lines.max(before + 1);
    }
    Block {
        glyphs,
        height: f64::from(lines) * f64::from(line_height),
    }
}

/// Characters of `style` that no font has.
pub(super) fn missing(fonts: &mut Fonts, style: &TextStyle) -> Vec<char> {
    let (family, _) = fonts.resolve(&style.family, style.font_url.as_deref());
    let mut missing = itemise(fonts, &style.text, &family).missing;
    missing.sort_unstable();
    missing.dedup();
    missing
}

/// Splits `text` into runs of one family each, replacing what no font has.
fn itemise(fonts: &mut Fonts, text: &str, family: &str) -> Paragraph {
    let mut runs: Vec<FontRun> = Vec::new();
    let mut missing = Vec::new();
    for cluster in text.graphemes(true) {
        let wanted = if wants_emoji(cluster) {
            EMOJI_FAMILY
        } else {
            family
        };
        let (cluster, family) = match fonts.family_with(wanted, cluster) {
            Some(found) => (cluster, found),
            None => {
                missing.extend(cluster.chars().find(|c| !fonts_have(fonts, *c)));
                let found = fonts.family_with(family, MISSING);
                (MISSING, found.unwrap_or_else(|| family.to_owned()))
            }
        };
        match runs.last_mut() {
            Some(run) if run.family == family => run.text.push_str(cluster),
            _ => runs.push(FontRun {
                text: cluster.to_owned(),
                family,
            }),
        }
    }
    Paragraph { runs, missing }
}

fn fonts_have(fonts: &mut Fonts, character: char) -> bool {
    let mut buffer = [0; 4];
    let text: &str = character.encode_utf8(&mut buffer);
    fonts
        .family_with(super::fonts::DEFAULT_FAMILY, text)
        .is_some()
}

/// Whether a cluster is meant as a colour picture: by its variation selector, as a sequence,
/// or by default.
fn wants_emoji(cluster: &str) -> bool {
    if cluster.contains('\u{FE0E}') {
        return false;
    }
    cluster.contains('\u{FE0F}')
        || cluster.chars().next().is_some_and(|first| {
            matches!(first,
                '\u{1F000}'..='\u{1FAFF}'
                | '⌚' | '⌛' | '⏩'..='⏬' | '⏰' | '⏳' | '◽' | '◾' | '☔' | '☕'
                | '♈'..='♓' | '♿' | '⚓' | '⚡' | '⚪' | '⚫' | '⚽' | '⚾' | '⛄' | '⛅'
                | '⛎' | '⛔' | '⛪' | '⛲' | '⛳' | '⛵' | '⛺' | '⛽' | '✅' | '✊' | '✋'
                | '✨' | '❌' | '❎' | '❓'..='❕' | '❗' | '➕'..='➗' | '➰' | '➿'
                | '⬛' | '⬜' | '⭐' | '⭕')
        })
}

/// The run's font, named so exactly that shaping has no choice.
fn attributes<'a>(fonts: &Fonts, run: &'a FontRun, style: &TextStyle) -> Attrs<'a> {
    let attributes = Attrs::new().family(Family::Name(&run.family));
    let emoji = run.family == EMOJI_FAMILY;
    let Some(face) = fonts.face(&run.family, style.weight, style.italic && !emoji) else {
        return attributes;
    };
    // Asking for italic where only upright is makes the shaper mark glyphs for slanting.
    let italic = style.italic && !emoji;
    attributes
        .weight(Weight(face.weight))
        .style(if italic { Style::Italic } else { Style::Normal })
}

/// From a line's top to its baseline: the main font's ascent and descent, centred in the
/// line's height. Fallback fonts on a line don't move it.
fn baseline_offset(
    fonts: &mut Fonts,
    family: &str,
    style: &TextStyle,
    size: f32,
    line_height: f32,
) -> f32 {
    let metrics = fonts
        .face(family, style.weight, style.italic)
        .and_then(|face| fonts.system.get_font(face.id, Weight(face.weight)))
        .map(|font| font.as_swash().metrics(&[]).scale(size));
    let (ascent, descent) = metrics.map_or((size * 0.8, size * 0.2), |metrics| {
        (metrics.ascent, metrics.descent)
    });
    (line_height - (ascent + descent)) / 2.0 + ascent
}

/// Left and right end of a line's glyphs, spaces at its end not counted.
fn extent(run: &cosmic_text::LayoutRun<'_>) -> (f32, f32) {
    let from = run
        .glyphs
        .iter()
        .map(|glyph| glyph.start)
        .min()
        .unwrap_or(0);
    let to = run.glyphs.iter().map(|glyph| glyph.end).max().unwrap_or(0);
    let end = from + run.text[from..to].trim_end().len();
    let seen = || run.glyphs.iter().filter(|glyph| glyph.start < end);
    let left = seen().map(|glyph| glyph.x).fold(f32::INFINITY, f32::min);
    let right = seen()
        .map(|glyph| glyph.x + glyph.w)
        .fold(f32::NEG_INFINITY, f32::max);
    if left <= right {
        (left, right)
    } else {
        (0.0, 0.0)
    }
}

#[expect(clippy::cast_precision_loss, reason = "line numbers are small")]
fn line_top(line: u32, line_height: f32) -> f32 {
    line as f32 * line_height
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "the shaping library computes in single precision"
)]
fn narrow(value: f64) -> f32 {
    value as f32
}
