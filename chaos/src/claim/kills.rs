//! Sixty kills of the server at random moments, with renders, fetched sources, uploads, imports
//! and webhooks under way: nothing fails, nothing is lost, nothing is there twice, no process
//! and no file stays behind.

mod files;
mod traffic;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use self::files::swept_clean;
use self::traffic::{Traffic, Wanted};
use super::{Bench, Figure, Figures, Scale};
use crate::api::Api;
use crate::clips::{Timing, numbered};
use crate::peaks::Peaks;
use crate::process::{Process, descendants};
use crate::receiver::{Received, Receiver};

/// Nothing of a killed server is alive after this.
const ORPHAN_LIMIT: Duration = Duration::from_secs(2);
/// What a backlog may take once the kills are over.
const CALM_LIMIT: Duration = Duration::from_secs(600);
/// Longest until everything that happened has been told, and what is nobody's is gone.
const LIMIT: Duration = Duration::from_secs(120);

/// Kills the server again and again while clients go on.
///
/// # Errors
/// When a render fails, or anything is lost, doubled or left behind.
pub async fn check(bench: &Bench, scale: Scale) -> Result<Figures> {
    let kills = scale.pick(4, 60);
    numbered(&bench.file("clip.mp4"), Timing::Constant(25, 1), 50).await?;
    let origin = bench.origin().await?;
    let receiver = Receiver::start().await?;
    let options = Peaks::limited(bench.node().slots(2))
        .port(free_port().await?)
        .with("WEBHOOKS__RETRIES", &retries());
    let mut node = options.start().await?;
    let mut peaks = Peaks::default();
    peaks.follow(node.process()?);
    let hook = json!({"url": receiver.url, "events": EVENTS}).to_string();
    let made = node
        .api()?
        .request("POST", "/v1/webhooks", &[], Some(hook))
        .await?;
    ensure!(made.status == 201, "{}", made.body);

    let clip = tokio::fs::read(bench.file("clip.mp4")).await?;
    let traffic = Arc::new(Traffic::new(node.api()?, origin.url("clip.mp4"), clip));
    let clients = traffic.start();
    let mut random = StdRng::seed_from_u64(8);
    let (mut slowest_start, mut longest_orphan) = (Duration::ZERO, Duration::ZERO);
    for _ in 0..kills {
        let life = Duration::from_millis(random.random_range(200..4_000));
        tokio::time::sleep(life).await;
        let family = descendants(node.process()?.pid);
        let killed = Instant::now();
        node.kill().await?;
        longest_orphan = longest_orphan.max(gone(&family, killed).await?);
        node.start_again().await.with_context(|| node.log_tail())?;
        slowest_start = slowest_start.max(killed.elapsed());
        peaks.follow(node.process()?);
    }
    traffic.end();
    for client in clients {
        client.await.context("a client panicked")??;
    }

    let api = node.api()?;
    let ended = all_ended(&api, &traffic.wanted()).await;
    let ended = ended.with_context(|| peaks.text())?;
    let events = all_told(&receiver, &ended).await?;
    let left = {
        let swept = options
            .with("RETENTION__ORPHANS", &"1s")
            .with("RETENTION__ATTEMPT_FILES", &"1s");
        tokio::time::sleep(Duration::from_secs(2)).await;
        node.kill().await?;
        node.reconfigure(swept);
        node.start_again().await?;
        peaks.follow(node.process()?);
        swept_clean(&node, &receiver).await?
    };
    let family = descendants(node.process()?.pid);
    node.kill().await?;
    longest_orphan = longest_orphan.max(gone(&family, Instant::now()).await?);
    Ok(vec![
        Figure::new(
            format!("{kills} × kill -9, {}", ended.told()),
            "0 failed, 0 lost, 0 doubled",
        ),
        Figure::new("webhooks", events),
        Figure::new("files after one sweep", left),
        Figure::new(
            "slowest start, longest life of a worker without a server",
            format!("{slowest_start:.1?}, {longest_orphan:.0?}"),
        ),
        peaks.figure()?,
    ])
}

const EVENTS: [&str; 5] = [
    "render.queued",
    "render.completed",
    "render.failed",
    "asset.ready",
    "asset.failed",
];

/// Enough tries that none is given up while the server is killed.
fn retries() -> String {
    let delays = ["100ms", "200ms", "400ms", "1s", "2s", "2s", "2s", "2s"];
    format!("{delays:?}")
}

/// A port that nobody has: addresses that the server gave out stay good through its starts. It
/// lies below those that connections are made from, so that none takes it meanwhile.
async fn free_port() -> Result<u16> {
    for _ in 0..100 {
        let port = rand::rng().random_range(20_000..30_000);
        if TcpListener::bind(("127.0.0.1", port)).await.is_ok() {
            return Ok(port);
        }
    }
    bail!("no port is free")
}

/// Waits until a killed server's processes are gone; gives how long that took.
async fn gone(family: &[Process], killed: Instant) -> Result<Duration> {
    while family.iter().any(|process| process.is_alive()) {
        ensure!(
            killed.elapsed() < ORPHAN_LIMIT,
            "a process outlives its server"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(killed.elapsed())
}

/// What was made of what was wanted.
struct Ended {
    renders: BTreeSet<String>,
    assets: BTreeSet<String>,
}

impl Ended {
    fn told(&self) -> String {
        format!(
            "{} renders, {} uploads and imports",
            self.renders.len(),
            self.assets.len()
        )
    }
}

/// Every key has exactly one render, every render and asset that was acknowledged is there, and
/// none has failed.
async fn all_ended(api: &Api, wanted: &Wanted) -> Result<Ended> {
    let deadline = Instant::now() + CALM_LIMIT;
    let renders = loop {
        let renders = listed(api, "/v1/renders").await?;
        let open = renders
            .iter()
            .filter(|render| !crate::api::is_terminal(render))
            .count();
        if open == 0 {
            break renders;
        }
        ensure!(Instant::now() < deadline, "{open} renders do not end");
        tokio::time::sleep(Duration::from_millis(500)).await;
    };
    let mut by_key = BTreeMap::<String, Vec<String>>::new();
    let (mut ids, mut failed) = (BTreeSet::new(), Vec::new());
    for render in &renders {
        let id = render["id"].as_str().context("no id")?.to_owned();
        let key = render["idempotency_key"]
            .as_str()
            .context("a render without a key")?;
        by_key.entry(key.to_owned()).or_default().push(id.clone());
        if render["status"] != "completed" {
            failed.push(format!("{id} {} {}", render["status"], render["error"]));
        }
        ids.insert(id);
    }
    ensure!(
        failed.is_empty(),
        "{} of {} failed: {failed:?}",
        failed.len(),
        renders.len()
    );
    let doubled: Vec<_> = by_key.iter().filter(|(_, ids)| ids.len() > 1).collect();
    ensure!(doubled.is_empty(), "keys with several renders: {doubled:?}");
    for (key, id) in &wanted.renders {
        ensure!(
            by_key
                .get(key)
                .is_some_and(|ids| ids.as_slice() == std::slice::from_ref(id)),
            "{key} lost {id}"
        );
    }
    for id in &ids {
        let path = format!("/v1/renders/{id}/download?redirect=false");
        let link = api.get(&path).await?;
        ensure!(link.status == 200, "{id} has no file: {}", link.body);
    }
    let mut assets = BTreeSet::new();
    for path in &wanted.assets {
        let asset = api.get(path).await?;
        ensure!(asset.body["status"] == "ready", "{path}: {}", asset.body);
        assets.insert(asset.id()?);
    }
    Ok(Ended {
        renders: ids,
        assets,
    })
}

/// Everything of a list, page by page.
async fn listed(api: &Api, path: &str) -> Result<Vec<Value>> {
    let (mut all, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = api.get(&format!("{path}?limit=100{cursor}")).await?;
        ensure!(page.status == 200, "{}", page.body);
        all.extend(
            page.body["data"]
                .as_array()
                .context("no list")?
                .iter()
                .cloned(),
        );
        let Some(next) = page.body["next_cursor"].as_str() else {
            return Ok(all);
        };
        cursor = format!("&cursor={next}");
    }
}

/// Waits until each thing that ended was told, and looks that each event has one id.
async fn all_told(receiver: &Receiver, ended: &Ended) -> Result<String> {
    let deadline = Instant::now() + LIMIT;
    let mut expected = BTreeSet::new();
    for id in &ended.renders {
        expected.insert((id.clone(), "render.queued".to_owned()));
        expected.insert((id.clone(), "render.completed".to_owned()));
    }
    for id in &ended.assets {
        expected.insert((id.clone(), "asset.ready".to_owned()));
    }
    loop {
        let got = receiver.got();
        let mut ids = BTreeMap::<(String, String), BTreeSet<String>>::new();
        for one in &got {
            ids.entry(about(one)).or_default().insert(one.id.clone());
        }
        let missing: Vec<_> = expected
            .iter()
            .filter(|event| !ids.contains_key(event))
            .collect();
        let doubled = ids.values().filter(|ids| ids.len() > 1).count();
        ensure!(doubled == 0, "{doubled} events have several ids");
        if missing.is_empty() {
            let (events, sent) = (ids.len(), got.len());
            return Ok(format!(
                "{events} events in {sent} deliveries, one id an event, none lost"
            ));
        }
        if Instant::now() > deadline {
            bail!(
                "{} of {} events are lost: {missing:?}",
                missing.len(),
                expected.len()
            );
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// What a webhook tells: of which object, and what.
fn about(one: &Received) -> (String, String) {
    let body = one.body();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (text(&body["data"]["object"]["id"]), text(&body["type"]))
}
