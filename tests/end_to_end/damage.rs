//! Sources that are damaged in their middle: what can be decoded is shown and heard, and the render
//! reports where it could not be.

use anyhow::{Context as _, Result, ensure};
use chaos::clips::{Sound, Timing, clicks, numbered};
use chaos::measure::run;
use serde_json::{Value, json};

use crate::support::server::{node, turn};

/// Places and sizes of the packets of a stream (`v:0`, `a:0`), in file order.
async fn packets(file: &str, stream: &str) -> Result<Vec<(usize, usize)>> {
    let show =
        format!("-v error -select_streams {stream} -show_entries packet=pos,size -of csv=p=0");
    let text = run("ffprobe", show.split(' ').chain([file])).await?;
    let text = String::from_utf8(text)?;
    let numbers = text.lines().filter_map(|line| {
        let mut numbers = line.split(',').filter_map(|number| number.parse().ok());
        let (size, at) = (numbers.next()?, numbers.next()?);
        Some((at, size))
    });
    Ok(numbers.collect())
}

async fn warnings(name: &str, kind: &str) -> Result<Vec<Value>> {
    let turn = turn().await?;
    let bench = &turn.bench;
    let file = bench.file(name);
    let stream = if kind == "video" { "v:0" } else { "a:0" };
    if kind == "video" {
        numbered(&file, Timing::Constant(30, 1), 90).await?;
    } else {
        clicks(&file, Sound::AacInMp4, 3).await?;
    }
    let path = file.display().to_string();
    let mut bytes = tokio::fs::read(&file).await?;
    let all = packets(&path, stream).await?;
    // About half a second, from the second second on.
    let first = all.len() / 3;
    for &(at, size) in all.iter().skip(first).take(all.len() / 6) {
        let packet = bytes
            .get_mut(at..at + size)
            .context("a packet beyond the file")?;
        for (place, byte) in packet.iter_mut().enumerate() {
            *byte = u8::try_from((place * 197 + 89) % 251)?;
        }
    }
    tokio::fs::write(&file, bytes).await?;
    let origin = bench.origin().await?;
    let server = node().segment_frames(30).start().await?;
    let api = server.api()?;
    let composition = json!({
        "width": 320, "height": 180, "frame_rate": 30, "duration": 4,
        "elements": [{"type": kind, "source_url": origin.url(name), "time": 1}],
    });
    let rendered = bench.rendered(&api, &composition).await?;
    let found = rendered.render["warnings"]
        .as_array()
        .context("no warnings")?;
    Ok(found.clone())
}

fn check(warnings: &[Value]) -> Result<()> {
    let damaged = warnings
        .iter()
        .filter(|one| one["code"] == "source_damaged");
    let damaged: Vec<&Value> = damaged.collect();
    ensure!(!damaged.is_empty(), "no damage is reported: {warnings:?}");
    for warning in damaged {
        ensure!(warning["path"] == "elements[0]", "{warning}");
        let from = warning["from"].as_f64().context("no begin")?;
        let to = warning["to"].as_f64().context("no end")?;
        // The source's second second is the output's third; pictures lean on those before them.
        ensure!(
            (1.9..3.1).contains(&from) && to > from && to <= 4.1,
            "{warning}"
        );
    }
    Ok(())
}

#[tokio::test]
async fn pictures_damaged_in_their_middle_give_a_warning_with_its_time() -> Result<()> {
    check(&warnings("pictures.mp4", "video").await?)
}

#[tokio::test]
async fn sound_damaged_in_its_middle_gives_a_warning_with_its_time() -> Result<()> {
    check(&warnings("sound.mp4", "audio").await?)
}
