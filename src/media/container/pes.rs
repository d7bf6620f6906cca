//! Packetised elementary streams (ISO 13818-1 §2.4.3.6), which transport and program streams share:
//! their headers, and their bytes as packets of whole frames with rising times.

mod clock;
mod sound;
mod times;

use super::{
    AudioFormat, Clock, Codec, Description, Detail, Extent, Finding, MAX_PACKETS, Orientation,
    Packet, PacketFlags, Payload, Track, TrackKind, VideoFormat,
};
use crate::media::MediaError;
use crate::media::bitstream::{Entry, Units};

pub(super) use clock::ProgramClock;
use clock::{Placed, unwrapped};

/// The name of a stream whose map does not state what it carries.
pub(super) const PRIVATE: &str = "data of a private stream";
/// Ticks a second of every time.
pub(super) const CLOCK: Clock = Clock::hertz(90_000);
/// A packet of a stream larger than this is damage.
const MAX_PES: usize = 64 * 1024 * 1024;
/// Sound that is no frame is let go beyond so many bytes.
const MAX_WAITING: usize = 1 << 20;
/// Distances between pictures from which their rate is found.
const OBSERVED: usize = 5;
/// A frame of pictures without any rate.
const USUAL_FRAME: i64 = 3_600;

/// Times in a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Times {
    pub(super) pts: Option<i64>,
    pub(super) dts: Option<i64>,
}

/// The header of a packet that begins with `00 00 01`: stream id, times, its own length, and how
/// many bytes follow it, where that is stated.
pub(super) fn header(bytes: &[u8]) -> Option<(u8, Times, usize, Option<usize>)> {
    let &[0, 0, 1, id, high, low, ..] = bytes else {
        return None;
    };
    let length = usize::from(u16::from_be_bytes([high, low]));
    let whole = (length > 0).then_some(length);
    // Program stream map, padding, private stream 2, ECM, EMM, directory, DSMCC, H.222.1 E.
    if matches!(id, 0xbc | 0xbe | 0xbf | 0xf0..=0xf2 | 0xf8 | 0xff) {
        return Some((id, Times::default(), 6, whole));
    }
    let rest = bytes.get(6..)?;
    let first = *rest.first()?;
    if first & 0xc0 == 0x80 {
        let flags = *rest.get(1)?;
        let size = usize::from(*rest.get(2)?);
        let fields = rest.get(3..)?;
        let times = Times {
            pts: (flags & 0x80 != 0).then(|| timestamp(fields)).flatten(),
            dts: (flags & 0xc0 == 0xc0)
                .then(|| timestamp(fields.get(5..)?))
                .flatten(),
        };
        let left = whole.and_then(|whole| whole.checked_sub(3 + size));
        return Some((id, times, 9 + size, left));
    }
    // MPEG-1: stuffing, a buffer size, then times.
    let mut at = 0;
    while rest.get(at) == Some(&0xff) && at < 16 {
        at += 1;
    }
    if rest.get(at).is_some_and(|byte| byte & 0xc0 == 0x40) {
        at += 2;
    }
    let mut times = Times::default();
    match rest.get(at)? >> 4 {
        2 => {
            times.pts = timestamp(&rest[at..]);
            at += 5;
        }
        3 => {
            times.pts = timestamp(&rest[at..]);
            times.dts = rest.get(at + 5..).and_then(timestamp);
            at += 10;
        }
        _ => at += 1,
    }
    Some((
        id,
        times,
        6 + at,
        whole.and_then(|whole| whole.checked_sub(at)),
    ))
}

fn timestamp(bytes: &[u8]) -> Option<i64> {
    let &[a, b, c, d, e, ..] = bytes else {
        return None;
    };
    let [a, b, c, d, e] = [a, b, c, d, e].map(i64::from);
    Some((a >> 1 & 7) << 30 | b << 22 | (c >> 1) << 15 | d << 7 | e >> 1)
}

/// One elementary stream while it is put together.
#[derive(Debug)]
pub(super) struct Stream {
    pub(super) id: u64,
    pub(super) codec: Codec,
    /// The codec that the program map names, which frames may name more exactly.
    named: Codec,
    pub(super) language: Option<String>,
    pub(super) encryption: Option<String>,
    bytes: Vec<u8>,
    /// Where in the file each part of `bytes` lies: its start there, and in the file.
    pieces: Vec<(usize, u64)>,
    placed: Placed,
    units: Units,
    /// Pictures: the last distances between decode times.
    observed: [i64; OBSERVED],
    extents: Vec<Extent>,
    packets: Vec<Packet>,
    /// Pictures: places in their groups, of packets from an index on.
    references: Vec<(usize, u32, bool)>,
    detail: Option<Detail>,
    config: Vec<u8>,
    /// Times that packets of the stream state, and from which of `bytes` on they count.
    marks: Vec<(usize, Times)>,
    /// Sound: the last such time, and samples since.
    sound: Option<(i64, u64)>,
    is_broken: bool,
}

impl Stream {
    pub(super) fn new(id: u64, codec: Codec) -> Self {
        Self {
            id,
            units: Units::new(&codec),
            named: codec.clone(),
            codec,
            language: None,
            encryption: None,
            observed: [0; OBSERVED],
            bytes: Vec::new(),
            pieces: Vec::new(),
            placed: Placed::default(),
            extents: Vec::new(),
            packets: Vec::new(),
            references: Vec::new(),
            detail: None,
            config: Vec::new(),
            marks: Vec::new(),
            sound: None,
            is_broken: false,
        }
    }

    /// Whether it goes on in packets of `codec`, as a program map names it.
    pub(super) fn is_of(&self, codec: &Codec) -> bool {
        self.named == *codec
    }

    fn is_picture(&self) -> bool {
        matches!(
            self.codec,
            Codec::H264ByteStream | Codec::H265ByteStream | Codec::Mpeg2Video | Codec::Mpeg4
        )
    }

    /// The map does not state what private streams carry; their first bytes may.
    pub(super) fn recognise(&mut self, bytes: &[u8]) {
        if !self.packets.is_empty() || self.codec != Codec::Other(PRIVATE.to_owned()) {
            return;
        }
        let candidates = [Codec::Aac, Codec::Ac3, Codec::Mp2];
        let found = candidates
            .into_iter()
            .find(|codec| sound::next(codec, bytes, 0).is_some_and(|frame| frame.start == 0));
        if let Some(codec) = found {
            self.codec = codec;
        }
    }

    /// Bytes that go on the current packet of the stream.
    pub(super) fn add(&mut self, offset: u64, bytes: &[u8]) {
        if matches!(self.codec, Codec::Other(_)) || self.bytes.len() + bytes.len() > MAX_PES {
            return;
        }
        self.pieces.push((self.bytes.len(), offset));
        self.bytes.extend_from_slice(bytes);
    }

    /// A packet of the stream begins; the one before is whole.
    pub(super) fn begin(
        &mut self,
        times: Times,
        clock: &mut ProgramClock,
    ) -> Result<(), MediaError> {
        self.cut(clock, false)?;
        match &self.codec {
            // A private stream may be recognised by the bytes that follow.
            Codec::Other(name) if !name.starts_with("data") => self.announce(times, clock)?,
            _ => self.marks.push((self.bytes.len(), times)),
        }
        Ok(())
    }

    /// A packet of pictures or sound in a codec that is not read: listed without its bytes, so that
    /// the track has times and is refused by name.
    fn announce(&mut self, times: Times, clock: &mut ProgramClock) -> Result<(), MediaError> {
        let Some((dts, pts, is_break)) = self.place(clock, times, 0) else {
            return Ok(());
        };
        self.placed.last = Some(dts);
        self.bounded()?;
        self.packets.push(Packet {
            offset: self.extents.len() as u64,
            size: 0,
            description: 0,
            flags: PacketFlags {
                is_sync: true,
                is_break,
                ..PacketFlags::default()
            },
            dts,
            pts,
            duration: 0,
        });
        Ok(())
    }

    /// Bytes of the stream were lost.
    pub(super) fn lost(&mut self, findings: &mut Vec<Finding>) {
        if findings.len() < 100 {
            findings.push(Finding::Damaged {
                at: CLOCK.nanos(self.placed.last.unwrap_or(0)),
                what: "packets are missing".into(),
            });
        }
        self.is_broken = true;
    }

    /// The stream has ended.
    pub(super) fn finish(&mut self, clock: &mut ProgramClock) -> Result<(), MediaError> {
        self.cut(clock, true)
    }

    /// The current packet of the stream is whole.
    fn cut(&mut self, clock: &mut ProgramClock, is_last: bool) -> Result<(), MediaError> {
        if self.bytes.is_empty() {
            return Ok(());
        }
        self.bounded()?;
        if self.is_picture() {
            self.pictures(clock, is_last);
        } else {
            self.frames(clock);
        }
        self.is_broken = false;
        Ok(())
    }

    fn bounded(&self) -> Result<(), MediaError> {
        if self.packets.len() >= MAX_PACKETS {
            return Err(MediaError::Limit(format!(
                "more than {MAX_PACKETS} packets"
            )));
        }
        Ok(())
    }

    /// Raw times on the clock: decode and presentation.
    fn place(
        &mut self,
        clock: &mut ProgramClock,
        times: Times,
        step: i64,
    ) -> Option<(i64, i64, bool)> {
        let pts = times.pts?;
        let dts = times.dts.unwrap_or(pts);
        let (placed, is_break) = clock.place(&mut self.placed, dts, step);
        let shown = placed + unwrapped(pts - dts, 0);
        Some((placed, shown, is_break))
    }

    fn pictures(&mut self, clock: &mut ProgramClock, is_last: bool) {
        let (found, held) = self.units.find(&self.bytes, is_last);
        let step = self.step();
        let first = found.first().map_or(held, |unit| unit.at);
        // What comes before the first unit belongs to the last one.
        self.extend_last(0, first);
        for (index, unit) in found.iter().enumerate() {
            let end = found.get(index + 1).map_or(held, |next| next.at);
            // Times are those of the first picture that begins in a packet of the stream.
            let timed = self.times_at(unit.at);
            let placed = timed.and_then(|times| self.place(clock, times, step));
            let (dts, pts, is_break) = placed.unwrap_or_else(|| {
                let dts = self.placed.last.map_or(0, |last| last + step);
                (dts, Packet::UNTIMED, false)
            });
            if let Some(last) = self.placed.last
                && (1..=90_000).contains(&(dts - last))
                && !is_break
            {
                self.observed.rotate_left(1);
                self.observed[OBSERVED - 1] = dts - last;
            }
            self.placed.last = Some(dts);
            if let Some(reference) = unit.reference {
                let number = self.packets.len();
                self.references.push((number, reference, unit.begins_group));
            }
            let (offset, size) = self.extents_of(unit.at, end);
            self.packets.push(Packet {
                offset,
                size,
                description: 0,
                flags: PacketFlags {
                    is_sync: matches!(unit.entry, Entry::Closed | Entry::Open),
                    is_break: is_break || self.is_broken,
                    ..PacketFlags::default()
                },
                dts,
                pts,
                duration: 0,
            });
        }
        self.keep_from(held);
    }

    /// The times that count for what begins at `at`, if they have not counted before: those of the
    /// packet of the stream in which the first byte of its start code lies (ISO 13818-1 §2.4.3.7).
    fn times_at(&mut self, at: usize) -> Option<Times> {
        // More zeros than a start code has may still be the packet's before.
        let zeros = self.bytes.iter().skip(at).take_while(|&&byte| byte == 0);
        let code = at + zeros.count().saturating_sub(2);
        let passed = self.marks.partition_point(|&(from, _)| from <= code);
        self.marks
            .drain(..passed)
            .next_back()
            .map(|(_, times)| times)
    }

    fn step(&self) -> i64 {
        let (ticks, pictures) = self.pace();
        ticks / pictures
    }

    /// Ticks of so many pictures.
    fn pace(&self) -> (i64, i64) {
        match self.units.rate {
            Some((rate, per)) if rate > 0 => (90_000 * i64::from(per), i64::from(rate)),
            // The middle one: lost pictures make a distance longer.
            _ => {
                let mut seen: Vec<i64> = self.observed.into_iter().filter(|&one| one > 0).collect();
                seen.sort_unstable();
                (seen.get(seen.len() / 2).copied().unwrap_or(USUAL_FRAME), 1)
            }
        }
    }

    /// The extents of bytes `from..to`: index of the first, and the size.
    fn extents_of(&mut self, from: usize, to: usize) -> (u64, u32) {
        let first = self.extents.len() as u64;
        self.push_extents(from, to);
        (first, u32::try_from(to - from).unwrap_or(0))
    }

    fn push_extents(&mut self, from: usize, to: usize) {
        let begin = self
            .pieces
            .partition_point(|&(start, _)| start <= from)
            .saturating_sub(1);
        for index in begin..self.pieces.len() {
            let (start, offset) = self.pieces[index];
            let end = self
                .pieces
                .get(index + 1)
                .map_or(self.bytes.len(), |&(next, _)| next);
            let (part_start, part_end) = (start.max(from), end.min(to));
            if part_start >= part_end {
                continue;
            }
            self.extents.push(Extent {
                offset: offset + (part_start - start) as u64,
                size: u32::try_from(part_end - part_start).unwrap_or(0),
            });
        }
    }

    fn extend_last(&mut self, from: usize, to: usize) {
        if from >= to || self.packets.is_empty() {
            return;
        }
        self.push_extents(from, to);
        if let Some(last) = self.packets.last_mut() {
            last.size = last
                .size
                .saturating_add(u32::try_from(to - from).unwrap_or(0));
        }
    }

    /// Whole frames of sound; what is left waits for the next packet of the stream.
    fn frames(&mut self, clock: &mut ProgramClock) {
        let mut at = 0;
        while let Some(frame) = sound::next(&self.codec, &self.bytes, at) {
            if frame.end() > self.bytes.len() {
                break;
            }
            // The time of a packet is that of the first frame which begins in it.
            if let Some(times) = self.times_at(frame.start)
                && let Some((_, time, _)) = self.place(clock, times, 0)
            {
                self.placed.last = Some(time);
                self.sound = Some((time, 0));
            }
            if self.detail.is_none() {
                self.detail = Some(Detail::Audio(frame.format.clone()));
                self.config.clone_from(&frame.config);
                self.codec = frame.codec.clone();
            }
            let rate = u64::from(frame.format.sample_rate.max(1));
            let ticks = |samples: u64| i64::try_from(samples * 90_000 / rate).unwrap_or(0);
            let (base, done) = self.sound.unwrap_or((0, 0));
            let next = done + u64::from(frame.samples);
            let (time, end) = (base + ticks(done), base + ticks(next));
            self.sound = Some((base, next));
            let (offset, size) = self.extents_of(frame.start + frame.header, frame.end());
            self.packets.push(Packet {
                offset,
                size,
                description: 0,
                flags: PacketFlags {
                    is_sync: true,
                    is_break: self.is_broken,
                    ..PacketFlags::default()
                },
                dts: time,
                pts: time,
                duration: u32::try_from(end - time).unwrap_or(0),
            });
            at = frame.end();
        }
        self.keep_from(at);
    }

    /// Lets go of the bytes before `at`.
    fn keep_from(&mut self, at: usize) {
        let rest = self.bytes.split_off(at.min(self.bytes.len()));
        // What is no frame must not pile up.
        if rest.len() > MAX_WAITING {
            self.bytes.clear();
            self.pieces.clear();
            self.marks.clear();
            return;
        }
        let ends: Vec<usize> = self
            .pieces
            .iter()
            .skip(1)
            .map(|&(start, _)| start)
            .chain([at + rest.len()])
            .collect();
        self.pieces = self
            .pieces
            .iter()
            .zip(ends)
            .filter(|&(_, end)| end > at)
            .map(|(&(start, offset), _)| {
                let from = start.max(at);
                (from - at, offset + (from - start) as u64)
            })
            .collect();
        for (from, _) in &mut self.marks {
            *from = from.saturating_sub(at);
        }
        self.bytes = rest;
    }

    /// The track that the stream is.
    pub(super) fn into_track(mut self) -> Track {
        let is_picture = self.is_picture();
        let kind = match &self.codec {
            Codec::Other(name) if name.starts_with("video") => TrackKind::Video,
            Codec::Other(name) if name.starts_with("data") => TrackKind::Other,
            _ if is_picture => TrackKind::Video,
            _ => TrackKind::Audio,
        };
        if is_picture {
            let pace = self.pace();
            times::complete(&mut self.packets, &self.references, pace);
        }
        let detail = self.detail.take().unwrap_or(if kind == TrackKind::Video {
            Detail::Video(VideoFormat::default())
        } else {
            Detail::Audio(AudioFormat::default())
        });
        Track {
            id: self.id,
            kind,
            is_enabled: true,
            is_default: true,
            language: self.language,
            clock: CLOCK,
            descriptions: vec![Description {
                codec: self.codec,
                config: self.config,
                encryption: self.encryption,
                detail,
            }],
            packets: self.packets,
            payload: Payload::Scattered(self.extents),
            edits: None,
            lead: 0,
            tail: 0,
            orientation: Orientation::default(),
            alpha: Vec::new(),
            declared_rate: self.units.rate,
        }
    }
}
