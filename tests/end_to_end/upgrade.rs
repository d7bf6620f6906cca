//! A package upgrade under a running server: the file it was started from is replaced, then
//! removed. New workers are still the program whose fingerprint the node registered.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use chaos::compositions::plain;
use chaos::node::{Node, NodeOptions};
use serde_json::Value;
use tokio::process::Command;

use crate::support::server::turn;

const LIMIT: Duration = Duration::from_secs(60);

/// Kills every worker, so that what comes is rendered by new ones, and has something rendered.
async fn render_with_new_workers(node: &Node, word: &str) -> Result<()> {
    let killed: BTreeSet<u32> = node.workers()?.iter().map(|worker| worker.pid).collect();
    ensure!(!killed.is_empty(), "the node has no worker");
    for worker in node.workers()? {
        worker.kill()?;
    }
    let api = node.api()?;
    let id = api.submit(&plain(word)).await?;
    api.completed(&id, LIMIT).await.with_context(|| {
        let log = node.log_tail();
        format!("{word}: it did not render; the log ends: {log}")
    })?;
    let workers = node.workers()?;
    ensure!(
        workers.iter().all(|worker| !killed.contains(&worker.pid)),
        "a killed worker is still there"
    );
    Ok(())
}

/// The facts that a `framelane worker` of `program` prints.
async fn facts(program: &Path) -> Result<Value> {
    let call = Command::new(program)
        .args(["worker", "--fingerprint"])
        .kill_on_drop(true)
        .output();
    let answer = tokio::time::timeout(LIMIT, call).await??;
    let words = String::from_utf8_lossy(&answer.stderr);
    ensure!(answer.status.success(), "{}: {words}", answer.status);
    Ok(serde_json::from_slice(&answer.stdout)?)
}

async fn registered(node: &Node) -> Result<Value> {
    let answer = node.api()?.get("/admin/v1/nodes").await?;
    ensure!(answer.status == 200, "{}", answer.body);
    Ok(answer.body["data"][0]["render_fingerprints"][0].clone())
}

#[tokio::test]
async fn a_package_upgrade_changes_no_worker_of_a_running_server() -> Result<()> {
    let turn = turn().await?;
    let program = turn.bench.file("framelane");
    tokio::fs::copy(env!("CARGO_BIN_EXE_framelane"), &program).await?;
    let node = NodeOptions::new(&program).slots(1).start().await?;
    let fingerprint = registered(&node).await?;
    render_with_new_workers(&node, "before").await?;

    // As a package manager does it: another file is moved over the old one.
    let other = turn.bench.file("other");
    tokio::fs::write(&other, "#!/bin/sh\necho another program >&2\nexit 1\n").await?;
    tokio::fs::set_permissions(&other, PermissionsExt::from_mode(0o755)).await?;
    tokio::fs::rename(&other, &program).await?;
    render_with_new_workers(&node, "replaced").await?;

    tokio::fs::remove_file(&program).await?;
    render_with_new_workers(&node, "removed").await?;
    ensure!(
        registered(&node).await? == fingerprint,
        "the node has another fingerprint"
    );
    Ok(())
}

#[tokio::test]
async fn a_program_has_one_fingerprint_whatever_its_path_and_the_machines_load() -> Result<()> {
    let turn = turn().await?;
    let built = Path::new(env!("CARGO_BIN_EXE_framelane"));
    let copy = turn.bench.file("framelane-of-another-name");
    tokio::fs::copy(built, &copy).await?;
    let first = facts(built).await?;
    let node = NodeOptions::new(built).slots(1).start().await?;
    ensure!(
        registered(&node).await? == first["fingerprint"],
        "the node registered another fingerprint than {first}"
    );
    let busy = (0..6).map(|number| facts(if number % 2 == 0 { built } else { &copy }));
    for other in futures::future::try_join_all(busy).await? {
        for part in ["fingerprint", "libraries", "golden"] {
            ensure!(other[part] == first[part], "{part}: {other} and {first}");
        }
    }
    let libraries = first["libraries"].as_array().context("no libraries")?;
    ensure!(first["golden"].is_string(), "{first}");
    for wanted in ["framelane", "libgstx264.so", "libgstlibav.so"] {
        ensure!(
            libraries.iter().any(|library| library["name"] == wanted),
            "{wanted} is not in {libraries:?}"
        );
    }
    Ok(())
}
