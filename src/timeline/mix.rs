//! The timeline's sound as placements on a 48 kHz grid.

use serde::{Deserialize, Serialize};

/// One clip of sound on the output's timeline, in samples of 48 kHz.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MixClip {
    /// Index in the timeline's sources.
    pub source: usize,
    /// First output sample.
    pub start: u64,
    /// Number of output samples.
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
