//! `framelane probe`: what is in a file, and what a render would make of it.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::{Value, json};

use super::ConfigFlags;
use super::private::{Private, with_server};
use crate::media::{MediaEngine, PictureReport, Report, TrackReport};
use crate::render::image;

/// Time between two questions about a probe that takes long.
const ASK_EVERY: Duration = Duration::from_millis(500);
/// Bytes that identify a still picture.
const HEAD: usize = 64;

/// Probes a file of this machine, or what a URL leads to.
pub(super) fn run(subject: &str, as_json: bool, flags: &ConfigFlags) -> anyhow::Result<ExitCode> {
    let report = if subject.starts_with("http://") || subject.starts_with("https://") {
        with_server(flags, async |private| fetched(private, subject).await)?
    } else {
        local(Path::new(subject), flags)?
    };
    if as_json {
        outln!("{}", report.to_json());
    } else {
        print(&report);
    }
    Ok(ExitCode::SUCCESS)
}

async fn fetched(private: &Private, url: &str) -> anyhow::Result<Report> {
    let Private { client, base } = private;
    let asked = client.post(format!("{base}/v1/probe"));
    let asked = asked.header("content-type", "application/json");
    let answer = asked.body(json!({"source_url": url}).to_string()).send();
    let mut probe: Value = serde_json::from_slice(&answer.await?.bytes().await?)?;
    while probe["status"] == "processing" {
        tokio::time::sleep(ASK_EVERY).await;
        let id = probe["id"].as_str().context("the probe has no id")?;
        let answer = client.get(format!("{base}/v1/probe/{id}")).send().await?;
        probe = serde_json::from_slice(&answer.bytes().await?)?;
    }
    if let Some(message) = probe["error"]["message"].as_str() {
        bail!("{message}");
    }
    serde_json::from_value(probe["report"].take()).context("the probe has no report")
}

fn local(file: &Path, flags: &ConfigFlags) -> anyhow::Result<Report> {
    let settings = flags.load()?;
    let mut head = Vec::new();
    {
        use std::io::Read;
        let opened = std::fs::File::open(file);
        let opened = opened.with_context(|| format!("`{}` cannot be read", file.display()))?;
        opened.take(HEAD as u64).read_to_end(&mut head)?;
    }
    if image::is_image(&head) {
        let info = image::probe_image(file, settings.limits.pixels)?;
        return Ok(Report::of(&info));
    }
    let engine = engine(settings.limits.pixels)?;
    let info = engine.probe(file)?;
    Ok(engine.report(file, &info)?)
}

#[cfg(feature = "gst")]
fn engine(pixels: u64) -> anyhow::Result<impl MediaEngine> {
    Ok(crate::media::gst::GstEngine::new()?.with_max_pixels(pixels))
}

#[cfg(not(feature = "gst"))]
fn engine(_pixels: u64) -> anyhow::Result<crate::media::synthetic::SyntheticEngine> {
    bail!("this build is without GStreamer and reads still pictures only")
}

fn print(report: &Report) {
    let length = report
        .duration
        .map_or(String::new(), |length| format!(", {length} s"));
    outln!("{}{length}", report.container);
    for track in &report.tracks {
        outln!("{}", line(track));
        if let Some(video) = &track.video {
            outln!("    {}", pictures(video));
        }
        if let Some(audio) = &track.audio {
            outln!(
                "    {} Hz, {} channels, {} samples of delay and {} of padding cut off",
                audio.sample_rate,
                audio.channels,
                audio.delay,
                audio.padding
            );
        }
        for edit in track.edits.iter().flatten() {
            let from = edit
                .media_time
                .map_or("nothing".to_owned(), |time| format!("from {time} s"));
            let length = edit
                .duration
                .map_or("to the end".to_owned(), |time| format!("{time} s"));
            outln!("    edit: {from}, {length}, speed {}", edit.rate);
        }
    }
    for notice in &report.notices {
        let at = notice
            .from
            .map_or(String::new(), |from| format!(" at {from} s"));
        outln!("{}{at}: {}", notice.code, notice.message);
    }
}

fn line(track: &TrackReport) -> String {
    let mut parts = vec![format!(
        "track {}: {} {}",
        track.id, track.kind, track.codec
    )];
    parts.extend(track.language.clone());
    if let (Some(start), Some(end)) = (track.start, track.end) {
        parts.push(format!("{start} to {end} s"));
    }
    if track.default {
        parts.push("default".to_owned());
    }
    parts.push(if track.used { "used" } else { "not used" }.to_owned());
    parts.join(", ")
}

fn pictures(video: &PictureReport) -> String {
    let rate = video.frame_rate.map_or("a still".to_owned(), |rate| {
        let kind = if video.constant_rate {
            "constant"
        } else {
            "variable"
        };
        format!("{rate} frames a second, {kind}")
    });
    let color = &video.color;
    format!(
        "{}×{} (coded {}×{}), turned by {}°, {} frames, {rate}; {} ({}), {} range ({}), {}",
        video.width,
        video.height,
        video.coded_width,
        video.coded_height,
        video.rotation,
        video.frames,
        color.matrix,
        color.matrix_from,
        color.range,
        color.range_from,
        color.curve
    )
}
