//! The program against pages served on loopback: the real one where it is installed, and
//! scripts in its place for what a well-behaved one does not do.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::response::{Html, IntoResponse, Redirect, Response};
use axum::routing::get;
use futures::StreamExt as _;
use futures::future::BoxFuture;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::proxy::Proxy;
use super::*;
use crate::store::fetch::{Fetcher, Names, Progress};
use crate::store::{LocalStore, ObjectStore as _, digest};

/// Looks public, and leads to loopback.
const OUTSIDE: &str = "93.184.215.14";

/// Says so past the test harness, which keeps what passing tests print to itself.
fn skipped(why: &str) {
    let _ = writeln!(std::io::stderr(), "SKIPPED: {why}");
}

/// The real program, or a notice on stderr that it is not installed.
fn real() -> Option<YtDlp> {
    let found = YtDlp::find("auto");
    if found.is_none() {
        assert!(
            std::env::var_os("FRAMELANE_REQUIRE_YTDLP").is_none(),
            "yt-dlp is not installed, and FRAMELANE_REQUIRE_YTDLP is set"
        );
        skipped("yt-dlp is not installed, so nothing is known of video pages");
    }
    found
}

/// A script in place of the program.
async fn script(directory: &Path, lines: &str) -> YtDlp {
    let program = directory.join("yt-dlp");
    std::fs::write(
        &program,
        format!("#!/bin/bash\n[[ $1 == -n ]] && exit\n{lines}\n"),
    )
    .unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    // A process that another test starts at this moment can hold the file open for writing
    // until it has begun, and so keep it from running.
    while Command::new(&program).arg("-n").status().await.is_err() {
        tokio::task::yield_now().await;
    }
    YtDlp {
        program,
        ffmpeg: false,
    }
}

fn clip() -> Bytes {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/media/bigbuckbunny.mp4");
    std::fs::read(path).unwrap().into()
}

/// Pages with a video, and where the video is.
async fn site(silent_port: u16) -> u16 {
    let page = |video: String| {
        let html = format!(
            "<!doctype html><html><head><title>A day / out</title></head>\
             <body><video src=\"{video}\"></video></body></html>"
        );
        get(move || async move { Html(html) })
    };
    let inside = format!("http://127.0.0.1:{silent_port}/clip.mp4");
    let ftp = format!("ftp://127.0.0.1:{silent_port}/clip.mp4");
    let ftp_page = ftp.clone();
    let app = Router::new()
        .route("/page", page("/clip.mp4".to_owned()))
        .route("/inside", page(inside))
        .route(
            "/named",
            page(format!("http://inside.test:{silent_port}/clip.mp4")),
        )
        .route("/ftp", page(ftp))
        .route(
            "/ftp-page",
            get(|| async move { Redirect::temporary(&ftp_page) }),
        )
        .route("/hanging", page("/stalled.mp4".to_owned()))
        .route("/endless", page("/unsized.mp4".to_owned()))
        .route(
            "/nothing",
            get(|| async { Html("<!doctype html><p>words</p>") }),
        )
        .route(
            "/clip.mp4",
            get(|| async { ([("content-type", "video/mp4")], clip()) }),
        )
        .route("/stalled.mp4", get(stalled))
        .route(
            "/unsized.mp4",
            get(|| async {
                Body::from_stream(futures::stream::iter([Ok::<_, std::io::Error>(clip())]))
            }),
        );
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move { axum::serve(listener, app).await });
    port
}

async fn stalled() -> Response {
    let first = futures::stream::iter([Ok::<_, std::io::Error>(clip().slice(..50_000))]);
    (
        [("content-type", "video/mp4")],
        Body::from_stream(first.chain(futures::stream::pending())),
    )
        .into_response()
}

/// A listener that must stay silent.
async fn silent() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let connections = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&connections);
    tokio::spawn(async move {
        while listener.accept().await.is_ok() {
            counted.fetch_add(1, Ordering::SeqCst);
        }
    });
    (port, connections)
}

#[derive(Debug)]
struct TwoNames;

impl Names for TwoNames {
    fn lookup(&self, name: String) -> BoxFuture<'_, std::io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            match name.as_str() {
                "outside.test" => Ok(vec![OUTSIDE.parse().unwrap()]),
                "inside.test" => Ok(vec![Ipv4Addr::LOCALHOST.into()]),
                _ => Err(std::io::Error::other("no such name")),
            }
        })
    }
}

fn closed() -> Guard {
    Guard::with_names(false, Arc::new(TwoNames))
        .detour(OUTSIDE.parse().unwrap(), Ipv4Addr::LOCALHOST.into())
}

fn limits() -> FetchLimits {
    FetchLimits {
        idle: Duration::from_secs(60),
        total: Duration::from_secs(240),
        ..FetchLimits::default()
    }
}

async fn download(
    tool: &YtDlp,
    guard: &Guard,
    limits: &FetchLimits,
    url: &str,
) -> Result<Bytes, FetchError> {
    let scratch = tempfile::tempdir().unwrap();
    let url = Url::parse(url).unwrap();
    let progress = Progress::default();
    let found = tool
        .download(guard, limits, &url, scratch.path(), &progress)
        .await;
    let bytes = found.map(|found| std::fs::read(&found.file).unwrap().into());
    let left = std::fs::read_dir(scratch.path()).unwrap().count();
    assert_eq!(left, 0, "a run leaves nothing behind");
    bytes
}

#[tokio::test]
async fn the_video_of_a_page_is_imported() {
    let Some(tool) = real() else { return };
    let port = site(0).await;
    let directory = tempfile::tempdir().unwrap();
    let store = LocalStore::open(directory.path().join("objects")).unwrap();
    let memory = directory.path().join("validators.json");
    let fetcher = Fetcher::new(Arc::new(store.clone()), Guard::new(true), limits(), &memory);
    let fetcher = fetcher.unwrap().with_pages(Some(tool));
    let progress = Progress::default();
    let url = format!("http://127.0.0.1:{port}/page");
    let imported = fetcher.import(&url, directory.path(), &progress).await;
    let imported = imported.unwrap();
    assert_eq!(imported.object.sha256, digest(&clip()));
    assert_eq!(store.get(&imported.object.key).await.unwrap(), clip());
    assert_eq!(imported.content_type, "video/mp4");
    let name = imported.filename.unwrap();
    assert!(
        name.starts_with("A day   out") && name.ends_with(".mp4"),
        "{name}"
    );
    assert!(progress.received() >= imported.object.size, "{progress:?}");

    let url = format!("http://127.0.0.1:{port}/nothing");
    let error = fetcher.import(&url, directory.path(), &progress).await;
    let error = error.unwrap_err();
    assert_eq!(error.code(), "import_unsupported", "{error}");
    assert!(!error.to_string().contains("report this issue"), "{error}");
}

#[tokio::test]
async fn no_page_gets_past_the_guard() {
    let Some(tool) = real() else { return };
    let (silent_port, connections) = silent().await;
    let port = site(silent_port).await;
    let outside = |path: &str| format!("http://outside.test:{port}{path}");
    let bytes = download(&tool, &closed(), &limits(), &outside("/page")).await;
    assert_eq!(bytes.unwrap(), clip(), "a page outside is reached");
    for url in [
        format!("http://127.0.0.1:{silent_port}/page"),
        format!("https://127.0.0.1:{silent_port}/page"),
        format!("http://inside.test:{silent_port}/page"),
        outside("/inside"),
        outside("/named"),
        outside("/ftp"),
        outside("/ftp-page"),
    ] {
        let error = download(&tool, &closed(), &limits(), &url)
            .await
            .unwrap_err();
        let codes = ["source_forbidden", "import_unsupported"];
        assert!(codes.contains(&error.code()), "{url}: {error}");
        if !url.contains("ftp") {
            assert_eq!(error.code(), "source_forbidden", "{url}: {error}");
        }
        assert_eq!(connections.load(Ordering::SeqCst), 0, "{url}");
    }
}

#[tokio::test]
async fn a_page_costs_no_more_than_the_limits() {
    let Some(tool) = real() else { return };
    let port = site(0).await;
    let small = FetchLimits {
        bytes: 100_000,
        ..limits()
    };
    for path in ["/page", "/endless"] {
        let url = format!("http://127.0.0.1:{port}{path}");
        let error = download(&tool, &Guard::new(true), &small, &url).await;
        let error = error.unwrap_err();
        assert_eq!(error.code(), "source_too_large", "{path}: {error}");
    }
    let impatient = FetchLimits {
        idle: Duration::from_secs(5),
        ..limits()
    };
    let url = format!("http://127.0.0.1:{port}/hanging");
    let error = download(&tool, &Guard::new(true), &impatient, &url).await;
    let error = error.unwrap_err();
    assert!(
        matches!(error, FetchError::Idle(_) | FetchError::Unsupported(_)),
        "{error}"
    );
}

#[tokio::test]
async fn only_one_regular_file_is_taken() {
    for (lines, code) in [
        ("echo a >a.mp4; echo b >b.mp4", "import_unsupported"),
        ("ln -s /etc/passwd a.mp4", "import_unsupported"),
        ("mkdir a.mp4", "import_unsupported"),
        ("echo a >a.mp4; exit 1", "import_unsupported"),
        ("exit 0", "import_unsupported"),
        (
            "echo 'ERROR: [x] No space left on device' >&2; exit 1",
            "storage_unavailable",
        ),
    ] {
        let directory = tempfile::tempdir().unwrap();
        let tool = script(directory.path(), &format!("cd ../out\n{lines}")).await;
        let error = download(&tool, &closed(), &limits(), "http://outside.test/").await;
        let error = error.unwrap_err();
        assert_eq!(error.code(), code, "{lines}: {error}");
    }
    let directory = tempfile::tempdir().unwrap();
    let tool = script(directory.path(), "echo a >../out/a.mp4").await;
    let bytes = download(&tool, &closed(), &limits(), "http://outside.test/").await;
    assert_eq!(bytes.unwrap(), "a\n");
}

#[tokio::test]
async fn a_video_that_comes_slower_than_the_least_rate_is_given_up() {
    let directory = tempfile::tempdir().unwrap();
    let slow = "while sleep 0.02; do printf x >> ../out/video.mp4; done";
    let tool = script(directory.path(), slow).await;
    let limits = FetchLimits {
        min_rate: 10_000,
        rate_window: Duration::from_secs(1),
        ..limits()
    };
    let error = download(&tool, &closed(), &limits, "http://outside.test/").await;
    let error = error.unwrap_err();
    assert!(matches!(error, FetchError::TooSlow { .. }), "{error}");
    let fast = "head -c 100000 /dev/zero > ../out/video.mp4; sleep 0.5";
    let tool = script(directory.path(), fast).await;
    let video = download(&tool, &closed(), &limits, "http://outside.test/").await;
    assert_eq!(video.unwrap().len(), 100_000);
}

#[tokio::test]
async fn what_it_says_reaches_the_client_without_what_is_ours() {
    let directory = tempfile::tempdir().unwrap();
    let lines = "echo \"ERROR: [x] bad thing at $http_proxy in $HOME; please report this issue on x\" >&2; exit 1";
    let tool = script(directory.path(), lines).await;
    let error = download(&tool, &closed(), &limits(), "http://outside.test/").await;
    let said = error.unwrap_err().to_string();
    assert!(said.contains("[x] bad thing at the proxy"), "{said}");
    for ours in ["127.0.0.1", "/tmp", "report"] {
        assert!(!said.contains(ours), "{said}");
    }
}

#[tokio::test]
async fn a_run_that_takes_too_long_is_killed_with_everything_it_started() {
    let directory = tempfile::tempdir().unwrap();
    let lines = "sleep 1000 & echo $! >../out/pid; wait";
    let tool = script(directory.path(), lines).await;
    let scratch = tempfile::tempdir().unwrap();
    let url = Url::parse("http://outside.test/").unwrap();
    let (guard, limits, progress) = (closed(), limits(), Progress::default());
    let pid = {
        let run = tool.download(&guard, &limits, &url, scratch.path(), &progress);
        let started = async {
            loop {
                let runs = std::fs::read_dir(scratch.path()).unwrap();
                let said = runs
                    .flatten()
                    .find_map(|run| std::fs::read_to_string(run.path().join("out/pid")).ok());
                if let Some(pid) = said.and_then(|said| said.trim().parse::<i32>().ok()) {
                    break pid;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            _ = run => panic!("it does not end by itself"),
            pid = started => pid,
        }
    };
    // Whoever waits no longer, ends the run. A dead process waits for its new parent.
    let state = || std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let lives = || !state().is_empty() && !state().contains(") Z ");
    let gone = async {
        while lives() {
            tokio::task::yield_now().await;
        }
    };
    let gone = tokio::time::timeout(Duration::from_secs(20), gone).await;
    gone.expect("the process it started is killed");

    let short = FetchLimits {
        total: Duration::from_millis(300),
        ..limits
    };
    let error = download(&tool, &guard, &short, url.as_str()).await;
    assert!(matches!(error, Err(FetchError::TooLong(_))), "{error:?}");
}

#[tokio::test]
async fn it_can_write_and_connect_nowhere_else() {
    use landlock::{
        Access as _, AccessFs, AccessNet, CompatLevel, Compatible as _, RulesetAttr as _,
    };
    let hard = landlock::Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_write(landlock::ABI::V4))
        .and_then(|rules| rules.handle_access(AccessNet::from_all(landlock::ABI::V4)));
    if hard.and_then(landlock::Ruleset::create).is_err() {
        skipped("this kernel cannot fence a program in (Landlock from Linux 6.7 on)");
        return;
    }
    let (silent_port, connections) = silent().await;
    let directory = tempfile::tempdir().unwrap();
    let lines = format!(
        "exec 3<>/dev/tcp/127.0.0.1/{silent_port} && echo connected >>../out/a.mp4\n\
         echo x >{} && echo written >>../out/a.mp4\n\
         echo fenced >>../out/a.mp4",
        directory.path().join("elsewhere").display()
    );
    let tool = script(directory.path(), &lines).await;
    let bytes = download(&tool, &Guard::new(true), &limits(), "http://outside.test/").await;
    assert_eq!(bytes.unwrap(), "fenced\n");
    assert_eq!(connections.load(Ordering::SeqCst), 0);
}

/// What a proxy answers to a request as it is written here.
async fn asked(proxy: &Proxy, request: &str) -> String {
    let mut socket = TcpStream::connect(proxy.address()).await.unwrap();
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let reading = socket.read_to_end(&mut answer);
    tokio::time::timeout(Duration::from_secs(20), reading)
        .await
        .unwrap()
        .unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

fn authorization(proxy: &Proxy) -> String {
    use base64::Engine as _;
    let url = Url::parse(&proxy.url()).unwrap();
    let pair = format!("{}:{}", url.username(), url.password().unwrap());
    let pair = base64::prelude::BASE64_STANDARD.encode(pair);
    format!("Proxy-Authorization: Basic {pair}\r\n")
}

#[tokio::test]
async fn the_proxy_serves_its_own_run_and_leads_outside_only() {
    let (silent_port, connections) = silent().await;
    let port = site(silent_port).await;
    let proxy = Proxy::start(closed(), Duration::from_secs(5), 1 << 20)
        .await
        .unwrap();
    let known = authorization(&proxy);
    let inside = format!("127.0.0.1:{silent_port}");
    let outside = format!("outside.test:{port}");
    let cases = [
        (
            format!("GET http://{outside}/nothing HTTP/1.1\r\n"),
            "",
            "407",
        ),
        (
            format!("CONNECT {outside} HTTP/1.1\r\n"),
            "Proxy-Authorization: Basic eDp5\r\n",
            "407",
        ),
        (
            format!("GET http://{outside}/nothing HTTP/1.1\r\n"),
            &known,
            "200",
        ),
        (format!("GET http://{inside}/ HTTP/1.1\r\n"), &known, "403"),
        (
            format!("GET http://2130706433:{silent_port}/ HTTP/1.1\r\n"),
            &known,
            "403",
        ),
        (
            format!("GET http://inside.test:{silent_port}/ HTTP/1.1\r\n"),
            &known,
            "403",
        ),
        (
            format!("GET https://{outside}/ HTTP/1.1\r\n"),
            &known,
            "403",
        ),
        (format!("GET ftp://{outside}/ HTTP/1.1\r\n"), &known, "403"),
        ("GET / HTTP/1.1\r\n".to_owned(), &known, "403"),
        (format!("CONNECT {inside} HTTP/1.1\r\n"), &known, "403"),
        (
            format!("CONNECT [::ffff:127.0.0.1]:{silent_port} HTTP/1.1\r\n"),
            &known,
            "403",
        ),
        (
            format!("CONNECT inside.test:{silent_port} HTTP/1.1\r\n"),
            &known,
            "403",
        ),
        (
            format!("CONNECT outside.test@{inside} HTTP/1.1\r\n"),
            &known,
            "403",
        ),
        (
            "CONNECT outside.test:0 HTTP/1.1\r\n".to_owned(),
            &known,
            "403",
        ),
        (
            "CONNECT nowhere.test:443 HTTP/1.1\r\n".to_owned(),
            &known,
            "502",
        ),
        ("garbage\r\n".to_owned(), &known, "400"),
    ];
    for (line, field, status) in cases {
        let answer = asked(&proxy, &format!("{line}{field}Host: {inside}\r\n\r\n")).await;
        let given = answer.split(' ').nth(1).unwrap_or_default();
        assert_eq!(given, status, "{line}{answer}");
    }
    // Requests through a tunnel are not inspected.
    let tunnelled = format!(
        "CONNECT {outside} HTTP/1.1\r\n{known}\r\nGET /nothing HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    );
    let answer = asked(&proxy, &tunnelled).await;
    assert!(answer.contains("words"), "{answer}");
    assert_eq!(connections.load(Ordering::SeqCst), 0);
    assert!(proxy.received() > 0 && !proxy.exceeded());
    assert!(proxy.refused().is_some());

    let narrow = Proxy::start(closed(), Duration::from_secs(5), 1000)
        .await
        .unwrap();
    let field = authorization(&narrow);
    let request = format!("GET http://{outside}/clip.mp4 HTTP/1.1\r\n{field}\r\n");
    assert!(asked(&narrow, &request).await.len() <= 1000);
    assert!(narrow.exceeded());
}
