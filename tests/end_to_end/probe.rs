//! What is in a file, without a render.

use anyhow::{Context as _, Result, ensure};
use chaos::api::Api;
use chaos::corpus::{Item, Stock, items};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::support::server::{node, turn};

async fn probed(api: &Api, url: &str) -> Result<Value> {
    let body = json!({"source_url": url}).to_string();
    let answer = api.request("POST", "/v1/probe", &[], Some(body)).await?;
    ensure!(answer.status == 200, "{}: {}", answer.status, answer.body);
    Ok(answer.body)
}

/// An item of the corpus whose name has all of these parts.
fn item(parts: &[&str]) -> Result<Item> {
    let fits = |item: &Item| parts.iter().all(|part| item.name().contains(part));
    let found = items().into_iter().find(fits);
    found.with_context(|| format!("the corpus has nothing of {parts:?}"))
}

#[tokio::test]
async fn a_file_is_described_with_its_edits_times_and_colours() -> Result<()> {
    let turn = turn().await?;
    let bench = &turn.bench;
    let stock = Stock::make(bench.scratch()).await?;
    let edited = item(&["mov_", "_bt709_", "_pieces_"])
        .or_else(|_| item(&["mp4_", "_bt709_", "_pieces_"]))?;
    let file = edited.write(&stock, bench.scratch()).await?;
    let origin = bench.origin().await?;
    let server = node().start().await?;
    let api = server.api()?;
    let probe = probed(&api, &origin.url(&edited.name())).await?;
    ensure!(probe["status"] == "ready", "{probe}");
    let report = &probe["report"];
    let tracks = report["tracks"].as_array().context("no tracks")?;
    let pictures = tracks.iter().find(|track| track["kind"] == "video");
    let pictures = pictures.context("no pictures")?;
    ensure!(
        pictures["used"] == true && pictures["start"] == 0.0,
        "{pictures}"
    );
    let edits = pictures["edits"].as_array().context("no edits")?;
    ensure!(edits.len() == 2 && edits[0]["rate"] == 1.0, "{edits:?}");
    let color = &pictures["video"]["color"];
    ensure!(
        color["matrix"] == "bt709" && color["matrix_from"] != "assumed",
        "{color}"
    );
    let id = probe["id"].as_str().context("no id")?;
    let again = api.get(&format!("/v1/probe/{id}")).await?;
    ensure!(again.body == probe, "{}", again.body);

    // The command line says the same, of the file and of the URL.
    for subject in [file.display().to_string(), origin.url(&edited.name())] {
        let call = Command::new(env!("CARGO_BIN_EXE_framelane"))
            .args(["probe", &subject, "--json"])
            .output()
            .await?;
        ensure!(
            call.status.success(),
            "{}",
            String::from_utf8_lossy(&call.stderr)
        );
        let said: Value = serde_json::from_slice(&call.stdout)?;
        ensure!(&said == report, "{said} instead of {report}");
    }
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_probed_says_why() -> Result<()> {
    let turn = turn().await?;
    let bench = &turn.bench;
    tokio::fs::write(bench.file("page.html"), "<html>not media</html>").await?;
    let origin = bench.origin().await?;
    let server = node().start().await?;
    let api = server.api()?;
    for (name, code) in [
        ("gone.mp4", "source_not_found"),
        ("page.html", "invalid_source"),
    ] {
        let probe = probed(&api, &origin.url(name)).await?;
        ensure!(
            probe["status"] == "failed" && probe["error"]["code"] == code,
            "{probe}"
        );
    }
    let wrong = api
        .request(
            "POST",
            "/v1/probe",
            &[],
            Some(json!({"url": "x"}).to_string()),
        )
        .await?;
    ensure!(wrong.status == 422, "{}", wrong.body);
    drop(server);
    // The guard of a render's source holds here too.
    let guarded = node().with("MEDIA__ALLOW_PRIVATE_NETWORKS", &false);
    let server = guarded.start().await?;
    let probe = probed(&server.api()?, &origin.url("page.html")).await?;
    ensure!(probe["error"]["code"] == "source_forbidden", "{probe}");
    Ok(())
}
