//! Sources that send a byte a second delay only the renders that name them.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use chaos::api::Api;
use chaos::clips::{Timing, numbered};
use chaos::origin::Trouble;
use serde_json::{Value, json};
use tokio::process::Command;

use crate::support::server::{node, turn};

/// Far more than a short render or upload takes on a busy machine, far less than the sources.
const LIMIT: Duration = Duration::from_secs(45);

/// A client of one workspace.
struct Client<'a> {
    api: &'a Api,
    key: String,
}

impl Client<'_> {
    async fn call(&self, method: &str, path: &str, body: Option<Value>) -> Result<Value> {
        let key = format!("Bearer {}", self.key);
        let body = body.map(|body| body.to_string());
        let headers = [("authorization", key.as_str())];
        let answer = self.api.request(method, path, &headers, body).await?;
        ensure!(answer.status < 300, "{path}: {}", answer.body);
        Ok(answer.body)
    }

    /// Sends `body` and gives the path of what it made.
    async fn make(&self, path: &str, body: Value) -> Result<String> {
        let made = self.call("POST", path, Some(body)).await?;
        Ok(format!("{path}/{}", made["id"].as_str().context("no id")?))
    }

    /// The thing at `path` once its status is `status`.
    async fn until(&self, path: &str, status: &str) -> Result<Value> {
        let deadline = Instant::now() + LIMIT;
        loop {
            let seen = self.call("GET", path, None).await?;
            if seen["status"] == status {
                return Ok(seen);
            }
            ensure!(Instant::now() < deadline, "never {status}: {seen}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Uploads a file, and gives the path of the upload.
    async fn upload(&self, bytes: Vec<u8>) -> Result<String> {
        let wanted = json!({"content_type": "video/mp4", "filename": "clip.mp4"});
        let upload = self.call("POST", "/v1/uploads", Some(wanted)).await?;
        let url = upload["upload_url"].as_str().context("no upload_url")?;
        let http = reqwest::Client::builder().no_proxy().build()?;
        let put = http.put(url).header("content-type", "video/mp4");
        let answer = put.timeout(LIMIT).body(bytes).send().await?;
        ensure!(answer.status().is_success(), "{}", answer.status());
        let id = upload["id"].as_str().context("no id")?;
        Ok(format!("/v1/uploads/{id}"))
    }
}

async fn key(base: &str, admin: Option<&str>, owner: &[&str]) -> Result<String> {
    let mut create = Command::new(env!("CARGO_BIN_EXE_framelane"));
    create.args(["keys", "create"]).args(owner);
    create.args(["--server", base]);
    if let Some(admin) = admin {
        create.env("FRAMELANE_ADMIN_KEY", admin);
    }
    let made = create.output().await?;
    ensure!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    Ok(String::from_utf8(made.stdout)?.trim().to_owned())
}

fn text() -> Value {
    json!({
        "width": 64, "height": 64, "duration": 0.2,
        "elements": [{"type": "text", "text": "one", "duration": 0.2}],
    })
}

fn image(url: &str) -> Value {
    json!({
        "width": 64, "height": 64, "duration": 0.2,
        "elements": [{"type": "image", "id": "subject", "source_url": url, "duration": 0.2}],
    })
}

#[tokio::test]
async fn a_slow_source_holds_up_no_other_workspace() -> Result<()> {
    let turn = turn().await?;
    let bench = &turn.bench;
    let clip = bench.file("clip.mp4");
    numbered(&clip, Timing::Constant(25, 1), 25).await?;
    let origin = bench.origin().await?;
    let names = ["slow-1.png", "slow-2.png", "slow-3.mp4", "slow-4.mp4"];
    for name in names {
        std::fs::write(bench.file(name), [0; 4096])?;
        origin.trouble(name, Trouble::Slow { rate: 1 });
    }
    // Two slots and two for probing, as many as slow sources of each kind; none is given up.
    let node = node().slots(2).with("MEDIA__MIN_RATE", &0).start().await?;
    let api = node.api()?;
    let base = api.edge();
    let admin = key(base, None, &["--admin"]).await?;
    let slow = key(base, Some(&admin), &["--workspace", "slow"]).await?;
    let other = key(base, Some(&admin), &["--workspace", "other"]).await?;
    let slow = Client {
        api: &api,
        key: slow,
    };
    let other = Client {
        api: &api,
        key: other,
    };

    let mut renders = Vec::new();
    for name in &names[..2] {
        renders.push(slow.make("/v1/renders", image(&origin.url(name))).await?);
    }
    let mut imports = Vec::new();
    for name in &names[2..] {
        let body = json!({"url": origin.url(name)});
        imports.push(slow.make("/v1/imports", body).await?);
    }
    for render in &renders {
        slow.until(render, "processing").await?;
    }
    for name in names {
        let deadline = Instant::now() + LIMIT;
        while origin.requests(name) == 0 {
            ensure!(Instant::now() < deadline, "{name} is not fetched");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    let begun = Instant::now();
    let (render, upload) = tokio::try_join!(
        async {
            let render = other.make("/v1/renders", text()).await?;
            other.until(&render, "completed").await?;
            anyhow::Ok(begun.elapsed())
        },
        async {
            let upload = other.upload(tokio::fs::read(&clip).await?).await?;
            other.until(&upload, "ready").await?;
            anyhow::Ok(begun.elapsed())
        },
    )?;
    let longest = render.max(upload);
    ensure!(
        longest < LIMIT / 3,
        "text rendered in {render:?}, upload ready in {upload:?}"
    );
    let body = json!({"url": origin.url("clip.mp4")});
    let import = other.make("/v1/imports", body).await?;
    let import = other.until(&import, "ready").await?;
    ensure!(import["probe"]["width"] == 320, "{import}");
    for path in renders.iter().chain(&imports) {
        let seen = slow.call("GET", path, None).await?;
        ensure!(seen["status"] == "processing", "{path}: {seen}");
    }

    // What is being fetched ends at once, and its connection with it.
    for render in &renders {
        slow.call("DELETE", render, None).await?;
        slow.until(render, "cancelled").await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_fetched_source_is_asked_for_once() -> Result<()> {
    let turn = turn().await?;
    let bench = &turn.bench;
    numbered(&bench.file("clip.mp4"), Timing::Constant(25, 1), 25).await?;
    let origin = bench.origin().await?;
    let node = node().slots(2).segment_frames(10).start().await?;
    let api = node.api()?;
    let composition = json!({
        "width": 320, "height": 180, "duration": 1, "frame_rate": 25,
        "elements": [{"type": "video", "source_url": origin.url("clip.mp4"), "duration": 1}],
    });
    let id = api.submit(&composition).await?;
    api.completed(&id, LIMIT).await?;
    ensure!(
        origin.requests("clip.mp4") == 1,
        "prepare fetched again what was fetched: {} requests",
        origin.requests("clip.mp4")
    );
    Ok(())
}
