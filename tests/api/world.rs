//! One edge in process: a coordinator that applies commands at once, a store in memory, a
//! clock that stands still until it is moved.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use actors::ports::{Clock, Coordinator, Leadership, ProposeError};
use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, HeaderValue, Method, Request, StatusCode, Uri};
use bytes::Bytes;
use cluster::State;
use cluster::command::{Command, Outcome, Stamped};
use cluster::model::{JobId, Level, LogIndex, LogTime, NodeId, RanTime};
use framelane::composition::Limits;
use framelane::edge::{
    Access, ActorBody, Edge, EdgeConfig, EdgeLimits, NodeHealth, NodeSight, ObservedProgress,
    Observer, Parts, Quota, RaftBody, Sealer, SigningKey, draw_key, publish_changes, router,
};
use framelane::store::fetch::Guard;
use framelane::telemetry::metrics::Exposition;
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::{Value, json};
use tokio::sync::{broadcast, watch};
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use super::memory_store::MemoryStore;
use super::work::NODE;

/// When the clock starts: 2026-01-01T00:00:00Z.
pub(crate) const START: u64 = 1_767_225_600_000;

/// Everything a test touches.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) coordinator: Arc<Log>,
    pub(crate) store: Arc<MemoryStore>,
    pub(crate) observer: Arc<Sights>,
    pub(crate) clock: Arc<StillClock>,
    pub(crate) draining: CancellationToken,
    pub(crate) edge: Edge,
    pub(crate) router: Router,
    document: Arc<Value>,
}

/// An answer, read whole.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Bytes,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes)
            .unwrap_or_else(|error| panic!("{error} in {:?}", String::from_utf8_lossy(&self.bytes)))
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .get(name)
            .map(|value| value.to_str().expect("ASCII"))
    }

    /// `error.code` of the envelope.
    pub(crate) fn code(&self) -> String {
        let code = self.json()["error"]["code"].clone();
        code.as_str()
            .unwrap_or_else(|| panic!("no envelope: {self:?}"))
            .to_owned()
    }
}

impl World {
    pub(crate) fn new() -> Self {
        Self::with(|_| {})
    }

    pub(crate) fn with(adjust: impl FnOnce(&mut EdgeConfig)) -> Self {
        Self::within(Guard::new(true), adjust)
    }

    /// With the network guard on.
    pub(crate) fn guarded() -> Self {
        Self::within(Guard::new(false), |_| {})
    }

    fn within(guard: Guard, adjust: impl FnOnce(&mut EdgeConfig)) -> Self {
        let store = Arc::new(MemoryStore::new());
        let mut config = EdgeConfig {
            public_url: None,
            listen_url: "http://127.0.0.1:8080".to_owned(),
            url_ttl: Duration::from_secs(3600),
            signing_keys: vec![SigningKey {
                id: "k1".to_owned(),
                secret: b"thirty-two bytes of a test's key".to_vec(),
            }],
            access: Access {
                required: None,
                is_on_loopback: true,
            },
            admin_on_edge: true,
            cors_origins: Vec::new(),
            limits: EdgeLimits {
                body_bytes: 64 * 1024,
                source_bytes: 64 << 20,
                queued_per_workspace: 1000,
                concurrent_per_workspace: 0,
                requests_per_minute: 0,
                burst: 0,
                composition: Limits::default(),
            },
            quota: Quota::default(),
            version: "0.0.0-test".to_owned(),
            fonts: vec!["Inter".to_owned()],
            data_dir: None,
            artifacts: Duration::from_secs(30 * 86_400),
        };
        adjust(&mut config);
        let clock = Arc::new(StillClock(AtomicU64::new(START)));
        let coordinator = Arc::new(Log::new(Arc::clone(&clock)));
        let observer = Arc::new(Sights::default());
        let draining = CancellationToken::new();
        let edge = Edge::new(Parts {
            coordinator: coordinator.clone(),
            observer: observer.clone(),
            store: store.clone(),
            clock: clock.clone(),
            config,
            sealer: Sealer::new(b"tests"),
            guard,
            draining: draining.clone(),
            exposition: Exposition::detached(),
        })
        .expect("an edge can be made");
        // It ends with the test's runtime.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(publish_changes(edge.clone(), CancellationToken::new()));
        }
        let router = router(edge.clone());
        let document = router
            .clone()
            .oneshot(
                Request::get("/openapi.json")
                    .body(Body::empty())
                    .expect("a request"),
            )
            .now_or_never()
            .expect("the document waits for nothing")
            .expect("the router never fails");
        let document = axum::body::to_bytes(document.into_body(), usize::MAX)
            .now_or_never()
            .expect("a whole body waits for nothing")
            .expect("a whole body");
        let document = serde_json::from_slice(&document).expect("the document is JSON");
        Self {
            coordinator,
            store,
            observer,
            clock,
            draining,
            edge,
            router,
            document: Arc::new(document),
        }
    }

    pub(crate) fn document(&self) -> &Value {
        &self.document
    }

    /// Sends `request` from a peer on loopback.
    pub(crate) async fn send(&self, mut request: Request<Body>) -> Answer {
        let peer: SocketAddr = "127.0.0.1:50000".parse().expect("an address");
        if request
            .extensions()
            .get::<ConnectInfo<SocketAddr>>()
            .is_none()
        {
            request.extensions_mut().insert(ConnectInfo(peer));
        }
        request
            .headers_mut()
            .entry("host")
            .or_insert(HeaderValue::from_static("127.0.0.1:8080"));
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let response = self
            .router
            .clone()
            .oneshot(request)
            .await
            .expect("the router never fails");
        let (parts, body) = response.into_parts();
        let answer = Answer {
            status: parts.status,
            headers: parts.headers,
            bytes: axum::body::to_bytes(body, usize::MAX)
                .await
                .expect("a whole body"),
        };
        self.check(&method, &uri, &answer);
        answer
    }

    /// A request with an API key, or without one.
    pub(crate) async fn ask(&self, method: &str, uri: &str, key: Option<&str>) -> Answer {
        let mut request = Request::builder().method(method).uri(uri);
        if let Some(key) = key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        if matches!(method, "POST" | "PATCH") {
            request = request.header("content-type", "application/json");
        }
        self.send(request.body(Body::from("{}")).expect("a request"))
            .await
    }

    /// A key of `workspace`, or without one an admin key.
    pub(crate) fn key(&self, workspace: Option<&str>) -> String {
        let drawn = draw_key(workspace.map(str::to_owned), String::new());
        self.coordinator.apply(Command::CreateKey(drawn.kept));
        drawn.text
    }

    pub(crate) async fn get(&self, uri: &str) -> Answer {
        self.send(
            Request::get(uri)
                .header("host", "localhost")
                .body(Body::empty())
                .expect("a request"),
        )
        .await
    }

    pub(crate) async fn delete(&self, uri: &str) -> Answer {
        self.send(Request::delete(uri).body(Body::empty()).expect("a request"))
            .await
    }

    pub(crate) async fn post(&self, uri: &str, body: &Value) -> Answer {
        self.send(
            post(uri)
                .body(Body::from(body.to_string()))
                .expect("a request"),
        )
        .await
    }

    /// Submits `body` under `key`.
    pub(crate) async fn submit_keyed(&self, key: &str, body: impl Into<Body>) -> Answer {
        let request = post("/v1/renders").header("idempotency-key", key);
        self.send(request.body(body.into()).expect("a request"))
            .await
    }

    /// Submits a good composition and gives its id.
    pub(crate) async fn submit(&self) -> JobId {
        let answer = self.post("/v1/renders", &composition()).await;
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
        id_of(&answer.json())
    }

    /// Whatever a test calls, its answer is one that the document announces.
    fn check(&self, method: &Method, uri: &Uri, answer: &Answer) {
        let request_id = answer
            .header("x-request-id")
            .expect("every answer names its request");
        if answer.status.is_client_error() || answer.status.is_server_error() {
            if *method != Method::HEAD {
                let body = answer.json();
                assert_eq!(body["error"]["request_id"], request_id, "{body}");
                assert!(body["error"]["details"].is_array(), "{body}");
                assert!(
                    body["error"]["message"]
                        .as_str()
                        .is_some_and(|text| !text.is_empty())
                );
            }
            if answer.status.is_server_error() && answer.status != 500 {
                assert!(answer.header("retry-after").is_some(), "{answer:?}");
            }
        }
        let asked = if *method == Method::HEAD {
            "get".to_owned()
        } else {
            method.as_str().to_lowercase()
        };
        let paths = self.document["paths"].as_object().expect("paths");
        let Some((_, item)) = paths.iter().find(|(path, _)| fits(path, uri.path())) else {
            assert!(
                matches!(answer.status.as_u16(), 404 | 401 | 403),
                "{uri}: {answer:?}"
            );
            return;
        };
        match item.get(&asked) {
            Some(operation) => assert!(
                operation["responses"].get(answer.status.as_str()).is_some(),
                "{method} {uri} answered {}, which the document does not have",
                answer.status
            ),
            None => assert_eq!(
                answer.status,
                StatusCode::METHOD_NOT_ALLOWED,
                "{method} {uri}"
            ),
        }
    }
}

/// Whether the path is one of the template's.
fn fits(template: &str, path: &str) -> bool {
    let (template, path): (Vec<_>, Vec<_>) =
        (template.split('/').collect(), path.split('/').collect());
    template.len() == path.len()
        && template
            .iter()
            .zip(path)
            .all(|(wanted, found)| *wanted == found || wanted.starts_with('{'))
}

/// A POST of JSON.
pub(crate) fn post(uri: &str) -> axum::http::request::Builder {
    Request::post(uri).header("content-type", "application/json")
}

/// A composition without fault.
pub(crate) fn composition() -> Value {
    json!({
        "width": 1280, "height": 720, "duration": 10.0, "frame_rate": 30,
        "metadata": {"order": "42"},
        "elements": [
            {"type": "text", "id": "title", "text": "Hello", "time": 0, "duration": 5},
        ],
    })
}

pub(crate) fn id_of(render: &Value) -> JobId {
    let id = render["id"]
        .as_str()
        .unwrap_or_else(|| panic!("no id in {render}"));
    id.parse().expect("a render id")
}

/// A log of one: a command is applied as it is proposed.
pub(crate) struct Log {
    state: Mutex<Arc<State>>,
    applied: watch::Sender<LogIndex>,
    leadership: watch::Sender<Leadership>,
    clock: Arc<StillClock>,
    /// What proposals come to instead of being applied.
    pub(crate) fault: Mutex<Option<ProposeError>>,
}

impl Log {
    fn new(clock: Arc<StillClock>) -> Self {
        Self {
            clock,
            state: Mutex::new(Arc::new(newest())),
            applied: watch::channel(LogIndex(0)).0,
            leadership: watch::channel(Leadership::Leader { term: 1 }).0,
            fault: Mutex::default(),
        }
    }

    /// Takes over what another log has made.
    pub(crate) fn restore(&self, state: &Arc<State>) {
        *self.state.lock().expect("no test panics in here") = Arc::clone(state);
        self.applied.send_replace(state.applied);
    }

    /// Applies `command`.
    pub(crate) fn apply(&self, command: Command) -> Outcome {
        let mut shared = self.state.lock().expect("no test panics in here");
        let mut state = State::clone(&shared);
        let index = LogIndex(state.applied.0 + 1);
        let outcome = state.apply(
            index,
            Stamped {
                at: self.clock.log_time(),
                ran: Some(self.clock.ran()),
                command,
            },
        );
        *shared = Arc::new(state);
        self.applied.send_replace(index);
        outcome
    }
}

/// An empty state of the newest level.
fn newest() -> State {
    let mut state = State::default();
    state.level = Level::NEWEST;
    state
}

impl Coordinator for Log {
    fn propose(&self, command: Command) -> BoxFuture<'static, Result<Outcome, ProposeError>> {
        let fault = *self.fault.lock().expect("no test panics in here");
        let outcome = fault.map_or_else(|| Ok(self.apply(command)), Err);
        // A real commit lets others run.
        async move {
            tokio::task::yield_now().await;
            outcome
        }
        .boxed()
    }

    fn state(&self) -> Arc<State> {
        self.state.lock().expect("no test panics in here").clone()
    }

    fn applied(&self) -> watch::Receiver<LogIndex> {
        self.applied.subscribe()
    }

    fn leadership(&self) -> watch::Receiver<Leadership> {
        self.leadership.subscribe()
    }
}

/// A clock that tests move.
pub(crate) struct StillClock(pub(crate) AtomicU64);

impl Clock for StillClock {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn log_time(&self) -> LogTime {
        LogTime(self.0.load(Ordering::SeqCst))
    }

    fn ran(&self) -> RanTime {
        RanTime(self.log_time().0)
    }
}

/// What the edge sees of the work, as tests set it.
pub(crate) struct Sights {
    progress: Mutex<BTreeMap<JobId, ObservedProgress>>,
    changes: broadcast::Sender<JobId>,
    pub(crate) is_leaderless: AtomicBool,
    pub(crate) is_node_gone: AtomicBool,
}

impl Default for Sights {
    fn default() -> Self {
        Self {
            progress: Mutex::default(),
            changes: broadcast::channel(16).0,
            is_leaderless: AtomicBool::new(false),
            is_node_gone: AtomicBool::new(false),
        }
    }
}

impl Sights {
    /// From now on the job has got this far.
    pub(crate) fn show(&self, job: JobId, progress: ObservedProgress) {
        let mut shown = self.progress.lock().expect("no test panics in here");
        shown.insert(job, progress);
        // Fails if there is no subscriber, which is fine.
        let _ = self.changes.send(job);
    }
}

impl Observer for Sights {
    fn clock_note(&self) -> Option<String> {
        None
    }

    fn progress(&self, job: JobId) -> Option<ObservedProgress> {
        self.progress
            .lock()
            .expect("no test panics in here")
            .get(&job)
            .copied()
    }

    fn progress_changes(&self) -> broadcast::Receiver<JobId> {
        self.changes.subscribe()
    }

    fn nodes(&self) -> BTreeMap<NodeId, NodeSight> {
        let is_gone = self.is_node_gone.load(Ordering::SeqCst);
        let sight = NodeSight {
            health: if is_gone {
                NodeHealth::Dead
            } else {
                NodeHealth::Live
            },
            busy_slots: 1,
            lease_expires_in_ms: 19_000,
            cache_bytes: 0,
        };
        BTreeMap::from([(NODE, sight)])
    }

    fn actors(&self) -> BoxFuture<'static, ActorBody> {
        let root = ActorBody {
            name: "root".to_owned(),
            kind: "supervisor".to_owned(),
            state: json!({}),
            restarts: 0,
            mailbox: None,
            children: Vec::new(),
        };
        async move { root }.boxed()
    }

    fn raft(&self) -> RaftBody {
        let is_leaderless = self.is_leaderless.load(Ordering::SeqCst);
        RaftBody {
            node_id: NODE.0,
            cluster_id: "test".to_owned(),
            state: "leader",
            leader_id: (!is_leaderless).then_some(NODE.0),
            term: 1,
            last_log_index: 0,
            applied_index: 0,
            voters: Vec::new(),
            learners: Vec::new(),
        }
    }
}
