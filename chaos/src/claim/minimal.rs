//! The minimal composition of the contract gives exactly the file the contract describes.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::{Bench, Figure, Figures, Rendered, Scale};
use crate::clips;
use crate::compositions;
use crate::measure::boxes;
use crate::measure::pictures::{Region, each_luma, mean_distance};
use crate::measure::probe::{self, Packets, packets};

const FRAMES: usize = 300;
/// Where the title's letters are.
const TITLE: Region = Region {
    x: 760,
    y: 500,
    width: 400,
    height: 80,
};

/// Renders it and looks at everything that can be said of the file.
///
/// # Errors
/// When anything is not as described.
pub async fn check(bench: &Bench, _scale: Scale) -> Result<Figures> {
    let source = bench.file("minimal-source.mp4");
    let clip = bench.repository_file("tests/media/bigbuckbunny.mp4")?;
    clips::remade(&clip, &source, (1920, 1080), 10).await?;
    let origin = bench.origin().await?;
    let node = bench.node().start().await?;
    let composition = compositions::minimal(&origin.url("minimal-source.mp4"));
    let made = bench.rendered(&node.api()?, &composition).await?;

    let found = probe::probe(&made.file).await?;
    let video = packets(&made.file, "v").await?;
    container(&found)?;
    video_stream(&found, &video)?;
    audio_stream(&found)?;
    ensure!(
        boxes::index_first(&made.file).await?,
        "the index comes after the data"
    );
    let starts = segment_starts(&node.api()?, &made).await?;
    for start in &starts {
        ensure!(
            video.keyframes.contains(start),
            "no keyframe at segment start {start}"
        );
    }
    let (with, without) = title(&source, &made).await?;
    Ok(vec![
        Figure::new("frames", video.pts.len().to_string()),
        Figure::new("container", text(&found["format"]["duration"])),
        Figure::new("keyframes", format!("{:?}", video.keyframes)),
        Figure::new("segment starts", format!("{starts:?}")),
        Figure::new(
            "distance from the source where the title is",
            format!("≥ {with:.1} in 0–149, ≤ {without:.2} in 150–299"),
        ),
    ])
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn container(found: &Value) -> Result<()> {
    let duration = probe::seconds(&found["format"]["duration"])?;
    ensure!(
        (duration - 10.0).abs() < 0.0005,
        "the container lasts {duration} s"
    );
    Ok(())
}

fn video_stream(found: &Value, packets: &Packets) -> Result<()> {
    let stream = probe::stream(found, "video").context("no video stream")?;
    let expected = [
        ("codec_name", "h264"),
        ("profile", "High"),
        ("pix_fmt", "yuv420p"),
        ("color_space", "bt709"),
        ("color_primaries", "bt709"),
        ("color_transfer", "bt709"),
        ("color_range", "tv"),
        ("r_frame_rate", "30/1"),
        ("avg_frame_rate", "30/1"),
    ];
    for (field, value) in expected {
        ensure!(stream[field] == value, "{field} is {}", stream[field]);
    }
    ensure!(
        stream["width"] == 1920 && stream["height"] == 1080,
        "the picture is {}×{}",
        stream["width"],
        stream["height"]
    );
    let duration = probe::seconds(&stream["duration"])?;
    ensure!((duration - 10.0).abs() < 0.0005, "video lasts {duration} s");
    ensure!(packets.pts.len() == FRAMES, "{} frames", packets.pts.len());
    ensure!(packets.pts[0] == 0, "the first pts is {}", packets.pts[0]);
    let step = packets
        .constant_step()
        .context("the step is not constant")?;
    let (numerator, denominator) = packets.time_base;
    ensure!(
        step * numerator * 30 == denominator,
        "a step of {step} ticks of {numerator}/{denominator} s"
    );
    Ok(())
}

fn audio_stream(found: &Value) -> Result<()> {
    let stream = probe::stream(found, "audio").context("no audio stream")?;
    let expected = [
        ("codec_name", "aac"),
        ("sample_rate", "48000"),
        ("channel_layout", "stereo"),
    ];
    for (field, value) in expected {
        ensure!(stream[field] == value, "{field} is {}", stream[field]);
    }
    Ok(())
}

async fn segment_starts(api: &crate::api::Api, made: &Rendered) -> Result<Vec<usize>> {
    let id = made.render["id"].as_str().context("the render has no id")?;
    let job = api.job(id).await?;
    let mut starts = Vec::new();
    for task in job.0["tasks"].as_array().context("the job has no tasks")? {
        if task["kind"] == "segment" {
            let start = task["frames"][0].as_u64();
            starts.push(usize::try_from(start.context("a segment without frames")?)?);
        }
    }
    ensure!(!starts.is_empty(), "the job has no segments");
    Ok(starts)
}

/// Smallest distance between output and source while the title is there, largest afterwards.
async fn title(source: &std::path::Path, made: &Rendered) -> Result<(f64, f64)> {
    let mut plain = Vec::new();
    each_luma(source, TITLE, |_, luma| {
        plain.push(luma.to_vec());
        Ok(())
    })
    .await?;
    let (mut with, mut without) = (f64::MAX, 0.0_f64);
    let count = each_luma(&made.file, TITLE, |frame, luma| {
        let before = plain.get(frame).context("the output is longer")?;
        let distance = mean_distance(luma, before);
        if frame < FRAMES / 2 {
            with = with.min(distance);
        } else {
            without = without.max(distance);
        }
        Ok(())
    })
    .await?;
    ensure!(count == FRAMES, "{count} pictures were decoded");
    ensure!(
        with > 10.0,
        "a frame before 150 lacks the title ({with:.2})"
    );
    ensure!(
        without < 5.0,
        "a frame from 150 on differs from the source ({without:.2})"
    );
    Ok((with, without))
}
