//! The only place that constructs adapters and hands them to those who use them.

mod assets;
mod clock;
mod event_bodies;
mod janitor;
pub mod keys;
mod listener;
mod observer;
mod orphans;
mod secrets;
mod source_marks;
pub mod storage;
mod workers;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use actors::ports::{Clock, Coordinator as CoordinatorPort};
use actors::{RootHandle, Timings, WorkerCommand};
use anyhow::Context;
use cluster::coordinator::{Coordinator, Identity, Options, SystemClock};
use cluster::model::{LogTime, NodeInfo, NodeState, Roles};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::composition;
use crate::composition::time::MediaTime;
use crate::edge::{self, Edge};
use crate::plan::CutSettings;
use crate::settings::Settings;
use crate::store::ObjectStore;
use crate::store::fetch::{FetchLimits, Fetcher, Guard, YtDlp};
use crate::telemetry;
use crate::worker::fingerprint::RenderFacts;
use crate::worker::host::{Host, HostSettings, SOURCES_AT_ONCE};
use crate::worker::program;
use crate::worker::scratch::{Scratch, sweep_scratch};
use crate::worker::settings::WorkerSettings;

use clock::ClusterClock;

/// A running server with all its roles.
#[derive(Debug)]
pub struct App {
    address: SocketAddr,
    coordinator: Coordinator,
    actors: RootHandle,
    draining: CancellationToken,
    stopped: CancellationToken,
    server: JoinHandle<()>,
    background: [JoinHandle<()>; 4],
}

impl App {
    /// Starts everything and answers once the API is served.
    ///
    /// # Errors
    /// When a part cannot start: the message says which and why.
    pub async fn start(settings: Settings) -> anyhow::Result<Self> {
        Self::start_with_worker(settings, PathBuf::from(program::OWN)).await
    }

    /// The same with another program as its workers, which is given the arguments that this
    /// one would be. For stand-ins of a decoder that was taken over.
    ///
    /// # Errors
    /// As [`App::start`].
    pub async fn start_with_worker(settings: Settings, program: PathBuf) -> anyhow::Result<Self> {
        std::fs::create_dir_all(&settings.data_dir).with_context(|| {
            format!(
                "data directory `{}` cannot be made",
                settings.data_dir.display()
            )
        })?;
        let data_dir = settings.data_dir.canonicalize()?;
        // Bound first: a port that is taken must not cost a Raft election.
        let listener = TcpListener::bind(settings.edge.listen)
            .await
            .with_context(|| format!("cannot listen on {}", settings.edge.listen))?;
        let address = listener.local_addr()?;

        let mut worker = workers::settings(&settings, &data_dir);
        workers::seed_registry(&worker);
        let (coordinator, facts, ()) = tokio::try_join!(
            open_coordinator(&settings, &data_dir, address),
            ask_facts(&program, &worker),
            workers::check_sandbox(&program, &worker),
        )?;
        let has_keys = !coordinator.state().keys.is_empty();
        if !access(&settings, address).may_start(has_keys) {
            coordinator.shutdown().await;
            anyhow::bail!(
                "{address} can be reached from other machines and no API key exists. Make one \
                 first, with this data directory: `framelane keys create --data-dir {}` (and \
                 `--admin` for one that makes others). Or set auth.required = false to let in \
                 everyone who can reach it",
                settings.data_dir.display()
            );
        }
        let identity = coordinator.identity().clone();
        sweep_scratch(&data_dir, identity.incarnation).context("scratch cannot be swept")?;
        let store = storage::open(&settings).await?;
        let clock: Arc<dyn Clock> = Arc::new(ClusterClock(coordinator.clone()));
        let port: Arc<dyn CoordinatorPort> = Arc::new(coordinator.clone());
        let marks = storage::marks(&settings, &data_dir);
        let fetcher = source_fetcher(&settings, &data_dir, Arc::clone(&store))?;
        let fetcher = Arc::new(fetcher.within(Arc::clone(&marks)));
        let slots = settings
            .slot_count()
            .saturating_add(settings.render.probe_slots);
        let slots = usize::try_from(slots).unwrap_or(usize::MAX);
        let open = || Scratch::open(&data_dir, identity.incarnation, slots);
        let scratch = open().or_else(|error| {
            // A directory takes a block: the log gives some of its own.
            let may_retry = crate::store::fetch::is_full(&error) && coordinator.release_spare();
            if may_retry { open() } else { Err(error) }
        });
        let scratch = scratch.context("scratch cannot be made")?.within(marks);
        worker.scratch = Some(scratch.root().to_owned());
        // What a driver reserves at its start is no sign of anything.
        worker.address_space = facts.reserved.saturating_add(worker.memory);
        let host_settings = HostSettings {
            limits: composition_limits(&settings),
            cuts: CutSettings {
                segment_frames: settings.render.segment_frames,
                segment_pixels: settings.render.segment_pixels,
            },
            source_bytes: settings.limits.source_bytes.as_u64(),
        };
        let host = Host::new(
            Arc::clone(&store),
            Arc::clone(&fetcher),
            scratch,
            host_settings,
            storage::buckets(&settings)?,
        );
        let webhooks = edge::HttpWebhooks::default();
        let actors = actors::start(
            actors::Config {
                node: node_info(&settings, &identity, address, facts),
                boot: identity.boot,
                worker: WorkerCommand {
                    program,
                    args: vec!["worker".to_owned()],
                    envs: worker.slot_environment(),
                },
                probe_slots: settings.render.probe_slots,
                transfers: settings.media.fetches,
                concurrent_per_workspace: settings.limits.concurrent_per_workspace,
                webhooks: settings.webhooks.schedule(),
                timings: Timings {
                    stall: settings.render.stall_timeout,
                    ..Timings::default()
                },
            },
            actors::Ports {
                coordinator: Arc::clone(&port),
                host: Arc::new(host),
                webhooks: Arc::new(webhooks.clone()),
                clock: Arc::clone(&clock),
            },
        )
        .await?;

        let draining = CancellationToken::new();
        let stopped = CancellationToken::new();
        let observer = observer::ProcessObserver::new(coordinator.clone(), &actors);
        let edge = Edge::new(edge::Parts {
            coordinator: Arc::clone(&port),
            observer: Arc::new(observer),
            store: Arc::clone(&store),
            clock: Arc::clone(&clock),
            config: edge_config(&settings, &data_dir, address)?,
            sealer: edge::Sealer::new(&secrets::sealing_secret(&settings, &data_dir)?),
            guard: Guard::new(settings.media.allow_private_networks),
            draining: draining.clone(),
            exposition: telemetry::metrics::Exposition::install()?,
        })?;
        webhooks.attach(&edge);
        let memory = tokio::spawn(edge::remember_jobs(edge.clone(), stopped.clone()));
        let changes = tokio::spawn(edge::publish_changes(edge.clone(), stopped.clone()));
        let assets_janitor = tokio::spawn(assets::run(
            assets::AssetJanitor::new(
                Arc::clone(&port),
                Arc::clone(&clock),
                Arc::clone(&store),
                &settings,
            ),
            stopped.clone(),
        ));
        let janitor = tokio::spawn(janitor::run(
            janitor::Janitor::new(
                port,
                clock,
                store,
                fetcher,
                Arc::new(coordinator.clone()),
                &settings,
            ),
            stopped.clone(),
        ));
        let server = tokio::spawn(edge::serve(
            listener,
            edge::router(edge),
            listener::limits(&settings.edge),
            stopped.clone(),
        ));
        wait_for_leader(&coordinator).await?;
        tracing::info!(%address, node = %identity.node_id, "serving");
        if !has_keys {
            warn_of_no_key(&settings, address);
        }
        Ok(Self {
            address,
            coordinator,
            actors,
            draining,
            stopped,
            server,
            background: [memory, changes, janitor, assets_janitor],
        })
    }

    /// Makes an API key of `workspace` and gives it.
    ///
    /// # Errors
    /// When it cannot be committed.
    pub async fn make_key(&self, workspace: &str) -> anyhow::Result<String> {
        let drawn = edge::draw_key(Some(workspace.to_owned()), String::new());
        keys::propose(&self.coordinator, drawn).await
    }

    /// The line that scripts wait for.
    pub fn listening_line(&self) -> String {
        let base = self.base_url();
        serde_json::json!({"event": "listening", "edge": base, "admin": base}).to_string()
    }

    /// Where the API is, on this machine.
    pub fn base_url(&self) -> String {
        let mut address = self.address;
        if address.ip().is_unspecified() {
            address.set_ip([127, 0, 0, 1].into());
        }
        format!("http://{address}")
    }

    /// Waits until a part has failed for good, and returns the reason. The process must then end.
    pub async fn failed(&mut self) -> String {
        tokio::select! {
            reason = self.coordinator.failed() => format!("the coordinator failed: {reason}"),
            () = self.actors.failed() => "an actor kept failing".to_owned(),
        }
    }

    /// Stops admitting, lets running work end within `grace`, and stops.
    pub async fn stop(self, grace: Duration) {
        self.draining.cancel();
        self.actors.drain(grace).await;
        self.stopped.cancel();
        // It gives connections two seconds, then cuts them.
        if let Err(error) = self.server.await {
            tracing::error!(%error, "the listener failed");
        }
        for task in self.background {
            task.abort();
        }
        self.actors.stop().await;
        self.coordinator.shutdown().await;
    }
}

/// Has links signed with a fresh key from the next start on, and gives the key's id. Links of
/// the keys before it stay good unless these are to be forgotten.
///
/// # Errors
/// When the data directory cannot be written, or its keys cannot be read.
pub fn rotate_signing_key(settings: &Settings, forget: bool) -> anyhow::Result<String> {
    std::fs::create_dir_all(&settings.data_dir)
        .with_context(|| format!("`{}` cannot be made", settings.data_dir.display()))?;
    secrets::rotate_signing_key(&settings.data_dir, forget)
}

/// The settings of workers on this machine that belong to no server.
pub fn worker_settings(settings: &Settings) -> WorkerSettings {
    workers::settings(settings, &settings.data_dir)
}

/// What validation needs of the limits.
pub fn composition_limits(settings: &Settings) -> composition::Limits {
    let limits = &settings.limits;
    composition::Limits {
        elements: usize::try_from(limits.elements).unwrap_or(usize::MAX),
        duration: MediaTime::new(i128::from(limits.duration.as_secs()), 1),
        pixels: limits.pixels,
        render_pixels: limits.render_pixels,
        text_chars: usize::try_from(limits.text_chars).unwrap_or(usize::MAX),
        destinations: settings.destinations.keys().cloned().collect(),
    }
}

async fn open_coordinator(
    settings: &Settings,
    data_dir: &Path,
    address: SocketAddr,
) -> anyhow::Result<Coordinator> {
    let options = Options {
        data_dir: data_dir.to_owned(),
        advertise: address.to_string(),
        node_id: None,
        clock: Arc::new(SystemClock),
        accept_clock: settings.accept_clock,
        log_reserve: settings.storage.log_reserve.as_u64(),
    };
    Ok(Coordinator::open(options).await?)
}

async fn ask_facts(program: &Path, settings: &WorkerSettings) -> anyhow::Result<RenderFacts> {
    let facts = RenderFacts::ask(program, settings)
        .await
        .context("the worker cannot render on this machine (see `framelane doctor`)")?;
    match &facts.golden_failure {
        Some(why) => tracing::warn!(
            why,
            "the golden render failed, and renders on this node may fail too"
        ),
        None => tracing::debug!(
            golden = facts.golden,
            libraries = facts.libraries.len(),
            "facts"
        ),
    }
    Ok(facts)
}

async fn wait_for_leader(coordinator: &Coordinator) -> anyhow::Result<()> {
    let mut leadership = coordinator.leadership();
    let leads = |leadership: &cluster::coordinator::Leadership| {
        matches!(leadership, cluster::coordinator::Leadership::Leader { .. })
    };
    tokio::time::timeout(Duration::from_secs(30), leadership.wait_for(leads))
        .await
        .context("no leader was elected within 30 s")?
        .context("the coordinator stopped while it started")?;
    Ok(())
}

fn source_fetcher(
    settings: &Settings,
    data_dir: &Path,
    store: Arc<dyn ObjectStore>,
) -> anyhow::Result<Fetcher> {
    let media = &settings.media;
    let limits = FetchLimits {
        bytes: settings.limits.source_bytes.as_u64(),
        connect: media.connect_timeout,
        idle: media.idle_timeout,
        total: media.fetch_timeout,
        min_rate: media.min_rate.as_u64(),
        downloads: usize::try_from(media.fetches)
            .unwrap_or(usize::MAX)
            .saturating_mul(SOURCES_AT_ONCE),
        ..FetchLimits::default()
    };
    let guard = Guard::new(media.allow_private_networks);
    let fetcher = Fetcher::new(store, guard, limits, &data_dir.join("sources.json"))?;
    Ok(fetcher.with_pages(YtDlp::find(&media.yt_dlp)))
}

fn node_info(
    settings: &Settings,
    identity: &Identity,
    address: SocketAddr,
    facts: RenderFacts,
) -> NodeInfo {
    NodeInfo {
        id: identity.node_id,
        incarnation: identity.incarnation,
        address: address.to_string(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        roles: Roles {
            edge: true,
            coordinator: true,
            render: true,
        },
        slots: settings.slot_count(),
        gpu: facts.gpu,
        fingerprint: facts.fingerprint,
        state: NodeState::Ready,
        registered_at: LogTime(0),
    }
}

fn access(settings: &Settings, address: SocketAddr) -> edge::Access {
    edge::Access {
        required: settings.auth.required,
        is_on_loopback: address.ip().is_loopback(),
    }
}

fn quota(quota: &crate::settings::Quota) -> edge::Quota {
    let own = quota.workspaces.iter();
    edge::Quota {
        render_minutes: quota.render_minutes,
        bytes: quota.bytes.as_u64(),
        workspaces: own
            .map(|(name, own)| {
                let own = edge::WorkspaceQuota {
                    render_minutes: own.render_minutes,
                    bytes: own.bytes.map(|bytes| bytes.as_u64()),
                };
                (name.clone(), own)
            })
            .collect(),
    }
}

fn warn_of_no_key(settings: &Settings, address: SocketAddr) {
    let is_on_loopback = address.ip().is_loopback();
    match settings.auth.required {
        Some(true) => tracing::warn!(
            "no API key exists and auth.required is true: every request is refused; stop the \
             server and make one with `framelane keys create`"
        ),
        _ if is_on_loopback => {
            tracing::warn!("no API key exists: everyone on this machine may use the API");
        }
        _ => tracing::warn!(
            "no API key exists and auth.required is false: everyone who reaches {address} may \
             use the API"
        ),
    }
}

fn edge_config(
    settings: &Settings,
    data_dir: &Path,
    address: SocketAddr,
) -> anyhow::Result<edge::EdgeConfig> {
    let public_url = settings.edge.public_url.trim_end_matches('/');
    Ok(edge::EdgeConfig {
        public_url: (!public_url.is_empty()).then(|| public_url.to_owned()),
        listen_url: format!("http://{address}"),
        url_ttl: settings.storage.url_ttl,
        signing_keys: secrets::signing_keys(data_dir)?,
        access: access(settings, address),
        admin_on_edge: true,
        cors_origins: settings.edge.cors_origins.clone(),
        limits: edge::EdgeLimits {
            body_bytes: usize::try_from(settings.limits.body_bytes.as_u64()).unwrap_or(usize::MAX),
            source_bytes: settings.limits.source_bytes.as_u64(),
            queued_per_workspace: usize::try_from(settings.limits.queued_per_workspace)
                .unwrap_or(usize::MAX),
            concurrent_per_workspace: settings.limits.concurrent_per_workspace,
            requests_per_minute: settings.limits.requests_per_minute,
            burst: settings.limits.burst,
            composition: composition_limits(settings),
        },
        quota: quota(&settings.quota),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        fonts: crate::render::text::TextEngine::new().known_families(),
        data_dir: Some(data_dir.to_owned()),
        artifacts: settings.retention.artifacts,
    })
}
