//! Events, their receivers, and the state of their deliveries.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{
    AssetId, DeliveryId, EndpointId, EventId, Incarnation, JobId, JobStatus, LogTime, NodeId,
    RanTime, Seq,
};

/// What can happen. The order is that of API.md §7.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum EventKind {
    /// A render was accepted.
    RenderQueued,
    /// A render's first lease was granted.
    RenderProcessing,
    /// A render has its file.
    RenderCompleted,
    /// A render cannot be done.
    RenderFailed,
    /// A render was cancelled.
    RenderCancelled,
    /// An upload or import can be used.
    AssetReady,
    /// An upload or import never will be.
    AssetFailed,
    /// A render's progress. Sent by the leader from memory, never in the log.
    RenderProgress,
}

impl EventKind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::RenderQueued,
        Self::RenderProcessing,
        Self::RenderCompleted,
        Self::RenderFailed,
        Self::RenderCancelled,
        Self::AssetReady,
        Self::AssetFailed,
        Self::RenderProgress,
    ];

    /// Its name in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::RenderQueued => "render.queued",
            Self::RenderProcessing => "render.processing",
            Self::RenderCompleted => "render.completed",
            Self::RenderFailed => "render.failed",
            Self::RenderCancelled => "render.cancelled",
            Self::AssetReady => "asset.ready",
            Self::AssetFailed => "asset.failed",
            Self::RenderProgress => "render.progress",
        }
    }

    /// The event of a render that reaches `status`.
    pub fn of_status(status: JobStatus) -> Self {
        match status {
            JobStatus::Queued => Self::RenderQueued,
            JobStatus::Processing => Self::RenderProcessing,
            JobStatus::Completed => Self::RenderCompleted,
            JobStatus::Failed => Self::RenderFailed,
            JobStatus::Cancelled => Self::RenderCancelled,
        }
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Bytes that only a holder of the cluster's key can read.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed(pub Vec<u8>);

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes)", self.0.len())
    }
}

/// A signing secret, and for a while after a rotation the one before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Secret {
    /// Signs.
    pub current: Sealed,
    /// Signs too, until then.
    pub previous: Option<(Sealed, LogTime)>,
}

/// Why an endpoint is sent nothing any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Disabled {
    /// It answered 410.
    Gone,
}

/// A webhook endpoint of a workspace.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// Chosen by the edge.
    pub id: EndpointId,
    /// Whose it is.
    pub workspace: String,
    /// Where events are sent.
    pub url: String,
    /// The kinds of events it is sent.
    pub events: Vec<EventKind>,
    /// Signs what it is sent.
    pub secret: Secret,
    /// Why and since when it is sent nothing; `None` while it is enabled.
    pub disabled: Option<(Disabled, LogTime)>,
    /// When it was made.
    pub created_at: LogTime,
}

/// What an event is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Subject {
    /// A render.
    Job(JobId),
    /// An upload or import.
    Asset(AssetId),
}

/// Something that happened, once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// The same on every try and at every receiver.
    pub id: EventId,
    /// What happened.
    pub kind: EventKind,
    /// To what.
    pub subject: Subject,
    /// The subject's sequence number at that change.
    pub sequence: Seq,
    /// When.
    pub at: LogTime,
}

/// The receiver of a delivery.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Target {
    /// A registered endpoint.
    Endpoint(EndpointId),
    /// The URL that one request named.
    Url(String),
}

/// Where a delivery is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeliveryStatus {
    /// To be tried (again) when it is due.
    Pending,
    /// The receiver took it.
    Delivered,
    /// Every try failed.
    Failed,
    /// Its endpoint was removed or disabled before it was taken.
    Dropped,
}

/// One finished try.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryAttempt {
    /// When it began.
    pub at: LogTime,
    /// The receiver's HTTP status, if it answered.
    pub status: Option<u16>,
    /// Why there is no 2xx answer.
    pub error: Option<String>,
    /// How long it took.
    pub duration_millis: u32,
}

/// The right to try a delivery until a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeliveryLease {
    /// Who.
    pub node: NodeId,
    /// Which start of it; another one ends the lease at once.
    pub incarnation: Incarnation,
    /// The lease is over then.
    pub until: RanTime,
}

/// One event on its way to one receiver.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// Its id.
    pub id: DeliveryId,
    /// The workspace of the event.
    pub workspace: String,
    /// The event that is sent.
    pub event: Event,
    /// The receiver.
    pub target: Target,
    /// Its state.
    pub status: DeliveryStatus,
    /// Not tried before this.
    pub due: RanTime,
    /// Who tries it now.
    pub lease: Option<DeliveryLease>,
    /// Tries since it was last asked for; decides the next delay.
    pub tries: u32,
    /// The last few finished tries.
    pub attempts: Vec<DeliveryAttempt>,
    /// When it left `Pending`.
    pub settled_at: Option<LogTime>,
}

impl Delivery {
    /// Whether it may be leased at `ran`; `is_current` returns whether a lease's holder is
    /// still the same start of its node.
    pub fn is_leasable(
        &self,
        ran: RanTime,
        is_current: impl Fn(NodeId, Incarnation) -> bool,
    ) -> bool {
        let is_held = self
            .lease
            .is_some_and(|lease| lease.until > ran && is_current(lease.node, lease.incarnation));
        self.status == DeliveryStatus::Pending && self.due <= ran && !is_held
    }
}
