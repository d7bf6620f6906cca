use std::time::Instant;

use axum::middleware::from_fn;
use axum::routing::{get, post};
use tokio::net::TcpSocket;
use tokio::task::JoinHandle;

use super::*;
use crate::edge::envelope;

/// Nothing a test waits for takes longer.
const LIMIT: Duration = Duration::from_secs(60);

const LIMITS: ServeLimits = ServeLimits {
    connections: 50,
    connections_per_peer: 0,
    header_timeout: LIMIT,
    send_timeout: LIMIT,
};

/// What hyper would answer with, as the body of a good answer.
const BARE: &str = "HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";

struct Server {
    address: SocketAddr,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Server {
    async fn start(limits: ServeLimits) -> Self {
        let router = Router::new()
            .route("/", get(|| async { "hello" }))
            .route("/bare", get(|| async { BARE }))
            .route("/large", get(|| async { vec![b'x'; 64 << 20] }))
            .route("/body", post(|body: String| async move { body }))
            .layer(from_fn(envelope::finish));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let stop = CancellationToken::new();
        let task = tokio::spawn(serve(listener, router, limits, stop.clone()));
        Self {
            address,
            stop,
            task,
        }
    }

    async fn connect(&self) -> TcpStream {
        self.connect_from("127.0.0.1").await
    }

    async fn connect_from(&self, peer: &str) -> TcpStream {
        let socket = TcpSocket::new_v4().expect("a socket");
        let peer = format!("{peer}:0").parse().expect("an address");
        socket.bind(peer).expect("an address of this machine");
        socket.connect(self.address).await.expect("it accepts")
    }

    /// Everything that comes back for these bytes until the connection ends.
    async fn answer(&self, request: &[u8]) -> String {
        let mut stream = self.connect().await;
        // One that is turned away may be gone by now; the answer can still be read.
        let _ = stream.write_all(request).await;
        rest(&mut stream).await
    }
}

async fn rest(stream: &mut TcpStream) -> String {
    let mut read = Vec::new();
    let ended = tokio::time::timeout(LIMIT, stream.read_to_end(&mut read));
    // In order or reset: both are an end.
    let _ = ended.await.expect("the connection ends");
    String::from_utf8(read).expect("text")
}

/// The body of an answer, once its head is seen to have `status` and the envelope's id.
fn envelope_of(answer: &str, status: u16) -> serde_json::Value {
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
    assert!(head.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
    let body: serde_json::Value = serde_json::from_str(body).expect("an envelope");
    let id = body["error"]["request_id"].as_str().expect("an id");
    assert!(head.contains(&format!("x-request-id: {id}")), "{answer}");
    body
}

#[tokio::test]
async fn what_is_no_request_gets_the_envelope() {
    let server = Server::start(LIMITS).await;
    let uri = |length: usize| format!("GET /{} HTTP/1.1\r\nhost: a\r\n\r\n", "x".repeat(length));
    let field = format!(
        "GET / HTTP/1.1\r\nhost: a\r\nx: {}\r\n\r\n",
        "x".repeat(70_000)
    );
    let fields = format!(
        "GET / HTTP/1.1\r\nhost: a\r\n{}\r\n",
        "x: y\r\n".repeat(200)
    );
    let cases = [
        ("garbage\r\n\r\n".to_owned(), 400, "invalid_request"),
        (
            "GET / HTTP/1.1\r\nbad header\r\n\r\n".to_owned(),
            400,
            "invalid_request",
        ),
        (uri(10_000), 414, "uri_too_long"),
        (uri(70_000), 414, "uri_too_long"),
        (uri(1_000_000), 414, "uri_too_long"),
        (field, 431, "headers_too_large"),
        (fields, 431, "headers_too_large"),
    ];
    for (request, status, code) in cases {
        let request = request.replacen("host: a", "host: a\r\nconnection: close", 1);
        let answer = server.answer(request.as_bytes()).await;
        let shown = &request[..request.len().min(40)];
        assert_eq!(
            envelope_of(&answer, status)["error"]["code"],
            code,
            "{shown}"
        );
    }
}

#[tokio::test]
async fn a_connection_that_served_a_request_gets_it_too() {
    let server = Server::start(LIMITS).await;
    let mut stream = server.connect().await;
    let good = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n";
    stream.write_all(good).await.expect("it takes the bytes");
    let mut read = vec![0; 4096];
    let count = stream.read(&mut read).await.expect("an answer");
    let first = String::from_utf8_lossy(&read[..count]).into_owned();
    assert!(
        first.starts_with("HTTP/1.1 200") && first.ends_with("hello"),
        "{first}"
    );
    stream
        .write_all(b"\x16\x03\x01\r\n\r\n")
        .await
        .expect("it takes the bytes");
    let second = rest(&mut stream).await;
    assert_eq!(
        envelope_of(&second, 400)["error"]["code"],
        "invalid_request"
    );
}

#[tokio::test]
async fn a_good_answer_is_never_replaced() {
    let server = Server::start(LIMITS).await;
    let request = b"GET /bare HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    let answer = server.answer(request).await;
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.ends_with(BARE),
        "{answer}"
    );
}

#[tokio::test]
async fn a_head_that_does_not_come_is_not_waited_for() {
    let server = Server::start(ServeLimits {
        header_timeout: Duration::from_millis(300),
        ..LIMITS
    })
    .await;
    assert_eq!(
        server.answer(b"").await,
        "",
        "one that sent nothing is closed"
    );
    let answer = server.answer(b"GET / HTTP/1.1\r\nhost:").await;
    assert_eq!(
        envelope_of(&answer, 408)["error"]["code"],
        "request_timeout"
    );
    // An idle connection ends as well, without an answer to nothing.
    let answer = server.answer(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
    assert!(
        answer.starts_with("HTTP/1.1 200") && answer.ends_with("hello"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_flood_from_one_address_keeps_nobody_else_out() {
    let server = Server::start(ServeLimits {
        connections_per_peer: 5,
        ..LIMITS
    })
    .await;
    let mut flood = Vec::new();
    for _ in 0..300 {
        flood.push(server.connect().await);
    }
    let mut other = server.connect_from("127.0.0.2").await;
    let request = b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    other.write_all(request).await.expect("it takes the bytes");
    assert!(rest(&mut other).await.ends_with("hello"));
    // Those beyond the limit are refused at once.
    let mut refused = flood.pop().expect("three hundred");
    let answer = rest(&mut refused).await;
    assert_eq!(envelope_of(&answer, 429)["error"]["code"], "rate_limited");
    // And there is room again once they are gone.
    drop((flood, refused));
    let answered = async {
        while !server.answer(request).await.ends_with("hello") {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(LIMIT, answered)
        .await
        .expect("room again");
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut() {
    let server = Server::start(ServeLimits {
        connections: 1,
        send_timeout: Duration::from_millis(300),
        ..LIMITS
    })
    .await;
    let mut stalled = server.connect().await;
    let request = b"GET /large HTTP/1.1\r\nhost: a\r\n\r\n";
    stalled
        .write_all(request)
        .await
        .expect("it takes the bytes");
    // Its place is free once it is cut.
    let answered = async {
        let request = b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
        while !server.answer(request).await.ends_with("hello") {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(LIMIT, answered)
        .await
        .expect("it is cut");
}

#[tokio::test]
async fn stopping_waits_for_no_stalled_connection() {
    let server = Server::start(LIMITS).await;
    let mut stalled = Vec::new();
    let requests: [&[u8]; 4] = [
        b"",
        b"GET / HTTP/1.1\r\nhost:",
        b"POST /body HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n\r\nhalf",
        b"GET /large HTTP/1.1\r\nhost: a\r\n\r\n",
    ];
    for request in requests {
        let mut stream = server.connect().await;
        stream.write_all(request).await.expect("it takes the bytes");
        stalled.push(stream);
    }
    // Each is served by now: one that comes after them is.
    let request = b"GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n";
    assert!(server.answer(request).await.ends_with("hello"));
    let begun = Instant::now();
    server.stop.cancel();
    tokio::time::timeout(LIMIT, server.task)
        .await
        .expect("it stops")
        .expect("without a panic");
    let took = begun.elapsed();
    assert!(took < GRACE + Duration::from_secs(2), "{took:?}");
    assert!(TcpStream::connect(server.address).await.is_err());
    drop(stalled);
}
