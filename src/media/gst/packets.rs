//! Packets of one track into a decoder, from a given one on: an `appsrc` that asks for the next
//! packet when its queue is empty, on its own thread.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use gstreamer as gst;
use gstreamer_app as gst_app;

use super::super::MediaError;
use super::super::container::{Addition, Codec, Contents, Input, Packet, Packets, Track};
use super::coded::PacketForm;

/// Times that decoders see: the rank of a packet's presentation time, in these nanoseconds, so
/// that nothing downstream corrects times that repeat or jitter.
const STEP: u64 = 40_000_000;

/// A file taken apart, and what of it is fed.
#[derive(Debug, Clone)]
pub(super) struct Feeding {
    pub(super) contents: Arc<Contents>,
    pub(super) track: usize,
    /// Each packet's place in presentation order; without it, packets are numbered as decoded.
    pub(super) ranks: Option<Arc<Vec<u32>>>,
    /// First packet.
    pub(super) from: usize,
    /// What is taken of each packet, and how it is timed.
    pub(super) part: Part,
}

/// What is fed of a packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// The picture, timed by its rank.
    Picture,
    /// The picture's alpha plane, timed as the picture.
    Alpha,
    /// The sound, timed by [`sound_time`].
    Sound,
}

/// Sound's times are moved by this, so that none is negative: an hour.
const SOUND_BASE: i64 = 3_600_000_000_000;

/// The time that a decoder of sound is given for media time `nanos`.
pub(super) fn sound_time(nanos: i64) -> gst::ClockTime {
    let moved = nanos.saturating_add(SOUND_BASE);
    gst::ClockTime::from_nseconds(u64::try_from(moved).unwrap_or(0))
}

/// The media time that decoded sound's time stands for.
pub(super) fn media_time(time: gst::ClockTime) -> i64 {
    i64::try_from(time.nseconds()).unwrap_or(i64::MAX) - SOUND_BASE
}

impl Feeding {
    pub(super) fn track(&self) -> Result<&Track, MediaError> {
        self.contents
            .tracks
            .get(self.track)
            .ok_or_else(|| MediaError::Engine(format!("there is no track {}", self.track)))
    }
}

/// The time a decoder is given for rank `rank`.
pub(super) fn time_of(rank: u64) -> gst::ClockTime {
    gst::ClockTime::from_nseconds(rank.saturating_mul(STEP))
}

/// The rank that a decoded picture's time stands for.
pub(super) fn rank_of(time: gst::ClockTime) -> u64 {
    (time.nseconds() + STEP / 2) / STEP
}

/// Why feeding stopped before the end, for the thread that waits for pictures.
pub(super) type Fault = Arc<Mutex<Option<MediaError>>>;

/// Where feeding stands.
struct Cursor {
    packets: Packets,
    feeding: Feeding,
    form: PacketForm,
    next: usize,
    description: Option<u16>,
    bytes: Vec<u8>,
}

/// An `appsrc` with `caps` that hands out the packets of `feeding`.
pub(super) fn source(
    file: &Path,
    feeding: Feeding,
    caps: &gst::Caps,
    fault: &Fault,
) -> Result<gst_app::AppSrc, MediaError> {
    let track = feeding.track()?;
    let first = track.packets.get(feeding.from);
    let description = first.map_or(0, |packet| packet.description);
    let codec = track
        .descriptions
        .get(usize::from(description))
        .map_or(Codec::Other(String::new()), |one| one.codec.clone());
    let cursor = Mutex::new(Cursor {
        packets: Packets::new(Input::open(file)?),
        form: PacketForm::of(&codec),
        next: feeding.from,
        description: None,
        bytes: Vec::new(),
        feeding,
    });
    let failed = Arc::clone(fault);
    let callbacks = gst_app::AppSrcCallbacks::builder()
        .need_data(move |source, _| {
            let mut cursor = cursor.lock().unwrap_or_else(PoisonError::into_inner);
            match cursor.buffer() {
                // A refused buffer means that the pipeline is being taken down.
                Ok(Some(buffer)) => {
                    let _ = source.push_buffer(buffer);
                }
                Ok(None) => {
                    let _ = source.end_of_stream();
                }
                Err(error) => {
                    failed
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .get_or_insert(error);
                    let _ = source.end_of_stream();
                }
            }
        })
        .build();
    Ok(gst_app::AppSrc::builder()
        .caps(caps)
        .format(gst::Format::Time)
        .callbacks(callbacks)
        .build())
}

impl Cursor {
    /// The next packet that has bytes.
    fn buffer(&mut self) -> Result<Option<gst::Buffer>, MediaError> {
        loop {
            let index = self.next;
            let contents = Arc::clone(&self.feeding.contents);
            let Some(track) = contents.tracks.get(self.feeding.track) else {
                return Ok(None);
            };
            let Some(packet) = track.packets.get(index) else {
                return Ok(None);
            };
            let first = self.description.unwrap_or(packet.description);
            // Another format of sound is another decoder's; pictures' decoders are given theirs.
            if self.feeding.part == Part::Sound
                && packet.description != first
                && track.description(index) != track.descriptions.get(usize::from(first))
            {
                return Ok(None);
            }
            self.next += 1;
            if packet.flags.is_repeat || packet.size == 0 {
                continue;
            }
            if self.feeding.part == Part::Alpha {
                let Some(addition) = addition_of(track, index) else {
                    continue;
                };
                self.packets.read_addition(addition, &mut self.bytes)?;
            } else {
                self.packets.read(track, packet, &mut self.bytes)?;
            }
            return Ok(Some(self.wrapped(track, packet, index)));
        }
    }

    fn wrapped(&mut self, track: &Track, packet: &Packet, index: usize) -> gst::Buffer {
        let is_first = self.description.is_none();
        let is_other = self.description != Some(packet.description);
        self.description = Some(packet.description);
        let config = track
            .descriptions
            .get(usize::from(packet.description))
            .map_or(&[][..], |description| &description.config);
        let with_config = is_first || is_other || packet.flags.is_sync;
        let bytes = self
            .form
            .shaped(std::mem::take(&mut self.bytes), config, with_config);
        let rank = match &self.feeding.ranks {
            Some(ranks) => ranks.get(index).copied().unwrap_or(u32::MAX).into(),
            None => index as u64,
        };
        let mut buffer = gst::Buffer::from_mut_slice(bytes);
        if let Some(fields) = buffer.get_mut() {
            if self.feeding.part == Part::Sound {
                let begin = track.clock.nanos(packet.pts);
                let end = track
                    .clock
                    .nanos(packet.pts.saturating_add(packet.duration.into()));
                fields.set_pts(sound_time(begin));
                if end > begin {
                    fields.set_duration(sound_time(end).saturating_sub(sound_time(begin)));
                }
            } else {
                fields.set_pts(time_of(rank));
                fields.set_duration(time_of(1));
            }
            if !packet.flags.is_sync && !is_first {
                fields.set_flags(gst::BufferFlags::DELTA_UNIT);
            }
            if is_first {
                fields.set_flags(gst::BufferFlags::DISCONT);
            }
        }
        buffer
    }
}

fn addition_of(track: &Track, packet: usize) -> Option<&Addition> {
    let packet = u32::try_from(packet).ok()?;
    let at = track
        .alpha
        .binary_search_by_key(&packet, |addition| addition.packet)
        .ok()?;
    track.alpha.get(at)
}
