//! The guard against spellings, names, redirects and resolvers that would lead inside. A
//! listener on loopback counts connections, and must count none.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use futures::future::BoxFuture;

use super::*;
use crate::store::LocalStore;
use crate::store::fetch::{FetchError, FetchLimits, Fetcher, Progress};

/// Looks public, and leads to the test's own origin.
const OUTSIDE: &str = "93.184.215.14";

/// Names with the test's answers: one list of addresses after the other, the last
/// one for good.
#[derive(Debug, Default)]
struct FakeNames {
    answers: HashMap<String, Vec<Vec<IpAddr>>>,
    asked: Mutex<HashMap<String, usize>>,
}

impl FakeNames {
    fn knowing(mut self, name: &str, answers: &[&[&str]]) -> Self {
        let parsed = |list: &&[&str]| list.iter().map(|a| a.parse().unwrap()).collect();
        let answers = answers.iter().map(parsed).collect();
        self.answers.insert(name.to_owned(), answers);
        self
    }

    fn times_asked(&self, name: &str) -> usize {
        self.asked.lock().unwrap().get(name).copied().unwrap_or(0)
    }
}

impl Names for FakeNames {
    fn lookup(&self, name: String) -> BoxFuture<'_, io::Result<Vec<IpAddr>>> {
        let mut asked = self.asked.lock().unwrap();
        let times = asked.entry(name.clone()).or_default();
        *times += 1;
        let answers = self.answers.get(name.trim_end_matches('.'));
        let answer = answers.map(|all| all[(*times - 1).min(all.len() - 1)].clone());
        Box::pin(async move { answer.ok_or_else(|| io::Error::other("no such name")) })
    }
}

/// Listens where nothing may connect to, on every loopback address there is.
struct Silent {
    port: u16,
    connections: Arc<AtomicUsize>,
}

impl Silent {
    async fn listen() -> Self {
        let four = tokio::net::TcpListener::bind("0.0.0.0:0").await.unwrap();
        let port = four.local_addr().unwrap().port();
        // A machine without IPv6 has nothing to connect to there either.
        let six = tokio::net::TcpListener::bind(("::1", port)).await.ok();
        let connections = Arc::new(AtomicUsize::new(0));
        for listener in std::iter::once(four).chain(six) {
            let connections = Arc::clone(&connections);
            tokio::spawn(async move {
                while listener.accept().await.is_ok() {
                    connections.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        Self { port, connections }
    }

    fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

/// A public origin that redirects to the given targets.
async fn origin(targets: Vec<String>) -> SocketAddr {
    async fn go(State(targets): State<Arc<Vec<String>>>, Path(index): Path<usize>) -> Response {
        match targets.get(index) {
            Some(target) => Redirect::temporary(target).into_response(),
            None => "the file".into_response(),
        }
    }
    let app = Router::new()
        .route("/{index}", get(go))
        .with_state(Arc::new(targets));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    address
}

struct Bench {
    fetcher: Fetcher,
    scratch: tempfile::TempDir,
}

impl Bench {
    fn new(guard: &Guard) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        let store = LocalStore::open(scratch.path().join("objects")).unwrap();
        let limits = FetchLimits {
            tries: 1,
            ..FetchLimits::default()
        };
        let memory = scratch.path().join("validators.json");
        let fetcher = Fetcher::new(Arc::new(store), guard.clone(), limits, &memory).unwrap();
        Self { fetcher, scratch }
    }

    async fn import(&self, url: &str) -> FetchError {
        let progress = Progress::default();
        let imported = self
            .fetcher
            .import(url, self.scratch.path(), &progress)
            .await;
        imported.unwrap_err()
    }
}

fn names() -> FakeNames {
    FakeNames::default()
        .knowing("outside.test", &[&[OUTSIDE]])
        .knowing("localhost", &[&["127.0.0.1"]])
        .knowing("inside.test", &[&["127.0.0.1"]])
        .knowing("inside6.test", &[&["::1"]])
        .knowing("mapped.test", &[&["::ffff:127.0.0.1"]])
        .knowing("compatible.test", &[&["::127.0.0.1"]])
        .knowing("nat64.test", &[&["64:ff9b::7f00:1"]])
        .knowing("localnat64.test", &[&["64:ff9b:1::7f00:1"]])
        .knowing("sixtofour.test", &[&["2002:7f00:1::1"]])
        .knowing("teredo.test", &[&["2001:0:7f00:1::1"]])
        .knowing("metadata.google.internal", &[&["169.254.169.254"]])
        .knowing("instance-data", &[&["fd00:ec2::254"]])
        .knowing("carrier.test", &[&["100.64.0.1"]])
        .knowing("mixed.test", &[&[OUTSIDE, "127.0.0.1"]])
        .knowing("mixedlast.test", &[&["10.0.0.1", OUTSIDE]])
        .knowing("rebind.test", &[&[OUTSIDE], &["127.0.0.1"]])
}

fn guard(names: Arc<FakeNames>) -> Guard {
    let outside = OUTSIDE.parse().unwrap();
    Guard::with_names(false, names).detour(outside, Ipv4Addr::LOCALHOST.into())
}

/// Hosts that lead inside, however they are written.
const INSIDE: [&str; 60] = [
    // IPv4 in every spelling.
    "127.0.0.1",
    "127.0.0.1.",
    "127.1",
    "127.0.1",
    "2130706433",
    "017700000001",
    "0x7f000001",
    "0x7F.0.0.1",
    "0177.0.0.1",
    "0177.0.0.01",
    "127.0x0.0.1",
    "0x7f.1",
    "127.255.255.254",
    "%31%32%37.0.0.1",
    "127%2e0.0.1",
    "１２７.０.０.１",
    "127。0。0。1",
    "①②⑦.⓪.⓪.①",
    "user@127.0.0.1",
    "outside.test@127.0.0.1",
    "outside.test:80@127.0.0.1",
    // Other ranges.
    "0",
    "0.0.0.0",
    "0.1.2.3",
    "10.0.0.1",
    "100.64.0.1",
    "169.254.169.254",
    "0xA9FEA9FE",
    "2852039166",
    "172.16.0.1",
    "192.0.2.1",
    "192.168.0.1",
    "198.18.0.1",
    "203.0.113.1",
    "224.0.0.1",
    "255.255.255.255",
    // IPv6, and IPv4 within it.
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b:1::127.0.0.1]",
    "[2002:7f00:1::]",
    "[2001:0:7f00:1::]",
    "[fe80::1]",
    "[fd00:ec2::254]",
    "[ff02::1]",
    // Names.
    "localhost",
    "LOCALHOST",
    "localhost.",
    "ｌｏｃａｌｈｏｓｔ",
    "inside6.test",
    "mapped.test",
    "nat64.test",
    "metadata.google.internal",
    "carrier.test",
    "mixed.test",
    "mixedlast.test",
];

#[tokio::test]
async fn nothing_that_leads_inside_is_connected_to() {
    let silent = Silent::listen().await;
    let bench = Bench::new(&guard(Arc::new(names())));
    let more = [
        "inside.test",
        "compatible.test",
        "localnat64.test",
        "sixtofour.test",
        "teredo.test",
        "instance-data",
    ];
    for host in INSIDE.into_iter().chain(more) {
        for scheme in ["http", "https"] {
            let url = format!("{scheme}://{host}:{}/a", silent.port);
            let error = bench.import(&url).await;
            assert_eq!(error.code(), "source_forbidden", "{url}: {error}");
        }
    }
    assert_eq!(silent.connections(), 0);
}

#[tokio::test]
async fn what_is_no_web_url_is_refused_even_where_private_networks_are_open() {
    let silent = Silent::listen().await;
    let bench = Bench::new(&Guard::with_names(true, Arc::new(names())));
    let port = silent.port;
    for url in [
        format!("ftp://127.0.0.1:{port}/a"),
        format!("gopher://127.0.0.1:{port}/_a"),
        format!("ws://127.0.0.1:{port}/"),
        "file:///etc/passwd".to_owned(),
        "data:,x".to_owned(),
        "http://127.0.0.1:0/".to_owned(),
        "http://127.0.0.1:65536/".to_owned(),
        format!("http://[fe80::1%25lo]:{port}/"),
        format!("http://[fe80::1%lo]:{port}/"),
        "http:///a".to_owned(),
        format!("127.0.0.1:{port}/a"),
        format!("//127.0.0.1:{port}/a"),
        "http://".to_owned(),
        "no url".to_owned(),
    ] {
        let error = bench.import(&url).await;
        // `http:///a` has a host to some: `a`, which no name server has.
        let expected = if url == "http:///a" {
            "source_unreachable"
        } else {
            "source_forbidden"
        };
        assert_eq!(error.code(), expected, "{url}: {error}");
    }
    assert_eq!(silent.connections(), 0);
}

#[tokio::test]
async fn a_redirect_does_not_lead_inside() {
    let silent = Silent::listen().await;
    let port = silent.port;
    let mut targets: Vec<String> = INSIDE
        .into_iter()
        .map(|host| format!("http://{host}:{port}/a"))
        .collect();
    targets.extend([
        format!("//127.0.0.1:{port}/a"),
        format!("ftp://127.0.0.1:{port}/a"),
        "file:///etc/passwd".to_owned(),
    ]);
    // One that only the second redirect gives away.
    let chained = targets.len();
    targets.push("/0".to_owned());
    let origin = origin(targets.clone()).await;
    let bench = Bench::new(&guard(Arc::new(names())));
    for (index, target) in targets.iter().enumerate() {
        let url = format!("http://outside.test:{}/{index}", origin.port());
        let error = bench.import(&url).await;
        assert_eq!(
            error.code(),
            "source_forbidden",
            "{index} {target}: {error}"
        );
    }
    assert_eq!(targets[chained], "/0");
    let error = bench
        .import(&format!("http://outside.test:{}/9999", origin.port()))
        .await;
    assert_eq!(
        error.code(),
        "invalid_source",
        "the origin itself is reached: {error}"
    );
    assert_eq!(silent.connections(), 0);
}

#[tokio::test]
async fn a_name_that_answers_differently_the_second_time_is_refused() {
    let silent = Silent::listen().await;
    let names = Arc::new(names());
    let inside = format!("http://rebind.test:{}/", silent.port);
    let origin = origin(vec![inside.clone()]).await;
    let bench = Bench::new(&guard(Arc::clone(&names)));
    let error = bench
        .import(&format!("http://rebind.test:{}/0", origin.port()))
        .await;
    assert_eq!(error.code(), "source_forbidden", "{error}");
    let error = bench.import(&inside).await;
    assert_eq!(error.code(), "source_forbidden", "{error}");
    assert_eq!(silent.connections(), 0);
    assert_eq!(names.times_asked("rebind.test"), 3);
}

#[tokio::test]
async fn the_address_that_was_checked_is_the_one_that_is_connected_to() {
    // The second answer would be refused: one request must ask once.
    let names = Arc::new(names());
    let origin = origin(Vec::new()).await;
    let guard = guard(Arc::clone(&names));
    let client = guard.client().build().unwrap();
    let url = format!("http://rebind.test:{}/0", origin.port());
    let answer = client.get(&url).send().await.unwrap();
    assert_eq!(answer.remote_addr(), Some(origin));
    assert_eq!(names.times_asked("rebind.test"), 1);
}

#[tokio::test]
async fn a_client_of_the_guard_follows_no_redirect_and_no_private_name() {
    let silent = Silent::listen().await;
    let inside = format!("http://127.0.0.1:{}/", silent.port);
    let origin = origin(vec![inside]).await;
    let client = guard(Arc::new(names())).client().build().unwrap();
    let url = format!("http://outside.test:{}/0", origin.port());
    assert_eq!(client.get(&url).send().await.unwrap().status(), 307);
    let url = format!("http://inside.test:{}/", silent.port);
    client.get(&url).send().await.unwrap_err();
    assert_eq!(silent.connections(), 0);
}

#[tokio::test]
async fn a_refusal_does_not_tell_what_a_name_resolved_to() {
    let bench = Bench::new(&guard(Arc::new(names())));
    for (name, secret) in [("carrier.test", "100.64"), ("mixedlast.test", "10.0.0.1")] {
        let message = bench.import(&format!("http://{name}/a")).await.to_string();
        assert!(
            message.contains(name) && !message.contains(secret),
            "{message}"
        );
    }
}

#[test]
fn where_clouds_keep_credentials_stays_shut_even_where_private_networks_are_open() {
    let guard = Guard::new(true);
    for url in [
        "http://169.254.169.254/latest",
        "http://0xa9fea9fe/",
        "http://[fe80::1]/",
        "http://[fd00:ec2::254]/",
        "http://[::ffff:169.254.169.254]/",
    ] {
        assert!(
            matches!(guard.admit(url), Err(Forbidden::Address(_))),
            "{url}"
        );
    }
    for url in ["http://127.0.0.1/", "http://10.0.0.1/", "http://[fd12::1]/"] {
        assert!(guard.admit(url).is_ok(), "{url}");
    }
}
