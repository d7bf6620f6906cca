//! What every handler shares: the ports, the configuration, and small caches of immutable
//! things. Holds no truth: a process that loses all of it answers the same.

use std::ops::Deref;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, UNIX_EPOCH};

use actors::ports::{Clock, Coordinator};
use axum::http::{HeaderMap, Uri, header, uri};
use cluster::State;
use cluster::command::{Command, Outcome};
use cluster::model::JobId;
use cluster::state::Job;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use ulid::Ulid;

use super::access::{Arriving, Buckets, Reservations};
use super::admin::{self, JobMemory};
use super::arrivals::Arrivals;
use super::changes::Watchers;
use super::config::EdgeConfig;
use super::details::DetailCache;
use super::error::{ApiError, Code};
use super::high_water::HighWater;
use super::notify::{Sealer, Sender};
use super::pool::Pool;
use super::ports::Observer;
use super::room::Room;
use super::signing::Signer;
use super::write_probe::WriteProbe;
use crate::store::ObjectStore;
use crate::store::fetch::Guard;
use crate::telemetry::metrics::{self, Exposition};

/// How long applied state may lag behind a commit this process just made.
const CATCH_UP: Duration = Duration::from_secs(2);

/// Test calls of webhooks at one time, in all and of one workspace: they are for people, not for
/// making servers busy.
const TEST_CALLS: (usize, usize) = (16, 2);

/// Streams of events that are open at one time, in all and of one workspace: each is a connection.
const STREAMS: (usize, usize) = (1_024, 256);

/// What the edge is built from.
pub struct Parts {
    /// Owns the jobs.
    pub coordinator: Arc<dyn Coordinator>,
    /// Sees the work going on.
    pub observer: Arc<dyn Observer>,
    /// Keeps requests and files.
    pub store: Arc<dyn ObjectStore>,
    /// The time from which links expire.
    pub clock: Arc<dyn Clock>,
    /// What the operator decided.
    pub config: EdgeConfig,
    /// Opens the secrets of webhooks.
    pub sealer: Sealer,
    /// Holds webhooks to the networks that they may reach.
    pub guard: Guard,
    /// Cancelled when the process is about to stop: nothing new is admitted, waits end.
    pub draining: CancellationToken,
    /// What /metrics shows.
    pub exposition: Exposition,
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

/// The edge: cheap to clone, one set of shared parts behind all clones.
#[derive(Debug, Clone)]
pub struct Edge(Arc<Shared>);

/// What the clones of an [`Edge`] share.
#[derive(Debug)]
pub struct Shared {
    /// What it was built from.
    pub(super) parts: Parts,
    /// Makes and checks links to files.
    pub(super) signer: Signer,
    /// Requests and what prepare found out, by render.
    pub(super) details: DetailCache,
    /// The furthest progress reported, by render.
    pub(super) high_water: HighWater,
    /// Who waits for which render.
    pub(super) watchers: Watchers,
    /// Counts the changes of API keys that this process saw.
    pub(super) key_changes: watch::Sender<u64>,
    /// How often clients asked, where that is limited.
    pub(super) buckets: Option<Buckets>,
    /// Submissions that applied state may not have yet.
    pub(super) reservations: Reservations,
    /// Jobs with their tasks, for operators.
    pub(super) jobs: JobMemory,
    /// Room for bodies while they arrive.
    pub(super) arrivals: Arc<Arrivals>,
    /// Parses and checks large bodies.
    pub(super) pool: Pool,
    /// Posts webhooks.
    pub(super) sender: Sender,
    /// Held while an event's body is looked up and kept.
    pub(super) writing: tokio::sync::Mutex<()>,
    /// Whether the data directory takes writes.
    pub(super) write_probe: WriteProbe,
    /// When the store was last tried, and whether it took an object.
    pub(super) store_probe: tokio::sync::Mutex<Option<(Instant, bool)>>,
    /// Room for test calls on their way.
    pub(super) testing: Arc<Room>,
    /// Room for streams of events.
    pub(super) streams: Arc<Room>,
    /// Uploads of undeclared length on their way.
    pub(super) arriving: Arriving,
    ids: Mutex<ulid::Generator>,
}

impl Deref for Edge {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl Edge {
    /// An edge made of `parts`.
    ///
    /// # Errors
    /// When the TLS library or its trust roots cannot be set up.
    pub fn new(parts: Parts) -> Result<Self, reqwest::Error> {
        let signer = Signer::new(parts.config.signing_keys.clone(), parts.config.url_ttl);
        let sender = Sender::new(parts.guard.clone())?;
        let limits = &parts.config.limits;
        let buckets = Buckets::new(limits.requests_per_minute, limits.burst);
        let longest = limits.body_bytes;
        let write_probe = WriteProbe::new(parts.config.data_dir.clone());
        Ok(Self(Arc::new(Shared {
            parts,
            write_probe,
            store_probe: tokio::sync::Mutex::default(),
            signer,
            buckets,
            details: DetailCache::new(),
            high_water: HighWater::new(),
            watchers: Watchers::default(),
            key_changes: watch::channel(0).0,
            reservations: Reservations::default(),
            jobs: admin::empty_memory(),
            arrivals: Arc::new(Arrivals::new(longest)),
            pool: Pool::new(),
            sender,
            writing: tokio::sync::Mutex::default(),
            testing: Room::new(TEST_CALLS.0, TEST_CALLS.1),
            streams: Room::new(STREAMS.0, STREAMS.1),
            arriving: Arriving::default(),
            ids: Mutex::new(ulid::Generator::new()),
        })))
    }
}

impl Shared {
    /// Applied state as this process has it.
    pub(super) fn state(&self) -> Arc<State> {
        self.parts.coordinator.state()
    }

    /// The configuration.
    pub(super) fn config(&self) -> &EdgeConfig {
        &self.parts.config
    }

    /// A fresh id, larger than every one this process made before.
    pub(super) fn fresh_job_id(&self) -> JobId {
        JobId::from_ulid(self.fresh_ulid())
    }

    /// A fresh ULID, larger than every one this process made before. Its time is the log's: lists
    /// are ordered by ids, and files without a record are old by theirs.
    pub(super) fn fresh_ulid(&self) -> Ulid {
        let now = UNIX_EPOCH + Duration::from_millis(self.now().0);
        let mut ids = self.ids.lock().unwrap_or_else(PoisonError::into_inner);
        match ids.generate_from_datetime(now) {
            Ok(ulid) => ulid,
            Err(overflow) => overflow.commit_overflow_increment(),
        }
    }

    /// Proposes `command` and measures how long its commit takes.
    pub(super) async fn propose(
        &self,
        command: Command,
    ) -> Result<Outcome, actors::ports::ProposeError> {
        let begun = Instant::now();
        let outcome = self.parts.coordinator.propose(command).await;
        metrics::commit(begun.elapsed(), outcome.is_ok());
        outcome
    }

    /// The workspace's job, or a 404.
    pub(super) fn job(&self, workspace: &str, id: JobId) -> Result<Arc<Job>, ApiError> {
        self.state()
            .jobs
            .get(&id)
            .filter(|job| job.workspace == workspace && job.is_render())
            .cloned()
            .ok_or_else(|| ApiError::not_found("render"))
    }

    /// The job once applied state here satisfies `is_there`: what was just committed may
    /// reach this process a moment later.
    pub(super) async fn caught_up(
        &self,
        id: JobId,
        is_there: impl Fn(&Job) -> bool,
    ) -> Result<Arc<Job>, ApiError> {
        self.once(|state| state.jobs.get(&id).filter(|job| is_there(job)).cloned())
            .await
    }

    /// What `look` finds once applied state here has it: what was just committed may reach
    /// this process a moment later.
    pub(super) async fn once<T>(&self, look: impl Fn(&State) -> Option<T>) -> Result<T, ApiError> {
        let mut applied = self.parts.coordinator.applied();
        let wait = async {
            loop {
                applied.mark_unchanged();
                if let Some(found) = look(&self.state()) {
                    return Some(found);
                }
                applied.changed().await.ok()?;
            }
        };
        match tokio::time::timeout(CATCH_UP, wait).await {
            Ok(Some(found)) => Ok(found),
            Ok(None) | Err(_) => Err(ApiError::new(
                Code::CommitUnknown,
                "The change is committed but has not reached this server yet.",
            )),
        }
    }

    /// The base to keep with a render: empty if the request came straight to this listener,
    /// whose port may be another after a restart.
    pub(super) fn lasting_url(&self, headers: &HeaderMap, uri: &Uri) -> String {
        let url = self.public_url(headers, uri);
        if url == self.config().listen_url {
            return String::new();
        }
        url
    }

    /// Base of links for a request with these headers, without a slash at the end.
    fn public_url(&self, headers: &HeaderMap, uri: &Uri) -> String {
        let config = self.config();
        if let Some(url) = &config.public_url {
            return url.trim_end_matches('/').to_owned();
        }
        // HTTP/2 names the host in the URI, HTTP/1 in a header.
        uri.authority()
            .cloned()
            .or_else(|| {
                let host = headers.get(header::HOST)?.to_str().ok()?;
                host.parse::<uri::Authority>().ok()
            })
            .filter(|authority| !authority.as_str().contains('@'))
            .map_or_else(
                || config.listen_url.trim_end_matches('/').to_owned(),
                |authority| format!("http://{authority}"),
            )
    }
}
