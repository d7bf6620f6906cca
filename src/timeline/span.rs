//! When an element is there, and which moment of its source it shows then.

use std::ops::RangeInclusive;

use cluster::model::{FrameIndex, FrameRange};

use super::{FrameTable, Timeline};
use crate::composition::time::MediaTime;
use crate::composition::{Clip, Element, ElementKind};

/// A source may fall short of what is asked by this much, or by two frames, and its edge
/// frame is held.
const HOLD_NANOS: i64 = 100_000_000;

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

    /// The frame of the element's source that is shown at `at`; nothing where the source has
    /// none near enough.
    pub(super) fn source_frame(
        &self,
        element: &Element,
        clip: &Clip,
        at: MediaTime,
    ) -> Option<u64> {
        let (_, info) = self.source_of(element.index)?;
        let frames = &info.video.as_ref()?.frames;
        let out_point = clip.out_point.unwrap_or(MediaTime::ZERO);
        frames.at(clip.in_point + (at - element.time), out_point)
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

impl FrameTable {
    /// The frame shown at `time` of the source, of which `wanted_end` is the last moment that
    /// is asked for: the last frame with a time not after it, within the tolerance.
    fn at(&self, time: MediaTime, wanted_end: MediaTime) -> Option<u64> {
        let first = *self.pts.first()?;
        let time = i64::try_from(time.floor_nanos()).ok()?;
        let wanted_end = i64::try_from(wanted_end.floor_nanos()).ok()?;
        if time >= self.end && wanted_end.saturating_sub(self.end) > self.hold() {
            return None;
        }
        let latest = time.saturating_add(self.tolerance);
        let after = self.pts.partition_point(|&pts| pts <= latest);
        match after.checked_sub(1) {
            Some(frame) => u64::try_from(frame).ok(),
            None => (first <= self.hold()).then_some(0),
        }
    }

    /// How much the source may fall short for its edge frame to be held: two frames of its
    /// mean length, at least 100 ms.
    fn hold(&self) -> i64 {
        let first = self.pts.first().copied().unwrap_or(0);
        let count = i64::try_from(self.pts.len()).unwrap_or(i64::MAX).max(1);
        let two_frames = self.end.saturating_sub(first) / count * 2;
        two_frames.max(HOLD_NANOS)
    }
}

/// Where the element's source ends: with its last frame, or for sound with its last sample.
pub(super) fn source_end(element: &Element, timeline: &Timeline) -> Option<MediaTime> {
    let (_, info) = timeline.source_of(element.index)?;
    let nanos = match &element.kind {
        ElementKind::Video { .. } => info.video.as_ref()?.frames.end,
        ElementKind::Audio { .. } => info.audio.as_ref()?.duration,
        ElementKind::Image { .. } | ElementKind::Text { .. } => return None,
    };
    Some(MediaTime::from_nanos(nanos))
}

/// Where an element asks its source for more than there is: warning code and sentence.
pub(super) fn shortfalls(element: &Element, timeline: &Timeline) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    let (Some(clip), Some(end)) = (element.kind.clip(), source_end(element, timeline)) else {
        return found;
    };
    let table = timeline
        .source_of(element.index)
        .and_then(|(_, info)| info.video.as_ref())
        .map(|video| &video.frames)
        .filter(|_| matches!(element.kind, ElementKind::Video { .. }));
    let hold = MediaTime::from_nanos(table.map_or(HOLD_NANOS, FrameTable::hold));
    if let Some(out_point) = clip.out_point
        && out_point - end > hold
    {
        let gap = if table.is_some() {
            "transparent"
        } else {
            "silent"
        };
        found.push((
            "source_shorter_than_out_point",
            format!("out_point is {out_point}, the source ends at {end}; it is {gap} from there"),
        ));
    }
    let first = table.and_then(|table| table.pts.first());
    if let Some(first) = first.map(|&first| MediaTime::from_nanos(first))
        && first > hold
        && clip.in_point < first
    {
        found.push((
            "source_starts_after_in_point",
            format!(
                "in_point is {}, the source's first frame is at {first}; it is transparent until \
                 then",
                clip.in_point
            ),
        ));
    }
    found
}
