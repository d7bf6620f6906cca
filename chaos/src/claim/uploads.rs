//! A large file goes through the server without being held in it, whole and in parts; what
//! broke off half-way is gone on with; what arrived can be rendered, with the network guard on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use futures::StreamExt as _;
use reqwest::{Body, Client};
use serde_json::{Value, json};

use super::{Bench, Figure, Figures, Scale};
use crate::api::Api;
use crate::clips::{Timing, numbered};
use crate::node::{Node, NodeOptions};
use crate::process::Process;
use crate::s3::S3Server;

/// The most memory that the server may take on while a file goes through it.
const ALLOWED: u64 = 100 << 20;

/// Longest that one transfer, and what the server does with it afterwards, may take.
const LIMIT: Duration = Duration::from_secs(1200);

/// Bytes sent at a time.
const CHUNK: u64 = 1 << 20;

/// Sends a file whole, then in parts with a break at half of it, to a server that keeps its
/// objects in a directory and to one that keeps them in a bucket.
///
/// # Errors
/// When memory grows beyond what is allowed, or a file does not arrive as it was sent.
pub async fn check(bench: &Bench, scale: Scale) -> Result<Figures> {
    let size = scale.pick(48 << 20, 3 << 30);
    let clip = bench.file("upload-head.mp4");
    numbered(&clip, Timing::Constant(25, 1), 50).await?;
    let file = Arc::new(Padded::new(std::fs::read(&clip)?, size)?);
    let guarded = |node: NodeOptions| node.with("MEDIA__ALLOW_PRIVATE_NETWORKS", &false);
    let mut figures = Vec::new();
    {
        let node = guarded(bench.node()).start().await?;
        figures.extend(transfers(&node, &file, "directory").await?);
    }
    let bucket = bench.file("s3");
    let server = S3Server::start(&bucket, &["media"]).await?;
    let node = guarded(bench.node())
        .with("STORAGE__URL", &"s3://media/framelane")
        .with("STORAGE__ENDPOINT", &server.endpoint)
        .with("STORAGE__REGION", &"us-east-1")
        .variable("AWS_ACCESS_KEY_ID", &server.access_key)
        .variable("AWS_SECRET_ACCESS_KEY", &server.secret_key)
        .start()
        .await?;
    figures.extend(transfers(&node, &file, "bucket").await?);
    Ok(figures)
}

async fn transfers(node: &Node, file: &Arc<Padded>, place: &str) -> Result<Figures> {
    let api = node.api()?;
    let http = Client::builder().no_proxy().build()?;
    let watch = MemoryWatch::start(node.process()?);
    let begun = Instant::now();
    let whole = whole(&api, &http, file).await?;
    let took = begun.elapsed().as_secs_f64();
    let grew = watch.stop().await?;
    ensure!(
        grew < ALLOWED,
        "{place}: the server grew by {} MiB while a file went through it",
        grew >> 20
    );
    let watch = MemoryWatch::start(node.process()?);
    let (parts, sent_twice) = in_parts(&api, &http, file).await?;
    let grew_in_parts = watch.stop().await?;
    ensure!(
        grew_in_parts < ALLOWED,
        "{place}: the server grew by {} MiB over the parts of a file",
        grew_in_parts >> 20
    );
    for upload in [&whole, &parts] {
        let size = upload["size_bytes"].as_u64();
        ensure!(size == Some(file.size), "{place}: {size:?} bytes arrived");
        let width = upload["probe"]["width"].as_u64();
        ensure!(width == Some(320), "{place}: probed as {}", upload["probe"]);
    }
    let source = parts["source_url"].as_str().context("no source_url")?;
    let composition = json!({
        "width": 320, "height": 180, "duration": 1, "frame_rate": 25,
        "elements": [{"type": "video", "source_url": source, "out_point": 1}],
    });
    let id = api.submit(&composition).await?;
    api.completed(&id, LIMIT).await?;
    let mib = file.size >> 20;
    Ok(vec![
        Figure::new(
            format!("{place}: {mib} MiB whole, until it is ready"),
            format!("{took:.0} s, server grew by {} MiB", grew >> 20),
        ),
        Figure::new(
            format!("{place}: in parts, broken off at half"),
            format!(
                "{sent_twice} part sent twice, server grew by {} MiB",
                grew_in_parts >> 20
            ),
        ),
        Figure::new(format!("{place}: rendered with the guard on"), "completed"),
    ])
}

/// One `PUT` of everything.
async fn whole(api: &Api, http: &Client, file: &Arc<Padded>) -> Result<Value> {
    let upload = create(
        api,
        json!({"content_type": "video/mp4", "filename": "big.mp4"}),
    )
    .await?;
    let url = text(&upload, "upload_url")?;
    let response = http
        .put(url)
        .timeout(LIMIT)
        .header("content-type", "video/mp4")
        .header("content-length", file.size)
        .body(file.body(0, file.size, file.size))
        .send()
        .await?;
    ensure!(
        response.status().is_success(),
        "the upload was answered {}: {}",
        response.status(),
        response.text().await.unwrap_or_default()
    );
    ready(api, &upload).await
}

/// Parts up to the middle, one of them cut; then whatever the server says is missing.
async fn in_parts(api: &Api, http: &Client, file: &Arc<Padded>) -> Result<(Value, usize)> {
    let wanted = json!({
        "content_type": "video/mp4", "filename": "big.mp4",
        "size_bytes": file.size, "multipart": true,
    });
    let upload = create(api, wanted).await?;
    let parts = parts(&upload)?;
    let half = parts.len() / 2;
    for part in &parts[..half] {
        put_part(http, file, &upload, part).await?;
    }
    // The connection breaks in the middle of a part.
    let part = &parts[half];
    let (from, length) = span(file, &upload, part)?;
    let cut = http
        .put(text(part, "url")?)
        .header("content-length", length)
        .body(file.body(from, length, length / 2))
        .send()
        .await;
    ensure!(
        !cut.is_ok_and(|answer| answer.status().is_success()),
        "half a part was taken for a whole one"
    );
    let id = text(&upload, "id")?;
    let early = api
        .request("POST", &format!("/v1/uploads/{id}/complete"), &[], None)
        .await?;
    ensure!(early.status == 409, "completed early: {}", early.status);

    // A client that knows nothing but the id goes on.
    let seen = api.get(&format!("/v1/uploads/{id}")).await?;
    let missing: Vec<Value> = self::parts(&seen.body)?
        .into_iter()
        .filter(|part| part["received"] != true)
        .collect();
    ensure!(
        missing.len() == parts.len() - half,
        "{} parts are missing, not {}",
        missing.len(),
        parts.len() - half
    );
    for part in &missing {
        put_part(http, file, &upload, part).await?;
    }
    for _ in 0..2 {
        let done = api
            .request("POST", &format!("/v1/uploads/{id}/complete"), &[], None)
            .await?;
        ensure!(
            done.status == 200,
            "completing was answered {}: {}",
            done.status,
            done.body
        );
    }
    Ok((ready(api, &upload).await?, 1))
}

async fn create(api: &Api, wanted: Value) -> Result<Value> {
    let answer = api
        .request("POST", "/v1/uploads", &[], Some(wanted.to_string()))
        .await?;
    ensure!(
        answer.status == 201,
        "creating was answered {}: {}",
        answer.status,
        answer.body
    );
    Ok(answer.body)
}

async fn put_part(http: &Client, file: &Arc<Padded>, upload: &Value, part: &Value) -> Result<()> {
    let (from, length) = span(file, upload, part)?;
    let response = http
        .put(text(part, "url")?)
        .timeout(LIMIT)
        .header("content-length", length)
        .body(file.body(from, length, length))
        .send()
        .await?;
    ensure!(
        response.status().is_success(),
        "part {} was answered {}: {}",
        part["number"],
        response.status(),
        response.text().await.unwrap_or_default()
    );
    Ok(())
}

/// Where a part begins in the file, and its length.
fn span(file: &Padded, upload: &Value, part: &Value) -> Result<(u64, u64)> {
    let size = upload["part_size"].as_u64().context("no part_size")?;
    let number = part["number"].as_u64().context("a part without number")?;
    let from = (number - 1) * size;
    Ok((from, size.min(file.size - from)))
}

fn parts(upload: &Value) -> Result<Vec<Value>> {
    let parts = upload["parts"].as_array().context("no parts")?;
    ensure!(parts.len() > 1, "{} parts", parts.len());
    Ok(parts.clone())
}

fn text<'a>(value: &'a Value, name: &str) -> Result<&'a str> {
    value[name]
        .as_str()
        .with_context(|| format!("no {name} in {value}"))
}

async fn ready(api: &Api, upload: &Value) -> Result<Value> {
    let path = format!("/v1/uploads/{}", text(upload, "id")?);
    let deadline = Instant::now() + LIMIT;
    while Instant::now() < deadline {
        let upload = api.get(&path).await?.body;
        match upload["status"].as_str() {
            Some("ready") => return Ok(upload),
            Some("pending" | "processing") => {}
            _ => bail!("the upload came to {upload}"),
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    bail!("the upload is not ready in time")
}

/// A clip with a long box of padding behind it: a large file of which little has to be made.
struct Padded {
    head: Vec<u8>,
    size: u64,
}

impl Padded {
    fn new(mut head: Vec<u8>, size: u64) -> Result<Self> {
        let padding = size
            .checked_sub(head.len() as u64)
            .context("the clip is larger than the file")?;
        // A `free` box with a 64-bit length.
        head.extend(1u32.to_be_bytes());
        head.extend(b"free");
        head.extend(padding.to_be_bytes());
        Ok(Self { head, size })
    }

    /// A body that announces itself as `length` bytes from `from` on, and breaks off after
    /// `sent` of them.
    fn body(self: &Arc<Self>, from: u64, length: u64, sent: u64) -> Body {
        let file = Arc::clone(self);
        let breaks = (sent < length).then(|| Err(std::io::Error::other("broken off")));
        let starts = (0..sent).step_by(usize::try_from(CHUNK).unwrap_or(usize::MAX));
        let chunks = starts.map(move |at| Ok(file.bytes(from + at, CHUNK.min(sent - at))));
        Body::wrap_stream(futures::stream::iter(chunks.chain(breaks)).boxed())
    }

    fn bytes(&self, from: u64, count: u64) -> Vec<u8> {
        let head = self.head.len() as u64;
        (from..from + count)
            .map(|at| {
                let in_head = usize::try_from(at).ok().and_then(|at| self.head.get(at));
                // Differs from part to part, so that swapped ones would show.
                in_head.map_or_else(|| ((at - head) >> 20).to_le_bytes()[0], |byte| *byte)
            })
            .collect()
    }
}

/// Watches how far a process's own memory rises above where it was.
struct MemoryWatch {
    most: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
    task: tokio::task::JoinHandle<()>,
    before: u64,
}

impl MemoryWatch {
    fn start(process: Process) -> Self {
        let before = process.private_memory();
        let most = Arc::new(AtomicU64::new(before));
        let stop = Arc::new(AtomicBool::new(false));
        let (seen, stopped) = (Arc::clone(&most), Arc::clone(&stop));
        let task = tokio::spawn(async move {
            while !stopped.load(Ordering::Relaxed) {
                seen.fetch_max(process.private_memory(), Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        Self {
            most,
            stop,
            task,
            before,
        }
    }

    async fn stop(self) -> Result<u64> {
        self.stop.store(true, Ordering::Relaxed);
        self.task.await?;
        Ok(self.most.load(Ordering::Relaxed) - self.before)
    }
}
