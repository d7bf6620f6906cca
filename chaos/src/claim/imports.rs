//! What a client names is fetched, tried again where its server fails, judged by what it is, and
//! rendered without being fetched another time.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Value, json};

use super::{Bench, Figure, Figures, Scale};
use crate::api::Api;
use crate::clips::{Timing, numbered};
use crate::origin::Trouble;

/// Longest that one import may take.
const LIMIT: Duration = Duration::from_secs(120);

/// Imports a file, one whose server fails at first, one that is not there, and a web page.
///
/// # Errors
/// When an import comes to anything else than it should, or cannot be rendered.
pub async fn check(bench: &Bench, _scale: Scale) -> Result<Figures> {
    let origin = bench.origin().await?;
    numbered(&bench.file("whole.mp4"), Timing::Constant(25, 1), 50).await?;
    std::fs::copy(bench.file("whole.mp4"), bench.file("late.mp4"))?;
    std::fs::write(
        bench.file("page.html"),
        "<!doctype html><html><body>words</body></html>",
    )?;
    origin.trouble("late.mp4", Trouble::StatusAtFirst(503, 1));
    let node = bench.node().start().await?;
    let api = node.api()?;

    let whole = import(&api, &origin.url("whole.mp4")).await?;
    ensure!(whole["status"] == "ready", "a plain file: {whole}");
    ensure!(
        whole["probe"]["width"] == 320,
        "probed as {}",
        whole["probe"]
    );
    let late = import(&api, &origin.url("late.mp4")).await?;
    ensure!(
        late["status"] == "ready",
        "a file whose server failed at first: {late}"
    );
    let asked = origin.requests("late.mp4");
    ensure!(asked > 1, "the failure was not met");
    let missing = import(&api, &origin.url("missing.mp4")).await?;
    ensure!(missing["error"]["code"] == "source_not_found", "{missing}");
    let page = import(&api, &origin.url("page.html")).await?;
    ensure!(page["error"]["code"] == "import_unsupported", "{page}");

    let source = late["source_url"].as_str().context("no source_url")?;
    let composition = json!({
        "width": 320, "height": 180, "duration": 1, "frame_rate": 25,
        "elements": [{"type": "video", "source_url": source, "out_point": 1}],
    });
    let before = origin.requests("late.mp4");
    let id = api.submit(&composition).await?;
    api.completed(&id, LIMIT).await?;
    ensure!(
        origin.requests("late.mp4") == before,
        "an import was fetched again"
    );
    Ok(vec![
        Figure::new(
            "a file, and one whose server fails at first",
            format!("ready, after {asked} requests"),
        ),
        Figure::new(
            "a missing one, a page",
            "source_not_found, import_unsupported",
        ),
        Figure::new("rendered", "completed, without another fetch"),
    ])
}

async fn import(api: &Api, url: &str) -> Result<Value> {
    let body = json!({"url": url}).to_string();
    let made = api.request("POST", "/v1/imports", &[], Some(body)).await?;
    ensure!(
        made.status == 202,
        "importing was answered {}: {}",
        made.status,
        made.body
    );
    let path = format!("/v1/imports/{}", made.id()?);
    let deadline = Instant::now() + LIMIT;
    while Instant::now() < deadline {
        let import = api.get(&path).await?.body;
        if import["status"] != "processing" {
            return Ok(import);
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    bail!("{url} is still being imported")
}
