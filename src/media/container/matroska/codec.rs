//! Codec ids and private data (the Matroska codec registry) as codecs and their configuration.

use super::super::riff::{self, WaveFormat};
use super::super::{AudioFormat, Codec, PcmFormat, VideoFormat};
use super::ebml::{child, children, unsigned};

/// The picture codec of a track.
pub(super) fn picture(
    id: &str,
    private: &[u8],
    video: Option<&[u8]>,
    format: &mut VideoFormat,
) -> (Codec, Vec<u8>) {
    let kept = || private.to_vec();
    match id {
        // Without a record the units lie behind start codes.
        "V_MPEG4/ISO/AVC" if private.first() == Some(&1) => (Codec::H264, kept()),
        "V_MPEG4/ISO/AVC" => (Codec::H264ByteStream, kept()),
        "V_MPEGH/ISO/HEVC" if private.len() > 22 && private.first() != Some(&0) => {
            (Codec::H265, kept())
        }
        "V_MPEGH/ISO/HEVC" => (Codec::H265ByteStream, kept()),
        "V_AV1" => (Codec::Av1, kept()),
        "V_VP8" => (Codec::Vp8, Vec::new()),
        "V_VP9" => (Codec::Vp9, Vec::new()),
        "V_MPEG1" | "V_MPEG2" => (Codec::Mpeg2Video, kept()),
        "V_MPEG4/ISO/SP" | "V_MPEG4/ISO/ASP" | "V_MPEG4/ISO/AP" => (Codec::Mpeg4, kept()),
        "V_MJPEG" => (Codec::Mjpeg, Vec::new()),
        "V_PNG" => (Codec::Png, Vec::new()),
        "V_PRORES" => {
            let variant: [u8; 4] = private.try_into().unwrap_or(*b"apcn");
            format.has_alpha = variant.starts_with(b"ap4");
            (Codec::ProRes(variant), Vec::new())
        }
        "V_FFV1" => (Codec::Ffv1, kept()),
        "V_THEORA" => (Codec::Theora, behind_lengths(private)),
        "V_UNCOMPRESSED" => {
            let code = video
                .and_then(|video| child(video, 0x002e_b524))
                .and_then(|code| code.try_into().ok())
                .unwrap_or(*b"none");
            (Codec::RawVideo(code), Vec::new())
        }
        "V_MS/VFW/FOURCC" => match riff::bitmap(private) {
            Some(header) => {
                format.depth = header.depth;
                (header.codec(), header.extra)
            }
            None => (Codec::Other(id.to_owned()), Vec::new()),
        },
        "V_QUICKTIME" => quicktime(private, format),
        _ => (Codec::Other(id.to_owned()), Vec::new()),
    }
}

/// A `QuickTime` sample description, with its size in front or only its type.
fn quicktime(private: &[u8], format: &mut VideoFormat) -> (Codec, Vec<u8>) {
    let code: Option<[u8; 4]> = private.get(4..8).and_then(|code| code.try_into().ok());
    let Some(code) = code else {
        return (Codec::Other("V_QUICKTIME".into()), Vec::new());
    };
    match super::super::mp4::picture_entry(code, private.get(8..).unwrap_or_default()) {
        Some((codec, config, depth, has_alpha)) => {
            format.depth = depth;
            format.has_alpha |= has_alpha;
            (codec, config)
        }
        None => (riff::picture_codec(code), Vec::new()),
    }
}

/// The sound codec of a track.
pub(super) fn sound(
    id: &str,
    private: &[u8],
    depth: u64,
    format: &mut AudioFormat,
) -> (Codec, Vec<u8>) {
    let kept = || private.to_vec();
    let pcm = |is_float: bool, is_big_endian: bool| {
        let bits = PcmFormat::stored_bits(depth)?;
        Some(Codec::Pcm(PcmFormat {
            bits,
            is_float,
            // Bytes are unsigned, as in WAVE.
            is_signed: bits > 8 || is_float,
            is_big_endian,
        }))
    };
    let named = |codec: Option<Codec>| {
        (
            codec.unwrap_or_else(|| Codec::Other(format!("{id} of {depth} bits"))),
            Vec::new(),
        )
    };
    match id {
        "A_OPUS" => {
            // Opus counts at 48 kHz, whatever its input had.
            format.sample_rate = 48_000;
            (Codec::Opus, kept())
        }
        "A_VORBIS" => (Codec::Vorbis, behind_lengths(private)),
        // The marker, a block's header, then STREAMINFO.
        "A_FLAC" => {
            let start = if private.starts_with(b"fLaC") { 8 } else { 4 };
            let info = private.get(start..start + 34).unwrap_or_default();
            (Codec::Flac, info.to_vec())
        }
        "A_ALAC" => (Codec::Alac, kept()),
        "A_AC3" | "A_AC3/BSID9" | "A_AC3/BSID10" => (Codec::Ac3, Vec::new()),
        "A_EAC3" => (Codec::Eac3, Vec::new()),
        "A_MPEG/L3" => (Codec::Mp3, Vec::new()),
        "A_MPEG/L2" | "A_MPEG/L1" => (Codec::Mp2, Vec::new()),
        "A_PCM/INT/LIT" => named(pcm(false, false)),
        "A_PCM/INT/BIG" => named(pcm(false, true)),
        "A_PCM/FLOAT/IEEE" => named(pcm(true, false)),
        "A_MS/ACM" => match WaveFormat::read(private) {
            Some(wave) => {
                let (codec, config) = wave.codec();
                wave.describe(format);
                (codec, config)
            }
            None => (Codec::Other(id.to_owned()), Vec::new()),
        },
        "A_QUICKTIME" | "A_QUICKTIME/QDM2" | "A_QUICKTIME/QDMC" => {
            (Codec::Other(id.to_owned()), Vec::new())
        }
        _ if id.starts_with("A_AAC") => {
            let config = if private.is_empty() {
                audio_specific_config(id, format)
            } else {
                kept()
            };
            (Codec::Aac, config)
        }
        _ => (Codec::Other(id.to_owned()), Vec::new()),
    }
}

/// An `AudioSpecificConfig` (ISO 14496-3 §1.6.2.1) from old ids and the track's fields.
fn audio_specific_config(id: &str, format: &AudioFormat) -> Vec<u8> {
    const RATES: [u32; 13] = [
        96_000, 88_200, 64_000, 48_000, 44_100, 32_000, 24_000, 22_050, 16_000, 12_000, 11_025,
        8_000, 7_350,
    ];
    let object = match id.rsplit('/').next() {
        Some("MAIN") => 1_u16,
        Some("SSR") => 3,
        Some("LTP") => 4,
        _ => 2,
    };
    let rate = RATES.iter().position(|&rate| rate == format.sample_rate);
    let rate = u16::try_from(rate.unwrap_or(4)).unwrap_or(4);
    let word = object << 11 | rate << 7 | format.channels.min(15) << 3;
    word.to_be_bytes().to_vec()
}

/// Headers in Xiph's lacing as headers each behind a big-endian length of four bytes.
pub(super) fn behind_lengths(private: &[u8]) -> Vec<u8> {
    let Some((&count, mut rest)) = private.split_first() else {
        return Vec::new();
    };
    let mut sizes = Vec::new();
    for _ in 0..count {
        let mut size = 0_usize;
        while let Some((&byte, tail)) = rest.split_first() {
            rest = tail;
            size += usize::from(byte);
            if byte < 255 {
                break;
            }
        }
        sizes.push(size);
    }
    let before: usize = sizes.iter().sum();
    sizes.push(rest.len().saturating_sub(before));
    let mut out = Vec::with_capacity(private.len() + 16);
    for size in sizes {
        let (header, tail) = rest.split_at(size.min(rest.len()));
        rest = tail;
        out.extend(u32::try_from(header.len()).unwrap_or(0).to_be_bytes());
        out.extend_from_slice(header);
    }
    out
}

/// What was done to a track's frames.
#[derive(Debug, Default)]
pub(super) struct Encoding {
    /// Bytes that each begins with.
    pub(super) stripped: Vec<u8>,
    /// The name of a compression that is not undone.
    pub(super) compression: Option<&'static str>,
    /// That they are encrypted.
    pub(super) encryption: Option<String>,
}

/// Reads `ContentEncodings`.
pub(super) fn encoding(body: Option<&[u8]>) -> Encoding {
    let mut found = Encoding::default();
    for (_, one) in children(body.unwrap_or_default()).filter(|(id, _)| *id == 0x6240) {
        let scope = child(one, 0x5032).and_then(unsigned).unwrap_or(1);
        if scope & 1 == 0 {
            continue;
        }
        if child(one, 0x5033).and_then(unsigned) == Some(1) {
            found.encryption = Some("Matroska content encryption".to_owned());
            continue;
        }
        let compression = child(one, 0x5034).unwrap_or_default();
        match child(compression, 0x4254).and_then(unsigned).unwrap_or(0) {
            3 => found.stripped = child(compression, 0x4255).unwrap_or_default().to_vec(),
            0 => found.compression = Some("zlib"),
            1 => found.compression = Some("bzlib"),
            _ => found.compression = Some("lzo1x"),
        }
    }
    found
}
