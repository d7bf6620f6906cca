//! Whoever registered is told of every change, whatever is killed between the change and the
//! telling; a receiver that fails is told again, the same under the same id.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};

use super::{Bench, Figure, Figures, Scale};
use crate::api::Api;
use crate::receiver::{Received, Receiver};

/// Longest until everything that happened has been told.
const LIMIT: Duration = Duration::from_secs(120);

/// Longest until everything has happened: a start takes a few seconds, and there are many.
const CHANGES_LIMIT: Duration = Duration::from_secs(600);

/// Has renders made and cancelled while the server is killed again and again, and a receiver
/// fail three times.
///
/// # Errors
/// When an event is lost, has two ids, or changes between two tries.
pub async fn check(bench: &Bench, scale: Scale) -> Result<Figures> {
    let mut figures = retried(bench).await?;
    figures.extend(killed(bench, scale.pick(20, 100)).await?);
    Ok(figures)
}

async fn retried(bench: &Bench) -> Result<Figures> {
    let receiver = Receiver::start().await?;
    let node = bench
        .node()
        .with("WEBHOOKS__RETRIES", &r#"["100ms","200ms","400ms","1s"]"#)
        .start()
        .await?;
    let api = node.api()?;
    let endpoint = register(&api, &receiver.url, &["render.queued"]).await?;
    receiver.answer(&[500, 503, 404]);
    let id = submit(&api).await?;
    let told = until(|| Some(receiver.got()).filter(|got| got.len() == 4)).await;
    let told = told.context("the fourth try does not come")?;
    ensure!(
        told.iter().all(|one| one.id == told[0].id),
        "the tries of one event have several ids"
    );
    ensure!(
        told.iter().all(|one| one.bytes == told[0].bytes),
        "the body changes between two tries"
    );
    let about = &told[0].body()["data"]["object"]["id"];
    ensure!(about == id.as_str(), "told of {about} instead of {id}");
    let path = format!("/v1/webhooks/{endpoint}/deliveries");
    let log = settled(&api, &path).await?;
    let statuses: Vec<u64> = log["attempts"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|attempt| attempt["status"].as_u64())
        .collect();
    ensure!(statuses == [500, 503, 404, 204], "the log has {statuses:?}");
    Ok(vec![Figure::new(
        "a receiver that fails three times",
        "4 tries, 1 id, equal bodies, delivered",
    )])
}

/// The one delivery in a log, once it is settled.
async fn settled(api: &Api, path: &str) -> Result<Value> {
    let deadline = Instant::now() + LIMIT;
    while Instant::now() < deadline {
        let log = api.get(path).await?.body;
        if log["data"][0]["status"] == "delivered" {
            return Ok(log["data"][0].clone());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    bail!("the delivery is not settled")
}

async fn killed(bench: &Bench, wanted: usize) -> Result<Figures> {
    let receiver = Receiver::start().await?;
    let mut node = bench
        .node()
        .with(
            "WEBHOOKS__RETRIES",
            &r#"["100ms","200ms","400ms","1s","1s","1s","1s"]"#,
        )
        .start()
        .await?;
    register(
        &node.api()?,
        &receiver.url,
        &["render.queued", "render.cancelled"],
    )
    .await?;
    let mut random = StdRng::seed_from_u64(7);
    let mut happened: BTreeSet<(String, &'static str)> = BTreeSet::new();
    let (mut kills, mut untold) = (0, 0);
    let deadline = Instant::now() + CHANGES_LIMIT;
    while happened.len() < wanted {
        ensure!(Instant::now() < deadline, "the changes do not get on");
        let api = node.api()?;
        let life = Duration::from_millis(random.random_range(20..200));
        // What was answered has happened; what the kill cuts off may have.
        if let Ok(ended) = tokio::time::timeout(life, changes(&api, &mut happened, wanted)).await {
            ended?;
        }
        node.kill().await?;
        kills += 1;
        untold += missing(&happened, &receiver.got());
        node.start_again().await?;
    }
    ensure!(untold > 0, "no kill came between a change and its delivery");
    let told = until(|| Some(receiver.got()).filter(|got| missing(&happened, got) == 0)).await;
    let Some(told) = told else {
        let lost = missing(&happened, &receiver.got());
        bail!("{lost} of {} events were lost", happened.len());
    };
    let mut ids: BTreeMap<(String, String), BTreeSet<String>> = BTreeMap::new();
    for one in &told {
        ids.entry(what(one)).or_default().insert(one.id.clone());
    }
    let doubled = ids.values().filter(|ids| ids.len() > 1).count();
    ensure!(doubled == 0, "{doubled} events have several ids");
    let refused = told.iter().filter(|one| one.status >= 300).count();
    ensure!(refused == 0, "the receiver refused {refused}");
    Ok(vec![Figure::new(
        format!("{} events, {kills} × kill -9", happened.len()),
        format!(
            "none lost, {untold} were still untold at a kill; {} deliveries, one id an event",
            told.len()
        ),
    )])
}

/// How many of what happened have not been received.
fn missing(happened: &BTreeSet<(String, &str)>, got: &[Received]) -> usize {
    let told: BTreeSet<(String, String)> = got.iter().map(what).collect();
    happened
        .iter()
        .filter(|(id, kind)| !told.contains(&(id.clone(), (*kind).to_owned())))
        .count()
}

/// Has renders queued and cancelled until enough has happened, and notes what has for certain.
async fn changes(
    api: &Api,
    happened: &mut BTreeSet<(String, &'static str)>,
    wanted: usize,
) -> Result<()> {
    while happened.len() < wanted {
        let id = submit(api).await?;
        happened.insert((id.clone(), "render.queued"));
        let cancelled = api.cancel(&id).await?;
        ensure!(cancelled.status == 200, "cancelling: {}", cancelled.body);
        happened.insert((id, "render.cancelled"));
    }
    Ok(())
}

async fn submit(api: &Api) -> Result<String> {
    api.submit(&json!({
        "width": 320, "height": 180, "duration": 60,
        "elements": [{"type": "text", "text": "told", "duration": 60}],
    }))
    .await
}

async fn register(api: &Api, url: &str, events: &[&str]) -> Result<String> {
    let body = json!({"url": url, "events": events}).to_string();
    let made = api.request("POST", "/v1/webhooks", &[], Some(body)).await?;
    ensure!(made.status == 201, "registering: {}", made.body);
    made.id()
}

/// What a webhook tells: of which render, and what.
fn what(one: &Received) -> (String, String) {
    let body = one.body();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    (text(&body["data"]["object"]["id"]), text(&body["type"]))
}

async fn until<T>(look: impl Fn() -> Option<T>) -> Option<T> {
    let deadline = Instant::now() + LIMIT;
    while Instant::now() < deadline {
        if let Some(found) = look() {
            return Some(found);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    None
}
