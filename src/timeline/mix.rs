//! The timeline's sound as placements on a 48 kHz grid.

use cluster::model::FrameIndex;
use serde::{Deserialize, Serialize};

use super::Timeline;
use crate::composition::time::MediaTime;
use crate::composition::{Element, ElementKind};

/// Samples a second of everything that is mixed.
pub const SAMPLE_RATE: u32 = 48_000;

/// One clip of sound on the output's timeline, in samples of 48 kHz.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MixClip {
    /// Index in the timeline's sources.
    pub source: usize,
    /// The sound track, by its place among all tracks of the file.
    pub track: usize,
    /// First output sample.
    pub start: u64,
    /// Number of output samples. Where the source runs out before, the rest is silence. A clip
    /// that fades out across the end of the output reaches beyond `MixPlan::samples`; what
    /// lies there is not heard.
    pub length: u64,
    /// First sample of the source (48 kHz grid) that is heard.
    pub source_start: u64,
    /// Amplitude factor, 0–1.
    pub gain: f64,
    /// Samples of linear rise from silence at the clip's beginning.
    pub fade_in: u64,
    /// Samples of linear fall to silence at the clip's end.
    pub fade_out: u64,
}

/// The whole timeline's sound.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MixPlan {
    /// Output samples a channel at 48 kHz: exactly the output's length.
    pub samples: u64,
    /// What is heard.
    pub clips: Vec<MixClip>,
    /// AAC rate in kbit/s.
    pub kbps: u32,
}

impl Timeline {
    /// The sound of the timeline; `None` when nothing is audible.
    pub fn mix(&self) -> Option<MixPlan> {
        let length = MediaTime::of_frame(FrameIndex(self.frames), self.composition.frame_rate);
        let samples = sample(length);
        let clips: Vec<MixClip> = self
            .composition
            .elements
            .iter()
            .filter_map(|element| self.mix_clip(element, samples))
            .collect();
        (!clips.is_empty()).then_some(MixPlan {
            samples,
            clips,
            kbps: self.composition.output.audio_kbps,
        })
    }

    /// Indices of the elements whose sound the mix's clips are, clip by clip.
    pub fn heard_elements(&self) -> Vec<usize> {
        let samples = self.mix().map_or(0, |mix| mix.samples);
        let elements = self.composition.elements.iter();
        elements
            .filter(|element| self.mix_clip(element, samples).is_some())
            .map(|element| element.index)
            .collect()
    }

    pub(super) fn mix_clip(&self, element: &Element, samples: u64) -> Option<MixClip> {
        let (ElementKind::Video { clip, .. } | ElementKind::Audio { clip }) = &element.kind else {
            return None;
        };
        let (source, info) = self.source_of(element.index)?;
        if !element.visible || clip.gain <= 0.0 {
            return None;
        }
        let sound = info.sound(clip.audio_track.as_ref())?;
        let (from, to) = self.span(element)?;
        // Each edge is rounded once; lengths are differences of edges.
        let (start, end) = (sample(from), sample(to));
        if start >= end || start >= samples {
            return None;
        }
        let mut length = end - start;
        // A fade longer than the clip takes all of it.
        let fade_in = sample(clip.fade_in).min(length);
        let mut fade_out = sample(clip.fade_out).min(length);
        if end - fade_out >= samples {
            length = length.min(samples - start);
            fade_out = 0;
        }
        Some(MixClip {
            source,
            track: sound.track,
            start,
            length,
            source_start: sample(clip.in_point),
            gain: clip.gain,
            fade_in,
            fade_out,
        })
    }
}

/// The sample nearest to a time; zero before the beginning.
fn sample(time: MediaTime) -> u64 {
    u64::try_from(time.round_to(SAMPLE_RATE)).unwrap_or(0)
}

#[cfg(test)]
mod tests;
