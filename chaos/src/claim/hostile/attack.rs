//! The six ways in which one workspace tries to hurt the others.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Result;
use futures::future::join_all;
use serde_json::{Map, Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

use crate::client::{Client, Sent};
use crate::compositions::plain;
use crate::origin::{Origin, Trouble};
use crate::stubborn::{connect, drip, host};

/// One way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Attack {
    SlowSources,
    LongRenders,
    LargeUploads,
    LargeAnswers,
    HangingReceivers,
    StubbornConnections,
}

/// All of them, in the order of the acceptance list.
pub(super) const ATTACKS: [Attack; 6] = [
    Attack::SlowSources,
    Attack::LongRenders,
    Attack::LargeUploads,
    Attack::LargeAnswers,
    Attack::HangingReceivers,
    Attack::StubbornConnections,
];

/// What an attack has at hand.
#[derive(Debug)]
pub(super) struct Field<'a> {
    pub(super) client: Client,
    pub(super) server: SocketAddr,
    pub(super) origin: &'a Origin,
}

impl Attack {
    /// What it does, for the table.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::SlowSources => "renders and imports of sources at a byte a second",
            Self::LongRenders => "long 1080p and 720p renders and 150 short ones, all first",
            Self::LargeUploads => "uploads and imports up to its quota and beyond",
            Self::LargeAnswers => "metadata of 2 MB, lists unread, 150,000 unknown fields",
            Self::HangingReceivers => "32 receivers that never answer",
            Self::StubbornConnections => "slow, silent and senseless connections",
        }
    }

    /// Goes on until it is dropped. That the server refuses things is what it is there for.
    pub(super) async fn run(self, field: &Field<'_>) -> Result<()> {
        match self {
            Self::SlowSources => slow_sources(field).await,
            Self::LongRenders => long_renders(field).await,
            Self::LargeUploads => large_uploads(field).await,
            Self::LargeAnswers => large_answers(field).await,
            Self::HangingReceivers => hanging_receivers(field).await,
            Self::StubbornConnections => stubborn_connections(field).await,
        }
    }
}

async fn forever() -> Result<()> {
    std::future::pending().await
}

async fn slow_sources(field: &Field<'_>) -> Result<()> {
    for number in 0_u64.. {
        let name = format!("slow-{number}.png");
        tokio::fs::write(field.origin.root().join(&name), [0; 4096]).await?;
        field.origin.trouble(&name, Trouble::Slow { rate: 1 });
        let url = field.origin.url(&name);
        let import = json!({"url": url});
        let image = picture(&url);
        field
            .client
            .call("POST", "/v1/imports", Some(&import))
            .await?;
        field
            .client
            .call("POST", "/v1/renders", Some(&image))
            .await?;
        // The first twenty at once, then as they are given up.
        if number >= 20 {
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
    Ok(())
}

fn picture(url: &str) -> Value {
    json!({
        "width": 64, "height": 64, "duration": 0.2,
        "elements": [{"type": "image", "id": "picture", "source_url": url, "duration": 0.2}],
    })
}

async fn long_renders(field: &Field<'_>) -> Result<()> {
    for (width, height, seconds) in [(1920, 1080, 300), (1280, 720, 480)] {
        let long = json!({
            "width": width, "height": height, "duration": seconds, "frame_rate": 30, "priority": 10,
            "elements": [{"type": "text", "text": "long", "duration": seconds, "font_size": 90}],
        });
        field.client.make("/v1/renders", &long).await?;
    }
    let mut short = plain("first");
    short["priority"] = json!(10);
    for _ in 0..150 {
        field.client.make("/v1/renders", &short).await?;
    }
    forever().await
}

/// Bytes of one file.
const FILE: usize = 16 << 20;

async fn large_uploads(field: &Field<'_>) -> Result<()> {
    let name = "large.mp4";
    tokio::fs::write(field.origin.root().join(name), vec![7; FILE]).await?;
    let url = field.origin.url(name);
    let uploads = join_all((0..3).map(|_| upload_again_and_again(&field.client)));
    let (_, ended) = futures::join!(uploads, import_again_and_again(&field.client, &url));
    ended
}

async fn upload_again_and_again(client: &Client) {
    loop {
        let sent = client.upload("video/mp4", vec![7; FILE]).await;
        if !matches!(sent, Ok(Sent::Arrived(_))) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn import_again_and_again(client: &Client, url: &str) -> Result<()> {
    let body = json!({"url": url});
    loop {
        let import = client.call("POST", "/v1/imports", Some(&body)).await?;
        let pause = if import.status < 300 { 200 } else { 20 };
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
}

/// Fields of a body that says nothing the server knows.
const UNKNOWN_FIELDS: usize = 150_000;
/// Lists that nobody reads.
const UNREAD: usize = 40;

async fn large_answers(field: &Field<'_>) -> Result<()> {
    let waiting = field.client.pending_source().await?;
    let mut largest = picture(&waiting);
    largest["metadata"] = metadata(50, 500);
    for _ in 0..200 {
        field.client.make("/v1/renders", &largest).await?;
    }
    let mut beyond = plain("too much");
    beyond["metadata"] = metadata(50, 40_000);
    let unknown: Map<String, Value> = (0..UNKNOWN_FIELDS)
        .map(|number| (format!("u{number}"), json!(1)))
        .collect();
    let unknown = Value::Object(unknown).to_string();
    let beyond = beyond.to_string();
    let ended = futures::try_join!(
        post_again_and_again(&field.client, unknown),
        post_again_and_again(&field.client, beyond),
        unread_lists(field),
    );
    ended.map(drop)
}

async fn post_again_and_again(client: &Client, body: String) -> Result<()> {
    loop {
        let sent = client.send("POST", "/v1/renders", Some(body.clone()));
        sent.await?;
    }
}

async fn unread_lists(field: &Field<'_>) -> Result<()> {
    let request = format!(
        "GET /v1/renders?limit=100 HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\r\n",
        field.client.key()
    );
    #[expect(
        clippy::collection_is_never_read,
        reason = "connections stay open while they are in it"
    )]
    let mut unread = Vec::new();
    for _ in 0..UNREAD {
        let mut stream = connect(host(3), field.server).await?;
        stream.write_all(request.repeat(4).as_bytes()).await?;
        unread.push(stream);
    }
    forever().await
}

fn metadata(keys: usize, length: usize) -> Value {
    let value = "m".repeat(length);
    let entries = (0..keys).map(|number| (format!("key-{number:036}"), json!(value)));
    Value::Object(entries.collect())
}

/// Receivers that take a request and say nothing.
const RECEIVERS: usize = 32;

async fn hanging_receivers(field: &Field<'_>) -> Result<()> {
    let mut listeners = Vec::new();
    let mut urls = Vec::new();
    for _ in 0..RECEIVERS {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        urls.push(format!("http://{}/hook", listener.local_addr()?));
        listeners.push(listener);
    }
    let hanging = join_all(listeners.iter().map(hold));
    let (_, ended) = futures::join!(hanging, events(&field.client, &urls));
    ended
}

/// Takes every connection and never says anything.
async fn hold(listener: &TcpListener) {
    #[expect(
        clippy::collection_is_never_read,
        reason = "connections stay open while they are in it"
    )]
    let mut held = Vec::new();
    while let Ok((stream, _)) = listener.accept().await {
        held.push(stream);
    }
}

/// Has things happen that all of `urls` want to be told of, and costs no render.
async fn events(client: &Client, urls: &[String]) -> Result<()> {
    for url in urls {
        let endpoint = json!({"url": url, "events": ["render.queued", "render.cancelled"]});
        client.call("POST", "/v1/webhooks", Some(&endpoint)).await?;
    }
    let mut composition = picture(&client.pending_source().await?);
    for url in urls.iter().cycle() {
        for own in [json!(url), Value::Null] {
            composition["webhook_url"] = own;
            let made = client.call("POST", "/v1/renders", Some(&composition));
            if let Ok(id) = made.await?.id() {
                let path = format!("/v1/renders/{id}");
                client.call("DELETE", &path, None).await?;
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

async fn stubborn_connections(field: &Field<'_>) -> Result<()> {
    let to = field.server;
    let slow = join_all((0..300).map(|_| slow(to)));
    let silent = join_all((0..1_000).map(|_| silent(to)));
    let senseless = join_all((0..8).map(|number| senseless(to, number % 2 == 0)));
    futures::join!(slow, silent, senseless);
    Ok(())
}

async fn slow(to: SocketAddr) {
    loop {
        if let Ok(stream) = connect(host(3), to).await {
            // The server ends it: that is what is tried here.
            let _ = drip(stream).await;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

async fn silent(to: SocketAddr) {
    loop {
        let stream = connect(host(4), to).await;
        tokio::time::sleep(Duration::from_secs(5)).await;
        drop(stream);
    }
}

/// Garbage, or a header of a mebibyte.
async fn senseless(to: SocketAddr, garbage: bool) {
    let line = if garbage {
        b"\x16\x03\x01 what is this\r\n\r\n".to_vec()
    } else {
        format!("GET / HTTP/1.1\r\nX-Huge: {}\r\n\r\n", "h".repeat(1 << 20)).into_bytes()
    };
    loop {
        if let Ok(mut stream) = connect(host(5), to).await {
            // The server may well hang up before it has all.
            let _ = stream.write_all(&line).await;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
