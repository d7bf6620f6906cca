//! Settings: one struct a concern. Defaults, then the file, then the environment, then
//! flags; unknown keys are errors; frozen once loaded.
//!
//! `config/default.toml` lists every key with its default; a test holds it to this file.

mod load;
mod quota;
mod webhooks;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use serde::{Deserialize, Serialize};

pub use webhooks::Webhooks;

pub use load::SettingsError;
pub use quota::{Quota, WorkspaceQuota, is_workspace_name};

/// Everything an operator can set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Which of `edge`, `coordinator`, `render` this process runs.
    pub roles: Vec<Role>,
    /// Raft log, embedded storage and scratch.
    pub data_dir: PathBuf,
    /// The HTTP API.
    pub edge: Edge,
    /// The operators' API.
    pub admin: Admin,
    /// Membership.
    pub cluster: Cluster,
    /// The rendering side.
    pub render: Render,
    /// Where objects live.
    pub storage: Storage,
    /// The buckets that a composition's `destination` may name, by name.
    pub destinations: BTreeMap<String, DestinationSettings>,
    /// The optional cache server.
    pub redis: Redis,
    /// Fetching of sources.
    pub media: Media,
    /// Who may come in.
    pub auth: Auth,
    /// What is refused as too much.
    pub limits: Limits,
    /// What workspaces may have rendered and may keep.
    pub quota: Quota,
    /// Cached sources.
    pub cache: Cache,
    /// What is kept, and how long.
    pub retention: Retention,
    /// Telling receivers of events.
    pub webhooks: Webhooks,
    /// Logs.
    pub log: Log,
    /// Takes the wall clock at this start, however far it is from the log's time. For one
    /// start alone: not a key of the configuration.
    #[serde(skip)]
    pub accept_clock: bool,
}

/// One role of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Serves /v1.
    Edge,
    /// Holds a vote and the log.
    Coordinator,
    /// Renders.
    Render,
}

/// The HTTP API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Edge {
    /// Address and port; port 0 picks one.
    pub listen: SocketAddr,
    /// Base of links handed out; empty: the host the request came to.
    pub public_url: String,
    /// Origins whose pages may use /v1 from a browser, such as `https://app.example.com`.
    pub cors_origins: Vec<String>,
    /// Most open connections.
    pub connections: u32,
    /// Most of one address, or of one /64 network of IPv6; 0: no limit of its own.
    pub connections_per_peer: u32,
    /// Longest time from a connection's start, or its last answer, to the end of the head of
    /// its next request.
    #[serde(with = "humantime_serde")]
    pub header_timeout: Duration,
    /// Longest time that a client may leave unread what it is sent.
    #[serde(with = "humantime_serde")]
    pub send_timeout: Duration,
}

/// The operators' API.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Admin {
    /// Empty: on the edge's listener.
    pub listen: String,
}

/// Membership.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cluster {
    /// Internal listener.
    pub listen: SocketAddr,
    /// How peers reach this node.
    pub advertise: String,
    /// Shared by all nodes.
    pub secret: String,
    /// The coordinators' advertised addresses.
    pub peers: Vec<String>,
    /// Coordinators to wait for before forming a cluster; 0: as many as there are peers.
    pub bootstrap_expect: u32,
}

/// The rendering side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Render {
    /// Renders at once; 0: one a core.
    pub slots: u32,
    /// `auto`, or part of an adapter's name.
    pub adapter: String,
    /// `auto` or `x264`.
    pub encoder: String,
    /// `auto` or `software`.
    pub decoder: String,
    /// Frames a segment; 0: by the composition's length.
    pub segment_frames: u32,
    /// Most frames times pixels of the canvas in one segment.
    pub segment_pixels: u64,
    /// Files of uploads and imports looked at, at once: beside `slots`.
    #[serde(alias = "transfer_slots")]
    pub probe_slots: u32,
    /// A segment without a new frame for this long is killed.
    #[serde(with = "humantime_serde")]
    pub stall_timeout: Duration,
    /// How much of a sandbox workers must have.
    pub sandbox: Sandbox,
    /// `auto`, or the most private memory a worker may have.
    pub worker_memory: String,
}

/// How much of a sandbox workers must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Sandbox {
    /// What the kernel gives.
    Auto,
    /// Without its files and system calls layers nothing is rendered.
    Required,
    /// None.
    Off,
}

/// Where objects live.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Storage {
    /// `file://` and a directory, or `s3://bucket/prefix`; empty: `objects` within `data_dir`.
    pub url: String,
    /// The S3 server; empty: AWS.
    pub endpoint: String,
    /// The bucket's region; empty: what `AWS_REGION` says.
    pub region: String,
    /// How long a signed link works.
    #[serde(with = "humantime_serde")]
    pub url_ttl: Duration,
    /// Percent of the disk that uploads, imports and fetched sources leave free; 0: none.
    pub free_for_renders: u8,
    /// Percent of the disk that files of renders leave free; 0: none.
    pub free_for_records: u8,
    /// Disk space that only the Raft log can use; at most a sixteenth of a small disk.
    pub log_reserve: ByteSize,
}

/// A bucket that renders may be delivered to.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DestinationSettings {
    /// The S3 server; empty: AWS.
    pub endpoint: String,
    /// The bucket's region; empty: what `AWS_REGION` says.
    pub region: String,
    /// Which environment variable holds the key's name; empty: the usual `AWS_*` credentials.
    pub access_key_id_env: String,
    /// Which environment variable holds the secret.
    pub secret_access_key_env: String,
}

/// The optional cache server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Redis {
    /// Empty: none.
    pub url: String,
}

/// Fetching of sources.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Media {
    /// Whether sources may lie in loopback and private networks.
    pub allow_private_networks: bool,
    /// Time to connect to a source's host.
    #[serde(with = "humantime_serde")]
    pub connect_timeout: Duration,
    /// Longest silence of a source's host.
    #[serde(with = "humantime_serde")]
    pub idle_timeout: Duration,
    /// Longest fetch of one source.
    #[serde(with = "humantime_serde")]
    pub fetch_timeout: Duration,
    /// Renders whose sources are fetched, uploads and imports taken in and files delivered by
    /// a node at once; none of them takes a slot.
    pub fetches: u32,
    /// Bytes a second that a source must bring over half a minute; 0: any rate will do.
    pub min_rate: ByteSize,
    /// The program for video pages: `auto` is the one on the path, if any; empty: none; else
    /// its own path.
    pub yt_dlp: String,
}

/// Who may come in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Auth {
    /// While no API key exists: `true` refuses every request, `false` opens a listener that
    /// others reach. Unset: loopback is open, and another listener is refused at the start.
    pub required: Option<bool>,
}

/// What is refused as too much.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Largest request body.
    pub body_bytes: ByteSize,
    /// Most elements in a composition.
    pub elements: u32,
    /// Longest output.
    #[serde(with = "humantime_serde")]
    pub duration: Duration,
    /// Most pixels in a canvas or a source's frame.
    pub pixels: u64,
    /// Most output frames times pixels of the canvas in one render.
    pub render_pixels: u64,
    /// Most characters in a text element.
    pub text_chars: u32,
    /// Largest source file.
    pub source_bytes: ByteSize,
    /// Most renders that a workspace may have waiting.
    pub queued_per_workspace: u32,
    /// Most renders of a workspace at once; 0: no limit.
    pub concurrent_per_workspace: u32,
    /// Requests a minute of one API key, or of all that come without one; 0: no limit.
    pub requests_per_minute: u32,
    /// Requests of it that may come at once; 0: a minute's.
    pub burst: u32,
}

/// Cached sources.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Cache {
    /// Room for fetched sources that no running render needs; 0: none are kept.
    pub max_bytes: ByteSize,
}

/// What is kept, and how long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retention {
    /// Finished renders.
    #[serde(with = "humantime_serde")]
    pub jobs: Duration,
    /// Segment files and plans, after their render ended.
    #[serde(with = "humantime_serde")]
    pub attempt_files: Duration,
    /// Files of completed renders, from their end.
    #[serde(with = "humantime_serde")]
    pub artifacts: Duration,
    /// Uploads and imports, from when they were ready; those in use stay.
    #[serde(with = "humantime_serde")]
    pub assets: Duration,
    /// Uploads and imports that failed or were abandoned.
    #[serde(with = "humantime_serde")]
    pub failed_assets: Duration,
    /// The log of webhook deliveries.
    #[serde(with = "humantime_serde")]
    pub webhook_log: Duration,
    /// Files that belong to nothing the log knows.
    #[serde(with = "humantime_serde")]
    pub orphans: Duration,
}

/// Logs, on standard error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Log {
    /// `text` or `json`.
    pub format: LogFormat,
    /// A filter such as `info` or `framelane=debug,warn`.
    pub filter: String,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    Text,
    /// One object a line.
    Json,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            roles: vec![Role::Edge, Role::Coordinator, Role::Render],
            data_dir: "./data".into(),
            edge: Edge::default(),
            admin: Admin::default(),
            cluster: Cluster::default(),
            render: Render::default(),
            storage: Storage::default(),
            destinations: BTreeMap::new(),
            redis: Redis::default(),
            media: Media::default(),
            auth: Auth::default(),
            limits: Limits::default(),
            quota: Quota::default(),
            cache: Cache::default(),
            retention: Retention::default(),
            webhooks: Webhooks::default(),
            log: Log::default(),
            accept_clock: false,
        }
    }
}

impl Default for Edge {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            public_url: String::new(),
            cors_origins: Vec::new(),
            connections: 2048,
            connections_per_peer: 256,
            header_timeout: Duration::from_secs(30),
            send_timeout: Duration::from_secs(60),
        }
    }
}

impl Default for Cluster {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 7900)),
            advertise: String::new(),
            secret: String::new(),
            peers: Vec::new(),
            bootstrap_expect: 0,
        }
    }
}

impl Default for Render {
    fn default() -> Self {
        Self {
            slots: 0,
            adapter: "auto".into(),
            encoder: "auto".into(),
            decoder: "auto".into(),
            segment_frames: 0,
            segment_pixels: 375_000_000,
            probe_slots: 2,
            stall_timeout: Duration::from_secs(60),
            sandbox: Sandbox::Auto,
            worker_memory: "auto".into(),
        }
    }
}

impl Default for Storage {
    fn default() -> Self {
        Self {
            url: String::new(),
            endpoint: String::new(),
            region: String::new(),
            url_ttl: Duration::from_secs(3600),
            free_for_renders: 25,
            free_for_records: 10,
            log_reserve: ByteSize::mib(32),
        }
    }
}

impl Default for Media {
    fn default() -> Self {
        Self {
            allow_private_networks: false,
            connect_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(30),
            fetch_timeout: Duration::from_secs(3600),
            fetches: 16,
            min_rate: ByteSize::kib(64),
            yt_dlp: "auto".into(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            body_bytes: ByteSize::mib(2),
            elements: 500,
            duration: Duration::from_secs(3 * 3600),
            pixels: 33_177_600,
            render_pixels: 6_000_000_000_000,
            text_chars: 10_000,
            source_bytes: ByteSize::gib(5),
            queued_per_workspace: 1000,
            concurrent_per_workspace: 0,
            requests_per_minute: 0,
            burst: 0,
        }
    }
}

impl Default for Cache {
    fn default() -> Self {
        Self {
            max_bytes: ByteSize::gib(10),
        }
    }
}

impl Default for Retention {
    fn default() -> Self {
        Self {
            jobs: Duration::from_secs(90 * 86_400),
            attempt_files: Duration::from_secs(3600),
            artifacts: Duration::from_secs(30 * 86_400),
            assets: Duration::from_secs(30 * 86_400),
            failed_assets: Duration::from_secs(86_400),
            webhook_log: Duration::from_secs(30 * 86_400),
            orphans: Duration::from_secs(86_400),
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self {
            format: LogFormat::Text,
            filter: "info".into(),
        }
    }
}

#[cfg(test)]
mod tests;
