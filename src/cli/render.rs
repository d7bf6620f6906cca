//! `framelane render`: one composition through the whole embedded server, on a data
//! directory that is gone afterwards.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::Value;

use super::ConfigFlags;
use super::private::with_server;

pub(super) fn run(
    file: &Path,
    output: &Path,
    json: bool,
    flags: &ConfigFlags,
) -> anyhow::Result<ExitCode> {
    let body = super::read(file)?;
    with_server(flags, async |private| {
        render(&private.client, &private.base, body, output, json).await
    })
}

async fn render(
    client: &reqwest::Client,
    base: &str,
    body: Vec<u8>,
    output: &Path,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let answer = client
        .post(format!("{base}/v1/renders"))
        .header("content-type", "application/json")
        .body(body)
        .send()
        .await?;
    let accepted = answer.status().is_success();
    let mut render: Value = serde_json::from_slice(&answer.bytes().await?)?;
    if !accepted {
        show_refusal(&render, json);
        return Ok(ExitCode::FAILURE);
    }
    let id = render["id"]
        .as_str()
        .context("the render has no id")?
        .to_owned();
    let bar = progress_bar(json);
    loop {
        show_progress(&bar, &render);
        match render["status"].as_str() {
            Some("completed") => break,
            Some("failed" | "cancelled") => {
                bar.abandon();
                show_refusal(&render, json);
                return Ok(ExitCode::FAILURE);
            }
            _ => {}
        }
        // A second keeps the bar moving; the end is seen at once.
        let answer = client
            .get(format!("{base}/v1/renders/{id}?wait=1"))
            .send()
            .await?;
        render = serde_json::from_slice(&answer.bytes().await?)?;
    }
    bar.finish_and_clear();
    let url = render["output"]["url"]
        .as_str()
        .context("the render has no output")?;
    save(client, url, output).await?;
    if json {
        outln!("{render}");
    } else {
        let seconds = render["timing"]["render_ms"].as_f64().unwrap_or_default() / 1000.0;
        errln!("{} written in {seconds:.1} s", output.display());
        for warning in render["warnings"].as_array().into_iter().flatten() {
            errln!(
                "warning: {}",
                warning["message"].as_str().unwrap_or_default()
            );
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn progress_bar(json: bool) -> ProgressBar {
    if json {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} frames  {msg}")
        .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(0).with_style(style)
}

fn show_progress(bar: &ProgressBar, render: &Value) {
    bar.set_length(render["frames"]["total"].as_u64().unwrap_or(0));
    bar.set_position(render["frames"]["done"].as_u64().unwrap_or(0));
    let elapsed = bar.elapsed().as_secs_f64();
    if let (Some(done), true) = (render["frames"]["done"].as_f64(), elapsed > 0.0) {
        let eta = render["eta_seconds"].as_f64();
        let eta = eta
            .map(|eta| format!(", {eta:.0} s left"))
            .unwrap_or_default();
        bar.set_message(format!("{:.1} fps{eta}", done / elapsed));
    }
}

fn show_refusal(answer: &Value, json: bool) {
    if json {
        outln!("{answer}");
        return;
    }
    let error = &answer["error"];
    errln!(
        "framelane: {}",
        error["message"]
            .as_str()
            .unwrap_or("the render was refused")
    );
    for detail in error["details"].as_array().into_iter().flatten() {
        errln!(
            "  {}: {}",
            detail["path"].as_str().unwrap_or_default(),
            detail["message"].as_str().unwrap_or_default()
        );
    }
}

async fn save(client: &reqwest::Client, url: &str, output: &Path) -> anyhow::Result<()> {
    use tokio::io::AsyncWriteExt;
    let mut answer = client
        .get(url)
        .timeout(Duration::from_secs(3600))
        .send()
        .await?;
    if !answer.status().is_success() {
        bail!("the finished video cannot be fetched: {}", answer.status());
    }
    let mut file = tokio::fs::File::create(output)
        .await
        .with_context(|| format!("`{}` cannot be written", output.display()))?;
    while let Some(chunk) = answer.chunk().await? {
        file.write_all(&chunk).await?;
    }
    file.flush().await?;
    Ok(())
}
