//! Gathers what a draw list shows: text drawn, still pictures decoded, video frames asked
//! for. Decides no placement and draws no canvas.

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::sync::Arc;

use super::geometry::inverse;
use super::image::decode_image;
use super::pixels::rgba_frame;
use super::text::{TextEngine, TextPicture};
use super::{Picture, RenderError};
use crate::composition::{ElementKind, TextStyle};
use crate::media::Frame;
use crate::timeline::{Affine, Content, DrawList, Layer, Rect, Timeline};

/// Texts kept drawn. Static titles need one each; beyond that, the oldest goes.
const TEXTS_KEPT: usize = 64;

/// Bytes of decoded stills that are kept where no other bound is set.
const STILLS_KEPT: usize = 512 << 20;

/// A source's file and what names its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageSource {
    /// Where its bytes are.
    pub file: PathBuf,
    /// Digest of the bytes: equal digests show equal pictures.
    pub digest: String,
}

/// Turns draw lists of one timeline into pictures.
#[derive(Debug)]
pub struct Stage {
    text: Arc<TextEngine>,
    sources: Vec<StageSource>,
    max_pixels: u64,
    /// Decoded stills, the one used last at the end.
    images: Vec<(usize, Frame)>,
    /// Sources whose stills are damaged.
    damaged: BTreeSet<usize>,
    /// Bytes that decoded stills may hold together.
    budget: usize,
    texts: Vec<(u64, Option<TextPicture>)>,
}

impl Stage {
    /// A stage for a timeline whose source `n` is `sources[n]`. Still pictures of more than
    /// `max_pixels` are refused.
    #[must_use]
    pub fn new(text: Arc<TextEngine>, sources: Vec<StageSource>, max_pixels: u64) -> Self {
        Self {
            text,
            sources,
            max_pixels,
            images: Vec::new(),
            damaged: BTreeSet::new(),
            budget: STILLS_KEPT,
            texts: Vec::new(),
        }
    }

    /// The same, with at most `bytes` of decoded stills kept.
    #[must_use]
    pub fn with_stills_kept(mut self, bytes: usize) -> Self {
        self.budget = bytes;
        self
    }

    /// The pictures of `list`'s layers, in their order. `video` is asked for the decoded
    /// frames of sources.
    ///
    /// # Errors
    /// What `video` answers; [`RenderError`] when a still picture or text can't be drawn.
    pub fn pictures<E: From<RenderError>>(
        &mut self,
        list: &DrawList,
        timeline: &Timeline,
        video: &mut dyn FnMut(usize, u64) -> Result<Frame, E>,
    ) -> Result<Vec<Picture>, E> {
        list.layers
            .iter()
            .map(|layer| match layer.content {
                Content::Video { source, frame } => Ok(Picture {
                    id: id(&("video", self.digest(source), frame)),
                    frame: video(source, frame)?,
                    rect: layer.content_rect,
                }),
                Content::Image { source } => Ok(Picture {
                    id: id(&("image", self.digest(source))),
                    frame: self.image(source)?,
                    rect: layer.content_rect,
                }),
                Content::Text { element } => {
                    let style = timeline
                        .composition
                        .elements
                        .get(element)
                        .and_then(|element| match &element.kind {
                            ElementKind::Text { text, .. } => Some(text),
                            ElementKind::Video { .. }
                            | ElementKind::Image { .. }
                            | ElementKind::Audio { .. } => None,
                        })
                        .ok_or_else(|| {
                            RenderError::Picture(format!("element {element} is no text"))
                        })?;
                    Ok(self.text(list, layer, style)?)
                }
            })
            .collect()
    }

    /// Whether the still of a source was found to be damaged when it was drawn.
    #[must_use]
    pub fn is_damaged(&self, source: usize) -> bool {
        self.damaged.contains(&source)
    }

    fn digest(&self, source: usize) -> (usize, &str) {
        // Without a digest, the index keeps sources of one timeline apart.
        match self.sources.get(source) {
            Some(source) => (0, &source.digest),
            None => (source + 1, ""),
        }
    }

    fn image(&mut self, source: usize) -> Result<Frame, RenderError> {
        if let Some(at) = self.images.iter().position(|(kept, _)| *kept == source) {
            let kept = self.images.remove(at);
            let frame = kept.1.clone();
            self.images.push(kept);
            return Ok(frame);
        }
        let file = self
            .sources
            .get(source)
            .ok_or_else(|| RenderError::Picture(format!("source {source} is not there")))?;
        let still = decode_image(&file.file, self.max_pixels)?;
        if still.is_damaged {
            self.damaged.insert(source);
        }
        let frame = still.frame;
        self.images.push((source, frame.clone()));
        let mut held: usize = self.images.iter().map(|(_, frame)| bytes_of(frame)).sum();
        // The newest stays whatever it holds: it is shown now.
        while held > self.budget && self.images.len() > 1 {
            let (_, dropped) = self.images.remove(0);
            held -= bytes_of(&dropped);
        }
        Ok(frame)
    }

    fn text(
        &mut self,
        list: &DrawList,
        layer: &Layer,
        style: &TextStyle,
    ) -> Result<Picture, RenderError> {
        let fraction = fraction(layer.transform);
        let window = visible(list, layer);
        let key = text_id(style, layer.size, fraction, window);
        let known = self.texts.iter().position(|(kept, _)| *kept == key);
        let drawn = if let Some(at) = known {
            // To the end: what is used stays.
            let kept = self.texts.remove(at);
            self.texts.push(kept.clone());
            kept.1
        } else {
            let drawn = self.text.draw(style, layer.size, fraction, window)?;
            if self.texts.len() >= TEXTS_KEPT {
                self.texts.remove(0);
            }
            self.texts.push((key, drawn.clone()));
            drawn
        };
        let drawn = drawn.unwrap_or_else(nothing);
        Ok(Picture {
            id: key,
            frame: drawn.frame,
            rect: drawn.rect,
        })
    }
}

fn bytes_of(frame: &Frame) -> usize {
    frame.planes.iter().map(|plane| plane.data.len()).sum()
}

/// One transparent pixel, for text without ink.
fn nothing() -> TextPicture {
    TextPicture {
        frame: rgba_frame(1, 1, vec![0; 4]),
        rect: Rect {
            x: 0.0,
            y: 0.0,
            width: 1.0,
            height: 1.0,
        },
    }
}

/// Where within a canvas pixel an upright box begins; turned ones are sampled anyway.
fn fraction(transform: Affine) -> (f64, f64) {
    let Affine { a, b, c, d, e, f } = transform;
    let upright = (a - 1.0).abs() < 1e-9 && (d - 1.0).abs() < 1e-9 && b == 0.0 && c == 0.0;
    if upright {
        (e - e.floor(), f - f.floor())
    } else {
        (0.0, 0.0)
    }
}

/// The part of the layer's coordinates that the canvas shows, in whole steps so that it
/// changes the picture's identity only when it must.
fn visible(list: &DrawList, layer: &Layer) -> Rect {
    let far = Rect {
        x: 0.0,
        y: 0.0,
        width: 0.0,
        height: 0.0,
    };
    let Some(to_box) = inverse(layer.transform) else {
        return far;
    };
    let (width, height) = (f64::from(list.width), f64::from(list.height));
    let corners = [(0.0, 0.0), (width, 0.0), (0.0, height), (width, height)]
        .map(|corner| to_box.apply(corner));
    let least = |axis: fn(&(f64, f64)) -> f64| {
        corners
            .iter()
            .map(axis)
            .fold(f64::INFINITY, f64::min)
            .floor()
            - 2.0
    };
    let most = |axis: fn(&(f64, f64)) -> f64| {
        corners
            .iter()
            .map(axis)
            .fold(f64::NEG_INFINITY, f64::max)
            .ceil()
            + 2.0
    };
    let (x, y) = (least(|corner| corner.0), least(|corner| corner.1));
    Rect {
        x,
        y,
        width: most(|corner| corner.0) - x,
        height: most(|corner| corner.1) - y,
    }
}

fn text_id(style: &TextStyle, size: (f64, f64), fraction: (f64, f64), window: Rect) -> u64 {
    let numbers = [
        style.size,
        style.leading,
        size.0,
        size.1,
        fraction.0,
        fraction.1,
        window.x,
        window.y,
        window.width,
        window.height,
    ]
    .map(f64::to_bits);
    let color = [style.color.r, style.color.g, style.color.b, style.color.a];
    let choices = format!(
        "{:?} {:?} {}",
        style.align, style.vertical_align, style.wrap
    );
    id(&(
        ("text", &style.text, &style.family, &style.font_url),
        (style.weight, style.italic, color),
        (choices, numbers),
    ))
}

/// The same value in every process built by the same compiler; ids never leave a process.
fn id(content: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    content.hash(&mut hasher);
    hasher.finish()
}
