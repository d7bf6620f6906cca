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

    // The command line prints the same, for the file and for the URL.
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
        let printed: Value = serde_json::from_slice(&call.stdout)?;
        ensure!(&printed == report, "{printed} instead of {report}");
    }
    Ok(())
}

#[tokio::test]
async fn an_import_is_probed_without_fetching_it_again() -> Result<()> {
    let turn = turn().await?;
    let bench = &turn.bench;
    let stock = Stock::make(bench.scratch()).await?;
    let item = item(&["flac-id3"])?;
    let file = item.write(&stock, bench.scratch()).await?;
    let origin = bench.origin().await?;
    let server = node().start().await?;
    let api = server.api()?;
    let body = json!({"url": origin.url(&item.name())}).to_string();
    let import = api.request("POST", "/v1/imports", &[], Some(body)).await?;
    ensure!(import.status == 202, "{}", import.body);
    let path = format!("/v1/imports/{}", import.id()?);
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(30);
    let ready = loop {
        let import = api.get(&path).await?;
        if import.body["status"] == "ready" {
            break import;
        }
        let is_late = tokio::time::Instant::now() > deadline;
        ensure!(
            !is_late && import.body["status"] == "processing",
            "{}",
            import.body
        );
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    // What is probed is the copy of this server.
    tokio::fs::remove_file(file).await?;
    let url = ready.body["source_url"].as_str().context("no source_url")?;
    let probe = probed(&api, url).await?;
    ensure!(probe["report"]["container"] == "flac", "{probe}");
    ensure!(probe["report"]["tracks"][0]["used"] == true, "{probe}");
    let unknown = json!({
        "source_url": "http://127.0.0.1/v1/sources/import_01ARZ3NDEKTSV4RRFFQ69G5FAV",
    });
    let unknown = unknown.to_string();
    let unknown = api.request("POST", "/v1/probe", &[], Some(unknown)).await?;
    ensure!(unknown.status == 404, "{}", unknown.body);
    // A probe's own id names no source.
    let id = probe["id"].as_str().context("no id")?;
    let bytes = api.get(&format!("/v1/sources/{id}")).await?;
    ensure!(bytes.status == 404, "{}", bytes.body);
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
