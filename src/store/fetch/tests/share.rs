//! Share links, with their services' pages served on loopback.

use std::sync::Mutex;

use axum::extract::{Path as UrlPath, Query};
use axum::http::header;
use axum::response::Html;

use super::*;

/// Begins like an MP4, which is all that is looked at here.
const CLIP: &[u8] = b"\0\0\0\x14ftypisom\0\0\x02\0mp42 and the rest of a clip";
const BIG: &str = "1BigBigBigBigBigBigBigBigBigBigBi";

type Pairs = Query<HashMap<String, String>>;
type Log = State<Arc<Mutex<Vec<String>>>>;

fn download() -> Response {
    let named = "attachment; filename=\"from drive.mp4\"";
    ([(header::CONTENT_DISPOSITION, named)], CLIP).into_response()
}

fn warning(id: &str) -> Response {
    let page = format!(
        "<!DOCTYPE html><html><head><title>Google Drive - Virus scan warning</title></head><body>\
         <form id=\"download-form\" action=\"/download\" method=\"get\">\
         <input type=\"submit\" value=\"Download anyway\"/>\
         <input type=\"hidden\" name=\"id\" value=\"{id}\">\
         <input type=\"hidden\" name=\"export\" value=\"download\">\
         <input type=\"hidden\" name=\"confirm\" value=\"t\">\
         <input type=\"hidden\" name=\"uuid\" value=\"u-1\"></form></body></html>"
    );
    let cookie = "download_warning=w1; Path=/; Secure; HttpOnly";
    ([(header::SET_COOKIE, cookie)], Html(page)).into_response()
}

async fn drive(
    State(log): Log,
    Query(asked): Pairs,
    headers: HeaderMap,
    request: Request,
) -> Response {
    log.lock().unwrap().push(request.uri().to_string());
    let value = |name: &str| asked.get(name).map_or("", String::as_str);
    assert_eq!(value("export"), "download");
    let pressed = value("confirm") == "t" && value("uuid") == "u-1";
    match value("id") {
        "small" => download(),
        BIG if pressed && headers["cookie"] == "download_warning=w1" => download(),
        id @ (BIG | "endless") => warning(id),
        "private" => Redirect::to("/v3/signin/identifier?continue=x").into_response(),
        "quota" => Html("<html><head><title>Google Drive - Quota exceeded</title>").into_response(),
        "forbidden" => StatusCode::FORBIDDEN.into_response(),
        _ => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn dropbox(UrlPath(path): UrlPath<String>, Query(asked): Pairs) -> Response {
    if asked.get("dl").map(String::as_str) != Some("1") {
        return Html("<!doctype html><title>Dropbox - clip.mp4</title>").into_response();
    }
    match path.as_str() {
        "fi/k3y/clip.mp4" if asked.get("rlkey").map(String::as_str) == Some("s3cret") => {
            CLIP.into_response()
        }
        _ => Redirect::to("/login?cont=x").into_response(),
    }
}

/// Share services on loopback, and what was asked of Google's.
async fn services() -> (Bench, Arc<Mutex<Vec<String>>>) {
    let log = Arc::new(Mutex::new(Vec::new()));
    let page = || async { Html("<!doctype html><title>Sign in</title>") };
    let app = Router::new()
        .route("/download", get(drive))
        .route("/scl/{*path}", get(dropbox))
        .route("/v3/signin/identifier", get(page))
        .route("/login", get(page))
        .with_state(Arc::clone(&log));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    let mut bench = Bench::new();
    bench.fetcher.service = Some(origin.parse().unwrap());
    (bench, log)
}

#[tokio::test]
async fn a_share_link_gives_its_file_to_imports_and_to_compositions() {
    let (bench, log) = services().await;
    let dropbox = "https://www.dropbox.com/scl/fi/k3y/clip.mp4?rlkey=s3cret&dl=0";
    let cases = [
        (dropbox.to_owned(), "clip.mp4"),
        (
            "https://drive.google.com/file/d/small/view?usp=sharing".into(),
            "from drive.mp4",
        ),
        (
            format!("https://drive.google.com/file/d/{BIG}/view"),
            "from drive.mp4",
        ),
        (
            format!("https://docs.google.com/uc?export=open&id={BIG}"),
            "from drive.mp4",
        ),
    ];
    for (link, name) in cases {
        let imported = bench.import(&link).await.unwrap();
        assert_eq!(bench.store.get(&imported.object.key).await.unwrap(), CLIP);
        assert_eq!(imported.content_type, "video/mp4", "{link}");
        assert_eq!(imported.filename.as_deref(), Some(name), "{link}");
        assert_eq!(bench.fetch(&link).await.unwrap(), imported.object, "{link}");
    }
    let expected = format!("/download?id={BIG}&export=download&confirm=t&uuid=u-1");
    assert!(log.lock().unwrap().contains(&expected));
}

#[tokio::test]
async fn a_share_link_without_a_file_says_why() {
    let (bench, log) = services().await;
    let cases = [
        (
            "https://drive.google.com/file/d/private/view",
            "source_forbidden",
            "sign in",
        ),
        (
            "https://drive.google.com/file/d/forbidden/view",
            "source_forbidden",
            "sign in",
        ),
        (
            "https://drive.google.com/file/d/nothing/view",
            "source_not_found",
            "404",
        ),
        (
            "https://drive.google.com/file/d/quota/view",
            "source_unreachable",
            "too often",
        ),
        (
            "https://drive.google.com/file/d/endless/view",
            "source_not_found",
            "web page",
        ),
        (
            "https://www.dropbox.com/scl/fi/other/clip.mp4?rlkey=x",
            "source_forbidden",
            "sign in",
        ),
    ];
    for (link, code, text) in cases {
        for error in [
            bench.import(link).await.map(|_| ()).unwrap_err(),
            bench.fetch(link).await.map(|_| ()).unwrap_err(),
        ] {
            assert_eq!(error.code(), code, "{link}: {error}");
            assert!(error.to_string().contains(text), "{link}: {error}");
        }
    }
    let asked = log.lock().unwrap();
    let endless = asked.iter().filter(|uri| uri.contains("id=endless"));
    assert_eq!(endless.count(), 4, "a button is pressed once: {asked:?}");
}
