//! API keys of the real binary: the first one closes a running server, and a server that
//! others reach needs one before it starts.

use std::path::Path;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::support::server::{node, turn};

const LIMIT: Duration = Duration::from_secs(60);

fn framelane(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_framelane"));
    command.args(args).stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// What a call printed; it must have come to an end.
async fn called(args: &[&str], admin_key: Option<&str>) -> Result<Output> {
    let mut command = framelane(args);
    if let Some(key) = admin_key {
        command.env("FRAMELANE_ADMIN_KEY", key);
    }
    let output = tokio::time::timeout(LIMIT, command.output()).await;
    output
        .context("it does not end")?
        .context("it does not run")
}

/// What a call that must succeed printed on its standard output.
async fn printed(args: &[&str], admin_key: Option<&str>) -> Result<String> {
    let done = called(args, admin_key).await?;
    ensure!(
        done.status.success(),
        "{args:?}: {}",
        String::from_utf8_lossy(&done.stderr)
    );
    Ok(String::from_utf8(done.stdout)?.trim().to_owned())
}

async fn status(url: &str, key: Option<&str>) -> Result<u16> {
    let mut request = reqwest::Client::new().get(url).timeout(LIMIT);
    if let Some(key) = key {
        request = request.bearer_auth(key);
    }
    Ok(request.send().await?.status().as_u16())
}

#[tokio::test]
async fn the_first_key_closes_a_running_server_within_a_second() -> Result<()> {
    let _turn = turn().await?;
    let node = node().start().await?;
    let base = node.api()?.edge().to_owned();
    let renders = format!("{base}/v1/renders");
    ensure!(status(&renders, None).await? == 200, "it is not open");

    let create = [
        "keys", "create", "--admin", "--name", "ops", "--server", &base,
    ];
    let admin = printed(&create, None).await?;
    let made = Instant::now();
    ensure!(status(&renders, None).await? == 401, "it is still open");
    ensure!(
        made.elapsed() < Duration::from_secs(1),
        "{:?}",
        made.elapsed()
    );
    let raft = format!("{base}/admin/v1/raft");
    ensure!(status(&raft, None).await? == 401, "/admin is still open");
    ensure!(
        status(&raft, Some(&admin)).await? == 200,
        "the key does not open /admin"
    );

    // From here on the admin key makes, lists and ends others.
    let refused = called(&["keys", "list", "--server", &base], None).await?;
    let message = String::from_utf8_lossy(&refused.stderr).into_owned();
    ensure!(
        refused.status.code() == Some(1) && message.contains("FRAMELANE_ADMIN_KEY"),
        "{message}"
    );
    let create = [
        "keys",
        "create",
        "--workspace",
        "films",
        "--json",
        "--server",
        &base,
    ];
    let made: Value = serde_json::from_str(&printed(&create, Some(&admin)).await?)?;
    let key = made["key"].as_str().context("no key")?;
    ensure!(
        status(&renders, Some(key)).await? == 200,
        "the key opens nothing"
    );
    let list = ["keys", "list", "--json", "--server", &base];
    let listed: Value = serde_json::from_str(&printed(&list, Some(&admin)).await?)?;
    ensure!(
        listed["data"].as_array().map(Vec::len) == Some(2),
        "{listed}"
    );
    let id = made["id"].as_str().context("no id")?;
    printed(&["keys", "revoke", id, "--server", &base], Some(&admin)).await?;
    ensure!(
        status(&renders, Some(key)).await? == 401,
        "a revoked key opens it"
    );
    Ok(())
}

#[tokio::test]
async fn a_wrong_call_exits_with_two() -> Result<()> {
    for args in [
        ["keys", "create", "--workspace", "My Films"].as_slice(),
        &["keys", "create", "--workspace", "films", "--admin"],
        &["keys", "revoke", "render_01JABCDEFGHJKMNPQRSTVWXYZ0"],
        &["keys"],
    ] {
        let done = called(args, None).await?;
        ensure!(done.status.code() == Some(2), "{args:?}: {:?}", done.status);
    }
    Ok(())
}

/// A server that listens on every address, and where it is reached from here.
async fn public(data_dir: &str) -> Result<(Child, String)> {
    let mut child = framelane(&["serve", "--listen", "0.0.0.0:0", "--data-dir", data_dir])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let stdout = child.stdout.take().context("no standard output")?;
    let mut lines = BufReader::new(stdout).lines();
    let line = tokio::time::timeout(LIMIT, lines.next_line()).await??;
    let line: Value = serde_json::from_str(&line.context("it ended before it listened")?)?;
    let base = line["edge"].as_str().context("no address")?.to_owned();
    Ok((child, base))
}

#[tokio::test]
async fn a_public_listener_without_a_key_refuses_to_start_and_one_made_before_lets_it() -> Result<()>
{
    let turn = turn().await?;
    let data = turn.bench.file("keys-data");
    let data = Path::new(&data).to_str().context("a path in UTF-8")?;
    let serve = ["serve", "--listen", "0.0.0.0:0", "--data-dir", data];
    let refused = called(&serve, None).await?;
    let message = String::from_utf8_lossy(&refused.stderr).into_owned();
    ensure!(refused.status.code() == Some(1), "{:?}", refused.status);
    ensure!(refused.stdout.is_empty(), "it listened");
    ensure!(
        message.contains("keys create") && message.contains("auth.required"),
        "{message}"
    );

    let key = printed(&["keys", "create", "--data-dir", data], None).await?;
    ensure!(key.starts_with("fl_") && key.len() == 46, "{key}");
    let (mut server, base) = public(data).await?;
    let renders = format!("{base}/v1/renders");
    ensure!(status(&renders, None).await? == 401, "it is open");
    ensure!(
        status(&renders, Some(&key)).await? == 200,
        "the key opens nothing"
    );
    ensure!(status(&format!("{base}/healthz"), None).await? == 200);
    ensure!(status(&format!("{base}/admin/v1/keys"), None).await? == 401);

    // The directory is the server's now; stopped, it is anybody's again who can write there.
    server.start_kill()?;
    server.wait().await?;
    let listed = printed(&["keys", "list", "--json", "--data-dir", data], None).await?;
    let listed: Value = serde_json::from_str(&listed)?;
    let id = listed["data"][0]["id"]
        .as_str()
        .context("no key is listed")?;
    printed(&["keys", "revoke", id, "--data-dir", data], None).await?;
    let refused = called(&serve, None).await?;
    ensure!(refused.status.code() == Some(1), "it starts without a key");
    Ok(())
}
