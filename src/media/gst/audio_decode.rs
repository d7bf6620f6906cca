//! One sound track of a file as 48 kHz stereo, sample by sample from any source time on: decoding
//! begins a few packets before, what is not heard is silent.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use gstreamer_audio as gst_audio;
use gstreamer_audio::AudioChannelPosition as Position;

use super::super::MediaError;
use super::super::container::{Codec, Description, Detail, Role};
use super::super::sound::{self, Fold, Piece, Stereo};
use super::bus::Running;
use super::init::element;
use super::link::{add, link};
use super::moov::SOUND_RATE;
use super::opened::Opened;
use super::packets::{Fault, Feeding, Part, media_time, source};
use super::sounds::decoder;

/// Decoded packets that may wait.
const AHEAD: u32 = 64;
/// How often a wait looks for errors.
const LOOK: gst::ClockTime = gst::ClockTime::from_mseconds(200);
/// Times in containers are rounded and jitter; only more than this (40 ms) is a gap or an overlap, or
/// three quarters of a packet, so that a lost packet does not move what follows it.
const JITTER: i64 = 1_920;
/// At least so much (8 ms), however short packets are.
const LEAST_JITTER: i64 = 384;

/// Sound that ends earlier than its packets by no more than this (50 ms) has lost nothing that was
/// meant to be heard.
const ENDING: i64 = 2_400;

/// Reads one track forward.
pub(super) struct AudioReader {
    file: PathBuf,
    opened: Arc<Opened>,
    track: usize,
    pieces: VecDeque<Piece>,
    stall: Duration,
    /// The next sample that is handed out.
    at: i64,
    decoding: Option<Decoding>,
    /// Samples from one to before another that could not be decoded.
    lost: Vec<(i64, i64)>,
}

/// A piece that is being decoded.
struct Decoding {
    running: Running,
    sink: gst_app::AppSink,
    fault: Fault,
    piece: Piece,
    fold: Option<Fold>,
    gain: f32,
    /// Samples ready to be handed out, the first at `ready_at`.
    ready: VecDeque<Stereo>,
    ready_at: i64,
    /// Position behind the last decoded sample; `None` before the first.
    position: Option<i64>,
    /// Stretches without sound between decoded packets.
    gaps: Vec<(i64, i64)>,
    /// Samples that a gap is longer than.
    jitter: i64,
    has_ended: bool,
}

impl AudioReader {
    /// Opens track `track` of a file; the first sample wanted is `from`, at 48 kHz.
    pub(super) fn open(
        file: &Path,
        track: usize,
        from: u64,
        stall: Duration,
    ) -> Result<Self, MediaError> {
        let opened = Opened::of(file)?;
        let at = i64::try_from(from).unwrap_or(i64::MAX);
        let described = opened
            .contents
            .tracks
            .get(track)
            .ok_or_else(|| MediaError::Engine(format!("there is no track {track}")))?;
        let pieces = sound::pieces(described, opened.origin)
            .into_iter()
            .filter(|piece| piece.end > at)
            .collect();
        Ok(Self {
            file: file.to_owned(),
            opened,
            track,
            pieces,
            stall,
            at,
            decoding: None,
            lost: Vec::new(),
        })
    }

    /// What could not be decoded since this was asked last: samples of the source.
    pub(super) fn take_lost(&mut self) -> Vec<(i64, i64)> {
        std::mem::take(&mut self.lost)
    }

    /// Fills `out` with the next samples; where there is no sound they are silent.
    pub(super) fn read(&mut self, out: &mut [Stereo]) -> Result<(), MediaError> {
        out.fill([0.0; 2]);
        let end = self
            .at
            .saturating_add(i64::try_from(out.len()).unwrap_or(i64::MAX));
        while self.at < end {
            let Some(&piece) = self.pieces.front() else {
                self.at = end;
                return Ok(());
            };
            if piece.end <= self.at {
                self.pieces.pop_front();
                self.decoding = None;
                continue;
            }
            if piece.start > self.at {
                // Silence up to the piece.
                self.at = piece.start.min(end);
                continue;
            }
            if self.decoding.is_none() {
                self.decoding = Some(self.begin(piece)?);
            }
            let Some(decoding) = &mut self.decoding else {
                continue;
            };
            let first = usize::try_from(out.len() as i64 - (end - self.at)).unwrap_or(0);
            let last = piece.end.min(end);
            let wanted = usize::try_from(last - self.at).unwrap_or(0);
            let done = decoding.fill(self.at, &mut out[first..first + wanted])?;
            let mut gaps = std::mem::take(&mut decoding.gaps);
            let from = self.at;
            self.at += i64::try_from(done).unwrap_or(0);
            if done == 0 {
                // The piece's sound has ended before it.
                if last - self.at > ENDING {
                    gaps.push((self.at, last));
                }
                self.at = last;
            }
            let lost = gaps
                .into_iter()
                .filter(|&gap| gap.1 > from && self.has_packets(piece, gap));
            let lost: Vec<(i64, i64)> = lost.collect();
            self.lost.extend(lost);
        }
        Ok(())
    }

    /// Whether the file has packets for the middle of a gap: what is missing there was lost in
    /// decoding, not left out.
    fn has_packets(&self, piece: Piece, (from, to): (i64, i64)) -> bool {
        let Some(track) = self.opened.contents.tracks.get(self.track) else {
            return false;
        };
        let middle = from.midpoint(to) - piece.start;
        let media = piece.media.saturating_add(nanos_in(middle));
        let packets = &track.packets;
        let next = packets.partition_point(|packet| track.clock.nanos(packet.pts) <= media);
        let covering = next.checked_sub(1).and_then(|at| packets.get(at));
        covering.is_some_and(|packet| {
            let length = sound::packet_ticks(track, packet);
            let end = packet.pts.saturating_add(length);
            media < track.clock.nanos(end)
        })
    }

    /// Starts decoding for the current position, which lies in `piece`.
    fn begin(&self, piece: Piece) -> Result<Decoding, MediaError> {
        let track = self
            .opened
            .contents
            .tracks
            .get(self.track)
            .ok_or_else(|| MediaError::Engine("a track is gone".into()))?;
        let media = piece.media.saturating_add(nanos_in(self.at - piece.start));
        let from = sound::entry(track, media);
        let description = track
            .description(from)
            .ok_or_else(|| MediaError::Invalid("its sound track has no format".into()))?;
        let length = track.packets.get(from).map_or(0, |packet| packet.duration);
        let jitter = match samples_in(track.clock.nanos(length.into())) {
            0 => JITTER,
            samples => (samples * 3 / 4).clamp(LEAST_JITTER, JITTER),
        };
        let decoder = decoder(description)?;
        let fault = Fault::default();
        let feeding = Feeding {
            contents: Arc::clone(&self.opened.contents),
            track: self.track,
            ranks: None,
            from,
            part: Part::Sound,
        };
        let source = source(&self.file, feeding, &decoder.caps, &fault)?;
        let float = element("capsfilter")?;
        let format = gst::Caps::builder("audio/x-raw")
            .field("format", "F32LE")
            .field("layout", "interleaved")
            .build();
        float.set_property("caps", format);
        let resample = element("audioresample")?;
        resample.set_property("quality", 10_i32);
        let sink = gst_app::AppSink::builder()
            .sync(false)
            .max_buffers(AHEAD)
            .enable_last_sample(false)
            .caps(
                &gst::Caps::builder("audio/x-raw")
                    .field("format", "F32LE")
                    .field("layout", "interleaved")
                    .field("rate", i32::try_from(SOUND_RATE).unwrap_or(i32::MAX))
                    .build(),
            )
            .build();
        let convert = element("audioconvert")?;
        let pipeline = gst::Pipeline::new();
        let mut elements: Vec<&gst::Element> = vec![source.upcast_ref()];
        elements.extend(&decoder.element);
        elements.extend([&convert, &float, &resample, sink.upcast_ref()]);
        add(&pipeline, &elements)?;
        link(&elements)?;
        let running = Running::new(pipeline, self.stall)?;
        running.start()?;
        Ok(Decoding {
            running,
            sink,
            fault,
            piece,
            fold: roles_of(description).map(Fold::of_roles),
            gain: decoder.gain,
            ready: VecDeque::new(),
            ready_at: self.at,
            position: None,
            gaps: Vec::new(),
            jitter,
            has_ended: false,
        })
    }
}

/// The container's places of channels, of codecs that have none of their own.
fn roles_of(description: &Description) -> Option<&[Role]> {
    let is_plain = matches!(
        description.codec,
        Codec::Pcm(_)
            | Codec::ALaw
            | Codec::MuLaw
            | Codec::Flac
            | Codec::AdpcmMs
            | Codec::AdpcmImaWav
    );
    match &description.detail {
        // One channel is heard on both sides, whatever position it has.
        Detail::Audio(format) if is_plain && format.channels > 2 => format.layout.as_deref(),
        _ => None,
    }
}

impl Decoding {
    /// Copies samples from position `at` on into `out`; fewer than asked for only at the end.
    fn fill(&mut self, at: i64, out: &mut [Stereo]) -> Result<usize, MediaError> {
        let mut done = 0;
        while done < out.len() {
            let here = at + i64::try_from(done).unwrap_or(0);
            self.drop_before(here);
            if self.ready.is_empty() {
                if !self.more()? {
                    break;
                }
                continue;
            }
            // A gap stays silent.
            let gap = usize::try_from(self.ready_at - here)
                .unwrap_or(0)
                .min(out.len() - done);
            done += gap;
            let count = self.ready.len().min(out.len() - done);
            for (slot, sample) in out[done..].iter_mut().zip(self.ready.drain(..count)) {
                *slot = sample;
            }
            self.ready_at += i64::try_from(count).unwrap_or(0);
            done += count;
        }
        Ok(done)
    }

    fn drop_before(&mut self, at: i64) {
        let late = usize::try_from(at - self.ready_at)
            .unwrap_or(0)
            .min(self.ready.len());
        self.ready.drain(..late);
        self.ready_at += i64::try_from(late).unwrap_or(0);
    }

    /// Decodes on; false at the end.
    fn more(&mut self) -> Result<bool, MediaError> {
        if self.has_ended {
            return Ok(false);
        }
        match self.next() {
            Ok(Some(sample)) => {
                self.accept(&sample)?;
                Ok(true)
            }
            Ok(None) => {
                self.has_ended = true;
                Ok(false)
            }
            Err(MediaError::Invalid(reason)) if self.position.is_some() => {
                tracing::warn!(reason, "source damaged, silent from there on");
                let from = self.position.unwrap_or(self.piece.start);
                self.gaps.push((from, self.piece.end));
                self.has_ended = true;
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    fn next(&self) -> Result<Option<gst::Sample>, MediaError> {
        let deadline = Instant::now() + self.running.stall();
        loop {
            if let Some(sample) = self.sink.try_pull_sample(LOOK) {
                return Ok(Some(sample));
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

    /// Places a decoded packet behind what is ready.
    fn accept(&mut self, sample: &gst::Sample) -> Result<(), MediaError> {
        let broken = |what: &str| MediaError::Engine(format!("decoded sound has {what}"));
        let caps = sample.caps().ok_or_else(|| broken("no format"))?;
        let info =
            gst_audio::AudioInfo::from_caps(caps).map_err(|_| broken("an unknown format"))?;
        let buffer = sample.buffer().ok_or_else(|| broken("no samples"))?;
        let bytes = buffer
            .map_readable()
            .map_err(|_| broken("samples out of reach"))?;
        let channels = (info.channels() as usize).max(1);
        let own;
        let fold = match &self.fold {
            Some(fold) => fold,
            None => {
                own = fold_of(&info);
                &own
            }
        };
        let decoded: Vec<f32> = bytes
            .as_chunks::<4>()
            .0
            .iter()
            .map(|four| f32::from_le_bytes(*four) * self.gain)
            // A damaged float file must not silence the whole mix.
            .map(|sample| if sample.is_finite() { sample } else { 0.0 })
            .collect();
        let stereo: Vec<Stereo> = decoded
            .chunks_exact(channels)
            .map(|sample| fold.apply(sample))
            .collect();
        let stated = buffer
            .pts()
            .map(|time| self.piece.start + samples_in(media_time(time) - self.piece.media));
        let start = match (stated, self.position) {
            (Some(stated), Some(expected))
                if (-JITTER..=self.jitter).contains(&(stated - expected)) =>
            {
                expected
            }
            (Some(stated), _) => stated,
            (None, expected) => expected.unwrap_or(self.piece.start),
        };
        if let Some(expected) = self.position.filter(|&expected| start > expected) {
            self.gaps.push((expected, start));
        }
        let end = start + i64::try_from(stereo.len()).unwrap_or(0);
        self.position = Some(end);
        let ready_end = self.ready_at + i64::try_from(self.ready.len()).unwrap_or(0);
        if self.ready.is_empty() && start >= self.ready_at {
            self.ready_at = start;
            self.ready.extend(stereo);
            return Ok(());
        }
        // Over what is there already, or behind a gap.
        let late = usize::try_from(ready_end - start)
            .unwrap_or(0)
            .min(stereo.len());
        let gap = usize::try_from(start - ready_end).unwrap_or(0);
        self.ready
            .extend(std::iter::repeat_n([0.0; 2], gap.min(MAX_GAP)));
        self.ready.extend(&stereo[late..]);
        Ok(())
    }
}

/// Silence that is held in memory at once; longer gaps are ends of damaged files.
const MAX_GAP: usize = 48_000 * 60;

/// Nanoseconds in samples, rounded to nearest.
fn samples_in(nanos: i64) -> i64 {
    let scaled = i128::from(nanos) * i128::from(SOUND_RATE);
    i64::try_from((scaled + 500_000_000).div_euclid(1_000_000_000)).unwrap_or(i64::MAX)
}

/// Samples in nanoseconds, rounded down.
fn nanos_in(samples: i64) -> i64 {
    let scaled = i128::from(samples) * 1_000_000_000;
    i64::try_from(scaled.div_euclid(i128::from(SOUND_RATE))).unwrap_or(i64::MAX)
}

fn fold_of(info: &gst_audio::AudioInfo) -> Fold {
    let channels = info.channels() as usize;
    let Some(positions) = info.positions().filter(|_| channels > 2) else {
        return Fold::unplaced(channels);
    };
    if positions.contains(&Position::None) {
        return Fold::unplaced(channels);
    }
    let roles: Vec<Role> = positions.iter().map(|&position| role(position)).collect();
    Fold::of_roles(&roles)
}

fn role(position: Position) -> Role {
    match position {
        Position::FrontLeft => Role::FrontLeft,
        Position::FrontRight => Role::FrontRight,
        Position::FrontCenter => Role::FrontCenter,
        Position::FrontLeftOfCenter => Role::FrontLeftOfCenter,
        Position::FrontRightOfCenter => Role::FrontRightOfCenter,
        Position::WideLeft => Role::WideLeft,
        Position::WideRight => Role::WideRight,
        Position::RearLeft => Role::BackLeft,
        Position::RearRight => Role::BackRight,
        Position::RearCenter => Role::BackCenter,
        Position::SideLeft | Position::SurroundLeft | Position::TopSideLeft => Role::SideLeft,
        Position::SideRight | Position::SurroundRight | Position::TopSideRight => Role::SideRight,
        Position::TopFrontLeft => Role::TopFrontLeft,
        Position::TopFrontRight => Role::TopFrontRight,
        Position::TopFrontCenter => Role::TopFrontCenter,
        Position::TopRearLeft => Role::TopBackLeft,
        Position::TopRearRight => Role::TopBackRight,
        Position::TopRearCenter => Role::TopBackCenter,
        Position::TopCenter => Role::TopCenter,
        Position::Lfe1 | Position::Lfe2 => Role::LowFrequency,
        _ => Role::Mono,
    }
}
