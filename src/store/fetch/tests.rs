//! The fetcher against a real server on loopback that misbehaves on demand.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use futures::StreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

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
        let directory = tempfile::tempdir().unwrap();
        let store = LocalStore::open(directory.path().join("objects")).unwrap();
        let limits = FetchLimits {
            bytes: 4000,
            idle,
            backoff: Duration::from_millis(1),
            ..FetchLimits::default()
        };
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
        let left = std::fs::read_dir(self.directory.path())
            .unwrap()
            .filter(|entry| {
                let name = entry.as_ref().unwrap().file_name();
                name.to_string_lossy().starts_with("fetch-")
            })
            .count();
        assert_eq!(left, 0, "{url} left a working file");
        result
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

/// A server of raw sockets that breaks off the first answer and serves the rest by range.
#[tokio::test]
async fn a_broken_download_goes_on_where_it_stopped() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let mut asked = Vec::new();
        for part in 0..2 {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = vec![0_u8; 4096];
            let length = socket.read(&mut request).await.unwrap();
            asked.push(String::from_utf8_lossy(&request[..length]).to_lowercase());
            let answer = if part == 0 {
                "HTTP/1.1 200 OK\r\nETag: \"x\"\r\nAccept-Ranges: bytes\r\nContent-Length: 20\r\n\r\n01234567"
            } else {
                "HTTP/1.1 206 Partial Content\r\nETag: \"x\"\r\nContent-Range: bytes 8-19/20\r\nContent-Length: 12\r\n\r\n89abcdefghij"
            };
            socket.write_all(answer.as_bytes()).await.unwrap();
            socket.shutdown().await.unwrap();
        }
        asked
    });
    let bench = Bench::new();
    let object = bench
        .fetch(&format!("http://{address}/file"))
        .await
        .unwrap();
    assert_eq!(bench.store.get(&object.key).await.unwrap(), BODY);
    let asked = server.await.unwrap();
    assert!(asked[1].contains("range: bytes=8-"), "{}", asked[1]);
    assert!(asked[1].contains("if-range: \"x\""), "{}", asked[1]);
}
