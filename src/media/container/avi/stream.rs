//! One stream of an AVI file: its headers, and its chunks as packets.

use super::super::riff::{self, WaveFormat, u16_at, u32_at};
use super::super::{
    AudioFormat, Clock, Codec, Description, Detail, Extent, Input, MAX_PACKETS, Orientation,
    Packet, PacketFlags, Payload, Track, TrackKind, VideoFormat,
};
use super::sound;
use crate::media::MediaError;
use crate::media::bitstream::{self, Entry};

/// A stream while its chunks are gathered.
pub(super) struct Stream {
    kind: TrackKind,
    codec: Codec,
    config: Vec<u8>,
    detail: Detail,
    is_enabled: bool,
    /// Frames or samples a second, as a fraction.
    rate: (u32, u32),
    /// Frames or samples before the first one.
    start: u32,
    sample_size: u32,
    wave: Option<WaveFormat>,
    chunks: Vec<Extent>,
}

impl Stream {
    /// Reads the header list of a stream.
    pub(super) fn read(list: &[u8]) -> Option<Self> {
        let mut header = None;
        let (mut format, mut aspect) = (None, None);
        let mut rest = list;
        while let (Some(kind), Some(size)) = (rest.get(..4), u32_at(rest, 4)) {
            let size = usize::try_from(size).unwrap_or(usize::MAX);
            let body = rest.get(8..)?;
            let body = &body[..size.min(body.len())];
            match kind {
                b"strh" => header = Some(body),
                b"strf" => format = Some(body),
                b"vprp" => {
                    // Height and width of the shape come last of the fixed part.
                    aspect = u16_at(body, 22).zip(u16_at(body, 20));
                }
                _ => {}
            }
            rest = rest.get(8 + size + size % 2..).unwrap_or_default();
        }
        let header = header?;
        let kind = match header.get(..4)? {
            b"vids" => TrackKind::Video,
            b"auds" => TrackKind::Audio,
            _ => TrackKind::Other,
        };
        let mut stream = Self {
            kind,
            codec: Codec::Other("data".into()),
            config: Vec::new(),
            detail: Detail::None,
            is_enabled: u32_at(header, 8)? & 1 == 0,
            rate: (u32_at(header, 24)?.max(1), u32_at(header, 20)?.max(1)),
            start: u32_at(header, 28).unwrap_or(0),
            sample_size: u32_at(header, 44).unwrap_or(0),
            wave: None,
            chunks: Vec::new(),
        };
        match kind {
            TrackKind::Video => {
                let bitmap = riff::bitmap(format?)?;
                stream.codec = bitmap.codec();
                let pixel_aspect = aspect.and_then(|(across, down)| {
                    let across = u32::from(across).checked_mul(bitmap.height)?;
                    let down = u32::from(down).checked_mul(bitmap.width)?;
                    (across > 0 && down > 0).then_some((across, down))
                });
                stream.detail = Detail::Video(VideoFormat {
                    width: bitmap.width,
                    height: bitmap.height,
                    depth: bitmap.depth,
                    pixel_aspect,
                    has_alpha: bitmap.depth == 32,
                    ..VideoFormat::default()
                });
                stream.config = bitmap.extra;
            }
            TrackKind::Audio => {
                let wave = WaveFormat::read(format?)?;
                let mut described = AudioFormat::default();
                wave.describe(&mut described);
                (stream.codec, stream.config) = wave.codec();
                stream.detail = Detail::Audio(described);
                stream.wave = Some(wave);
            }
            TrackKind::Other => {}
        }
        Some(stream)
    }

    /// Takes in a chunk of the movie.
    pub(super) fn chunk(
        &mut self,
        name: [u8; 2],
        offset: u64,
        size: u64,
    ) -> Result<(), MediaError> {
        let is_own = match self.kind {
            // Palettes and indices are chunks of the stream too.
            TrackKind::Video => matches!(&name, b"dc" | b"db" | b"DC" | b"DB" | b"iv" | b"AC"),
            TrackKind::Audio => matches!(&name, b"wb" | b"WB"),
            TrackKind::Other => false,
        };
        if !is_own {
            return Ok(());
        }
        if self.chunks.len() >= MAX_PACKETS {
            return Err(MediaError::Limit(format!(
                "more than {MAX_PACKETS} packets"
            )));
        }
        self.chunks.push(Extent {
            offset,
            size: u32::try_from(size).unwrap_or(0),
        });
        Ok(())
    }

    /// The track.
    pub(super) fn finish(self, input: &mut Input, id: u64) -> Result<Option<Track>, MediaError> {
        let (mut clock, mut payload) = (
            Clock {
                ticks: u64::from(self.rate.0),
                seconds: u64::from(self.rate.1),
            },
            Payload::Plain,
        );
        let mut detail = self.detail;
        let packets = match (self.kind, &self.wave) {
            (TrackKind::Video, _) => {
                pictures(input, &self.chunks, &self.codec, &self.config, self.start)?
            }
            (TrackKind::Audio, Some(wave)) => {
                let start = i64::from(self.start);
                let delay = Clock { ..clock }.nanos(start);
                clock = Clock::hertz(wave.rate.max(1));
                let offset = i128::from(delay) * i128::from(wave.rate) / 1_000_000_000;
                let offset = i64::try_from(offset).unwrap_or(0);
                let made =
                    sound::packets(input, &self.chunks, wave, &self.codec, self.sample_size)?;
                if let Some(extents) = made.extents {
                    payload = Payload::Scattered(extents);
                }
                if let (Detail::Audio(format), Some((rate, channels))) = (&mut detail, made.format)
                {
                    // A frame's own header is more exact than the stream's.
                    format.sample_rate = rate;
                    format.channels = channels;
                    clock = Clock::hertz(rate.max(1));
                }
                let mut packets = made.packets;
                for packet in &mut packets {
                    packet.pts += offset;
                    packet.dts += offset;
                }
                packets
            }
            _ => Vec::new(),
        };
        Ok(Some(Track {
            id,
            kind: self.kind,
            is_enabled: self.is_enabled,
            is_default: self.is_enabled,
            language: None,
            clock,
            descriptions: vec![Description {
                codec: self.codec,
                config: self.config,
                encryption: None,
                detail,
            }],
            packets,
            payload,
            edits: None,
            lead: 0,
            tail: 0,
            orientation: Orientation::default(),
            alpha: Vec::new(),
            declared_rate: (self.kind == TrackKind::Video).then_some(self.rate),
        }))
    }
}

/// Chunks of pictures as packets. The container has no presentation times: codecs that reorder
/// are counted as they come out of the decoder.
fn pictures(
    input: &mut Input,
    chunks: &[Extent],
    codec: &Codec,
    config: &[u8],
    start: u32,
) -> Result<Vec<Packet>, MediaError> {
    const HEAD: u64 = 2048;
    let reorders = matches!(
        codec,
        Codec::H264
            | Codec::H264ByteStream
            | Codec::H265ByteStream
            | Codec::Mpeg4
            | Codec::Mpeg2Video
    );
    let mut packets: Vec<Packet> = Vec::with_capacity(chunks.len());
    // Of a packed stream the not-coded picture behind a packet of two is none of its own.
    let mut owed = 0_usize;
    for (number, chunk) in (i64::from(start)..).zip(chunks) {
        let head = input.available(chunk.offset, u64::from(chunk.size).min(HEAD))?;
        let mut is_repeat = chunk.size == 0;
        let mut second = None;
        if *codec == Codec::Mpeg4 && chunk.size > 0 {
            let whole = if u64::from(chunk.size) > HEAD {
                input.available(chunk.offset, u64::from(chunk.size))?
            } else {
                head
            };
            let found = bitstream::mpeg4_pictures(whole);
            let coded = found.iter().filter(|&&(_, is_coded)| is_coded).count();
            match coded {
                0 if !found.is_empty() => {
                    // What it stands for was sent already, or the picture before stays.
                    if owed > 0 {
                        owed -= 1;
                        continue;
                    }
                    is_repeat = true;
                }
                2.. => {
                    second = found.get(1).map(|&(at, _)| at as u64);
                    owed += 1;
                }
                _ => {}
            }
        }
        let head = input.available(chunk.offset, u64::from(chunk.size).min(HEAD))?;
        let is_sync = match bitstream::entry(codec, config, head) {
            Entry::Closed | Entry::Open => true,
            Entry::Gradual(_) | Entry::None => codec.is_intra_only(),
        };
        let first_size = second.unwrap_or(u64::from(chunk.size));
        let untimed = |number: i64| if reorders { Packet::UNTIMED } else { number };
        packets.push(Packet {
            offset: chunk.offset,
            size: u32::try_from(first_size).unwrap_or(0),
            description: 0,
            flags: PacketFlags {
                is_sync: is_sync && !is_repeat,
                is_repeat,
                ..PacketFlags::default()
            },
            dts: number,
            pts: untimed(number),
            // Until the next picture: null frames prolong one.
            duration: 0,
        });
        if let Some(at) = second {
            packets.push(Packet {
                offset: chunk.offset + at,
                size: u32::try_from(u64::from(chunk.size) - at).unwrap_or(0),
                description: 0,
                flags: PacketFlags::default(),
                dts: number + 1,
                pts: untimed(number + 1),
                duration: 0,
            });
        }
    }
    Ok(packets)
}
