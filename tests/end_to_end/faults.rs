//! Bad sources: each ends its render, and no other, with the error the contract names and
//! the element that is to blame.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use chaos::clips::{Timing, numbered};
use chaos::origin::Trouble;
use serde_json::{Value, json};

use crate::support::server::{node, turn};

const LIMIT: std::time::Duration = std::time::Duration::from_secs(180);

/// An element whose source is at `url`, second in a composition so that its path shows it.
fn composition(kind: &str, url: &str) -> Value {
    json!({
        "width": 320, "height": 180, "duration": 1, "frame_rate": 30,
        "elements": [
            {"type": "text", "text": "one", "duration": 1},
            {"type": kind, "id": "subject", "source_url": url, "duration": 1},
        ],
    })
}

/// A PNG that declares 60,000 pixels wide and high, and is a hundred bytes long.
fn image_bomb() -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    bytes.extend(60_000_u32.to_be_bytes());
    bytes.extend(60_000_u32.to_be_bytes());
    // Depth 8, RGBA; the checksum of this very header.
    bytes.extend([8, 6, 0, 0, 0]);
    let checksum = crc32(&bytes[12..29]);
    bytes.extend(checksum.to_be_bytes());
    // Data begins, so that the size is worth believing.
    bytes.extend(b"\0\0\0\x08IDATx\x9c\x03\0\0\0\0\x01");
    let checksum = crc32(&bytes[37..49]);
    bytes.extend(checksum.to_be_bytes());
    bytes.extend(b"\0\0\0\0IEND\xaeB`\x82");
    bytes
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg())
        })
    })
}

async fn make_sources(directory: &Path) -> Result<()> {
    let good = directory.join("good.mp4");
    numbered(&good, Timing::Constant(30, 1), 60).await?;
    let bytes = tokio::fs::read(&good).await?;
    let half = &bytes[..bytes.len() / 2];
    let mut torn = bytes.clone();
    let middle = torn.len() / 4..torn.len() / 2;
    torn[middle].fill(0x55);
    for name in ["missing", "broken", "cut", "moved", "flaky", "hung", "huge"] {
        tokio::fs::copy(&good, directory.join(format!("{name}.mp4"))).await?;
    }
    tokio::fs::write(directory.join("half.mp4"), half).await?;
    tokio::fs::write(directory.join("torn.mp4"), torn).await?;
    tokio::fs::write(
        directory.join("text.mp4"),
        "this is only text\n".repeat(100),
    )
    .await?;
    tokio::fs::write(directory.join("empty.mp4"), b"").await?;
    // Formats that no demuxer here is ever given, whatever they are called.
    let asf = b"\x30\x26\xb2\x75\x8e\x66\xcf\x11\xa6\xd9\x00\xaa\x00\x62\xce\x6c";
    tokio::fs::write(directory.join("asf.mp4"), [&asf[..], &[0; 4000]].concat()).await?;
    let real = [&b".RMF\0\0\0\x12\0\0\0\0\0\0"[..], &[0; 4000]].concat();
    tokio::fs::write(directory.join("real.mp4"), real).await?;
    tokio::fs::write(directory.join("bomb.png"), image_bomb()).await?;
    tokio::fs::write(directory.join("picture.mp4"), image_bomb()).await?;
    Ok(())
}

#[tokio::test]
async fn a_bad_source_fails_its_render_naming_code_and_element() -> Result<()> {
    let turn = turn().await?;
    let origin = turn.bench.origin().await?;
    make_sources(origin.root()).await?;
    origin.trouble("missing.mp4", Trouble::Status(404));
    origin.trouble("broken.mp4", Trouble::Status(500));
    origin.trouble("cut.mp4", Trouble::Truncated);
    origin.trouble("hung.mp4", Trouble::HangsUp);
    origin.trouble("huge.mp4", Trouble::Endless { length: 6 << 30 });
    origin.trouble("moved.mp4", Trouble::Redirect(origin.url("moved.mp4")));
    let nobody = "http://127.0.0.1:1/nobody.mp4".to_owned();
    let cases = [
        ("video", nobody, "source_unreachable"),
        ("video", origin.url("missing.mp4"), "source_not_found"),
        ("video", origin.url("broken.mp4"), "source_unreachable"),
        ("video", origin.url("cut.mp4"), "source_unreachable"),
        ("video", origin.url("hung.mp4"), "source_unreachable"),
        ("video", origin.url("moved.mp4"), "source_unreachable"),
        ("video", origin.url("huge.mp4"), "source_too_large"),
        ("video", origin.url("text.mp4"), "invalid_source"),
        ("video", origin.url("empty.mp4"), "invalid_source"),
        ("video", origin.url("asf.mp4"), "invalid_source"),
        ("video", origin.url("real.mp4"), "invalid_source"),
        ("video", origin.url("half.mp4"), "invalid_source"),
        ("video", origin.url("picture.mp4"), "invalid_source"),
        ("image", origin.url("bomb.png"), "limit_exceeded"),
        ("image", origin.url("text.mp4"), "invalid_source"),
        ("audio", origin.url("empty.mp4"), "invalid_source"),
    ];
    let node = node().start().await?;
    let api = node.api()?;
    let mut ids = Vec::new();
    for (kind, url, _) in &cases {
        ids.push(api.submit(&composition(kind, url)).await?);
    }
    let mut wrong = Vec::new();
    for ((kind, url, code), id) in cases.iter().zip(ids) {
        let render = api.terminal(&id, LIMIT).await?;
        let error = &render["error"];
        let named = error.to_string().contains("elements[1]");
        if render["status"] != "failed" || error["code"] != *code || !named {
            wrong.push(format!(
                "{kind} {url}: {} {error}, not {code}",
                render["status"]
            ));
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[tokio::test]
async fn a_source_that_recovers_or_moved_is_fetched_all_the_same() -> Result<()> {
    let turn = turn().await?;
    let origin = turn.bench.origin().await?;
    make_sources(origin.root()).await?;
    origin.trouble("flaky.mp4", Trouble::StatusAtFirst(503, 1));
    origin.trouble("moved.mp4", Trouble::Redirect(origin.url("good.mp4")));
    let node = node().start().await?;
    let api = node.api()?;
    for name in ["flaky.mp4", "moved.mp4"] {
        let id = api.submit(&composition("video", &origin.url(name))).await?;
        api.completed(&id, LIMIT).await.context(name)?;
    }
    ensure!(origin.requests("flaky.mp4") >= 2, "it was not tried again");
    Ok(())
}

#[tokio::test]
async fn loopback_is_out_of_reach_unless_the_operator_allows_it() -> Result<()> {
    let turn = turn().await?;
    let origin = turn.bench.origin().await?;
    make_sources(origin.root()).await?;
    let node = node()
        .with("MEDIA__ALLOW_PRIVATE_NETWORKS", &false)
        .start()
        .await?;
    let api = node.api()?;
    let id = api
        .submit(&composition("video", &origin.url("good.mp4")))
        .await?;
    let render = api.terminal(&id, LIMIT).await?;
    ensure!(render["error"]["code"] == "source_forbidden", "{render}");
    ensure!(origin.requests("good.mp4") == 0, "it was asked for");
    Ok(())
}

#[tokio::test]
async fn a_corrupt_stream_never_takes_the_node_down() -> Result<()> {
    let turn = turn().await?;
    let origin = turn.bench.origin().await?;
    make_sources(origin.root()).await?;
    let node = node().start().await?;
    let api = node.api()?;
    let torn = api
        .submit(&composition("video", &origin.url("torn.mp4")))
        .await?;
    let render = api.terminal(&torn, LIMIT).await?;
    // Decoders conceal what they can: either end is honest, an endless retry is not.
    ensure!(
        render["status"] == "completed" || render["error"]["code"] == "invalid_source",
        "{render}"
    );
    let good = api
        .submit(&composition("video", &origin.url("good.mp4")))
        .await?;
    api.completed(&good, LIMIT).await?;
    Ok(())
}

#[tokio::test]
async fn an_unknown_font_family_renders_in_inter_with_a_warning() -> Result<()> {
    let _turn = turn().await?;
    let node = node().start().await?;
    let api = node.api()?;
    let mut composition = chaos::compositions::plain("substituted");
    composition["elements"][0]["font_family"] = json!("No Such Family");
    let id = api.submit(&composition).await?;
    let render = api.completed(&id, LIMIT).await?;
    let warned = render["warnings"].to_string().contains("font_substituted");
    ensure!(warned, "no warning in {}", render["warnings"]);
    Ok(())
}
