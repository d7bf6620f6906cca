//! The segment task: evaluate, decode, draw, encode. Decoding runs ahead on the engine's
//! threads and encoding on the encoder's; this thread only hands pictures over, so that what
//! it costs is what it draws.

mod decoders;
mod painter;
#[cfg(test)]
mod tests;

use std::path::Path;

use cluster::model::{Failure, FrameRange};

use super::child::Run;
use super::failure;
use super::finish::read_plan;
use super::order::{Made, SegmentsOrder};
use super::prepare::STILLS_SHARE;
use super::tools::{Font, Tools};
use crate::media::{EncodeSettings, EncodedSegment, MediaEngine};
use crate::plan::Plan;
use crate::render::{Stage, StageSource};
use decoders::Decoders;
use painter::Painter;

/// Renders a run of segments, one output each, until it is ordered to stop or all are made.
pub(super) fn segments(tools: &mut Tools, order: &SegmentsOrder, run: &Run) -> Result<(), Failure> {
    let plan = read_plan(&order.plan)?;
    let engine = tools.engine()?;
    let settings = encode_settings(&plan);
    let stage = stage(tools, &plan, order)?;
    let decoders = Decoders::new(engine.clone(), order.sources.clone());
    let mut painter = Painter::new(tools, stage, &plan.timeline, decoders);
    let mut codec_data: Option<Vec<u8>> = None;
    for (output, &segment) in (0_u32..).zip(&order.segments) {
        if !run.begin(output) {
            return Ok(());
        }
        let range = usize::try_from(segment)
            .ok()
            .and_then(|segment| plan.segments.get(segment).copied())
            .ok_or_else(|| failure::engine(format!("the plan has no segment {segment}")))?;
        let file = order.out.join(format!("segment-{segment:05}.mp4"));
        let encoded = render(engine.as_ref(), &settings, &mut painter, range, &file, run)?;
        let damage = painter.take_damage();
        damage
            .append_to(&file)
            .map_err(|error| failure::of_io(&error))?;
        // What the join would refuse is better found here, where it can be made again.
        let first = codec_data.get_or_insert_with(|| encoded.codec_data.clone());
        if *first != encoded.codec_data {
            return Err(failure::engine("the encoder changed its parameters"));
        }
        run.made(&Made::Segment { file })?;
    }
    Ok(())
}

fn render(
    engine: &dyn MediaEngine,
    settings: &EncodeSettings,
    painter: &mut Painter<'_>,
    range: FrameRange,
    file: &Path,
    run: &Run,
) -> Result<EncodedSegment, Failure> {
    let of_encoder = |error| failure::of_media(&error, None);
    let mut sink = engine.encode(settings, file).map_err(of_encoder)?;
    for frame in range.iter() {
        let picture = painter.frame(frame)?;
        sink.push(&picture).map_err(of_encoder)?;
        run.advance(1);
    }
    let encoded = sink.finish().map_err(of_encoder)?;
    if encoded.frames != range.count() {
        return Err(failure::engine(format!(
            "the encoder wrote {} of {} frames",
            encoded.frames,
            range.count()
        )));
    }
    Ok(encoded)
}

/// What draws the plan's texts and opens its stills.
fn stage(tools: &mut Tools, plan: &Plan, order: &SegmentsOrder) -> Result<Stage, Failure> {
    let fonts: Vec<_> = plan
        .fonts
        .iter()
        .zip(&order.fonts)
        .map(|(font, file)| Font {
            url: &font.url,
            file,
            path: "elements",
        })
        .collect();
    let sources = plan.sources.iter().zip(&order.sources);
    let sources = sources
        .map(|(object, file)| StageSource {
            file: file.clone(),
            digest: object.sha256.to_string(),
        })
        .collect();
    let pixels = tools.settings().pixels;
    let memory = tools.settings().memory;
    let stage = Stage::new(tools.text(&fonts)?, sources, pixels);
    Ok(if memory == 0 {
        stage
    } else {
        stage.with_stills_kept(usize::try_from(memory / STILLS_SHARE).unwrap_or(usize::MAX))
    })
}

/// How every segment of a plan is encoded. The same for all of them: an interval that
/// followed each segment's own length could change the parameter sets, which the join needs
/// to be equal.
fn encode_settings(plan: &Plan) -> EncodeSettings {
    let output = &plan.timeline.composition.output;
    let longest = plan.segments.iter().map(|range| range.count()).max();
    let longest = u32::try_from(longest.unwrap_or(1)).unwrap_or(u32::MAX);
    EncodeSettings {
        width: plan.output_width(),
        height: plan.output_height(),
        rate: plan.timeline.composition.frame_rate,
        crf: output.crf,
        preset: output.preset.clone(),
        kbps: output.video_kbps,
        keyframe_interval: output.keyframe_interval.unwrap_or(longest).max(1),
    }
}
