//! What a node asks of its worker process, and what the worker reports it made. The actors carry
//! both as opaque bytes; both ends are always the same build.

use std::path::PathBuf;

use cluster::model::{ObjectRef, PlanFacts};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::composition::time::MediaTime;
use crate::composition::{SourceKind, ValidComposition, Warning};
use crate::media::Report;
use crate::plan::{CutSettings, Probe};

/// One run's work. Every path is of a file on this machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(
    clippy::large_enum_variant,
    reason = "one a run, written and read at once"
)]
pub enum Order {
    /// Probe, resolve and cut.
    Prepare(PrepareOrder),
    /// Render consecutive segments, one output each.
    Segments(SegmentsOrder),
    /// Mix the whole timeline's sound.
    Audio(AudioOrder),
    /// Make the published file.
    Join(JoinOrder),
    /// Look at an upload or import.
    Ingest(IngestOrder),
}

/// [`Order::Ingest`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IngestOrder {
    /// The file's bytes.
    pub file: PathBuf,
    /// Its type, from its first bytes.
    pub content_type: String,
    /// Whether all that is in it is asked for.
    pub in_full: bool,
}

/// [`Order::Prepare`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PrepareOrder {
    /// What to render.
    pub composition: ValidComposition,
    /// Its files, in the order of `ValidComposition::source_urls`.
    pub sources: Vec<FetchedSource>,
    /// How the output is cut.
    pub cuts: CutSettings,
    /// `limits.duration`.
    pub max_duration: MediaTime,
    /// `limits.render_pixels`.
    pub max_render_pixels: u64,
    /// Where outputs go.
    pub out: PathBuf,
}

/// A file the composition names, fetched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FetchedSource {
    /// As the composition has it.
    pub url: String,
    /// Who names it first, like `elements[1].source_url`.
    pub path: String,
    /// What it is taken for there.
    pub kind: SourceKind,
    /// Its place in the store.
    pub object: ObjectRef,
    /// Its bytes.
    pub file: PathBuf,
}

/// [`Order::Segments`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentsOrder {
    /// The plan object's bytes.
    pub plan: PathBuf,
    /// Source `n` of the plan.
    pub sources: Vec<PathBuf>,
    /// Font `n` of the plan.
    pub fonts: Vec<PathBuf>,
    /// Indices in the plan's cuts: output `i` of the run is segment `segments[i]`.
    pub segments: Vec<u32>,
    /// Where outputs go.
    pub out: PathBuf,
}

/// [`Order::Audio`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AudioOrder {
    /// The plan object's bytes.
    pub plan: PathBuf,
    /// Source `n` of the plan.
    pub sources: Vec<PathBuf>,
    /// Where outputs go.
    pub out: PathBuf,
}

/// [`Order::Join`]. The inputs' digests were checked when they were brought here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct JoinOrder {
    /// The plan object's bytes.
    pub plan: PathBuf,
    /// Segment files in order.
    pub segments: Vec<PathBuf>,
    /// The encoded sound.
    pub audio: Option<PathBuf>,
    /// Where outputs go.
    pub out: PathBuf,
}

/// One finished output, as the worker describes it to its node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Made {
    /// Of prepare.
    Plan {
        /// The plan object.
        plan: PathBuf,
        /// The findings object, for clients.
        findings: PathBuf,
        /// The facts that the coordinator uses.
        facts: PlanFacts,
    },
    /// One segment.
    Segment {
        /// The segment file.
        file: PathBuf,
    },
    /// The sound.
    Audio {
        /// The file.
        file: PathBuf,
    },
    /// The published file.
    Artifact {
        /// The file.
        file: PathBuf,
        /// How long joining took.
        join_millis: u64,
        /// Damage of the sources that was met while segments and sound were made.
        warnings: Vec<Warning>,
    },
    /// What an upload or import is.
    Probed {
        /// What was found.
        probe: Probe,
        /// All of it, where that was asked for.
        report: Option<Report>,
    },
}

/// Bytes of an order or an output's description.
///
/// # Errors
/// When a path is not valid UTF-8.
pub fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, serde_json::Error> {
    serde_json::to_vec(value)
}

/// Reads what [`encode`] wrote.
///
/// # Errors
/// When the bytes are something else.
pub fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, serde_json::Error> {
    serde_json::from_slice(bytes)
}
