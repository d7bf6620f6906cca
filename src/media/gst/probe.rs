//! Finds out what a file is: every packet is parsed for its time, one picture is decoded for its
//! format. Still images are not probed here.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;

use super::super::{AudioInfo, MediaError, MediaInfo, VideoInfo, YuvColor};
use super::bus::{Moved, Running};
use super::caps::{Codec, Picture, audio_codec, picture, video_codec};
use super::index::{CodedFrame, table};
use super::init::element;
use super::pictures::{Pictures, Shape, source_time};
use super::sniff::{Container, sniff};
use super::tracks::{Kind, add, chain, demux};
use super::{lame, recovery};

/// What the packets of a file told.
#[derive(Debug, Default)]
struct Scan {
    video: Option<Seen>,
    audio: Option<Seen>,
}

#[derive(Debug)]
struct Seen {
    codec: Codec,
    sink: gst_app::AppSink,
    /// Caps of whole packets, before decoding.
    caps: Option<gst::Caps>,
    packets: Vec<CodedFrame>,
    /// Where the last packet ends, edit lists applied.
    end: i64,
    /// Length of the newest packet that had one.
    usual: i64,
}

type Shared = Arc<Mutex<Scan>>;

fn locked(scan: &Shared) -> MutexGuard<'_, Scan> {
    scan.lock().unwrap_or_else(PoisonError::into_inner)
}

fn track(scan: &mut Scan, kind: Kind) -> &mut Option<Seen> {
    match kind {
        Kind::Video => &mut scan.video,
        Kind::Audio => &mut scan.audio,
    }
}

/// Everything about a file; pictures of more than `max_pixels` are refused before decoding.
pub(super) fn probe(
    file: &Path,
    stall: Duration,
    max_pixels: u64,
) -> Result<MediaInfo, MediaError> {
    let container = sniff(file)?;
    let mut scan = scan(file, container, stall)?;
    let audio = scan
        .audio
        .take()
        .filter(|seen| !seen.packets.is_empty())
        .map(|seen| audio_info(file, &seen))
        .transpose()?;
    let video = scan
        .video
        .take()
        .filter(|seen| !seen.packets.is_empty())
        .map(|seen| video_info(file, container, &seen, stall, max_pixels))
        .transpose()?;
    let mut video = video;
    if let (Container::Matroska, Some(video), Some(audio)) = (container, &mut video, &audio)
        && audio.codec == "opus"
    {
        forgive_late_start(&mut video.frames);
    }
    if video.is_none() && audio.is_none() {
        return Err(MediaError::Invalid(
            "it has neither pictures nor sound that can be read".into(),
        ));
    }
    Ok(MediaInfo {
        container: container.word().into(),
        video,
        audio,
    })
}

/// Some muxers delay every track by the sound's codec delay, which demuxing then takes off
/// the sound alone: the pictures stay late by less than half a frame. Counting each as on
/// time brings them back to their sound.
fn forgive_late_start(frames: &mut crate::timeline::FrameTable) {
    let [first, second, ..] = frames.pts[..] else {
        return;
    };
    if first > 0 && first < (second - first) / 2 {
        frames.tolerance += first;
    }
}

/// Runs the whole file through demuxer and parsers.
fn scan(file: &Path, container: Container, stall: Duration) -> Result<Scan, MediaError> {
    let pipeline = gst::Pipeline::new();
    let shared = Shared::default();
    let moved = Moved::default();
    let (weak, collected, counter) = (pipeline.downgrade(), Arc::clone(&shared), moved.clone());
    let faults = demux(&pipeline, file, container, move |kind, caps, _| {
        let Some(pipeline) = weak.upgrade() else {
            return Ok(None);
        };
        let codec = match kind {
            Kind::Video => video_codec(caps)?,
            Kind::Audio => audio_codec(caps)?,
        };
        let sink = collector(kind, codec, &collected, &counter);
        let mut elements = codec.parsing()?;
        if let Some(form) = recovery::readable_form(codec.word) {
            let filter = element("capsfilter")?;
            filter.set_property("caps", form);
            elements.push(filter);
        }
        add(&pipeline, &[sink.upcast_ref()])?;
        *track(&mut locked(&collected), kind) = Some(Seen {
            codec,
            sink: sink.clone(),
            caps: None,
            packets: Vec::new(),
            end: 0,
            usual: 0,
        });
        let tail: gst::Element = sink.clone().upcast();
        sink.sync_state_with_parent()
            .map_err(|error| MediaError::Engine(error.to_string()))?;
        chain(&pipeline, &elements, &tail)
    })?;
    let running = Running::new(pipeline, stall)?;
    let ended = running.start().and_then(|()| running.wait_end(&moved));
    if let Some(fault) = faults.take() {
        return Err(fault);
    }
    let scan = std::mem::take(&mut *locked(&shared));
    let something = [&scan.video, &scan.audio]
        .into_iter()
        .flatten()
        .any(|seen| !seen.packets.is_empty());
    match ended {
        // Cut short or damaged further on: what can be read counts.
        Err(MediaError::Invalid(reason) | MediaError::Engine(reason)) if something => {
            tracing::warn!(reason, "source damaged, its readable part is used");
        }
        Err(MediaError::Engine(reason)) => return Err(MediaError::Invalid(reason)),
        Err(error) => return Err(error),
        Ok(()) => {}
    }
    // The rotation tags live on the sinks' pads, which the pipeline's end clears.
    drop_after(running, scan)
}

fn drop_after(running: Running, mut scan: Scan) -> Result<Scan, MediaError> {
    for seen in [&mut scan.video, &mut scan.audio].into_iter().flatten() {
        seen.caps = seen
            .sink
            .static_pad("sink")
            .and_then(|pad| pad.current_caps());
    }
    // FLAC declares its length; its last block is shorter than its packets say.
    let declared = running.pipeline().query_duration::<gst::ClockTime>();
    if let (Some(seen), Some(length)) = (&mut scan.audio, declared)
        && seen.codec.word == "flac"
        && let Ok(length) = i64::try_from(length.nseconds())
    {
        seen.end = seen.end.min(length);
    }
    let orientation = scan.video.as_ref().and_then(|seen| orientation(&seen.sink));
    drop(running);
    if let (Some(seen), Some(orientation)) = (&mut scan.video, orientation)
        && let Some(caps) = &mut seen.caps
        && let Some(structure) = caps.make_mut().structure_mut(0)
    {
        structure.set("image-orientation", orientation);
    }
    Ok(scan)
}

/// A sink that notes every packet's times and holds nothing up.
fn collector(kind: Kind, codec: Codec, scan: &Shared, moved: &Moved) -> gst_app::AppSink {
    let (scan, moved) = (Arc::clone(scan), moved.clone());
    let callbacks = gst_app::AppSinkCallbacks::builder()
        .new_sample(move |sink| {
            let sample = sink.pull_sample().map_err(|_| gst::FlowError::Eos)?;
            moved.tick();
            if let Some(seen) = track(&mut locked(&scan), kind) {
                note(seen, kind, codec, &sample);
            }
            Ok(gst::FlowSuccess::Ok)
        })
        .build();
    gst_app::AppSink::builder()
        .sync(false)
        .async_(false)
        .enable_last_sample(false)
        .callbacks(callbacks)
        .build()
}

fn note(seen: &mut Seen, kind: Kind, codec: Codec, sample: &gst::Sample) {
    let (Some(buffer), Some(segment)) = (sample.buffer(), sample.segment()) else {
        return;
    };
    let duration = buffer
        .duration()
        .and_then(|duration| i64::try_from(duration.nseconds()).ok())
        .filter(|&duration| duration > 0);
    let stop = segment
        .downcast_ref::<gst::format::Time>()
        .and_then(gst::FormattedSegment::stop)
        .and_then(|stop| source_time(segment, stop));
    let time = buffer
        .pts()
        .or_else(|| buffer.dts())
        .and_then(|time| source_time(segment, time));
    // Beyond the end of its edit: decoded for others' sake, never shown.
    if let (Some(time), Some(stop)) = (time, stop)
        && time >= stop
    {
        return;
    }
    if let Some(time) = time {
        // A last packet without a length is as long as the ones before.
        seen.usual = duration.unwrap_or(seen.usual);
        let end = time + seen.usual;
        seen.end = seen.end.max(stop.map_or(end, |stop| stop.min(end)));
    }
    let flagged = !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
    let keyframe = match kind {
        Kind::Audio => true,
        Kind::Video => {
            let Ok(map) = buffer.map_readable() else {
                return;
            };
            if recovery::is_hidden(codec.word, &map) {
                return;
            }
            flagged && recovery::is_closed(codec.word, &map)
        }
    };
    if kind == Kind::Audio && !seen.packets.is_empty() {
        // One packet shows that there is sound; their times are summed up in `end`.
        return;
    }
    seen.packets.push(CodedFrame {
        time,
        duration,
        keyframe,
    });
}

fn orientation(sink: &gst_app::AppSink) -> Option<String> {
    let pad = sink.static_pad("sink")?;
    (0..8)
        .map_while(|index| pad.sticky_event::<gst::event::Tag>(index))
        .find_map(|event| {
            let tags = event.tag();
            let value = tags.get::<gst::tags::ImageOrientation>()?;
            Some(value.get().to_owned())
        })
}

fn audio_info(file: &Path, seen: &Seen) -> Result<AudioInfo, MediaError> {
    let structure = seen.caps.as_ref().and_then(|caps| caps.structure(0));
    let number = |field: &str| {
        structure
            .and_then(|structure| structure.get::<i32>(field).ok())
            .and_then(|value| u32::try_from(value).ok())
    };
    let duration = match lame::gapless(file)?.filter(|_| seen.codec.word == "mp3") {
        Some(gapless) => gapless.duration.unwrap_or(seen.end - gapless.lead),
        None => seen.end,
    };
    Ok(AudioInfo {
        codec: seen.codec.word.into(),
        sample_rate: number("rate").unwrap_or(super::moov::SOUND_RATE),
        channels: number("channels")
            .and_then(|count| u16::try_from(count).ok())
            .unwrap_or(2),
        duration: duration.max(0),
    })
}

fn video_info(
    file: &Path,
    container: Container,
    seen: &Seen,
    stall: Duration,
    max_pixels: u64,
) -> Result<VideoInfo, MediaError> {
    let coded = seen
        .caps
        .clone()
        .ok_or_else(|| MediaError::Invalid("its picture track has no format".into()))?;
    within(&coded, max_pixels)?;
    let frames = table(&seen.packets)
        .ok_or_else(|| MediaError::Invalid("its picture track shows nothing".into()))?;
    let first = first_picture(file, container, &coded, stall)?;
    let orientation = coded
        .structure(0)
        .and_then(|structure| structure.get::<String>("image-orientation").ok());
    let (rotation, mirrored) = turn(orientation.as_deref().unwrap_or_default());
    let square = first.aspect.0 == first.aspect.1;
    let plain =
        first.simple && square && rotation == 0 && !mirrored && first.color == YuvColor::OUTPUT;
    let (width, height) = (stretched(first), first.height);
    let (width, height) = if rotation % 180 == 0 {
        (width, height)
    } else {
        (height, width)
    };
    Ok(VideoInfo {
        codec: seen.codec.word.into(),
        width,
        height,
        coded_width: first.width,
        coded_height: first.height,
        rotation,
        mirrored,
        plain,
        color: first.color,
        frames,
    })
}

fn within(coded: &gst::CapsRef, max_pixels: u64) -> Result<(), MediaError> {
    let side = |field: &str| {
        coded
            .structure(0)
            .and_then(|structure| structure.get::<i32>(field).ok())
            .and_then(|value| u64::try_from(value).ok())
            .unwrap_or(0)
    };
    let (width, height) = (side("width"), side("height"));
    if width.saturating_mul(height) > max_pixels {
        return Err(MediaError::Limit(format!(
            "pictures of {width}×{height} have more than {max_pixels} pixels"
        )));
    }
    Ok(())
}

fn first_picture(
    file: &Path,
    container: Container,
    coded: &gst::CapsRef,
    stall: Duration,
) -> Result<Picture, MediaError> {
    let none = || MediaError::Invalid("none of its pictures can be decoded".into());
    let pictures = Pictures::open(file, container, Shape::AsDecoded, stall)?;
    pictures.run_from(None)?;
    let decoded = pictures.next()?.ok_or_else(none)?;
    picture(&decoded.caps, coded)
}

/// The width with square samples, the height kept.
fn stretched(picture: Picture) -> u32 {
    let (across, down) = (u64::from(picture.aspect.0), u64::from(picture.aspect.1));
    let width = (u64::from(picture.width) * across + down / 2) / down;
    u32::try_from(width).unwrap_or(u32::MAX).max(1)
}

/// The clockwise turn, and whether it is preceded by a mirroring, that an orientation tag asks for.
fn turn(orientation: &str) -> (u16, bool) {
    match orientation {
        "rotate-90" => (90, false),
        "rotate-180" => (180, false),
        "rotate-270" => (270, false),
        "flip-rotate-0" => (0, true),
        "flip-rotate-90" => (270, true),
        "flip-rotate-180" => (180, true),
        "flip-rotate-270" => (90, true),
        _ => (0, false),
    }
}
