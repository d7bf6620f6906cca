//! Segments and sound into the published file, without re-encoding: `GStreamer` concatenates and
//! muxes, then the index is made exact.

use std::path::{Path, PathBuf};
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;

use super::super::{JoinSettings, MediaError};
use super::bus::{Moved, Running};
use super::init::element;
use super::link::{add, link, location};
use super::moov::{self, Intended, Priming, VideoTrack};
use super::scratch::Scratch;

/// Joins `segments` and `audio` into `out`.
pub(super) fn join(
    segments: &[PathBuf],
    audio: Option<&Path>,
    settings: &JoinSettings,
    out: &Path,
    stall: Duration,
) -> Result<(), MediaError> {
    let starts = checked_starts(segments, settings)?;
    let sound = match (audio, settings.samples) {
        (Some(file), Some(samples)) => Some((file, samples)),
        (None, None) => None,
        _ => {
            return Err(MediaError::Invalid(
                "there is sound where none was expected, or none where some was".into(),
            ));
        }
    };
    let muxed = Scratch::beside(out);
    concatenate(segments, sound.map(|(file, _)| file), muxed.path(), stall)?;
    let intended = Intended {
        video: Some((settings.frames, settings.rate)),
        samples: sound.map(|(_, samples)| samples),
        priming: Priming::Hidden,
    };
    let track = moov::rewrite(muxed.path(), out, &intended)?
        .ok_or_else(|| MediaError::Engine("the joined file has no picture track".into()))?;
    if let Some(start) = starts.iter().find(|start| !track.keyframes.contains(start)) {
        return Err(MediaError::Invalid(format!(
            "the segment that begins at frame {start} does not begin with a keyframe"
        )));
    }
    Ok(())
}

/// First frame of every segment, once it is clear that they fit together.
fn checked_starts(segments: &[PathBuf], settings: &JoinSettings) -> Result<Vec<u64>, MediaError> {
    let mut record: Option<Vec<u8>> = None;
    let mut starts = Vec::with_capacity(segments.len());
    let mut frames = 0;
    for (number, segment) in segments.iter().enumerate() {
        let VideoTrack {
            codec_data,
            frames: here,
            ..
        } = moov::video_track(segment)?;
        // Other settings would mux without complaint and decode to garbage.
        if *record.get_or_insert_with(|| codec_data.clone()) != codec_data {
            return Err(MediaError::Invalid(format!(
                "segment {number} was encoded with other settings than the first"
            )));
        }
        starts.push(frames);
        frames += here;
    }
    if frames != settings.frames {
        return Err(MediaError::Invalid(format!(
            "the segments have {frames} frames where {} were expected",
            settings.frames
        )));
    }
    Ok(starts)
}

fn concatenate(
    segments: &[PathBuf],
    audio: Option<&Path>,
    out: &Path,
    stall: Duration,
) -> Result<(), MediaError> {
    let pipeline = gst::Pipeline::new();
    let concat = element("concat")?;
    let parser = element("h264parse")?;
    let muxer = element("mp4mux")?;
    let sink = element("filesink")?;
    sink.set_property("location", location(out)?);
    let tail = [&concat, &parser, &muxer, &sink];
    add(&pipeline, &tail)?;
    link(&tail)?;
    for segment in segments {
        let branch = branch(&pipeline, segment, "h264parse", "video")?;
        let slot = concat
            .request_pad_simple("sink_%u")
            .ok_or_else(|| MediaError::Engine("concat takes no more inputs".into()))?;
        branch
            .link(&slot)
            .map_err(|error| MediaError::Engine(error.to_string()))?;
    }
    if let Some(file) = audio {
        let branch = branch(&pipeline, file, "aacparse", "audio")?;
        let slot = muxer
            .request_pad_simple("audio_%u")
            .ok_or_else(|| MediaError::Engine("the muxer takes no sound".into()))?;
        branch
            .link(&slot)
            .map_err(|error| MediaError::Engine(error.to_string()))?;
    }
    let moved = Moved::default();
    let entry = sink
        .static_pad("sink")
        .ok_or_else(|| MediaError::Engine("a file sink has no input".into()))?;
    moved.watch(&entry);
    let running = Running::new(pipeline, stall)?;
    running.start()?;
    running.wait_end(&moved)
}

/// Source, demuxer and parser of one file; returns the pad its packets leave by.
fn branch(
    pipeline: &gst::Pipeline,
    file: &Path,
    parser: &'static str,
    kind: &'static str,
) -> Result<gst::Pad, MediaError> {
    let source = element("filesrc")?;
    source.set_property("location", location(file)?);
    let demuxer = element("qtdemux")?;
    let parser = element(parser)?;
    add(pipeline, &[&source, &demuxer, &parser])?;
    link(&[&source, &demuxer])?;
    let missing = || MediaError::Engine("a parser has no pads".into());
    let entry = parser.static_pad("sink").ok_or_else(missing)?;
    demuxer.connect_pad_added(move |_, pad| {
        if pad.name().starts_with(kind) && !entry.is_linked() {
            // A refusal surfaces as the demuxer's own "not linked" error.
            let _ = pad.link(&entry);
        }
    });
    parser.static_pad("src").ok_or_else(missing)
}
