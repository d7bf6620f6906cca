//! Sample entries of sound tracks: ISO's, and versions 0 to 2 of `QuickTime`'s.

use super::esds::{self, Stream};
use super::fields::{Fields, MAX_DEPTH, boxes, find};
use super::layout;
use super::pictures::name;
use super::samples::Frames;
use crate::media::container::{AudioFormat, Codec, Description, Detail, PcmFormat};

/// A description, and how samples of uncompressed sound are counted.
pub(super) struct Entry {
    pub(super) description: Description,
    pub(super) frames: Option<Frames>,
}

/// The fixed part of an entry.
struct Header<'a> {
    version: u16,
    channels: u16,
    bits: u16,
    rate: u32,
    /// Version 1: samples a packet, bytes a packet, bytes a frame.
    packet: Option<(u32, u32, u32)>,
    /// Version 2: flags of linear PCM.
    lpcm: Option<u32>,
    inner: &'a [u8],
}

fn header(body: &[u8]) -> Option<Header<'_>> {
    let mut fields = Fields::new(body);
    fields.skip(8)?;
    let version = fields.u16()?;
    fields.skip(6)?;
    let (mut channels, mut bits) = (fields.u16()?, fields.u16()?);
    fields.skip(4)?;
    let mut rate = fields.u32()? >> 16;
    let (mut packet, mut lpcm) = (None, None);
    match version {
        1 => {
            let (samples, bytes, frame) = (fields.u32()?, fields.u32()?, fields.u32()?);
            fields.skip(4)?;
            packet = Some((samples, bytes, frame));
        }
        2 => {
            fields.skip(4)?;
            let exact = f64::from_bits(fields.u64()?);
            rate = whole_rate(exact);
            channels = u16::try_from(fields.u32()?).unwrap_or(0);
            fields.skip(4)?;
            bits = u16::try_from(fields.u32()?).unwrap_or(0);
            lpcm = Some(fields.u32()?);
            let (frame, samples) = (fields.u32()?, fields.u32()?);
            packet = Some((samples, frame.saturating_mul(samples.max(1)), frame));
        }
        _ => {}
    }
    Some(Header {
        version,
        channels,
        bits,
        rate,
        packet,
        lpcm,
        inner: fields.rest(),
    })
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "bounded before the cast"
)]
fn whole_rate(exact: f64) -> u32 {
    if (1.0..=10_000_000.0).contains(&exact) {
        exact.round() as u32
    } else {
        0
    }
}

/// Reads one entry of a sound track.
pub(super) fn entry(kind: [u8; 4], body: &[u8]) -> Option<Entry> {
    let header = header(body)?;
    let inner = header.inner;
    let wave = find(inner, b"wave").unwrap_or_default();
    let (kind, encryption) = super::protection::original(kind, inner);
    let within = |kind: &[u8; 4]| find(inner, kind).or_else(|| deep(wave, kind, 0));
    let record = |kind: &[u8; 4]| within(kind).map(<[u8]>::to_vec).unwrap_or_default();
    let mut format = AudioFormat {
        sample_rate: header.rate,
        channels: header.channels,
        layout: within(b"chan")
            .and_then(|body| layout::quicktime(body, header.channels))
            .or_else(|| within(b"chnl").and_then(|body| layout::iso(body, header.channels))),
        ..AudioFormat::default()
    };
    let is_little = within(b"enda").is_some_and(|body| matches!(body, [_, low, ..] if *low != 0));
    let mut config = Vec::new();
    let codec = match &kind {
        b"mp4a" | b"\0\0\0\0" => match within(b"esds").and_then(esds::read) {
            Some(Stream {
                object_type,
                config: found,
            }) => {
                config = found;
                esds::sound_codec(object_type)
            }
            None => Codec::Aac,
        },
        b".mp3" | b"mp3 " | b"ms\0\x55" => Codec::Mp3,
        b".mp1" | b".mp2" => Codec::Mp2,
        b"alac" => {
            config = alac(inner, wave);
            Codec::Alac
        }
        b"Opus" => {
            config = opus(&record(b"dOps"));
            Codec::Opus
        }
        b"fLaC" => {
            // Version and flags, a metadata block's header, then STREAMINFO.
            config = record(b"dfLa").get(8..42).unwrap_or_default().to_vec();
            Codec::Flac
        }
        b"ac-3" | b"sac3" => Codec::Ac3,
        b"ec-3" => Codec::Eac3,
        b"alaw" => Codec::ALaw,
        b"ulaw" => Codec::MuLaw,
        b"ima4" => Codec::AdpcmImaQt,
        b"ms\0\x02" => Codec::AdpcmMs,
        b"ms\0\x11" => Codec::AdpcmImaWav,
        _ => match linear(kind, &header, is_little, within(b"pcmC")) {
            Some(pcm) => Codec::Pcm(pcm),
            None => Codec::Other(name(kind)),
        },
    };
    if codec == Codec::Alac {
        // The cookie holds what the entry's 16-bit fields cannot.
        if let Some(rate) = config.get(20..24).and_then(|rate| rate.try_into().ok()) {
            format.sample_rate = u32::from_be_bytes(rate);
        }
        if let Some(&channels) = config.get(9) {
            format.channels = u16::from(channels);
        }
    }
    let frames = counted(&codec, &header, &mut format);
    Some(Entry {
        description: Description {
            codec,
            config,
            encryption,
            detail: Detail::Audio(format),
        },
        frames,
    })
}

/// A box somewhere in a `wave`.
fn deep<'a>(bytes: &'a [u8], kind: &[u8; 4], depth: usize) -> Option<&'a [u8]> {
    if depth > MAX_DEPTH {
        return None;
    }
    find(bytes, kind).or_else(|| {
        boxes(bytes)
            .filter(|one| one.kind == *b"wave")
            .find_map(|one| deep(one.body, kind, depth + 1))
    })
}

/// How linear PCM is written, if the entry is that.
fn linear(
    kind: [u8; 4],
    header: &Header<'_>,
    is_little: bool,
    pcm_config: Option<&[u8]>,
) -> Option<PcmFormat> {
    let bits = |otherwise: u8| {
        u8::try_from(header.bits)
            .ok()
            .filter(|&bits| bits > 0)
            .unwrap_or(otherwise)
    };
    let format = |bits: u8, is_float: bool, is_signed: bool, is_big_endian: bool| {
        Some(PcmFormat {
            bits: PcmFormat::stored_bits(bits)?,
            is_float,
            is_signed,
            is_big_endian,
        })
    };
    match &kind {
        b"sowt" => format(bits(16), false, true, false),
        b"twos" | b"NONE" if !(kind == *b"NONE" && header.bits == 8) => {
            format(bits(16), false, true, !is_little)
        }
        b"NONE" => format(8, false, false, true),
        b"raw " => match bits(8) {
            8 => format(8, false, false, true),
            wide => format(wide, false, true, true),
        },
        b"in24" => format(24, false, true, !is_little),
        b"in32" => format(32, false, true, !is_little),
        b"fl32" => format(32, true, true, !is_little),
        b"fl64" => format(64, true, true, !is_little),
        b"lpcm" => {
            let flags = header.lpcm.unwrap_or(0);
            let is_float = flags & 1 != 0;
            format(
                bits(16),
                is_float,
                flags & 4 != 0 || is_float,
                flags & 2 != 0,
            )
        }
        b"ipcm" | b"fpcm" => {
            let mut fields = Fields::new(pcm_config?);
            fields.full()?;
            let (flags, bits) = (fields.u8()?, fields.u8()?);
            format(bits, kind == *b"fpcm", true, flags & 1 == 0)
        }
        _ => None,
    }
}

/// How many bytes and ticks one sample of the tables is, of codecs whose samples are single
/// frames; fills in block sizes.
fn counted(codec: &Codec, header: &Header<'_>, format: &mut AudioFormat) -> Option<Frames> {
    let channels = u32::from(header.channels.max(1));
    let per_frame = match codec {
        Codec::Pcm(pcm) => u32::from(pcm.bits / 8) * channels,
        Codec::ALaw | Codec::MuLaw => channels,
        Codec::AdpcmImaQt => {
            format.block_align = 34 * channels;
            format.block_samples = 64;
            // The tables count single samples; 64 of them lie in a block.
            return Some(Frames {
                bytes: 34 * channels,
                ticks: 64,
            });
        }
        Codec::AdpcmMs | Codec::AdpcmImaWav => {
            let (samples, bytes, frame) = header.packet?;
            let _ = bytes;
            format.block_align = frame;
            format.block_samples = samples;
            return Some(Frames {
                bytes: frame,
                ticks: samples,
            });
        }
        // Version 1 counts compressed packets as samples only where their size varies.
        _ => return None,
    };
    let declared = header
        .packet
        .filter(|_| header.version > 0)
        .map(|(_, _, frame)| frame);
    let bytes = declared
        .filter(|&frame| frame >= per_frame)
        .unwrap_or(per_frame);
    format.block_align = bytes;
    format.block_samples = 1;
    Some(Frames { bytes, ticks: 1 })
}

/// ALAC's cookie: behind version and flags in an `alac` box of its own, or inside `wave`.
fn alac(inner: &[u8], wave: &[u8]) -> Vec<u8> {
    let body = find(inner, b"alac").or_else(|| find(wave, b"alac"));
    body.and_then(|body| body.get(4..))
        .unwrap_or_default()
        .to_vec()
}

/// `dOps` as an `OpusHead`, whose numbers are little endian. GStreamer's muxer (1.22) writes them so
/// here too: read the other way round its input rate would be beyond all reason.
fn opus(dops: &[u8]) -> Vec<u8> {
    let Some((&[_, channels, s1, s2, r1, r2, r3, r4, g1, g2, family], mapping)) =
        dops.split_first_chunk::<11>()
    else {
        return Vec::new();
    };
    let mut head = b"OpusHead\x01".to_vec();
    let is_swapped = u32::from_be_bytes([r1, r2, r3, r4]) > 1_000_000
        && u32::from_le_bytes([r1, r2, r3, r4]) <= 1_000_000;
    if is_swapped {
        head.extend([channels, s1, s2, r1, r2, r3, r4, g1, g2, family]);
    } else {
        head.extend([channels, s2, s1, r4, r3, r2, r1, g2, g1, family]);
    }
    if family != 0 {
        head.extend_from_slice(mapping);
    }
    head
}
