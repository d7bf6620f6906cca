//! How long packets of sound last by their own bytes. Matroska keeps times in whole ticks, a
//! millisecond each as a rule, and no times at all for the later frames of a laced block; counting
//! samples gives them to the sample.

use super::super::flac::{Frame, StreamInfo};
use super::super::mp3::Header;
use super::super::ogg::{Mapping, opus_samples};
use super::super::{Codec, Description, Detail, Packet, Track, split_headers};

const NANOS: i128 = 1_000_000_000;

/// Counts the samples of each packet of one track.
#[derive(Debug)]
pub(super) struct Lengths {
    kind: Kind,
    /// Samples a second.
    rate: u32,
}

#[derive(Debug)]
enum Kind {
    Fixed(u32),
    /// Linear samples: bytes of one over all channels.
    Linear(u64),
    Mpeg,
    Opus,
    Vorbis(Mapping),
    Flac(StreamInfo),
}

impl Lengths {
    /// `None`: packets of that codec do not state it, or are no sound.
    pub(super) fn of(description: &Description) -> Option<Self> {
        let Detail::Audio(format) = &description.detail else {
            return None;
        };
        let channels = u64::from(format.channels.max(1));
        let kind = match &description.codec {
            Codec::Aac => Kind::Fixed(1024),
            Codec::Ac3 => Kind::Fixed(1536),
            Codec::Mp3 | Codec::Mp2 => Kind::Mpeg,
            Codec::Opus => Kind::Opus,
            Codec::Vorbis => Kind::Vorbis(vorbis(&description.config)?),
            Codec::Flac => Kind::Flac(StreamInfo::read(&description.config)?),
            Codec::Pcm(pcm) => Kind::Linear(u64::from(pcm.bits / 8) * channels),
            Codec::ALaw | Codec::MuLaw => Kind::Linear(channels),
            _ => return None,
        };
        let rate = match kind {
            Kind::Opus => 48_000,
            _ => format.sample_rate,
        };
        (rate > 0).then_some(Self { kind, rate })
    }

    /// Nanoseconds of a packet of `size` bytes that begins with `head`; `None`: not stated.
    pub(super) fn nanos(&mut self, head: &[u8], size: u64) -> Option<u32> {
        let samples = match &mut self.kind {
            Kind::Fixed(samples) => *samples,
            Kind::Linear(bytes) => u32::try_from(size / (*bytes).max(1)).ok()?,
            Kind::Mpeg => Header::read(*head.first_chunk()?)?.samples,
            Kind::Opus => opus_samples(head),
            Kind::Vorbis(mapping) => mapping.packet(head).duration,
            Kind::Flac(info) => Frame::read(head, info)?.samples,
        };
        let nanos =
            (i128::from(samples) * NANOS + i128::from(self.rate) / 2) / i128::from(self.rate);
        u32::try_from(nanos).ok().filter(|_| samples > 0)
    }
}

/// From the three headers, each behind its length. Writers count the first packet as if a short
/// block stood before it.
fn vorbis(config: &[u8]) -> Option<Mapping> {
    let headers: Vec<Vec<u8>> = split_headers(config)
        .into_iter()
        .map(<[u8]>::to_vec)
        .collect();
    let mut mapping = Mapping::of(headers.first()?);
    mapping.configure(&headers);
    mapping.preceded_by_a_short_block().then_some(mapping)
}

/// Where in a track's packets the time of a block stands, and where only its place in the block.
#[derive(Debug, Default)]
pub(super) struct Laced(Vec<u32>);

impl Laced {
    /// Packet `index` has no time of its own.
    pub(super) fn push(&mut self, index: usize) {
        self.0.extend(u32::try_from(index).ok());
    }
}

/// Replaces the times of `track`, in nanoseconds, by counted ones, as long as each lies within a
/// `tick` of its block's time: the one time for the run that all blocks agree on.
pub(super) fn count(track: &mut Track, laced: &Laced, tick: i64) {
    let mut laced = laced.0.iter().peekable();
    let mut run = PacketRun::default();
    let packets = &mut track.packets;
    for index in 0..packets.len() {
        let is_laced = laced.next_if(|&&one| one as usize == index).is_some();
        let Packet { pts, duration, .. } = packets[index];
        let fits = is_laced || run.accepts(pts, tick);
        if !fits {
            run.settle(packets, index);
            run = PacketRun::begun(index, pts, tick);
        }
        run.length = run.length.saturating_add(i64::from(duration));
        if duration == 0 {
            // Where the next one begins is unknown.
            run.settle(packets, index + 1);
            run = PacketRun {
                is_over: true,
                ..PacketRun::default()
            };
        }
    }
    let end = packets.len();
    run.settle(packets, end);
}

/// Packets that follow one another without a gap.
#[derive(Debug, Default)]
struct PacketRun {
    first: usize,
    /// Between these the first packet's time must lie.
    least: i64,
    most: i64,
    /// Nanoseconds so far.
    length: i64,
    is_over: bool,
}

impl PacketRun {
    fn begun(first: usize, pts: i64, tick: i64) -> Self {
        Self {
            first,
            least: pts.saturating_sub(tick),
            most: pts.saturating_add(tick),
            length: 0,
            is_over: false,
        }
    }

    /// Whether a block at `pts` may go on with the run; narrows where the run begins.
    fn accepts(&mut self, pts: i64, tick: i64) -> bool {
        let begin = pts.saturating_sub(self.length);
        let (least, most) = (
            self.least.max(begin.saturating_sub(tick)),
            self.most.min(begin.saturating_add(tick)),
        );
        if self.is_over || self.length == 0 || least > most {
            return false;
        }
        (self.least, self.most) = (least, most);
        true
    }

    /// Writes the times up to packet `end`.
    fn settle(&self, packets: &mut [Packet], end: usize) {
        if self.is_over || self.length == 0 {
            return;
        }
        let mut time = self.least.midpoint(self.most);
        for packet in packets.iter_mut().take(end).skip(self.first) {
            (packet.pts, packet.dts) = (time, time);
            time = time.saturating_add(i64::from(packet.duration));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::{
        AudioFormat, Clock, Orientation, PacketFlags, Payload, PcmFormat, TrackKind,
    };
    use super::*;

    const MILLI: i64 = 1_000_000;

    /// Packets of 1,024 samples at 48 kHz at these milliseconds.
    fn track(times: &[i64]) -> Track {
        let packet = |&time: &i64| Packet {
            offset: 0,
            size: 1,
            description: 0,
            flags: PacketFlags::default(),
            dts: time * MILLI,
            pts: time * MILLI,
            duration: 21_333_333,
        };
        Track {
            id: 1,
            kind: TrackKind::Audio,
            is_enabled: true,
            is_default: true,
            language: None,
            clock: Clock::hertz(1_000_000_000),
            descriptions: Vec::new(),
            packets: times.iter().map(packet).collect(),
            payload: Payload::Plain,
            edits: None,
            lead: 0,
            tail: 0,
            orientation: Orientation::default(),
            alpha: Vec::new(),
            declared_rate: None,
        }
    }

    fn counted(times: &[i64], laced: &[u32]) -> Vec<i64> {
        let mut track = track(times);
        count(&mut track, &Laced(laced.to_vec()), MILLI);
        track.packets.iter().map(|packet| packet.pts).collect()
    }

    #[test]
    fn rounded_times_become_those_of_the_samples() {
        let times: Vec<i64> = (0..50)
            .map(|n| (n * 21_333_333 + 500_000) / MILLI)
            .collect();
        for (n, time) in (0_i64..).zip(counted(&times, &[])) {
            let error = (time - n * 21_333_333).abs();
            assert!(error < 100_000, "packet {n} is {error} ns off");
        }
    }

    #[test]
    fn frames_of_a_laced_block_follow_one_another() {
        let times = counted(&[300, 300, 300, 364], &[1, 2]);
        for pair in times.windows(2) {
            assert_eq!(pair[1] - pair[0], 21_333_333);
        }
    }

    #[test]
    fn a_gap_begins_anew_at_its_blocks_time() {
        let times = counted(&[0, 21, 43, 500, 521], &[]);
        assert!((times[3] - 500 * MILLI).abs() <= MILLI, "{times:?}");
        assert_eq!(times[4] - times[3], 21_333_333);
    }

    #[test]
    fn linear_samples_are_counted_by_their_bytes() {
        let description = Description {
            codec: Codec::Pcm(PcmFormat {
                bits: 16,
                is_float: false,
                is_signed: true,
                is_big_endian: false,
            }),
            config: Vec::new(),
            encryption: None,
            detail: Detail::Audio(AudioFormat {
                sample_rate: 48_000,
                channels: 2,
                ..AudioFormat::default()
            }),
        };
        let mut lengths = Lengths::of(&description).unwrap();
        assert_eq!(lengths.nanos(&[], 4 * 4800), Some(100_000_000));
    }
}
