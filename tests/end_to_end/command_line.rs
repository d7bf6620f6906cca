//! The commands other than `serve`, and how `serve` ends.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Result, ensure};
use chaos::compositions::plain;
use chaos::measure::probe;
use tokio::process::Command;

use crate::support::server::{node, turn};

fn framelane() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_framelane"));
    command.stdin(Stdio::null()).kill_on_drop(true);
    command
}

#[tokio::test]
async fn render_makes_a_file_without_a_server() -> Result<()> {
    let turn = turn().await?;
    let (file, out) = (turn.bench.file("c.json"), turn.bench.file("out.mp4"));
    tokio::fs::write(&file, plain("one shot").to_string()).await?;
    let done = framelane()
        .arg("render")
        .arg(&file)
        .arg("-o")
        .arg(&out)
        .current_dir(turn.bench.file("."))
        .output()
        .await?;
    ensure!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    let found = probe::probe(&out).await?;
    let duration = probe::seconds(&found["format"]["duration"])?;
    ensure!((duration - 1.0).abs() < 0.001, "it lasts {duration} s");
    Ok(())
}

#[tokio::test]
async fn a_reader_that_is_gone_ends_the_output_and_not_the_command() -> Result<()> {
    let turn = turn().await?;
    let file = turn.bench.file("c.json");
    tokio::fs::write(&file, plain("fine").to_string()).await?;
    let mut command = framelane();
    command
        .arg("validate")
        .arg(&file)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn()?;
    drop(child.stdout.take());
    let done = child.wait_with_output().await?;
    let output = String::from_utf8_lossy(&done.stderr);
    ensure!(done.status.success(), "{}: {output}", done.status);
    ensure!(output.is_empty(), "{output}");
    Ok(())
}

#[tokio::test]
async fn validate_names_what_is_wrong_and_exits_with_failure() -> Result<()> {
    let turn = turn().await?;
    let file = turn.bench.file("c.json");
    tokio::fs::write(&file, plain("fine").to_string()).await?;
    let good = framelane().arg("validate").arg(&file).output().await?;
    ensure!(
        good.status.success(),
        "{}",
        String::from_utf8_lossy(&good.stderr)
    );
    tokio::fs::write(&file, r#"{"elements": [{"type": "text", "lenght": 1}]}"#).await?;
    let bad = framelane().arg("validate").arg(&file).output().await?;
    let output = [bad.stdout, bad.stderr].concat();
    let output = String::from_utf8_lossy(&output);
    ensure!(!bad.status.success(), "it exits with success");
    ensure!(
        output.contains("elements[0].lenght") && output.contains("duration"),
        "{output}"
    );
    Ok(())
}

#[tokio::test]
async fn doctor_finds_this_machine_fit() -> Result<()> {
    let _turn = turn().await?;
    let done = framelane().arg("doctor").output().await?;
    let output = String::from_utf8_lossy(&done.stdout);
    ensure!(done.status.success(), "{output}");
    Ok(())
}

#[tokio::test]
async fn serve_stops_on_sigterm_and_leaves_no_process() -> Result<()> {
    let _turn = turn().await?;
    let mut node = node().start().await?;
    let family = chaos::process::descendants(node.process()?.pid);
    ensure!(!family.is_empty(), "it has no worker");
    node.stop(Duration::from_secs(10)).await?;
    ensure!(
        !family.iter().any(|process| process.is_alive()),
        "a worker stays"
    );
    Ok(())
}
