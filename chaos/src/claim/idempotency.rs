//! One idempotency key makes one render, whoever races and whatever restarts.

use anyhow::{Result, ensure};
use serde_json::Value;

use super::{Bench, Figure, Figures, Scale};
use crate::api::Api;

const BODY: &str = r##"{"width": 320, "height": 180, "duration": 10, "frame_rate": 30,
  "background_color": "#204060",
  "elements": [{"type": "text", "text": "once", "duration": 10}]}"##;

/// The same value as [`BODY`]: other key order, other white space, other spellings of 10.
const SAME_BODY: &str = r##"{"elements":[{"duration":1e1,"text":"once","type":"text"}],"frame_rate":30.0,
"background_color":"#204060","duration":10.0,"height":180,"width":320}"##;

const OTHER_BODY: &str = r#"{"elements": [{"type": "text", "text": "twice", "duration": 10}]}"#;

const REJECTED_BODY: &str = r#"{"elements": [{"type": "text", "duration": 10}]}"#;

/// Posts a hundred times at once, then every variation, before and after a restart.
///
/// # Errors
/// When there are two renders, or an answer is another than the contract's.
pub async fn check(bench: &Bench, _scale: Scale) -> Result<Figures> {
    let mut node = bench.node().start().await?;
    let api = node.api()?;
    let (accepted, replayed, id) = race(&api, 100).await?;
    ensure!(
        (accepted, replayed) == (1, 99),
        "{accepted} × 202 and {replayed} × 200"
    );
    let listed = api.get("/v1/renders?limit=100").await?;
    let count = listed.body["data"].as_array().map_or(0, Vec::len);
    ensure!(count == 1, "{count} renders are listed");
    expect(&api, "race", SAME_BODY, 200, Some(&id)).await?;
    expect(&api, "race", OTHER_BODY, 409, None).await?;
    expect(&api, "rejected", REJECTED_BODY, 422, None).await?;
    expect(&api, "rejected", BODY, 202, None).await?;

    node.kill().await?;
    node.start_again().await?;
    let api = node.api()?;
    expect(&api, "race", BODY, 200, Some(&id)).await?;
    expect(&api, "race", SAME_BODY, 200, Some(&id)).await?;
    expect(&api, "race", OTHER_BODY, 409, None).await?;
    Ok(vec![
        Figure::new("100 concurrent posts", "1 × 202, 99 × 200, 1 render"),
        Figure::new("replay after kill -9 and restart", "200, same id"),
        Figure::new("other body / rejected body", "409 / 422, key not consumed"),
    ])
}

/// How many were accepted and how many replayed, and the one id.
async fn race(api: &Api, times: usize) -> Result<(usize, usize, String)> {
    let mut posts = tokio::task::JoinSet::new();
    for _ in 0..times {
        let api = api.clone();
        posts.spawn(async move { api.post_with_key("race", BODY).await });
    }
    let (mut accepted, mut replayed) = (0, 0);
    let mut ids = Vec::new();
    while let Some(answer) = posts.join_next().await {
        let answer = answer??;
        match answer.status {
            202 => accepted += 1,
            200 => {
                let header = answer.header("idempotent-replayed");
                ensure!(header == "true", "a replay does not say so");
                replayed += 1;
            }
            other => anyhow::bail!("answered {other}: {}", answer.body),
        }
        ids.push(answer.id()?);
    }
    ids.sort();
    ids.dedup();
    ensure!(ids.len() == 1, "{} renders", ids.len());
    Ok((accepted, replayed, ids.remove(0)))
}

async fn expect(api: &Api, key: &str, body: &str, status: u16, id: Option<&str>) -> Result<()> {
    let answer = api.post_with_key(key, body).await?;
    ensure!(
        answer.status == status,
        "answered {} instead of {status}: {}",
        answer.status,
        answer.body
    );
    if status == 409 {
        let code = answer.error_code();
        ensure!(code == "idempotency_conflict", "the conflict is `{code}`");
    }
    if let Some(id) = id {
        ensure!(answer.body["id"] == Value::from(id), "another render");
    }
    Ok(())
}
