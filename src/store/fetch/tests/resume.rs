//! Downloads that break off, against a server of raw sockets with scripted answers.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;

use super::*;

const DATED: &str =
    "Date: Tue, 01 Jul 2025 10:00:05 GMT\r\nLast-Modified: Tue, 01 Jul 2025 10:00:00 GMT\r\n";
const REST: &str = "206 Partial Content";

/// Gives one answer a connection, breaks each off at its end, and returns the requests.
async fn scripted(answers: Vec<Vec<u8>>) -> (String, JoinHandle<Vec<String>>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/file", listener.local_addr().unwrap());
    let server = tokio::spawn(async move {
        let mut asked = Vec::new();
        for answer in answers {
            let (mut socket, _) = listener.accept().await.unwrap();
            let mut request = vec![0_u8; 4096];
            let length = socket.read(&mut request).await.unwrap();
            asked.push(String::from_utf8_lossy(&request[..length]).to_lowercase());
            // The other side may have turned away.
            let _ = socket.write_all(&answer).await;
            let _ = socket.shutdown().await;
        }
        asked
    });
    (url, server)
}

fn answer(status: &str, fields: &str, length: usize, body: impl AsRef<[u8]>) -> Vec<u8> {
    let mut answer =
        format!("HTTP/1.1 {status}\r\n{fields}Content-Length: {length}\r\n\r\n").into_bytes();
    answer.extend_from_slice(body.as_ref());
    answer
}

fn rest(range: &str, fields: &str, body: &str) -> Vec<u8> {
    let fields = format!("{fields}Content-Range: bytes {range}\r\n");
    answer(REST, &fields, body.len(), body)
}

#[tokio::test]
async fn a_broken_download_goes_on_where_it_stopped() {
    for (version, if_range) in [
        ("ETag: \"x\"\r\nAccept-Ranges: bytes\r\n", "if-range: \"x\""),
        ("ETag: \"x\"\r\n", "if-range: \"x\""),
        (DATED, "if-range: tue, 01 jul 2025 10:00:00 gmt"),
    ] {
        let (url, server) = scripted(vec![
            answer("200 OK", version, 20, "01234567"),
            rest("8-19/20", version, "89ab"),
            rest("12-19/20", version, "cdefghij"),
        ])
        .await;
        let bench = Bench::new();
        let object = bench.fetch(&url).await.unwrap();
        assert_eq!(bench.store.get(&object.key).await.unwrap(), BODY);
        let asked = server.await.unwrap();
        assert!(!asked[0].contains("range:"), "{}", asked[0]);
        for (request, range) in asked[1..].iter().zip(["bytes=8-", "bytes=12-"]) {
            assert!(request.contains(&format!("range: {range}")), "{request}");
            assert!(request.contains(if_range), "{request}");
        }
    }
}

#[tokio::test]
async fn what_may_have_changed_is_begun_again() {
    let new = "a new file that differs";
    let strong = "ETag: \"x\"\r\n";
    let cases: [(&str, Vec<Vec<u8>>, &str); 5] = [
        (
            "no validator of the version",
            vec![
                answer("200 OK", "ETag: W/\"x\"\r\n", 20, "0123"),
                answer("200 OK", "", new.len(), new),
            ],
            "",
        ),
        (
            "the server sends the changed file",
            vec![
                answer("200 OK", strong, 20, "0123"),
                answer("200 OK", "ETag: \"y\"\r\n", new.len(), new),
            ],
            "bytes=4-",
        ),
        (
            "the rest of another version",
            vec![
                answer("200 OK", strong, 20, "0123"),
                rest("4-19/20", "ETag: \"y\"\r\n", "456789abcdefghij"),
                answer("200 OK", "", new.len(), new),
            ],
            "bytes=4-",
        ),
        (
            "another part than was asked for",
            vec![
                answer("200 OK", strong, 20, "0123"),
                rest("0-19/20", strong, "0123456789abcdefghij"),
                answer("200 OK", "", new.len(), new),
            ],
            "bytes=4-",
        ),
        (
            "there is no such rest",
            vec![
                answer("200 OK", strong, 20, "0123"),
                answer("416 Range Not Satisfiable", "", 0, ""),
                answer("200 OK", "", new.len(), new),
            ],
            "bytes=4-",
        ),
    ];
    for (what, answers, range) in cases {
        let (url, server) = scripted(answers).await;
        let bench = Bench::new();
        let object = bench.fetch(&url).await.unwrap();
        assert_eq!(bench.store.get(&object.key).await.unwrap(), new, "{what}");
        let asked = server.await.unwrap();
        assert_eq!(asked[1].contains("range:"), !range.is_empty(), "{what}");
        assert!(asked[1].contains(range), "{what}: {}", asked[1]);
        let last = asked.last().unwrap();
        assert_eq!(
            last.contains("range:"),
            asked.len() == 2 && !range.is_empty()
        );
    }
}

#[tokio::test]
async fn a_line_that_breaks_every_few_bytes_is_enough_for_a_long_download() {
    const PIECE: usize = 1 << 20;
    let body: Vec<u8> = (0..=250).cycle().take(PIECE * 5 + 10).collect();
    let total = body.len();
    let mut answers = vec![answer("200 OK", "ETag: \"x\"\r\n", total, &body[..PIECE])];
    for start in (PIECE..total).step_by(PIECE) {
        let fields = format!(
            "ETag: \"x\"\r\nContent-Range: bytes {start}-{}/{total}\r\n",
            total - 1
        );
        let end = total.min(start + PIECE);
        answers.push(answer(REST, &fields, total - start, &body[start..end]));
    }
    assert_eq!(answers.len(), 6);
    let (url, server) = scripted(answers).await;
    let bench = Bench::within(
        true,
        FetchLimits {
            tries: 2,
            backoff: Duration::from_millis(1),
            ..FetchLimits::default()
        },
    );
    let scratch = bench.directory.path();
    let alive = AtomicU64::new(0);
    let object = bench.fetcher.fetch(&url, scratch, &alive).await.unwrap();
    assert_eq!(bench.store.get(&object.key).await.unwrap(), body);
    assert_eq!(alive.into_inner(), total as u64);
    assert_eq!(server.await.unwrap().len(), 6);
}

#[tokio::test]
async fn the_size_limit_holds_over_resumed_tries() {
    // The first answer does not state its length, and neither part is too long.
    let mut first =
        b"HTTP/1.1 200 OK\r\nETag: \"x\"\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    first.extend_from_slice(b"BB8\r\n");
    first.extend_from_slice(&[b'a'; 3000]);
    let fields = "ETag: \"x\"\r\nContent-Range: bytes 3000-5999/*\r\n";
    let second = answer(REST, fields, 3000, [b'b'; 3000]);
    let (url, server) = scripted(vec![first, second]).await;
    let error = Bench::new().fetch(&url).await.unwrap_err();
    assert_eq!(error.code(), "source_too_large", "{error}");
    assert_eq!(server.await.unwrap().len(), 2);
}

#[tokio::test]
async fn the_time_limit_holds_over_resumed_tries() {
    // A byte a try, as often as it is asked.
    let part = |n: usize| {
        let fields = format!("ETag: \"x\"\r\nContent-Range: bytes {n}-999/1000\r\n");
        answer(REST, &fields, 1000 - n, "a")
    };
    let mut answers = vec![answer("200 OK", "ETag: \"x\"\r\n", 1000, "a")];
    answers.extend((1..1000).map(part));
    let (url, server) = scripted(answers).await;
    let total = Duration::from_millis(400);
    let bench = Bench::within(
        true,
        FetchLimits {
            tries: 1000,
            total,
            backoff: Duration::from_millis(1),
            ..FetchLimits::default()
        },
    );
    let error = bench.fetch(&url).await.unwrap_err();
    assert!(
        matches!(error, FetchError::TooLong(limit) if limit == total),
        "{error}"
    );
    server.abort();
}
