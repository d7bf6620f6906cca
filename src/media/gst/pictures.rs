//! Decoded pictures of a picture track, one after the other from a given packet on.

use std::path::Path;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use gstreamer_video as gst_video;

use super::super::container::{Description, Detail};
use super::super::pixels::{Layout, Native, NativePlane};
use super::super::{Frame, MediaError, PixelFormat, Plane, YuvColor};
use super::bus::Running;
use super::coded::decoder;
use super::errors::DecodeErrors;
use super::link::{add, link};
use super::packets::{Fault, Feeding, rank_of, source};

/// Decoded pictures that may wait, so that decoding overlaps with what the caller does.
const AHEAD: u32 = 4;
/// How often a wait looks for errors.
const LOOK: gst::ClockTime = gst::ClockTime::from_mseconds(200);

/// A running decoder.
#[derive(Debug)]
pub(super) struct Pictures {
    running: Running,
    sink: gst_app::AppSink,
    fault: Fault,
    /// Errors that the decoder found and does not flag.
    errors: Arc<DecodeErrors>,
    /// The container's palette, which the decoder is not given.
    palette: Option<Bytes>,
}

impl Pictures {
    /// Starts decoding at the packet that `feeding` names, of samples as `description` has them;
    /// `is_open`: pictures that are shown before that packet's lean on what is not fed.
    pub(super) fn open(
        file: &Path,
        feeding: Feeding,
        description: &Description,
        is_open: bool,
        stall: Duration,
    ) -> Result<Self, MediaError> {
        let decoder = decoder(description, is_open)?;
        let fault = Fault::default();
        let source = source(file, feeding, &decoder.caps, &fault)?;
        let sink = gst_app::AppSink::builder()
            .sync(false)
            .max_buffers(AHEAD)
            .enable_last_sample(false)
            .build();
        offer_strides(&sink);
        let pipeline = gst::Pipeline::new();
        let elements = [source.upcast_ref(), &decoder.element, sink.upcast_ref()];
        add(&pipeline, &elements)?;
        link(&elements)?;
        let errors = DecodeErrors::of(&decoder.element);
        let running = Running::new(pipeline, stall)?;
        running.start()?;
        Ok(Self {
            running,
            sink,
            fault,
            errors,
            palette: palette(description),
        })
    }

    /// The next decoded picture, or `None` at the end.
    pub(super) fn next(&self) -> Result<Option<Decoded>, MediaError> {
        let deadline = Instant::now() + self.running.stall();
        loop {
            if let Some(sample) = self.sink.try_pull_sample(LOOK) {
                let whole = (sample.buffer_owned(), sample.caps_owned());
                let (Some(buffer), Some(caps)) = whole else {
                    continue;
                };
                let mut decoded = Decoded::new(buffer, &caps)?;
                if let (Some(of_decoder), Some(palette)) = (&mut decoded.palette, &self.palette) {
                    of_decoder.clone_from(palette);
                }
                decoded.is_damaged |= self.errors.contains(decoded.rank);
                return Ok(Some(decoded));
            }
            if let Some(error) = self.running.source_failure() {
                return Err(error);
            }
            if self.sink.is_eos() {
                let mut fault = self.fault.lock().unwrap_or_else(PoisonError::into_inner);
                return fault.take().map_or(Ok(None), Err);
            }
            if Instant::now() >= deadline {
                return Err(MediaError::Stalled(self.running.stall()));
            }
        }
    }
}

/// A description's palette as 256 entries of blue, green, red, alpha.
fn palette(description: &Description) -> Option<Bytes> {
    let Detail::Video(format) = &description.detail else {
        return None;
    };
    let entries = format.palette.iter().flat_map(|entry| entry.to_le_bytes());
    let mut bytes: Vec<u8> = entries.collect();
    bytes.resize(1024, 0);
    (!format.palette.is_empty()).then(|| Bytes::from(bytes))
}

/// Announces to the decoder that rows may be padded, which spares it a copy of every picture.
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
#[derive(Debug, Clone)]
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

/// A decoded picture in the layout the decoder gave it.
#[derive(Debug, Clone)]
pub(super) struct Decoded {
    /// The rank that its packet was given.
    pub(super) rank: u64,
    pub(super) layout: Layout,
    pub(super) width: u32,
    pub(super) height: u32,
    /// It was decoded from damaged data, by the decoder's flag or its log.
    pub(super) is_damaged: bool,
    /// Made of two fields.
    pub(super) is_interlaced: bool,
    /// Width over height of one sample, as the decoder reports it.
    pub(super) aspect: (u32, u32),
    planes: Vec<Plane>,
    palette: Option<Bytes>,
    /// A picture whose luma is the alpha of this one.
    pub(super) alpha: Option<Box<Self>>,
}

impl Decoded {
    fn new(buffer: gst::Buffer, caps: &gst::Caps) -> Result<Self, MediaError> {
        let broken = |what: &str| MediaError::Engine(format!("a decoded picture has {what}"));
        let info = gst_video::VideoInfo::from_caps(caps)
            .map_err(|_| MediaError::Unsupported(format!("pictures of {caps}")))?;
        let name = info.format().to_str();
        let layout = Layout::from_name(name)
            .ok_or_else(|| MediaError::Unsupported(format!("pictures in the layout {name}")))?;
        let rank = buffer.pts().map_or(0, rank_of);
        let is_damaged = buffer.flags().contains(gst::BufferFlags::CORRUPTED);
        let is_interlaced = match info.interlace_mode() {
            gst_video::VideoInterlaceMode::Progressive => false,
            gst_video::VideoInterlaceMode::Mixed => buffer.flags().contains(
                gst::BufferFlags::from_bits_retain(gst_video::VideoBufferFlags::INTERLACED.bits()),
            ),
            _ => true,
        };
        let (offsets, strides) = match buffer.meta::<gst_video::VideoMeta>() {
            Some(meta) => (meta.offset().to_vec(), meta.stride().to_vec()),
            None => (info.offset().to_vec(), info.stride().to_vec()),
        };
        let (width, height) = (info.width(), info.height());
        let par = info.par();
        let positive = |value: i32| u32::try_from(value).unwrap_or(1).max(1);
        let mapped = buffer
            .into_mapped_buffer_readable()
            .map_err(|_| broken("pixels out of reach"))?;
        let mapped = Arc::new(mapped);
        let is_palette = layout == Layout::Rgb8Palette;
        let mut planes = Vec::with_capacity(offsets.len());
        let mut palette = None;
        for (plane, (&start, &stride)) in offsets.iter().zip(&strides).enumerate() {
            if is_palette && plane == 1 {
                palette = mapped
                    .as_slice()
                    .get(start..start + 1024)
                    .map(Bytes::copy_from_slice);
                continue;
            }
            let stride = usize::try_from(stride).map_err(|_| broken("rows bottom up"))?;
            let (row, rows) = layout.plane_size(plane, width, height);
            // The last row may end with its pixels.
            let end = (start + stride * rows).min(mapped.size());
            if stride < row || start + stride * (rows.max(1) - 1) + row > end {
                return Err(broken("too few bytes"));
            }
            let owner = Mapped {
                buffer: Arc::clone(&mapped),
                start,
                end,
            };
            planes.push(Plane {
                data: Bytes::from_owner(owner),
                stride,
            });
        }
        Ok(Self {
            rank,
            layout,
            width,
            height,
            is_damaged,
            is_interlaced,
            aspect: (positive(par.numer()), positive(par.denom())),
            planes,
            palette,
            alpha: None,
        })
    }

    /// A picture that was decoded without the library.
    pub(super) fn made(
        rank: u64,
        layout: Layout,
        (width, height): (u32, u32),
        planes: Vec<Plane>,
    ) -> Self {
        Self {
            rank,
            layout,
            width,
            height,
            is_damaged: false,
            is_interlaced: false,
            aspect: (1, 1),
            planes,
            palette: None,
            alpha: None,
        }
    }

    /// As the conversion takes it.
    pub(super) fn native(&self) -> Native<'_> {
        fn plane(plane: &Plane) -> NativePlane<'_> {
            NativePlane {
                data: &plane.data,
                stride: plane.stride,
            }
        }
        Native {
            layout: self.layout,
            width: self.width,
            height: self.height,
            planes: self.planes.iter().map(plane).collect(),
            is_interlaced: self.is_interlaced,
            palette: self.palette.as_deref(),
            alpha: self
                .alpha
                .as_ref()
                .filter(|alpha| (alpha.width, alpha.height) == (self.width, self.height))
                .and_then(|alpha| alpha.planes.first())
                .map(plane),
        }
    }

    /// The picture itself, its pixels left where they are; only of 8-bit 4:2:0.
    pub(super) fn as_it_is(&self, color: YuvColor) -> Frame {
        Frame {
            width: self.width,
            height: self.height,
            format: PixelFormat::I420(color),
            planes: self.planes.clone(),
        }
    }
}
