//! A pipeline that decodes the first picture track, and the pictures it hands out.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use gstreamer_video as gst_video;

use super::super::{Frame, MediaError, PixelFormat, Plane, YuvColor};
use super::bus::Running;
use super::caps::{i420, video_codec};
use super::init::element;
use super::sniff::Container;
use super::tracks::{Faults, Kind, add, chain, demux};

/// Decoded pictures that may wait, so that decoding overlaps with what the caller does.
const AHEAD: u32 = 4;
/// How often a wait looks for errors.
const LOOK: gst::ClockTime = gst::ClockTime::from_mseconds(200);

/// What is done to pictures after decoding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// Nothing: any format.
    AsDecoded,
    /// Nothing, and they are known to be I420.
    Plain,
    /// Made I420 and progressive, mirrored and turned clockwise.
    Upright {
        /// Degrees: 0, 90, 180 or 270.
        rotation: u16,
        /// Left to right, before the turn.
        mirrored: bool,
    },
}

/// A running decoder.
#[derive(Debug)]
pub(super) struct Pictures {
    running: Running,
    sink: gst_app::AppSink,
    faults: Faults,
}

impl Pictures {
    /// Builds the pipeline and readies its first picture.
    pub(super) fn open(
        file: &Path,
        container: Container,
        shape: Shape,
        stall: Duration,
    ) -> Result<Self, MediaError> {
        let pipeline = gst::Pipeline::new();
        let sink = gst_app::AppSink::builder()
            .sync(false)
            .max_buffers(AHEAD)
            .enable_last_sample(false)
            .build();
        if shape != Shape::AsDecoded {
            sink.set_caps(Some(&i420()));
        }
        offer_strides(&sink);
        add(&pipeline, &[sink.upcast_ref()])?;
        let (weak, tail) = (pipeline.downgrade(), sink.clone());
        let faults = demux(&pipeline, file, container, move |kind, caps, pad| {
            if shape == Shape::AsDecoded {
                leave_colour_to_stream(pad);
            }
            let Some(pipeline) = weak.upgrade().filter(|_| kind == Kind::Video) else {
                return Ok(None);
            };
            let mut elements = video_codec(caps)?.decoding()?;
            elements.extend(reshaping(shape)?);
            chain(&pipeline, &elements, tail.upcast_ref())
        })?;
        let pictures = Self {
            running: Running::new(pipeline, stall)?,
            sink,
            faults,
        };
        pictures
            .running
            .preroll()
            .map_err(|error| pictures.faults.take().unwrap_or(error))?;
        Ok(pictures)
    }

    /// Lets it run from the beginning, or from the keyframe at `from` nanoseconds.
    /// False if the file cannot be sought in.
    pub(super) fn run_from(&self, from: Option<i64>) -> Result<bool, MediaError> {
        if let Some(nanos) = from.and_then(|nanos| u64::try_from(nanos).ok()) {
            let flags =
                gst::SeekFlags::FLUSH | gst::SeekFlags::KEY_UNIT | gst::SeekFlags::SNAP_BEFORE;
            let target = gst::ClockTime::from_nseconds(nanos);
            if self.running.pipeline().seek_simple(flags, target).is_err() {
                return Ok(false);
            }
            self.running.settled()?;
        }
        self.running.start()?;
        Ok(true)
    }

    /// The next decoded picture, or nothing at the end.
    pub(super) fn next(&self) -> Result<Option<Decoded>, MediaError> {
        let deadline = Instant::now() + self.running.stall();
        loop {
            if let Some(sample) = self.sink.try_pull_sample(LOOK) {
                let whole = (sample.buffer_owned(), sample.caps_owned());
                let (Some(buffer), Some(caps)) = whole else {
                    continue;
                };
                let time = shown_at(&sample);
                return Ok(Some(Decoded { buffer, caps, time }));
            }
            if let Some(error) = self.running.failure() {
                return Err(self.faults.take().unwrap_or(error));
            }
            if self.sink.is_eos() {
                return self.faults.take().map_or(Ok(None), Err);
            }
            if Instant::now() >= deadline {
                return Err(MediaError::Stalled(self.running.stall()));
            }
        }
    }
}

/// Takes the container's colour tag out of a track's caps. It says nothing of the range, and
/// while it is there the parser does not look for what the stream itself says.
fn leave_colour_to_stream(pad: &gst::Pad) {
    pad.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, |_, info| {
        let bare = info.event().and_then(|event| match event.view() {
            gst::EventView::Caps(caps) => {
                let mut caps = caps.caps_owned();
                let structure = caps.make_mut().structure_mut(0)?;
                let replaced = structure.name().starts_with("video/x-h26")
                    && structure.has_field("colorimetry");
                structure.remove_field("colorimetry");
                replaced.then_some(caps)
            }
            _ => None,
        });
        if let Some(caps) = bare {
            info.data = Some(gst::PadProbeData::Event(gst::event::Caps::new(&caps)));
        }
        gst::PadProbeReturn::Ok
    });
}

fn reshaping(shape: Shape) -> Result<Vec<gst::Element>, MediaError> {
    let Shape::Upright { rotation, mirrored } = shape else {
        return Ok(Vec::new());
    };
    let convert = element("videoconvert")?;
    let filter = element("capsfilter")?;
    filter.set_property("caps", i420());
    let progressive = element("deinterlace")?;
    // One picture a frame, not one a field: the frame table counts frames.
    progressive.set_property_from_str("fields", "top");
    let flip = element("videoflip")?;
    flip.set_property_from_str(
        "video-direction",
        match (rotation, mirrored) {
            (90, false) => "90r",
            (180, false) => "180",
            (270, false) => "90l",
            (0, true) => "horiz",
            // Mirrored, then turned: the two diagonals and the vertical mirror.
            (90, true) => "ur-ll",
            (180, true) => "vert",
            (270, true) => "ul-lr",
            _ => "identity",
        },
    );
    Ok(vec![convert, filter, progressive, flip])
}

/// Tells the decoder that rows may be padded, which spares it a copy of every picture.
fn offer_strides(sink: &gst_app::AppSink) {
    let Some(pad) = sink.static_pad("sink") else {
        return;
    };
    pad.add_probe(gst::PadProbeType::QUERY_DOWNSTREAM, |_, info| {
        if let Some(query) = info.query_mut()
            && let gst::QueryViewMut::Allocation(allocation) = query.view_mut()
        {
            allocation.add_allocation_meta::<gst_video::VideoMeta>(None);
            return gst::PadProbeReturn::Handled;
        }
        gst::PadProbeReturn::Ok
    });
}

/// Pixels that stay in the decoder's buffer.
struct Mapped {
    buffer: Arc<gst::MappedBuffer<gst::buffer::Readable>>,
    start: usize,
    end: usize,
}

impl AsRef<[u8]> for Mapped {
    fn as_ref(&self) -> &[u8] {
        &self.buffer.as_slice()[self.start..self.end]
    }
}

/// A decoded picture. The sample it came in is let go at once: the sink reuses samples that
/// nobody holds.
#[derive(Debug, Clone)]
pub(super) struct Decoded {
    /// The pixels.
    pub(super) buffer: gst::Buffer,
    /// What they are.
    pub(super) caps: gst::Caps,
    /// When they are shown, in nanoseconds of source time.
    pub(super) time: Option<i64>,
}

/// The picture itself, its pixels left where they are.
pub(super) fn frame(decoded: &Decoded, color: YuvColor) -> Result<Frame, MediaError> {
    let broken = |what: &str| MediaError::Engine(format!("a decoded picture has {what}"));
    let info =
        gst_video::VideoInfo::from_caps(&decoded.caps).map_err(|_| broken("an unknown format"))?;
    if info.format() != gst_video::VideoFormat::I420 {
        return Err(broken("another format than was asked for"));
    }
    let buffer = decoded.buffer.clone();
    let (offsets, strides) = match buffer.meta::<gst_video::VideoMeta>() {
        Some(meta) => (meta.offset().to_vec(), meta.stride().to_vec()),
        None => (info.offset().to_vec(), info.stride().to_vec()),
    };
    let (width, height) = (info.width(), info.height());
    let mapped = buffer
        .into_mapped_buffer_readable()
        .map_err(|_| broken("pixels out of reach"))?;
    let mapped = Arc::new(mapped);
    let planes = offsets
        .iter()
        .zip(&strides)
        .enumerate()
        .map(|(plane, (&start, &stride))| {
            let (columns, rows) = if plane == 0 {
                (width, height)
            } else {
                (width.div_ceil(2), height.div_ceil(2))
            };
            let stride = usize::try_from(stride).map_err(|_| broken("rows bottom up"))?;
            let (columns, rows) = (columns as usize, rows as usize);
            // The last row may end with its pixels.
            let end = (start + stride * rows).min(mapped.size());
            if stride < columns || start + stride * (rows.max(1) - 1) + columns > end {
                return Err(broken("too few bytes"));
            }
            let owner = Mapped {
                buffer: Arc::clone(&mapped),
                start,
                end,
            };
            Ok(Plane {
                data: Bytes::from_owner(owner),
                stride,
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    if planes.len() != 3 {
        return Err(broken("a wrong number of planes"));
    }
    Ok(Frame {
        width,
        height,
        format: PixelFormat::I420(color),
        planes,
    })
}

/// When a sample is shown, in nanoseconds of source time.
pub(super) fn shown_at(sample: &gst::Sample) -> Option<i64> {
    let buffer = sample.buffer()?;
    let time = buffer.pts().or_else(|| buffer.dts())?;
    source_time(sample.segment()?, time)
}

/// Source time, which begins at 0 where the first edit begins.
pub(super) fn source_time(segment: &gst::Segment, time: gst::ClockTime) -> Option<i64> {
    let segment = segment.downcast_ref::<gst::format::Time>()?;
    let signed = segment.to_stream_time_full(time)?;
    let (sign, nanos) = match signed {
        gst::Signed::Positive(time) => (1, time.nseconds()),
        gst::Signed::Negative(time) => (-1, time.nseconds()),
    };
    Some(sign * i64::try_from(nanos).ok()?)
}
