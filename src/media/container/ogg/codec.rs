//! How codecs lie in Ogg: their headers, and how long each packet lasts.

use super::super::flac::{Frame, StreamInfo, usual_layout};
use super::super::{AudioFormat, Clock, Codec, Detail, TrackKind, VideoFormat};
use crate::media::bitstream::Bits;

/// A stream's codec, by its first packet.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::media::container) enum Mapping {
    /// RFC 7845.
    Opus { preskip: u16, channels: u8 },
    /// Vorbis I; the block sizes, and of each mode whether it is long.
    Vorbis {
        rate: u32,
        channels: u8,
        blocks: [u32; 2],
        modes: Vec<bool>,
        last: Option<u32>,
    },
    /// FLAC in its mapping of 2004.
    Flac {
        info: StreamInfo,
        headers: usize,
        config: Vec<u8>,
    },
    /// Theora.
    Theora {
        rate: (u32, u32),
        width: u32,
        height: u32,
        aspect: (u32, u32),
    },
    /// Not read; its name.
    Other(String),
}

/// Properties of a packet, from its first bytes.
pub(in crate::media::container) struct About {
    pub(in crate::media::container) duration: u32,
    pub(super) is_sync: bool,
}

/// A stream as a track.
pub(super) struct Described {
    pub(super) kind: TrackKind,
    pub(super) codec: Codec,
    pub(super) config: Vec<u8>,
    pub(super) detail: Detail,
}

impl Mapping {
    /// By the first packet of a stream.
    pub(in crate::media::container) fn of(packet: &[u8]) -> Self {
        Self::opus(packet)
            .or_else(|| Self::vorbis(packet))
            .or_else(|| Self::flac(packet))
            .or_else(|| Self::theora(packet))
            .unwrap_or_else(|| {
                let names: [(&[u8], &str); 6] = [
                    (b"Speex", "speex"),
                    (b"\x01video", "OGM video"),
                    (b"\x01audio", "OGM audio"),
                    (b"\x80kate", "kate"),
                    (b"fishead", "skeleton"),
                    (b"BBCD", "dirac"),
                ];
                let known = names.iter().find(|(magic, _)| packet.starts_with(magic));
                Self::Other(known.map_or("unknown stream", |(_, name)| name).to_owned())
            })
    }

    fn opus(packet: &[u8]) -> Option<Self> {
        let rest = packet.strip_prefix(b"OpusHead")?;
        let &[_, channels, low, high, ..] = rest else {
            return None;
        };
        Some(Self::Opus {
            preskip: u16::from_le_bytes([low, high]),
            channels,
        })
    }

    fn vorbis(packet: &[u8]) -> Option<Self> {
        let rest = packet.strip_prefix(b"\x01vorbis")?;
        let channels = *rest.get(4)?;
        let rate = u32::from_le_bytes(rest.get(5..9)?.try_into().ok()?);
        let sizes = *rest.get(21)?;
        (rate > 0 && channels > 0).then(|| Self::Vorbis {
            rate,
            channels,
            blocks: [1 << (sizes & 15), 1 << (sizes >> 4)],
            modes: Vec::new(),
            last: None,
        })
    }

    fn flac(packet: &[u8]) -> Option<Self> {
        let rest = packet.strip_prefix(b"\x7fFLAC")?;
        let headers = u16::from_be_bytes([*rest.get(2)?, *rest.get(3)?]);
        let config = rest.get(12..46)?.to_vec();
        Some(Self::Flac {
            info: StreamInfo::read(&config)?,
            // A number that is not known is that of the comment alone.
            headers: usize::from(headers.clamp(1, 64)) + 1,
            config,
        })
    }

    fn theora(packet: &[u8]) -> Option<Self> {
        let rest = packet.strip_prefix(b"\x80theora")?;
        let number = |at: usize, bytes: usize| {
            Some(
                rest.get(at..at + bytes)?
                    .iter()
                    .fold(0_u32, |value, &byte| value << 8 | u32::from(byte)),
            )
        };
        let (rate, per) = (number(15, 4)?, number(19, 4)?);
        (rate > 0 && per > 0).then_some(())?;
        Some(Self::Theora {
            rate: (rate, per),
            width: number(7, 3)?,
            height: number(10, 3)?,
            aspect: (number(23, 3)?, number(26, 3)?),
        })
    }

    /// Packets that are headers.
    pub(super) fn header_packets(&self) -> usize {
        match self {
            Self::Opus { .. } => 2,
            Self::Vorbis { .. } | Self::Theora { .. } => 3,
            Self::Flac { headers, .. } => *headers,
            Self::Other(_) => 1,
        }
    }

    /// Whether packets behind the headers are of use.
    pub(super) fn is_read(&self) -> bool {
        !matches!(self, Self::Other(_))
    }

    /// What the stream carries.
    pub(super) fn kind(&self) -> TrackKind {
        match self {
            Self::Opus { .. } | Self::Vorbis { .. } | Self::Flac { .. } => TrackKind::Audio,
            Self::Theora { .. } => TrackKind::Video,
            Self::Other(name) => match name.as_str() {
                "speex" | "OGM audio" => TrackKind::Audio,
                "dirac" | "OGM video" => TrackKind::Video,
                _ => TrackKind::Other,
            },
        }
    }

    /// Whether granule positions count samples.
    pub(super) fn is_sound(&self) -> bool {
        matches!(
            self,
            Self::Opus { .. } | Self::Vorbis { .. } | Self::Flac { .. }
        )
    }

    /// Samples that the codec declares as its delay.
    pub(super) fn preskip(&self) -> u64 {
        match self {
            Self::Opus { preskip, .. } => u64::from(*preskip),
            _ => 0,
        }
    }

    /// Once all headers are there.
    pub(in crate::media::container) fn configure(&mut self, headers: &[Vec<u8>]) {
        if let (Self::Vorbis { modes, .. }, Some(setup)) = (self, headers.get(2)) {
            *modes = long_modes(setup);
        }
    }

    pub(super) fn clock(&self) -> Clock {
        match self {
            Self::Opus { .. } => Clock::hertz(48_000),
            Self::Vorbis { rate, .. } => Clock::hertz(*rate),
            Self::Flac { info, .. } => Clock::hertz(info.rate),
            Self::Theora { rate, .. } => Clock {
                ticks: u64::from(rate.0),
                seconds: u64::from(rate.1),
            },
            Self::Other(_) => Clock::hertz(1000),
        }
    }

    /// How long a packet lasts.
    pub(in crate::media::container) fn packet(&mut self, head: &[u8]) -> About {
        let sound = |duration| About {
            duration,
            is_sync: true,
        };
        match self {
            Self::Opus { .. } => sound(opus_samples(head)),
            Self::Vorbis {
                blocks,
                modes,
                last,
                ..
            } => {
                let bits = usize::BITS - modes.len().saturating_sub(1).leading_zeros();
                let mode = usize::from(head.first().copied().unwrap_or(0) >> 1) & ((1 << bits) - 1);
                let is_long = modes.get(mode).copied().unwrap_or(false);
                let block = blocks[usize::from(is_long)];
                // A packet gives what it overlaps with the one before: the first gives nothing.
                let duration = last.map_or(0, |last| last / 4 + block / 4);
                *last = Some(block);
                sound(duration)
            }
            Self::Flac { info, .. } => sound(Frame::read(head, info).map_or(0, |one| one.samples)),
            Self::Theora { .. } => About {
                duration: 1,
                is_sync: head.first().is_some_and(|first| first & 0xc0 == 0),
            },
            Self::Other(_) => sound(0),
        }
    }

    /// Counts the first packet as if a short block stood before it, which decides nothing but when
    /// later packets begin; false where the stream is not Vorbis.
    pub(in crate::media::container) fn preceded_by_a_short_block(&mut self) -> bool {
        let Self::Vorbis { blocks, last, .. } = self else {
            return false;
        };
        *last = Some(blocks[0]);
        true
    }

    /// The stream as a track.
    pub(super) fn describe(&self, headers: &[Vec<u8>]) -> Option<Described> {
        let sound = |codec, config, rate, channels: u16, layout| {
            Some(Described {
                kind: TrackKind::Audio,
                codec,
                config,
                detail: Detail::Audio(AudioFormat {
                    sample_rate: rate,
                    channels,
                    layout,
                    ..AudioFormat::default()
                }),
            })
        };
        match self {
            Self::Opus { channels, .. } => {
                let config = headers.first().cloned().unwrap_or_default();
                sound(Codec::Opus, config, 48_000, u16::from(*channels), None)
            }
            Self::Vorbis { rate, channels, .. } => {
                let config = behind_lengths(headers);
                sound(Codec::Vorbis, config, *rate, u16::from(*channels), None)
            }
            Self::Flac { info, config, .. } => {
                let layout = usual_layout(info.channels);
                sound(
                    Codec::Flac,
                    config.clone(),
                    info.rate,
                    info.channels,
                    layout,
                )
            }
            Self::Theora {
                width,
                height,
                aspect,
                ..
            } => Some(Described {
                kind: TrackKind::Video,
                codec: Codec::Theora,
                config: behind_lengths(headers),
                detail: Detail::Video(VideoFormat {
                    width: *width,
                    height: *height,
                    pixel_aspect: Some(*aspect).filter(|&(across, down)| across > 0 && down > 0),
                    ..VideoFormat::default()
                }),
            }),
            Self::Other(name) => Some(Described {
                kind: self.kind(),
                codec: Codec::Other(name.clone()),
                config: Vec::new(),
                detail: Detail::None,
            }),
        }
    }
}

fn behind_lengths(headers: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    for header in headers.iter().take(3) {
        out.extend(u32::try_from(header.len()).unwrap_or(0).to_be_bytes());
        out.extend_from_slice(header);
    }
    out
}

/// Samples at 48 kHz of an Opus packet (RFC 6716 §3.1).
pub(in crate::media::container) fn opus_samples(packet: &[u8]) -> u32 {
    let Some(&toc) = packet.first() else { return 0 };
    let frame = match toc >> 3 {
        config @ 0..=11 => [480, 960, 1920, 2880][usize::from(config & 3)],
        config @ 12..=15 => [480, 960][usize::from(config & 1)],
        config => [120, 240, 480, 960][usize::from(config & 3)],
    };
    let frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u32::from(packet.get(1).copied().unwrap_or(0) & 0x3f),
    };
    frame * frames
}

/// Of each mode whether its blocks are long. Modes are the last thing in a setup header, so they
/// are read from its end: 41 bits each, of which 40 are a zero window and transform and a mapping,
/// then the number of modes.
fn long_modes(setup: &[u8]) -> Vec<bool> {
    // Vorbis packs bits from the lowest: backwards they come from the highest.
    let backwards: Vec<u8> = setup.iter().rev().copied().collect();
    let mut bits = Bits::new(&backwards);
    // The framing bit ends the header.
    while let Some(bit) = bits.flag() {
        if bit {
            break;
        }
    }
    let mut modes = Vec::new();
    let mut found = Vec::new();
    while modes.len() < 64 {
        let mut mode = bits.clone();
        let (Some(mapping), Some(transform), Some(window), Some(is_long)) = (
            mode.number(8),
            mode.number(16),
            mode.number(16),
            mode.flag(),
        ) else {
            break;
        };
        if mapping > 63 || transform != 0 || window != 0 {
            break;
        }
        bits = mode;
        modes.push(is_long);
        // Six bits in front of the modes hold their number less one.
        let mut count = bits.clone();
        if count
            .number(6)
            .is_some_and(|count| count as usize + 1 == modes.len())
        {
            found.clone_from(&modes);
        }
    }
    found.reverse();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn opus_packets_say_how_long_they_last() {
        // SILK 20 ms, one frame; CELT 2.5 ms, two; CELT 20 ms, three of any size.
        assert_eq!(opus_samples(&[1 << 3]), 960);
        assert_eq!(opus_samples(&[16 << 3 | 1]), 240);
        assert_eq!(opus_samples(&[31 << 3 | 3, 3]), 2880);
        assert_eq!(opus_samples(&[]), 0);
    }
}
