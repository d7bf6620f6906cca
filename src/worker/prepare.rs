//! The prepare task: what the sources are, what the timeline comes to, where it is cut.

use std::fs;
use std::path::Path;

use cluster::model::{Failure, PlanFacts};

use super::child::Run;
use super::failure;
use super::order::{FetchedSource, Made, PrepareOrder};
use super::tools::{Font, Tools, text_warnings};
use crate::composition::{Limits, SourceKind};
use crate::media::{MediaInfo, VideoInfo};
use crate::plan::{self, Findings, Plan, PlannedFont};
use crate::timeline::Timeline;

/// This part of a worker's memory may hold decoded stills.
pub(super) const STILLS_SHARE: u64 = 4;

/// Elements that one message names.
const NAMED: usize = 20;

/// Probes, resolves and cuts; writes the plan and the findings for clients.
pub(super) fn prepare(tools: &mut Tools, order: PrepareOrder, run: &Run) -> Result<(), Failure> {
    if !run.begin(0) {
        return Ok(());
    }
    let (fonts, media): (Vec<_>, Vec<_>) = order
        .sources
        .into_iter()
        .partition(|source| source.kind == SourceKind::Font);
    let mut infos = Vec::with_capacity(media.len());
    for source in &media {
        infos.push(probe(tools, source)?);
        run.advance(1);
    }
    let brought: Vec<_> = fonts
        .iter()
        .map(|font| Font {
            url: &font.url,
            file: &font.file,
            path: &font.path,
        })
        .collect();
    let text = tools.text(&brought)?;
    run.advance(1);

    let limits = Limits {
        duration: order.max_duration,
        render_pixels: order.max_render_pixels,
        ..Limits::default()
    };
    let (timeline, mut warnings) =
        Timeline::resolve(order.composition, infos, text.as_ref(), &limits)
            .map_err(|error| failure::permanent(&error.code, error.message, Some(&error.path)))?;
    warnings.extend(text_warnings(&text, &timeline.composition));
    check_stills(tools.settings().memory, &timeline)?;
    run.advance(1);

    let composition = &timeline.composition;
    let segments = plan::cut(
        timeline.frames,
        u64::from(composition.width) * u64::from(composition.height),
        composition.frame_rate,
        composition.output.keyframe_interval,
        order.cuts,
    );
    let facts = PlanFacts {
        frames: timeline.frames,
        rate: composition.frame_rate,
        segments: segments.clone(),
        has_audio: timeline.mix().is_some(),
    };
    let plan = Plan {
        timeline,
        sources: media.into_iter().map(|source| source.object).collect(),
        fonts: fonts
            .into_iter()
            .map(|font| PlannedFont {
                url: font.url,
                object: font.object,
            })
            .collect(),
        segments,
    };
    let findings = Findings {
        version: plan::VERSION,
        frames: facts.frames,
        width: plan.output_width(),
        height: plan.output_height(),
        warnings,
    };
    let made = Made::Plan {
        plan: order.out.join("plan.bin"),
        findings: order.out.join("findings.json"),
        facts,
    };
    if let Made::Plan {
        plan: plan_file,
        findings: findings_file,
        ..
    } = &made
    {
        let bytes = plan
            .to_bytes()
            .map_err(|error| failure::engine(error.to_string()))?;
        write(plan_file, &bytes)?;
        let json = serde_json::to_vec(&findings)
            .map_err(|error| failure::engine(format!("what was found: {error}")))?;
        write(findings_file, &json)?;
    }
    run.made(&made)
}

/// Finds out what a source is. Pictures are opened by the renderer, which draws them; all
/// else by the media engine.
fn probe(tools: &Tools, source: &FetchedSource) -> Result<MediaInfo, Failure> {
    if source.object.size == 0 {
        let message = format!("{} is empty", source.path);
        return Err(failure::permanent(
            "invalid_source",
            message,
            Some(&source.path),
        ));
    }
    let info = match source.kind {
        SourceKind::Image => tools.probe_image(&source.file, &source.path)?,
        SourceKind::Video | SourceKind::Audio | SourceKind::Font => tools
            .engine()?
            .probe(&source.file)
            .map_err(|error| failure::of_media(&error, Some(&source.path)))?,
    };
    if let Some(video) = &info.video {
        check_size(tools, video, &source.path)?;
    }
    Ok(info)
}

/// Refuses a timeline of which one frame shows more stills than a worker may keep decoded.
fn check_stills(memory: u64, timeline: &Timeline) -> Result<(), Failure> {
    let most = memory / STILLS_SHARE;
    let Some(over) = timeline.stills_beyond(most).filter(|_| memory > 0) else {
        return Ok(());
    };
    let mut paths: Vec<String> = over
        .elements
        .iter()
        .take(NAMED)
        .map(|element| format!("elements[{element}]"))
        .collect();
    let first = paths.first().cloned();
    if over.elements.len() > NAMED {
        paths.push(format!("and {} more", over.elements.len() - NAMED));
    }
    let message = format!(
        "the images shown together at {} take {} MiB decoded, more than the limit of {} MiB: {}",
        over.at,
        over.bytes >> 20,
        most >> 20,
        paths.join(", ")
    );
    Err(failure::permanent(
        "limit_exceeded",
        message,
        first.as_deref(),
    ))
}

/// The longest side that every adapter takes as a texture.
const LONGEST_SIDE: u32 = 16_384;

/// A picture of more pixels than allowed is refused before anything decodes it.
pub(super) fn check_size(tools: &Tools, video: &VideoInfo, path: &str) -> Result<(), Failure> {
    let most = tools.settings().pixels;
    let (width, height) = (video.coded_width, video.coded_height);
    let pixels = u64::from(width) * u64::from(height);
    let message = if pixels > most {
        format!("{path} has {width}×{height} pixels, more than the limit of {most}")
    } else if width.max(height) > LONGEST_SIDE {
        format!("{path} is {width}×{height}, a side longer than the limit of {LONGEST_SIDE}")
    } else {
        return Ok(());
    };
    Err(failure::permanent("limit_exceeded", message, Some(path)))
}

fn write(file: &Path, bytes: &[u8]) -> Result<(), Failure> {
    fs::write(file, bytes).map_err(|error| failure::of_io(&error))
}
