//! The plan: what prepare leaves behind so that every later task only has to carry it out.

mod prepared;
mod request;
mod segments;

use cluster::model::{FrameRange, ObjectRef};
use serde::{Deserialize, Serialize};

pub use prepared::Prepared;
pub use request::{RequestObject, RequestObjectError};

use crate::composition::Warning;
use crate::timeline::Timeline;

pub use segments::cut;

/// Everything a worker needs beside the source files. Stored as JSON.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Format of this object; readers refuse others.
    pub version: u32,
    /// The composition with its sources resolved.
    pub timeline: Timeline,
    /// Source `n`'s file in the store, as immutable bytes.
    pub sources: Vec<ObjectRef>,
    /// The cuts.
    pub segments: Vec<FrameRange>,
    /// What prepare noticed (substituted fonts, short sources, padding).
    pub warnings: Vec<Warning>,
}
