//! Pictures into the file of one segment: H.264 with closed groups, the same bytes every time.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use gstreamer_video as gst_video;

use super::super::{
    EncodeSettings, EncodedSegment, Frame, FrameSink, MediaError, PixelFormat, Plane, YuvColor,
};
use super::feed::Feed;
use super::init::element;
use super::link::{add, link, location};
use super::moov::{self, Intended, Priming};
use super::scratch::Scratch;
use crate::composition::time::FrameRate;

/// Pictures that may wait for the encoder.
const AHEAD: usize = 4;
/// Names what besides the job's settings decides the bytes; part of the render fingerprint.
pub(super) const REVISION: &str =
    "x264 threads=1 cpu-independent=1 vbv=0 bframes=3 high; aac ms=0 is=0";

/// Writes one segment.
pub(super) struct SegmentWriter {
    feed: Feed,
    settings: EncodeSettings,
    muxed: Scratch,
    out: PathBuf,
    pushed: u64,
}

impl SegmentWriter {
    /// Begins a segment file at `out`.
    pub(super) fn create(
        settings: &EncodeSettings,
        out: &Path,
        stall: Duration,
    ) -> Result<Self, MediaError> {
        if !settings.width.is_multiple_of(2) || !settings.height.is_multiple_of(2) {
            return Err(MediaError::Unsupported(format!(
                "4:2:0 pictures of odd size {}×{}",
                settings.width, settings.height
            )));
        }
        let muxed = Scratch::beside(out);
        let source = gst_app::AppSrc::builder()
            .caps(&input_caps(settings)?)
            .format(gst::Format::Time)
            .max_bytes(0)
            .build();
        let encoder = encoder(settings)?;
        let profile = element("capsfilter")?;
        let high = gst::Caps::builder("video/x-h264")
            .field("profile", "high")
            .field("stream-format", "avc")
            .field("alignment", "au")
            .build();
        profile.set_property("caps", high);
        let parser = element("h264parse")?;
        let muxer = element("mp4mux")?;
        let sink = element("filesink")?;
        sink.set_property("location", location(muxed.path())?);
        let pipeline = gst::Pipeline::new();
        let elements = [
            source.upcast_ref(),
            &encoder,
            &profile,
            &parser,
            &muxer,
            &sink,
        ];
        add(&pipeline, &elements)?;
        link(&elements)?;
        Ok(Self {
            feed: Feed::start(pipeline, source, &sink, AHEAD, stall)?,
            settings: settings.clone(),
            muxed,
            out: out.to_owned(),
            pushed: 0,
        })
    }
}

impl FrameSink for SegmentWriter {
    fn push(&mut self, frame: &Frame) -> Result<(), MediaError> {
        let mut buffer = wrapped(frame, &self.settings)?;
        let rate = self.settings.rate;
        if let Some(fields) = buffer.get_mut() {
            let start = time_of(self.pushed, rate);
            fields.set_pts(start);
            fields.set_duration(time_of(self.pushed + 1, rate).saturating_sub(start));
        }
        self.feed.push(buffer)?;
        self.pushed += 1;
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<EncodedSegment, MediaError> {
        if self.pushed == 0 {
            return Err(MediaError::Engine("a segment has no pictures".into()));
        }
        self.feed.finish()?;
        let intended = Intended {
            video: Some((self.pushed, self.settings.rate)),
            samples: None,
            priming: Priming::Hidden,
        };
        let track = moov::rewrite(self.muxed.path(), &self.out, &intended)?
            .ok_or_else(|| MediaError::Engine("a segment has no picture track".into()))?;
        Ok(EncodedSegment {
            frames: track.frames,
            codec_data: track.codec_data,
        })
    }
}

fn encoder(settings: &EncodeSettings) -> Result<gst::Element, MediaError> {
    let encoder = element("x264enc")?;
    // Several threads don't give the same bytes every time, nor do several kinds of processor.
    encoder.set_property("threads", 1_u32);
    encoder.set_property("option-string", "cpu-independent=1");
    let known = encoder
        .find_property("speed-preset")
        .and_then(|spec| gst::glib::EnumClass::with_type(spec.value_type()))
        .is_some_and(|presets| presets.value_by_nick(&settings.preset).is_some());
    if !known {
        return Err(MediaError::Unsupported(format!(
            "encoder preset `{}`",
            settings.preset
        )));
    }
    encoder.set_property_from_str("speed-preset", &settings.preset);
    encoder.set_property("key-int-max", settings.keyframe_interval.max(1));
    encoder.set_property("bframes", 3_u32);
    // The default rate would otherwise cap what the quality asks for.
    encoder.set_property("vbv-buf-capacity", 0_u32);
    match settings.kbps {
        Some(kbps) => {
            encoder.set_property_from_str("pass", "cbr");
            encoder.set_property("bitrate", kbps.max(1));
        }
        None => {
            encoder.set_property_from_str("pass", "qual");
            encoder.set_property("quantizer", u32::from(settings.crf.min(50)));
        }
    }
    Ok(encoder)
}

fn input_caps(settings: &EncodeSettings) -> Result<gst::Caps, MediaError> {
    let too_large = |_| MediaError::Limit("the picture or its rate is too large".into());
    let width = i32::try_from(settings.width).map_err(too_large)?;
    let height = i32::try_from(settings.height).map_err(too_large)?;
    let numerator = i32::try_from(settings.rate.numerator()).map_err(too_large)?;
    let denominator = i32::try_from(settings.rate.denominator()).map_err(too_large)?;
    Ok(gst::Caps::builder("video/x-raw")
        .field("format", "I420")
        .field("width", width)
        .field("height", height)
        .field("framerate", gst::Fraction::new(numerator, denominator))
        .field("pixel-aspect-ratio", gst::Fraction::new(1, 1))
        .field("interlace-mode", "progressive")
        .field("colorimetry", "bt709")
        .field("chroma-site", "mpeg2")
        .build())
}

fn time_of(frame: u64, rate: FrameRate) -> gst::ClockTime {
    let nanos = u128::from(frame) * u128::from(rate.denominator()) * 1_000_000_000
        / u128::from(rate.numerator());
    gst::ClockTime::from_nseconds(u64::try_from(nanos).unwrap_or(u64::MAX - 1))
}

/// A picture's planes as one buffer, without copying them.
fn wrapped(frame: &Frame, settings: &EncodeSettings) -> Result<gst::Buffer, MediaError> {
    let refused = |what: &str| MediaError::Engine(format!("a picture for the encoder {what}"));
    if frame.format != PixelFormat::I420(YuvColor::OUTPUT) {
        return Err(refused("is not in the output's format"));
    }
    if (frame.width, frame.height) != (settings.width, settings.height) {
        return Err(refused("is not of the output's size"));
    }
    let [y, u, v] = frame.planes.as_slice() else {
        return Err(refused("has a wrong number of planes"));
    };
    let (width, height) = (frame.width as usize, frame.height as usize);
    let mut buffer = gst::Buffer::new();
    let (mut offsets, mut strides, mut offset) = (Vec::new(), Vec::new(), 0);
    let sides = [
        (width, height),
        (width / 2, height / 2),
        (width / 2, height / 2),
    ];
    for (plane, (columns, rows)) in [y, u, v].into_iter().zip(sides) {
        let bytes = whole_rows(plane, columns, rows).ok_or_else(|| refused("is cut short"))?;
        offsets.push(offset);
        strides.push(i32::try_from(plane.stride).map_err(|_| refused("is too wide"))?);
        offset += bytes.len();
        if let Some(fields) = buffer.get_mut() {
            fields.append_memory(gst::Memory::from_slice(bytes));
        }
    }
    if let Some(fields) = buffer.get_mut() {
        gst_video::VideoMeta::add_full(
            fields,
            gst_video::VideoFrameFlags::empty(),
            gst_video::VideoFormat::I420,
            frame.width,
            frame.height,
            &offsets,
            &strides,
        )
        .map_err(|error| refused(&format!("has a layout that is not taken: {error}")))?;
    }
    Ok(buffer)
}

/// Exactly `rows` rows of `stride` bytes; the last one is filled up if it ends with its pixels.
fn whole_rows(plane: &Plane, columns: usize, rows: usize) -> Option<Bytes> {
    let whole = plane.stride.checked_mul(rows)?;
    if plane.stride < columns {
        return None;
    }
    if plane.data.len() >= whole {
        return Some(plane.data.slice(..whole));
    }
    if plane.data.len() + (plane.stride - columns) < whole {
        return None;
    }
    let mut filled = plane.data.to_vec();
    filled.resize(whole, 0);
    Some(filled.into())
}
