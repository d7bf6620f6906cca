//! Links of a running server over restarts: keys that are replaced, files that are let go.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use chaos::api::Api;
use chaos::compositions::plain;
use chaos::node::Node;
use tokio::process::Command;

use crate::support::server::{node, turn};

const LIMIT: Duration = Duration::from_secs(120);

/// What a client asks for that has the first bytes already.
const PART: &str = "bytes=100-";

#[tokio::test]
async fn links_outlive_a_restart_and_a_rotation_and_end_when_their_key_is_forgotten() -> Result<()>
{
    let _turn = turn().await?;
    let mut node = node().start().await?;
    let api = node.api()?;
    let id = api.submit(&plain("rotated")).await?;
    api.completed(&id, LIMIT).await?;
    let link = link(&api, &id).await?;
    let whole = fetched(&node, &link, &[]).await?;
    ensure!(whole.0 == 200 && whole.1.len() > 200, "{}", whole.0);
    for (arguments, status) in [
        (None, 200),
        (Some(&[][..]), 200),
        (Some(&["--forget"][..]), 403),
    ] {
        node.stop(LIMIT).await?;
        if let Some(arguments) = arguments {
            rotate(&node.data_dir(), arguments).await?;
        }
        node.start_again().await?;
        let found = fetched(&node, &link, &[("range", PART)]).await?;
        let wanted = if status == 200 { 206 } else { status };
        ensure!(found.0 == wanted, "{arguments:?}: answered {}", found.0);
        if wanted == 206 {
            ensure!(found.1[..] == whole.1[100..], "{arguments:?}: other bytes");
        }
        let fresh = self::link(&node.api()?, &id).await?;
        let fresh = fetched(&node, &fresh, &[]).await?;
        ensure!(
            fresh == whole,
            "{arguments:?}: a fresh link serves something else"
        );
    }
    Ok(())
}

#[tokio::test]
async fn a_file_beyond_its_time_is_removed_and_its_render_stays() -> Result<()> {
    let _turn = turn().await?;
    let options = node().with("RETENTION__ARTIFACTS", &"4s");
    let mut node = options.start().await?;
    let api = node.api()?;
    let id = api.submit(&plain("let go")).await?;
    api.completed(&id, LIMIT).await?;
    let link = link(&api, &id).await?;
    ensure!(
        fetched(&node, &link, &[]).await?.0 == 200,
        "it is not there"
    );
    ensure!(files(&node, &id)?, "the store has no file of it");
    tokio::time::sleep(Duration::from_secs(4)).await;
    // Gone for clients at its time; from the store when the next round comes, as at a start.
    ensure!(
        fetched(&node, &link, &[]).await?.0 == 410,
        "it is still served"
    );
    node.stop(LIMIT).await?;
    node.start_again().await?;
    let begun = std::time::Instant::now();
    while files(&node, &id)? {
        ensure!(begun.elapsed() < LIMIT, "the store still has it");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let api = node.api()?;
    let download = api.get(&format!("/v1/renders/{id}/download")).await?;
    ensure!(
        (download.status, download.error_code()) == (410, "artifact_expired"),
        "{}: {}",
        download.status,
        download.body
    );
    let render = api.render(&id).await?;
    ensure!(
        render["status"] == "completed" && render["output"]["url"].is_null(),
        "{render}"
    );
    Ok(())
}

/// The path and query of a fresh link.
async fn link(api: &Api, id: &str) -> Result<String> {
    let answer = api
        .get(&format!("/v1/renders/{id}/download?redirect=false"))
        .await?;
    let url = answer.body["url"].as_str().context("no link")?;
    let path = url.strip_prefix(api.edge()).context("another host's")?;
    Ok(path.to_owned())
}

async fn fetched(
    node: &Node,
    link: &str,
    headers: &[(&'static str, &str)],
) -> Result<(u16, Vec<u8>)> {
    let mut request = reqwest::Client::builder()
        .no_proxy()
        .build()?
        .get(format!("{}{link}", node.api()?.edge()));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let answer = request.timeout(LIMIT).send().await?;
    Ok((answer.status().as_u16(), answer.bytes().await?.to_vec()))
}

async fn rotate(data_dir: &Path, arguments: &[&str]) -> Result<()> {
    let done = Command::new(env!("CARGO_BIN_EXE_framelane"))
        .args(["rotate-signing-key", "--json", "--data-dir"])
        .arg(data_dir)
        .args(arguments)
        .output()
        .await?;
    let answer: serde_json::Value = serde_json::from_slice(&done.stdout)?;
    ensure!(
        done.status.success() && answer["id"].is_string(),
        "{done:?}"
    );
    Ok(())
}

/// Whether the store has the render's finished file.
fn files(node: &Node, id: &str) -> Result<bool> {
    let join = node.data_dir().join("objects/jobs").join(id).join("join");
    match std::fs::read_dir(join) {
        Ok(mut entries) => Ok(entries.next().is_some()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error.into()),
    }
}
