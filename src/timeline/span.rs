//! When an element is there, and which moment of its source it shows then.

use std::ops::RangeInclusive;

use cluster::model::{FrameIndex, FrameRange};

use super::Timeline;
use crate::composition::time::MediaTime;
use crate::composition::{Clip, Element, ElementKind};

impl Timeline {
    /// When the element is there: from its `time` to its end, which may lie after the
    /// output's. Nothing when its source is not known.
    pub fn span(&self, element: &Element) -> Option<(MediaTime, MediaTime)> {
        let length = match &element.kind {
            ElementKind::Video { clip, .. } | ElementKind::Audio { clip } => {
                let out_point = match clip.out_point {
                    Some(out_point) => out_point,
                    None => source_end(element, self)?,
                };
                let trimmed = out_point - clip.in_point;
                element.duration.map_or(trimmed, |d| d.min(trimmed))
            }
            ElementKind::Image { .. } | ElementKind::Text { .. } => element.duration?,
        };
        Some((element.time, element.time + length.max(MediaTime::ZERO)))
    }

    /// Whether the element is there at `at`.
    pub(super) fn shows(&self, element: &Element, at: MediaTime) -> bool {
        element.visible
            && self
                .span(element)
                .is_some_and(|(start, end)| start <= at && at < end)
    }

    /// The frame of the element's source that is shown at `at`; `None` where the source has
    /// none near enough.
    pub(super) fn source_frame(
        &self,
        element: &Element,
        clip: &Clip,
        at: MediaTime,
    ) -> Option<u64> {
        let (_, info) = self.source_of(element.index)?;
        let frames = &info.video.as_ref()?.frames;
        let out_point = clip
            .out_point
            .or_else(|| source_end(element, self))
            .unwrap_or(MediaTime::ZERO);
        frames.at(
            clip.in_point + (at - element.time),
            (clip.in_point, out_point),
        )
    }

    /// The first and last source frame that a video element shows within `range`; nothing
    /// when it shows none there. Frames shown in between never go backwards.
    pub fn video_frames(&self, element: usize, range: FrameRange) -> Option<RangeInclusive<u64>> {
        let element = self.composition.elements.get(element)?;
        let ElementKind::Video { clip, .. } = &element.kind else {
            return None;
        };
        let rate = self.composition.frame_rate;
        let shown = |frame: FrameIndex| {
            let at = MediaTime::of_frame(frame, rate);
            if self.shows(element, at) {
                self.source_frame(element, clip, at)
            } else {
                None
            }
        };
        let first = range.iter().find_map(shown)?;
        let last = (range.start..range.end)
            .rev()
            .find_map(|frame| shown(FrameIndex(frame)))?;
        Some(first..=last)
    }

    /// The first frame of `source` that any element shows within `range`.
    pub fn first_frame(&self, source: usize, range: FrameRange) -> Option<u64> {
        (0..self.composition.elements.len())
            .filter(|&element| self.element_sources.get(element) == Some(&Some(source)))
            .filter_map(|element| Some(*self.video_frames(element, range)?.start()))
            .min()
    }
}

/// Where the element's source ends: for pictures with the last frame, unless the sound that is heard
/// with them lasts longer by more than what a frame is held for; for sound with its last sample.
pub(super) fn source_end(element: &Element, timeline: &Timeline) -> Option<MediaTime> {
    let (_, info) = timeline.source_of(element.index)?;
    let nanos = match &element.kind {
        ElementKind::Video { clip, .. } => {
            let frames = &info.video.as_ref()?.frames;
            let sound = info.sound(clip.audio_track.as_ref());
            let sound = sound.filter(|_| clip.gain > 0.0).map(|sound| sound.end);
            let longer = |&end: &i64| end.saturating_sub(frames.end()) > frames.hold();
            sound.filter(longer).unwrap_or(frames.end())
        }
        ElementKind::Audio { clip } => info.sound(clip.audio_track.as_ref())?.end,
        ElementKind::Image { .. } | ElementKind::Text { .. } => return None,
    };
    Some(MediaTime::from_nanos(nanos))
}
