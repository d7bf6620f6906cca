//! Imports of direct links, checked by their content.

use super::*;

async fn files() -> String {
    let gif: &[u8] = b"GIF89a\x01\0\x01\0";
    let app = Router::new()
        .route(
            "/a%20gif.mp4",
            get(move || async move { ([("content-type", "text/html")], gif) }),
        )
        .route(
            "/page.mp4",
            get(|| async { ([("content-type", "video/mp4")], "<!doctype html><p>") }),
        )
        .route("/list.m3u8", get(|| async { "#EXTM3U\n" }))
        .route("/empty.mp4", get(|| async { "" }))
        .route(
            "/moved",
            get(|| async { Redirect::temporary("/a%20gif.mp4") }),
        );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    origin
}

#[tokio::test]
async fn an_import_is_what_its_bytes_are_and_has_the_name_of_its_link() {
    let origin = files().await;
    let bench = Bench::new();
    for path in ["/a%20gif.mp4?token=secret", "/moved"] {
        let imported = bench.import(&format!("{origin}{path}")).await.unwrap();
        assert_eq!(imported.content_type, "image/gif", "{path}");
        assert_eq!(imported.filename.as_deref(), Some("a gif.mp4"), "{path}");
    }
}

#[tokio::test]
async fn what_is_no_media_is_not_imported() {
    let origin = files().await;
    let bench = Bench::new();
    for (path, code, text) in [
        ("/page.mp4", "import_unsupported", "yt-dlp"),
        ("/list.m3u8", "invalid_source", "not media"),
        ("/empty.mp4", "invalid_source", "not media"),
        ("/nothing.mp4", "source_not_found", "404"),
    ] {
        let error = bench.import(&format!("{origin}{path}")).await.unwrap_err();
        assert_eq!(error.code(), code, "{path}: {error}");
        assert!(error.is_permanent(), "{path}");
        assert!(error.to_string().contains(text), "{path}: {error}");
    }
}

#[tokio::test]
async fn progress_tells_how_much_of_how_much_has_come() {
    let piece = Bytes::from_static(b"GIF89a\x01\0");
    let answer = move || async move {
        let first = futures::stream::iter([Ok::<_, std::io::Error>(piece)]);
        Response::builder()
            .header("content-length", 1000)
            .body(Body::from_stream(first.chain(futures::stream::pending())))
            .unwrap()
    };
    let app = Router::new().route("/slow", get(answer));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/slow", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    let bench = Bench::with(true, Duration::from_secs(20));
    let progress = Progress::default();
    let importing = bench
        .fetcher
        .import(&url, bench.directory.path(), &progress);
    let watching = async {
        while progress.received() < 8 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        _ = importing => panic!("the server has not sent everything"),
        () = watching => {}
    }
    assert_eq!((progress.received(), progress.total()), (8, Some(1000)));
}
