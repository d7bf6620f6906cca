//! The fetcher against a real server on loopback that misbehaves on demand.

mod import;
mod pace;
mod resume;
mod share;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use futures::StreamExt;

use super::*;
use crate::store::LocalStore;

const BODY: &[u8] = b"0123456789abcdefghij";

/// Counts what was asked of the server.
#[derive(Default)]
struct Asked {
    all: AtomicUsize,
    whole: AtomicUsize,
}

type Shared = State<Arc<Asked>>;

async fn flaky(State(asked): Shared) -> Response {
    match asked.all.fetch_add(1, Ordering::SeqCst) {
        0 | 1 => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        _ => BODY.into_response(),
    }
}

/// Declares ten bytes more than it ever sends.
async fn endless_promise() -> Response {
    let sent = futures::stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(BODY))]);
    // Ends with an error, so that the server breaks the connection.
    let broken = sent.chain(futures::stream::iter([Err(std::io::Error::other("cut"))]));
    Response::builder()
        .header("content-length", BODY.len() + 10)
        .body(Body::from_stream(broken))
        .unwrap()
}

async fn stalled() -> Response {
    let first = futures::stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(b"ab"))]);
    Body::from_stream(first.chain(futures::stream::pending())).into_response()
}

async fn unchanged(State(asked): Shared, headers: HeaderMap) -> Response {
    asked.all.fetch_add(1, Ordering::SeqCst);
    if headers
        .get("if-none-match")
        .is_some_and(|tag| tag == "\"v1\"")
    {
        return StatusCode::NOT_MODIFIED.into_response();
    }
    asked.whole.fetch_add(1, Ordering::SeqCst);
    ([("etag", "\"v1\"")], BODY).into_response()
}

async fn changing(State(asked): Shared) -> Response {
    let version = asked.all.fetch_add(1, Ordering::SeqCst);
    (
        [("etag", format!("\"v{version}\""))],
        format!("body {version}"),
    )
        .into_response()
}

async fn unlimited() -> Response {
    let chunk = Bytes::from(vec![0_u8; 1000]);
    let chunks = futures::stream::repeat_with(move || Ok::<_, std::io::Error>(chunk.clone()));
    Body::from_stream(chunks).into_response()
}

async fn server() -> (SocketAddr, Arc<Asked>) {
    let asked = Arc::new(Asked::default());
    let loop_ = || async { Redirect::temporary("/loop") };
    let app = Router::new()
        .route("/ok", get(|| async { BODY }))
        .route("/flaky", get(flaky))
        .route("/forbidden", get(|| async { StatusCode::FORBIDDEN }))
        .route("/gone", get(|| async { StatusCode::GONE }))
        .route("/broken", get(|| async { StatusCode::BAD_GATEWAY }))
        .route("/promise", get(endless_promise))
        .route("/stalled", get(stalled))
        .route("/moved", get(|| async { Redirect::permanent("/ok") }))
        .route("/loop", get(loop_))
        .route(
            "/elsewhere",
            get(|_: Request| async { Redirect::temporary("file:///etc/passwd") }),
        )
        .route("/unchanged", get(unchanged))
        .route("/changing", get(changing))
        .route("/unlimited", get(unlimited))
        .route("/large", get(|| async { vec![0_u8; 5000] }))
        .with_state(Arc::clone(&asked));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    (address, asked)
}

struct Bench {
    fetcher: Fetcher,
    store: LocalStore,
    directory: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        Self::with(true, Duration::from_millis(200))
    }

    fn with(allow_private: bool, idle: Duration) -> Self {
        Self::within(
            allow_private,
            FetchLimits {
                bytes: 4000,
                idle,
                backoff: Duration::from_millis(1),
                ..FetchLimits::default()
            },
        )
    }

    fn within(allow_private: bool, limits: FetchLimits) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let store = LocalStore::open(directory.path().join("objects")).unwrap();
        let fetcher = Fetcher::new(
            Arc::new(store.clone()),
            Guard::new(allow_private),
            limits,
            &directory.path().join("validators.json"),
        )
        .unwrap();
        Self {
            fetcher,
            store,
            directory,
        }
    }

    async fn fetch(&self, url: &str) -> Result<ObjectRef, FetchError> {
        let progress = AtomicU64::new(0);
        let fetched = self.fetcher.fetch(url, self.directory.path(), &progress);
        let result = fetched.await;
        self.is_tidy(url);
        result
    }

    async fn import(&self, url: &str) -> Result<Imported, FetchError> {
        let progress = Progress::default();
        let imported = self.fetcher.import(url, self.directory.path(), &progress);
        let result = imported.await;
        if let Ok(imported) = &result {
            assert_eq!(imported.object.key, keys::source(imported.object.sha256));
            assert_eq!(progress.received(), imported.object.size, "{url}");
        }
        self.is_tidy(url);
        result
    }

    fn is_tidy(&self, url: &str) {
        let left = std::fs::read_dir(self.directory.path())
            .unwrap()
            .filter(|entry| {
                let name = entry.as_ref().unwrap().file_name();
                let name = name.to_string_lossy();
                name.starts_with("fetch-") || name.starts_with("page-")
            })
            .count();
        assert_eq!(left, 0, "{url} left a working file");
    }
}

#[tokio::test]
async fn bytes_land_in_the_store_under_their_digest() {
    let (address, _) = server().await;
    let bench = Bench::new();
    let direct = bench.fetch(&format!("http://{address}/ok")).await.unwrap();
    assert_eq!(direct.key, keys::source(direct.sha256));
    assert_eq!(bench.store.get(&direct.key).await.unwrap(), BODY);
    let moved = bench
        .fetch(&format!("http://{address}/moved"))
        .await
        .unwrap();
    assert_eq!(
        moved, direct,
        "the same bytes from elsewhere are the same object"
    );
}

#[tokio::test]
async fn what_the_server_says_becomes_the_right_failure() {
    let (address, _) = server().await;
    let cases = [
        ("/nothing", "source_not_found", true),
        ("/gone", "source_not_found", true),
        ("/forbidden", "source_unreachable", true),
        ("/broken", "source_unreachable", false),
        ("/promise", "source_unreachable", false),
        ("/stalled", "source_unreachable", true),
        ("/loop", "source_unreachable", true),
        ("/elsewhere", "source_forbidden", true),
        ("/large", "source_too_large", true),
        ("/unlimited", "source_too_large", true),
    ];
    let bench = Bench::new();
    for (path, code, permanent) in cases {
        let error = bench
            .fetch(&format!("http://{address}{path}"))
            .await
            .unwrap_err();
        assert_eq!(
            (error.code(), error.is_permanent()),
            (code, permanent),
            "{path}: {error}"
        );
    }
}

#[tokio::test]
async fn a_server_that_recovers_is_asked_again() {
    let (address, asked) = server().await;
    let bench = Bench::new();
    bench
        .fetch(&format!("http://{address}/flaky"))
        .await
        .unwrap();
    assert_eq!(asked.all.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn nobody_listening_is_unreachable() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = Bench::new()
        .fetch(&format!("http://{address}/"))
        .await
        .unwrap_err();
    assert_eq!(error.code(), "source_unreachable");
    assert!(error.to_string().contains("refused"), "{error}");
}

#[tokio::test]
async fn private_addresses_are_refused_by_number_and_by_name() {
    let (address, asked) = server().await;
    let bench = Bench::with(false, Duration::from_secs(1));
    for host in ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "2130706433"] {
        let url = format!("http://{host}:{}/flaky", address.port());
        let error = bench.fetch(&url).await.unwrap_err();
        assert_eq!(error.code(), "source_forbidden", "{host}: {error}");
    }
    assert_eq!(
        asked.all.load(Ordering::SeqCst),
        0,
        "nothing was connected to"
    );
}

#[tokio::test]
async fn an_unchanged_source_is_not_downloaded_again_even_after_a_restart() {
    let (address, asked) = server().await;
    let url = format!("http://{address}/unchanged");
    let bench = Bench::new();
    let first = bench.fetch(&url).await.unwrap();
    assert_eq!(bench.fetch(&url).await.unwrap(), first);
    let restarted = Fetcher::new(
        Arc::new(bench.store.clone()),
        Guard::new(true),
        FetchLimits::default(),
        &bench.directory.path().join("validators.json"),
    )
    .unwrap();
    let progress = AtomicU64::new(0);
    let again = restarted
        .fetch(&url, bench.directory.path(), &progress)
        .await;
    assert_eq!(again.unwrap(), first);
    assert_eq!(
        asked.all.load(Ordering::SeqCst),
        3,
        "the server is asked every time"
    );
    assert_eq!(asked.whole.load(Ordering::SeqCst), 1);

    bench.store.delete(&first.key).await.unwrap();
    assert_eq!(
        bench.fetch(&url).await.unwrap(),
        first,
        "an object that went is fetched anew"
    );
    assert_eq!(asked.whole.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_changed_source_is_another_object() {
    let (address, _) = server().await;
    let url = format!("http://{address}/changing");
    let bench = Bench::new();
    let first = bench.fetch(&url).await.unwrap();
    assert_ne!(bench.fetch(&url).await.unwrap(), first);
}

#[tokio::test]
async fn trimming_spares_what_was_used_lately_by_either_clock() {
    let (address, _) = server().await;
    let bench = Bench::new();
    let object = bench.fetch(&format!("http://{address}/ok")).await.unwrap();
    let needs = |used_from, used_here_from| Needs {
        used_from: LogTime(used_from),
        used_here_from,
        named: std::collections::BTreeSet::new(),
    };
    let later = Instant::now();
    let stays = [
        ("any use of this process counts", needs(u64::MAX, None)),
        ("used later by the store's clock", needs(0, Some(later))),
    ];
    for (what, needs) in stays {
        bench.fetcher.trim(0, || needs).await.unwrap();
        let found = bench.store.head(&object.key).await.unwrap();
        assert_eq!(found, Some(object.size), "{what}");
    }
    let needs = needs(u64::MAX, Some(later));
    bench.fetcher.trim(0, || needs).await.unwrap();
    assert_eq!(bench.store.head(&object.key).await.unwrap(), None);
}

#[tokio::test]
async fn a_source_ends_at_the_mark_of_the_disk_and_makes_room_for_others() {
    let (address, _) = server().await;
    let mut bench = Bench::new();
    let url = format!("http://{address}/ok");
    let kept = bench.fetch(&url).await.unwrap();
    let available = Arc::new(AtomicU64::new(2499));
    let free = Arc::clone(&available);
    let look = move || {
        Ok(cluster::disk_space::DiskSpace {
            available: free.load(Ordering::SeqCst),
            total: 10_000,
        })
    };
    let marks = Arc::new(Marks::looking(Box::new(look), 25, 10));
    bench.fetcher = bench.fetcher.within(marks);
    let refused = bench.fetch(&format!("http://{address}/moved")).await;
    assert!(
        matches!(refused, Err(FetchError::StorageFull)),
        "{refused:?}"
    );
    let needs = Needs {
        used_from: LogTime(u64::MAX),
        used_here_from: Some(Instant::now()),
        named: std::collections::BTreeSet::new(),
    };
    bench.fetcher.trim(u64::MAX, || needs).await.unwrap();
    assert_eq!(bench.store.head(&kept.key).await.unwrap(), None);
}
