//! Leased pieces of a job, the attempts at them and what these leave behind.

use serde::{Deserialize, Serialize};

use super::{
    Epoch, Fingerprint, FrameRange, FrameRate, Generation, Incarnation, JobId, LogTime, NodeId,
    ObjectRef, RunNumber,
};

/// Which piece of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum TaskKind {
    /// Fetch, probe, index, resolve and cut; its accepted report is the plan.
    Prepare,
    /// Mix and encode the whole timeline's sound, once.
    Audio,
    /// Render one frame range, by its index in the plan.
    Segment(u32),
    /// Mux segments and sound into the artifact.
    Join,
    /// Bring an asset's bytes into the store and look at them.
    Ingest,
    /// Copy the artifact to the client's own place.
    Deliver,
    /// Bring a render's remote sources to the node that is to prepare it.
    Fetch,
}

impl TaskKind {
    /// Whether it moves bytes rather than renders: such tasks take no slot, so that a slow
    /// network never holds up rendering.
    pub fn is_transfer(self) -> bool {
        matches!(self, Self::Fetch | Self::Ingest | Self::Deliver)
    }
}

/// One task of one job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TaskRef {
    /// The job.
    pub job: JobId,
    /// The piece of it.
    pub kind: TaskKind,
}

/// One live try at a task: who holds it and until when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Its fencing number.
    pub epoch: Epoch,
    /// Counts from 1 within the task.
    pub number: u32,
    /// The node that holds it.
    pub node: NodeId,
    /// That node's incarnation when it was granted.
    pub incarnation: Incarnation,
    /// The plan it works from; 0 for prepare.
    pub generation: Generation,
    /// When it was granted.
    pub granted_at: LogTime,
    /// The run it was granted with.
    pub run: RunNumber,
}

/// How an attempt ended, for the record that operators read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum AttemptOutcome {
    /// Its report was accepted.
    Done,
    /// It reported a failure.
    Failed(Failure),
    /// Its lease ran out, or its node came back as another incarnation.
    Lost,
    /// It was handed back (drain, revoke, steal) without blame.
    Released,
}

/// Why an attempt made no output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// A code of API.md §4, such as `invalid_source`.
    pub code: String,
    /// A sentence for the client.
    pub message: String,
    /// The element at fault as a path, such as `elements[1].source_url`.
    pub path: Option<String>,
    /// No retry can help: the job fails at once.
    pub permanent: bool,
}

impl Failure {
    /// The `path` of a failure for want of space in the store. It names no element.
    pub const NO_SPACE: &str = "storage";

    /// Whether there was no room for what was to be written.
    pub fn is_for_want_of_space(&self) -> bool {
        !self.permanent && self.path.as_deref() == Some(Self::NO_SPACE)
    }
}

/// What an accepted report leaves behind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum TaskOutput {
    /// The plan: an object, and what the coordinator needs to know of it.
    Plan {
        /// The plan itself, which the coordinator never opens.
        object: ObjectRef,
        /// Facts of the plan that the coordinator uses.
        facts: PlanFacts,
    },
    /// A segment file.
    Segment {
        /// The file.
        object: ObjectRef,
        /// It came from the segment cache.
        from_cache: bool,
    },
    /// The encoded sound.
    Audio {
        /// The file.
        object: ObjectRef,
        /// It came from the cache.
        from_cache: bool,
    },
    /// The published file.
    Artifact(super::Artifact),
    /// An asset that can be used.
    Ingested(super::Ingested),
    /// The artifact is at its destination.
    Delivered,
    /// The remote sources are on the node.
    Fetched,
    /// The plan, with the findings for clients. Since level 1, in place of [`Self::Plan`].
    Planned {
        /// The plan itself, which the coordinator never opens.
        object: ObjectRef,
        /// Facts of the plan that the coordinator uses.
        facts: PlanFacts,
        /// Findings for clients: warnings, the size, the frames.
        findings: ObjectRef,
    },
    /// The published file. Since level 1, in place of [`Self::Artifact`].
    Published {
        /// The file.
        artifact: super::Artifact,
        /// In place of the plan's findings, where making the file found out more.
        findings: Option<ObjectRef>,
    },
}

/// What the coordinator uses of a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanFacts {
    /// Output frames.
    pub frames: u64,
    /// Output rate.
    pub rate: FrameRate,
    /// The cuts, in order, without gaps.
    pub segments: Vec<FrameRange>,
    /// There is sound to mix.
    pub has_audio: bool,
}

/// A committed segment or sound file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SegmentMark {
    /// The committed file.
    pub object: ObjectRef,
    /// The epoch whose report was accepted.
    pub epoch: Epoch,
    /// It came from the cache.
    pub from_cache: bool,
    /// The fingerprint it was made under.
    pub fingerprint: Fingerprint,
}
