//! The timeline's sound in one pass: decode, place, fade, sum, limit, encode once.

use std::path::{Path, PathBuf};
use std::time::Duration;

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;

use super::super::sound::{Limiter, Stereo, amplitude};
use super::super::{DamagedClip, MediaError, MixClip, MixPlan};
use super::audio_decode::AudioReader;
use super::feed::Feed;
use super::init::element;
use super::link::{add, link, location};
use super::moov::{self, Intended, Priming, SOUND_RATE};
use super::scratch::Scratch;

/// Samples mixed at a time: 100 ms.
const BLOCK: u64 = 4_800;
/// Blocks that may wait for the encoder.
const AHEAD: usize = 20;

/// Mixes `plan` into an MP4 file at `out`.
pub(super) fn mix(
    plan: &MixPlan,
    files: &[PathBuf],
    out: &Path,
    stall: Duration,
    progress: &mut dyn FnMut(u64),
) -> Result<Vec<DamagedClip>, MediaError> {
    if plan.samples == 0 {
        return Err(MediaError::Engine("a mix has no length".into()));
    }
    let muxed = Scratch::beside(out);
    let mut encoder = Encoder::start(plan.kbps, muxed.path(), stall)?;
    let mut voices: Vec<Voice<'_>> = plan.clips.iter().map(Voice::new).collect();
    let mut limiter = Limiter::default();
    let mut limited = Vec::new();
    let mut at = 0;
    while at < plan.samples {
        let length = BLOCK.min(plan.samples - at);
        let mut block = vec![[0.0_f32; 2]; usize::try_from(length).unwrap_or(0)];
        for voice in &mut voices {
            voice.add_to(&mut block, at, files, stall)?;
        }
        limiter.process(&block, &mut limited);
        encoder.push(&limited)?;
        limited.clear();
        at += length;
        progress(at);
    }
    limiter.finish(&mut limited);
    encoder.push(&limited)?;
    encoder.finish()?;
    let intended = Intended {
        video: None,
        samples: Some(plan.samples),
        priming: Priming::Kept,
    };
    moov::rewrite(muxed.path(), out, &intended)?;
    let damaged = voices.into_iter().enumerate().flat_map(|(clip, voice)| {
        let spans = voice.damaged.into_iter();
        spans.map(move |(from, to)| DamagedClip { clip, from, to })
    });
    Ok(damaged.collect())
}

/// One clip while it is mixed. Its file is open only between its first and last sample.
struct Voice<'a> {
    clip: &'a MixClip,
    reader: Option<AudioReader>,
    /// Samples of the clip that have been mixed.
    done: u64,
    /// Output samples at which its sound could not be decoded.
    damaged: Vec<(u64, u64)>,
}

/// Damaged stretches of a clip that are reported.
const MOST_DAMAGED: usize = 1_000;

impl<'a> Voice<'a> {
    fn new(clip: &'a MixClip) -> Self {
        Self {
            clip,
            reader: None,
            done: 0,
            damaged: Vec::new(),
        }
    }

    /// Adds what the clip sounds like in the block that begins at output sample `at`.
    fn add_to(
        &mut self,
        block: &mut [Stereo],
        at: u64,
        files: &[PathBuf],
        stall: Duration,
    ) -> Result<(), MediaError> {
        let clip = self.clip;
        let block_end = at + block.len() as u64;
        let from = clip.start.max(at);
        let to = clip.start.saturating_add(clip.length).min(block_end);
        if from >= to {
            return Ok(());
        }
        let mut reader = match self.reader.take() {
            Some(reader) => reader,
            None => {
                let file = files.get(clip.source).ok_or_else(|| {
                    MediaError::Engine(format!("a clip names source {}", clip.source))
                })?;
                AudioReader::open(file, clip.track, clip.source_start, stall)?
            }
        };
        let first = usize::try_from(from - at).unwrap_or(0);
        let last = usize::try_from(to - at).unwrap_or(0);
        let mut heard = vec![[0.0; 2]; last - first];
        reader.read(&mut heard)?;
        for (lost, until) in reader.take_lost() {
            // From the source's samples to the output's.
            let on_output = |sample: i64| {
                let within = u64::try_from(sample)
                    .unwrap_or(0)
                    .saturating_sub(clip.source_start);
                clip.start.saturating_add(within.min(clip.length))
            };
            let (lost, until) = (on_output(lost), on_output(until));
            if lost < until && self.damaged.len() < MOST_DAMAGED {
                self.damaged.push((lost, until));
            }
        }
        for (slot, sample) in block[first..last].iter_mut().zip(heard) {
            let factor = amplitude(clip, self.done);
            slot[0] += sample[0] * factor;
            slot[1] += sample[1] * factor;
            self.done += 1;
        }
        if self.done < clip.length {
            self.reader = Some(reader);
        }
        Ok(())
    }
}

/// Stereo samples into an AAC track.
struct Encoder {
    feed: Feed,
    pushed: u64,
}

impl Encoder {
    fn start(kbps: u32, out: &Path, stall: Duration) -> Result<Self, MediaError> {
        let rate = i32::try_from(SOUND_RATE).unwrap_or(i32::MAX);
        let caps = gst::Caps::builder("audio/x-raw")
            .field("format", "F32LE")
            .field("layout", "interleaved")
            .field("rate", rate)
            .field("channels", 2_i32)
            .field("channel-mask", gst::Bitmask::new(3))
            .build();
        let source = gst_app::AppSrc::builder()
            .caps(&caps)
            .format(gst::Format::Time)
            .max_bytes(0)
            .build();
        let convert = element("audioconvert")?;
        let encoder = element("avenc_aac")?;
        let bits = i32::try_from(kbps.saturating_mul(1000)).unwrap_or(i32::MAX);
        encoder.set_property("bitrate", bits);
        // Joint stereo is broken between this element and the library: a sound on one side alone
        // comes out on both, at half its height.
        for tool in ["aac-ms", "aac-is"] {
            encoder.set_property_from_str(tool, "false");
        }
        let parser = element("aacparse")?;
        let muxer = element("mp4mux")?;
        let sink = element("filesink")?;
        sink.set_property("location", location(out)?);
        let pipeline = gst::Pipeline::new();
        let elements = [
            source.upcast_ref(),
            &convert,
            &encoder,
            &parser,
            &muxer,
            &sink,
        ];
        add(&pipeline, &elements)?;
        link(&elements)?;
        Ok(Self {
            feed: Feed::start(pipeline, source, &sink, AHEAD, stall)?,
            pushed: 0,
        })
    }

    fn push(&mut self, samples: &[Stereo]) -> Result<(), MediaError> {
        if samples.is_empty() {
            return Ok(());
        }
        let bytes: Vec<u8> = samples
            .iter()
            .flatten()
            .flat_map(|sample| sample.to_le_bytes())
            .collect();
        let mut buffer = gst::Buffer::from_mut_slice(bytes);
        if let Some(fields) = buffer.get_mut() {
            let start = time_of(self.pushed);
            fields.set_pts(start);
            let end = time_of(self.pushed + samples.len() as u64);
            fields.set_duration(end.saturating_sub(start));
        }
        self.pushed += samples.len() as u64;
        self.feed.push(buffer)
    }

    fn finish(self) -> Result<(), MediaError> {
        self.feed.finish()
    }
}

fn time_of(sample: u64) -> gst::ClockTime {
    let nanos = u128::from(sample) * 1_000_000_000 / u128::from(SOUND_RATE);
    gst::ClockTime::from_nseconds(u64::try_from(nanos).unwrap_or(u64::MAX - 1))
}
