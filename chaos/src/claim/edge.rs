//! Connections that say nothing, little or nonsense cost nobody else, and hold no stop up.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use futures::StreamExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::{Bench, Figure, Figures, Scale};
use crate::api::Api;
use crate::client::Client;
use crate::compositions::plain;
use crate::latencies::Latencies;
use crate::node::Node;
use crate::peaks::Peaks;
use crate::stubborn::{address, connect, drip, host, raise_open_files};

/// The longest that a short request of another host may take.
const PROMPT: Duration = Duration::from_secs(1);
/// The longest stop.
const STOP_LIMIT: Duration = Duration::from_secs(5);
const RENDER_LIMIT: Duration = Duration::from_secs(60);

/// Opens thousands of silent connections from one host and slow ones from another, is served
/// from a third, and stops the server with connections stalled in every way.
///
/// # Errors
/// When others wait, or the stop takes too long.
pub async fn check(bench: &Bench, scale: Scale) -> Result<Figures> {
    let silent = scale.pick(500, 10_000);
    let slow = scale.pick(20, 200);
    if let Some(most) = raise_open_files()? {
        ensure!(most > silent + 500, "only {most} files may be open here");
    }
    let mut node = Peaks::limited(bench.node().slots(2)).start().await?;
    let mut peaks = Peaks::default();
    peaks.follow(node.process()?);
    let to = address(node.api()?.edge())?;
    let other = other_host(&node)?;
    let probes = scale.pick(20, 100);

    other.rendered(&plain("first"), RENDER_LIMIT).await?;
    let quiet = served(&other, probes).await?;
    let begun = Instant::now();
    let flood: Vec<TcpStream> = futures::stream::iter(0..silent)
        .map(|_| connect(host(1), to))
        .buffer_unordered(256)
        .filter_map(|made| async move { made.ok() })
        .collect()
        .await;
    let opened = begun.elapsed();
    let mut dripping = JoinSet::new();
    for _ in 0..slow {
        let stream = connect(host(3), to).await?;
        dripping.spawn(drip(stream));
    }
    let loud = served(&other, probes).await?;
    let held = held_open(&other).await?;
    drop(flood);
    dripping.shutdown().await;
    let peak = peaks.figure()?;

    let stalled = stall_everything(&other, to).await?;
    let begun = Instant::now();
    let stopped = node.stop(4 * STOP_LIMIT).await;
    let stop = begun.elapsed();
    drop(stalled);
    stopped?;

    let figures = vec![
        Figure::new("another host, nobody else there", quiet.to_string()),
        Figure::new(
            format!("beside {silent} silent and {slow} slow connections"),
            format!("{loud}; all were made in {:.1} s", opened.as_secs_f64()),
        ),
        Figure::new("connections the server held meanwhile", held),
        peak,
        Figure::new(
            "SIGTERM with stalled connections",
            format!("{:.2} s", stop.as_secs_f64()),
        ),
    ];
    let seen = || Figure::told(&figures);
    ensure!(loud.requests.longest() <= PROMPT, "others wait: {}", seen());
    ensure!(
        loud.renders.p95() <= 2 * quiet.renders.p95(),
        "others' renders wait: {}",
        seen()
    );
    ensure!(stop <= STOP_LIMIT, "the stop takes long: {}", seen());
    Ok(figures)
}

/// A client that connects from a host of its own.
fn other_host(node: &Node) -> Result<Client> {
    let edge = node.api()?.edge().to_owned();
    Ok(Client::open(Api::from_host(Some(host(2)), &edge, &edge)?))
}

/// How long short requests and short renders took.
struct Served {
    requests: Latencies,
    renders: Latencies,
}

impl std::fmt::Display for Served {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "lists: {}; renders: {}", self.requests, self.renders)
    }
}

async fn served(client: &Client, count: usize) -> Result<Served> {
    let (mut requests, mut renders) = (Vec::new(), Vec::new());
    for _ in 0..count {
        // A connection of its own each time, so that being let in is part of it.
        let edge = client.api().edge();
        let fresh = Client::open(Api::from_host(Some(host(2)), edge, edge)?);
        let begun = Instant::now();
        let answer = fresh.call("GET", "/v1/renders?limit=1", None).await?;
        ensure!(answer.status == 200, "{}", answer.body);
        requests.push(begun.elapsed());
    }
    for _ in 0..count.min(20) {
        renders.push(client.rendered(&plain("promptly"), RENDER_LIMIT).await?);
    }
    Ok(Served {
        requests: requests.into_iter().collect(),
        renders: renders.into_iter().collect(),
    })
}

/// What the server says of its connections.
async fn held_open(other: &Client) -> Result<String> {
    let answer = other.call("GET", "/metrics", None).await?;
    let text = answer.body.as_str().context("no metrics")?;
    let lines = text.lines().filter(|line| {
        line.starts_with("framelane_http_connections_open")
            || line.starts_with("framelane_http_connections_refused_total")
    });
    Ok(lines.collect::<Vec<_>>().join(", "))
}

/// Connections in the middle of everything: a head, a body, an upload, a long poll, a stream of
/// events, a list nobody reads, and nothing at all.
async fn stall_everything(client: &Client, to: std::net::SocketAddr) -> Result<Vec<TcpStream>> {
    let source = client.pending_source().await?;
    let waiting = serde_json::json!({
        "width": 64, "height": 64, "duration": 1,
        "elements": [{"type": "image", "id": "later", "source_url": source, "duration": 1}],
    });
    let render = client.make("/v1/renders", &waiting).await?;
    let wanted = serde_json::json!({"content_type": "video/mp4", "filename": "a.mp4"});
    let upload = client
        .call("POST", "/v1/uploads", Some(&wanted))
        .await?
        .body;
    let link = upload["upload_url"].as_str().context("no link")?;
    let path = link.splitn(4, '/').nth(3).context("no path in the link")?;
    let heads = [
        String::new(),
        "GET /v1/renders HTTP/1.1\r\nHost: ".to_owned(),
        "POST /v1/renders HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: 100000\r\n\r\n{\"width\":"
            .to_owned(),
        format!(
            "PUT /{path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: video/mp4\r\n\
             Content-Length: 10000000\r\n\r\nhalf"
        ),
        format!("GET /v1/renders/{render}?wait=60 HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        format!("GET /v1/renders/{render}/events HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        "GET /v1/renders?limit=100 HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(50),
    ];
    let mut streams = Vec::new();
    for head in heads.iter().cycle().take(heads.len() * 10) {
        let mut stream = connect(host(4), to).await?;
        stream.write_all(head.as_bytes()).await?;
        streams.push(stream);
    }
    tokio::time::sleep(Duration::from_secs(2)).await;
    Ok(streams)
}
