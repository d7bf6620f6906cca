//! A valid composition and probed sources become a timeline: every length in pixels, every
//! time known.

use serde::{Deserialize, Serialize};

use super::MediaInfo;
use super::layout;
use super::span;
use crate::composition::time::MediaTime;
use crate::composition::{
    Element, ElementKind, Limits, SourceKind, TextStyle, TrackChoice, ValidComposition, Warning,
};

/// Length of an output that nothing else determines.
const DEFAULT_SECONDS: i128 = 10;

/// A composition whose sources are known; `evaluate` and `mix` are functions of it alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Timeline {
    /// What the client asked for.
    pub composition: ValidComposition,
    /// Facts of each source, in the order of `ValidComposition::source_urls`; fonts, which
    /// come last there, may be missing here.
    pub sources: Vec<MediaInfo>,
    /// Output frames.
    pub frames: u64,
    /// Which source each element shows or plays, by element index.
    pub element_sources: Vec<Option<usize>>,
    /// Height in pixels of each text element's block of lines, by element index.
    pub text_heights: Vec<Option<f64>>,
}

/// Lays text out; implemented by the renderer's text engine.
pub trait TextMeasure {
    /// Height in pixels of `style`'s lines when broken to `width` pixels.
    fn height(&self, style: &TextStyle, width: f64) -> f64;
}

/// Why a composition and its sources don't fit together; a render failure of API.md §4.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ResolveError {
    /// `invalid_source` or `limit_exceeded`.
    pub code: String,
    /// A sentence.
    pub message: String,
    /// The element, like `elements[1].source_url`.
    pub path: String,
}

/// What resolving made.
pub type Resolved = (Timeline, Vec<Warning>);

impl Timeline {
    /// Brings a composition and its probed sources together. `sources` follow
    /// [`ValidComposition::source_urls`]; the fonts at its end may be left out.
    ///
    /// # Errors
    /// [`ResolveError`] when a source is not what its element takes it for, or the output
    /// turns out longer than `limits` allow.
    pub fn resolve(
        composition: ValidComposition,
        sources: Vec<MediaInfo>,
        measure: &dyn TextMeasure,
        limits: &Limits,
    ) -> Result<Resolved, ResolveError> {
        let uses = composition.source_urls();
        let element_sources: Vec<Option<usize>> = composition
            .elements
            .iter()
            .map(|element| {
                let (url, kind) = element.kind.source()?;
                // A URL can be named as a font too; that entry is not the element's media.
                uses.iter().position(|used| {
                    used.url == url && (used.kind == SourceKind::Font) == (kind == SourceKind::Font)
                })
            })
            .collect();
        let mut timeline = Self {
            composition,
            sources,
            frames: 1,
            element_sources,
            text_heights: Vec::new(),
        };
        for element in timeline.composition.elements.iter().filter(|e| e.visible) {
            timeline.check_source(element)?;
        }
        let duration = timeline.derived_duration();
        if duration > limits.duration {
            return Err(ResolveError {
                code: "limit_exceeded".into(),
                message: format!(
                    "the output would last {duration}, the limit is {}",
                    limits.duration
                ),
                path: "duration".into(),
            });
        }
        timeline.frames = duration.frame_count(timeline.composition.frame_rate);
        let (width, height) = (timeline.composition.width, timeline.composition.height);
        if let Some(message) =
            limits.refuse_render(timeline.frames, u64::from(width), u64::from(height))
        {
            return Err(ResolveError {
                code: "limit_exceeded".into(),
                message,
                path: "duration".into(),
            });
        }
        timeline.text_heights = timeline
            .composition
            .elements
            .iter()
            .map(|element| match &element.kind {
                ElementKind::Text { text, visual } if element.visible => {
                    let width = layout::text_width(visual, timeline.composition.width);
                    Some(measure.height(text, width))
                }
                ElementKind::Video { .. }
                | ElementKind::Image { .. }
                | ElementKind::Text { .. }
                | ElementKind::Audio { .. } => None,
            })
            .collect();
        let warnings = timeline.warnings(duration);
        Ok((timeline, warnings))
    }

    /// Facts of the source that an element shows or plays.
    pub fn source_of(&self, element: usize) -> Option<(usize, &MediaInfo)> {
        let source = *self.element_sources.get(element)?.as_ref()?;
        Some((source, self.sources.get(source)?))
    }

    fn check_source(&self, element: &Element) -> Result<(), ResolveError> {
        let wanted = match &element.kind {
            ElementKind::Text { .. } => return Ok(()),
            ElementKind::Video { .. } => "moving pictures",
            ElementKind::Image { .. } => "a picture",
            ElementKind::Audio { .. } => "sound",
        };
        let fits = self
            .source_of(element.index)
            .is_some_and(|(_, info)| match &element.kind {
                ElementKind::Video { .. } => {
                    let frames = info.video.as_ref().map(|video| &video.frames);
                    !info.is_still() && frames.is_some_and(|frames| !frames.is_empty())
                }
                ElementKind::Image { .. } => info.is_still() && info.video.is_some(),
                ElementKind::Audio { .. } => info.audio().is_some(),
                ElementKind::Text { .. } => true,
            });
        if !fits {
            let refusal = self
                .source_of(element.index)
                .filter(|_| matches!(element.kind, ElementKind::Video { .. }))
                .and_then(|(_, info)| info.refusal.clone());
            return Err(ResolveError {
                code: "invalid_source".into(),
                message: refusal.unwrap_or_else(|| format!("the source has no {wanted}")),
                path: format!("elements[{}].source_url", element.index),
            });
        }
        let Some(clip) = element.kind.clip() else {
            return Ok(());
        };
        if let (Some(choice), Some((_, info))) = (&clip.audio_track, self.source_of(element.index))
            && info.sound(Some(choice)).is_none()
        {
            return Err(ResolveError {
                code: "invalid_source".into(),
                message: no_such_track(choice, info),
                path: format!("elements[{}].audio_track", element.index),
            });
        }
        let end = span::source_end(element, self);
        if clip.out_point.is_none() && end.is_some_and(|end| end <= clip.in_point) {
            return Err(ResolveError {
                code: "invalid_source".into(),
                message: format!(
                    "in_point is {}, but the source ends at {}",
                    clip.in_point,
                    end.unwrap_or(MediaTime::ZERO)
                ),
                path: format!("elements[{}].in_point", element.index),
            });
        }
        Ok(())
    }

    /// The length asked for, or the latest end of the visible elements. Sound without an
    /// `out_point` counts only when nothing visual has an end.
    fn derived_duration(&self) -> MediaTime {
        if let Some(duration) = self.composition.duration {
            return duration;
        }
        let visible = || self.composition.elements.iter().filter(|e| e.visible);
        let latest = |elements: &mut dyn Iterator<Item = &Element>| {
            elements
                .filter_map(|element| Some(self.span(element)?.1))
                .max()
        };
        let visual = latest(&mut visible().filter(|e| e.kind.visual().is_some()));
        let trimmed_sound = latest(&mut visible().filter(
            |e| matches!(&e.kind, ElementKind::Audio { clip } if clip.out_point.is_some()),
        ));
        let any_sound =
            || latest(&mut visible().filter(|e| matches!(e.kind, ElementKind::Audio { .. })));
        match visual {
            Some(end) => trimmed_sound.map_or(end, |sound| sound.max(end)),
            None => any_sound().unwrap_or(MediaTime::new(DEFAULT_SECONDS, 1)),
        }
    }
}

/// Which tracks there are instead of the one that was asked for.
fn no_such_track(choice: &TrackChoice, info: &MediaInfo) -> String {
    let wanted = match choice {
        TrackChoice::Number(number) => format!("sound track {number}"),
        TrackChoice::Language(language) => format!("sound track in `{language}`"),
    };
    let there: Vec<String> = info
        .sounds
        .iter()
        .enumerate()
        .map(|(number, sound)| match &sound.language {
            Some(language) => format!("{number} ({language})"),
            None => number.to_string(),
        })
        .collect();
    format!("the source has no {wanted}; it has {}", there.join(", "))
}

#[cfg(test)]
mod tests;
