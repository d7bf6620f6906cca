//! The plan: what prepare leaves behind so that every later task only has to carry it out.

mod assets;
mod findings;
mod probe;
mod request;
mod segments;
mod stored;

use cluster::model::{FrameRange, ObjectRef};
use serde::{Deserialize, Serialize};

pub use assets::{asset_of, asset_url, assets_used, has_remote_sources};
pub use findings::Findings;
pub use probe::{Probe, ProbeAudio, ProbeColor};
pub use request::{RequestObject, RequestObjectError};
pub use segments::{CutSettings, cut};
pub use stored::{MAX_BYTES, PlanError, VERSION};

use crate::timeline::Timeline;

/// Everything a worker needs beside the source files.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The composition with its sources resolved.
    pub timeline: Timeline,
    /// Source `n`'s file in the store, as immutable bytes.
    pub sources: Vec<ObjectRef>,
    /// Font files that text elements bring along.
    pub fonts: Vec<PlannedFont>,
    /// The cuts.
    pub segments: Vec<FrameRange>,
}

/// A font file of the composition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedFont {
    /// What text elements call it.
    pub url: String,
    /// Its bytes.
    pub object: ObjectRef,
}

impl Plan {
    /// Width of the file: the canvas, grown to even.
    pub fn output_width(&self) -> u32 {
        even(self.timeline.composition.width)
    }

    /// Height of the file: the canvas, grown to even.
    pub fn output_height(&self) -> u32 {
        even(self.timeline.composition.height)
    }
}

fn even(size: u32) -> u32 {
    size.next_multiple_of(2)
}
