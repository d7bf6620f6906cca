//! The HTTP edge: /v1 for clients, /admin for operators, over one axum router. It validates,
//! stores and proposes; what became of a render it reads from applied state. It owns nothing
//! that cannot be lost, and never touches media.

mod accepted;
mod access;
mod admin;
mod arrivals;
mod assets;
mod body;
mod capabilities;
mod changes;
mod config;
mod context;
mod cors;
mod creation;
mod cursor;
mod describe;
mod details;
mod envelope;
mod error;
mod event_body;
mod extract;
mod files;
mod high_water;
mod imports;
mod notify;
mod openapi;
mod ops;
mod pages;
mod params;
mod pool;
mod ports;
mod preview;
mod probes;
mod range;
mod renders;
mod room;
mod router;
mod serve;
mod signing;
mod sources;
mod status;
mod timestamp;
mod unread;
mod uploads;
mod webhooks;
mod write_probe;

pub use access::{DrawnKey, Quota, WorkspaceQuota, draw_key};
pub use admin::{key_description, remember_jobs};
pub use changes::publish_changes;
pub use config::{Access, EdgeConfig, EdgeLimits, SigningKey};
pub use context::{Edge, Parts};
pub use notify::{HttpWebhooks, SealError, Sealer};
pub use ports::{
    ActorBody, MemberBody, NodeHealth, NodeSight, ObservedProgress, Observer, RaftBody,
};
pub use router::{admin_router, router};
pub use serve::{ServeLimits, serve};
pub use uploads::{ArrivalError, notice_arrival};
