//! The first sound track of a file as 48 kHz stereo, sample by sample from source time 0: codec
//! delay removed, gaps filled with silence.

use std::collections::VecDeque;
use std::path::Path;
use std::time::{Duration, Instant};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use gstreamer_audio as gst_audio;
use gstreamer_audio::AudioChannelPosition as Position;

use super::super::MediaError;
use super::super::sound::{Fold, Speaker, Stereo};
use super::bus::Running;
use super::caps::audio_codec;
use super::init::element;
use super::lame;
use super::moov::SOUND_RATE;
use super::pictures::shown_at;
use super::sniff::sniff;
use super::tracks::{Faults, Kind, add, chain, demux};

/// Decoded packets that may wait.
const AHEAD: u32 = 64;
/// How often a wait looks for errors.
const LOOK: gst::ClockTime = gst::ClockTime::from_mseconds(200);
/// Times in containers are rounded; only more than this (40 ms) is a gap or an overlap.
const JITTER: i64 = 1_920;

/// Reads one file's sound from beginning to end.
pub(super) struct AudioReader {
    running: Running,
    sink: gst_app::AppSink,
    faults: Faults,
    /// Samples by which the codec is late, still in everyone's times.
    lead: i64,
    /// Where the sound ends, if the file declares it.
    length: Option<i64>,
    /// Samples ready to be handed out.
    ready: VecDeque<Stereo>,
    /// Silent samples before those.
    silence: u64,
    /// Position behind the last ready sample.
    placed: i64,
    /// Position behind the last decoded sample, ready or cut off; none before the first packet.
    position: Option<i64>,
    ended: bool,
}

impl AudioReader {
    /// Starts decoding.
    pub(super) fn open(file: &Path, stall: Duration) -> Result<Self, MediaError> {
        let container = sniff(file)?;
        let pipeline = gst::Pipeline::new();
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
        add(&pipeline, &[sink.upcast_ref()])?;
        let (weak, tail) = (pipeline.downgrade(), sink.clone());
        let (told, telling) = std::sync::mpsc::channel();
        let faults = demux(&pipeline, file, container, move |kind, caps, _| {
            let Some(pipeline) = weak.upgrade().filter(|_| kind == Kind::Audio) else {
                return Ok(None);
            };
            let codec = audio_codec(caps)?;
            // Nobody listens once the reader has started; then there is nothing to tell.
            let _ = told.send(codec.word);
            let mut elements = codec.decoding()?;
            let float = element("capsfilter")?;
            let format = gst::Caps::builder("audio/x-raw")
                .field("format", "F32LE")
                .field("layout", "interleaved")
                .build();
            float.set_property("caps", format);
            let resample = element("audioresample")?;
            resample.set_property("quality", 10_i32);
            elements.extend([element("audioconvert")?, float, resample]);
            chain(&pipeline, &elements, tail.upcast_ref())
        })?;
        let running = Running::new(pipeline, stall)?;
        running
            .preroll()
            .map_err(|error| faults.take().unwrap_or(error))?;
        let is_mp3 = telling.try_recv().is_ok_and(|codec| codec == "mp3");
        let gapless = if is_mp3 { lame::gapless(file)? } else { None };
        running.start()?;
        Ok(Self {
            running,
            sink,
            faults,
            lead: gapless.map_or(0, |gapless| samples_in(gapless.lead)),
            length: gapless.and_then(|gapless| gapless.duration).map(samples_in),
            ready: VecDeque::new(),
            silence: 0,
            placed: 0,
            position: None,
            ended: false,
        })
    }

    /// Passes over `count` samples.
    pub(super) fn skip(&mut self, mut count: u64) -> Result<(), MediaError> {
        while count > 0 && self.fill()? {
            let silent = count.min(self.silence);
            self.silence -= silent;
            let rest = usize::try_from(count - silent).unwrap_or(usize::MAX);
            let now = rest.min(self.ready.len());
            self.ready.drain(..now);
            count -= silent + now as u64;
        }
        Ok(())
    }

    /// Fills `out` with the next samples; beyond the end they are silent.
    pub(super) fn read(&mut self, out: &mut [Stereo]) -> Result<(), MediaError> {
        let mut done = 0;
        while done < out.len() {
            if !self.fill()? {
                out[done..].fill([0.0; 2]);
                return Ok(());
            }
            let room = out.len() - done;
            let silent = usize::try_from(self.silence)
                .unwrap_or(usize::MAX)
                .min(room);
            out[done..done + silent].fill([0.0; 2]);
            self.silence -= silent as u64;
            done += silent;
            let now = self.ready.len().min(out.len() - done);
            for (slot, sample) in out[done..].iter_mut().zip(self.ready.drain(..now)) {
                *slot = sample;
            }
            done += now;
        }
        Ok(())
    }

    /// Sees to it that samples are ready; false at the end.
    fn fill(&mut self) -> Result<bool, MediaError> {
        while self.ready.is_empty() && !self.ended {
            match self.next() {
                Ok(Some(sample)) => self.accept(&sample)?,
                Ok(None) => self.ended = true,
                Err(MediaError::Invalid(reason)) if self.position.is_some() => {
                    tracing::warn!(reason, "source damaged, silent from there on");
                    self.ended = true;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(!self.ready.is_empty())
    }

    fn next(&self) -> Result<Option<gst::Sample>, MediaError> {
        let deadline = Instant::now() + self.running.stall();
        loop {
            if let Some(sample) = self.sink.try_pull_sample(LOOK) {
                return Ok(Some(sample));
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
        let fold = fold_of(&info);
        let decoded: Vec<f32> = bytes
            .chunks_exact(4)
            .map(|four| four.try_into().map_or(0.0, f32::from_le_bytes))
            // A damaged float file must not silence the whole mix.
            .map(|sample| if sample.is_finite() { sample } else { 0.0 })
            .collect();
        let mut stereo: Vec<Stereo> = decoded
            .chunks_exact(channels)
            .map(|sample| fold.apply(sample))
            .collect();
        let said = shown_at(sample).map(|nanos| samples_in(nanos) - self.lead);
        let start = match (said, self.position) {
            (Some(said), Some(expected)) if (said - expected).abs() <= JITTER => expected,
            (Some(said), _) => said,
            (None, expected) => expected.unwrap_or(-self.lead),
        };
        self.position = Some(start + i64::try_from(stereo.len()).unwrap_or(0));
        let mut at = start;
        if at < self.placed {
            // Before the beginning, or over what was already heard.
            let late = usize::try_from(self.placed - at).unwrap_or(usize::MAX);
            stereo.drain(..late.min(stereo.len()));
            at = self.placed;
        }
        if let Some(length) = self.length {
            stereo.truncate(usize::try_from(length - at).unwrap_or(0));
        }
        if !stereo.is_empty() {
            self.silence += u64::try_from(at - self.placed).unwrap_or(0);
            self.placed = at + i64::try_from(stereo.len()).unwrap_or(0);
            self.ready.extend(stereo);
        }
        Ok(())
    }
}

/// Nanoseconds in samples, rounded to nearest.
fn samples_in(nanos: i64) -> i64 {
    let scaled = i128::from(nanos) * i128::from(SOUND_RATE);
    i64::try_from((scaled + 500_000_000).div_euclid(1_000_000_000)).unwrap_or(i64::MAX)
}

fn fold_of(info: &gst_audio::AudioInfo) -> Fold {
    let channels = info.channels() as usize;
    let Some(positions) = info.positions().filter(|_| channels > 2) else {
        return Fold::unplaced(channels);
    };
    if positions.contains(&Position::None) {
        return Fold::unplaced(channels);
    }
    let speakers: Vec<Speaker> = positions
        .iter()
        .map(|&position| speaker(position))
        .collect();
    Fold::new(&speakers)
}

fn speaker(position: Position) -> Speaker {
    match position {
        Position::FrontLeft | Position::FrontLeftOfCenter | Position::WideLeft => Speaker::Left,
        Position::FrontRight | Position::FrontRightOfCenter | Position::WideRight => Speaker::Right,
        Position::FrontCenter => Speaker::Center,
        Position::RearLeft
        | Position::SideLeft
        | Position::SurroundLeft
        | Position::TopFrontLeft
        | Position::TopRearLeft
        | Position::TopSideLeft => Speaker::LeftSurround,
        Position::RearRight
        | Position::SideRight
        | Position::SurroundRight
        | Position::TopFrontRight
        | Position::TopRearRight
        | Position::TopSideRight => Speaker::RightSurround,
        Position::RearCenter => Speaker::RearCenter,
        Position::Lfe1 | Position::Lfe2 => Speaker::LowFrequency,
        _ => Speaker::Mono,
    }
}
