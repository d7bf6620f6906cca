//! What RIFF files and Matroska share: chunks, `WAVEFORMATEX`, `BITMAPINFOHEADER`.

use super::mp4::layout::BITMAP;
use super::{AudioFormat, ChannelLayout, Codec, PcmFormat};

/// Little-endian numbers at a place in bytes.
pub(super) fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

/// As [`u16_at`].
pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

/// `WAVEFORMAT`, `WAVEFORMATEX` or `WAVEFORMATEXTENSIBLE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct WaveFormat {
    /// The format tag; of an extensible format the one in its GUID.
    pub(super) tag: u16,
    pub(super) channels: u16,
    pub(super) rate: u32,
    pub(super) bytes_a_second: u32,
    pub(super) block_align: u16,
    pub(super) bits: u16,
    /// Bytes behind the fixed part.
    pub(super) extra: Vec<u8>,
    mask: u32,
}

const EXTENSIBLE: u16 = 0xfffe;

impl WaveFormat {
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let tag = u16_at(bytes, 0)?;
        let extra_size = usize::from(u16_at(bytes, 16).unwrap_or(0));
        let rest = bytes.get(18..).unwrap_or_default();
        let extra = rest[..extra_size.min(rest.len())].to_vec();
        let mut format = Self {
            tag,
            channels: u16_at(bytes, 2)?,
            rate: u32_at(bytes, 4)?,
            bytes_a_second: u32_at(bytes, 8)?,
            block_align: u16_at(bytes, 12)?,
            bits: u16_at(bytes, 14).unwrap_or(8),
            mask: 0,
            extra,
        };
        if tag == EXTENSIBLE {
            format.mask = u32_at(&format.extra, 2)?;
            format.tag = u16_at(&format.extra, 6)?;
        }
        Some(format)
    }

    /// The codec and its configuration.
    pub(super) fn codec(&self) -> (Codec, Vec<u8>) {
        let pcm = |is_float: bool| match PcmFormat::stored_bits(self.bits) {
            Some(bits) => Codec::Pcm(PcmFormat {
                bits,
                is_float,
                is_signed: bits > 8 || is_float,
                is_big_endian: false,
            }),
            None => Codec::Other(format!("PCM of {} bits", self.bits)),
        };
        match self.tag {
            1 => (pcm(false), Vec::new()),
            3 => (pcm(true), Vec::new()),
            2 => (Codec::AdpcmMs, self.extra.clone()),
            0x11 => (Codec::AdpcmImaWav, self.extra.clone()),
            6 => (Codec::ALaw, Vec::new()),
            7 => (Codec::MuLaw, Vec::new()),
            0x50 => (Codec::Mp2, Vec::new()),
            0x55 => (Codec::Mp3, Vec::new()),
            0xff | 0x706d => (Codec::Aac, self.extra.clone()),
            0x1600 => (Codec::AacAdts, Vec::new()),
            0x2000 => (Codec::Ac3, Vec::new()),
            0x2001 => (Codec::Other("DTS".into()), Vec::new()),
            0xf1ac => (Codec::Flac, self.extra.clone()),
            tag => (Codec::Other(format!("WAVE format {tag:#06x}")), Vec::new()),
        }
    }

    /// Fills in the properties of the sound from a format.
    pub(super) fn describe(&self, format: &mut AudioFormat) {
        format.sample_rate = self.rate;
        format.channels = self.channels;
        format.block_align = u32::from(self.block_align);
        format.block_samples = self.block_samples();
        if let Some(layout) = layout(self.mask, self.channels) {
            format.layout = Some(layout);
        }
    }

    /// Samples a channel in one block of ADPCM; 1 for what has a sample in a block; else 0.
    pub(super) fn block_samples(&self) -> u32 {
        let channels = u32::from(self.channels.max(1));
        let block = u32::from(self.block_align);
        let declared = u16_at(&self.extra, 0)
            .map(u32::from)
            .filter(|&count| count > 0);
        match self.tag {
            // Seven bytes of header a channel hold the first two samples.
            2 => {
                let computed = block.saturating_sub(7 * channels) * 2 / channels + 2;
                declared
                    .filter(|&count| count <= computed)
                    .unwrap_or(computed)
            }
            // Four bytes of header a channel hold the first sample.
            0x11 => {
                let computed = block.saturating_sub(4 * channels) * 2 / channels + 1;
                declared
                    .filter(|&count| count <= computed)
                    .unwrap_or(computed)
            }
            1 | 3 | 6 | 7 => 1,
            _ => 0,
        }
    }
}

/// The roles of a channel mask, if it names as many as there are channels.
pub(super) fn layout(mask: u32, channels: u16) -> Option<ChannelLayout> {
    let roles: ChannelLayout = (0_u32..)
        .zip(BITMAP)
        .filter(|&(bit, _)| mask & 1 << bit != 0)
        .map(|(_, role)| role)
        .collect();
    (mask != 0 && roles.len() == usize::from(channels)).then_some(roles)
}

/// `BITMAPINFOHEADER`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bitmap {
    pub(super) width: u32,
    pub(super) height: u32,
    /// Rows run from the bottom up, as they do unless the height is negative.
    pub(super) is_bottom_up: bool,
    pub(super) depth: u16,
    pub(super) code: [u8; 4],
    pub(super) extra: Vec<u8>,
}

/// Reads a `BITMAPINFOHEADER`.
pub(super) fn bitmap(bytes: &[u8]) -> Option<Bitmap> {
    let size = usize::try_from(u32_at(bytes, 0)?).ok()?;
    let height = u32_at(bytes, 8)?.cast_signed();
    Some(Bitmap {
        width: u32_at(bytes, 4)?,
        height: height.unsigned_abs(),
        is_bottom_up: height > 0,
        depth: u16_at(bytes, 14)?,
        code: bytes.get(16..20)?.try_into().ok()?,
        // Some writers count what follows as part of the header, some do not.
        extra: bytes
            .get(40..size.max(bytes.len()).min(bytes.len()))
            .unwrap_or_default()
            .to_vec(),
    })
}

impl Bitmap {
    pub(super) fn codec(&self) -> Codec {
        // Uncompressed: its number is 0.
        if self.code == [0; 4] {
            return Codec::RawVideo(if self.is_bottom_up {
                *b"DIB "
            } else {
                *b"BGR "
            });
        }
        let is_record = self.extra.first() == Some(&1);
        match picture_codec(self.code) {
            Codec::H264ByteStream if is_record && self.extra.len() > 6 => Codec::H264,
            codec => codec,
        }
    }
}

/// The picture codec that a `FourCC` of AVI names.
pub(super) fn picture_codec(code: [u8; 4]) -> Codec {
    match &code.map(|byte| byte.to_ascii_uppercase()) {
        b"H264" | b"X264" | b"AVC1" | b"DAVC" | b"VSSH" => Codec::H264ByteStream,
        b"HEVC" | b"H265" | b"HEV1" | b"HVC1" | b"X265" => Codec::H265ByteStream,
        b"XVID" | b"DIVX" | b"DX50" | b"FMP4" | b"MP4V" | b"3IV2" | b"3IVX" | b"RMP4" | b"M4S2"
        | b"MP4S" => Codec::Mpeg4,
        b"MJPG" | b"AVRN" | b"IJPG" | b"JPEG" | b"LJPG" | b"DMB1" => Codec::Mjpeg,
        b"MPNG" | b"PNG " | b"PNG1" => Codec::Png,
        b"HFYU" => Codec::Huffyuv(false),
        b"FFVH" => Codec::Huffyuv(true),
        b"FFV1" => Codec::Ffv1,
        b"VP80" => Codec::Vp8,
        b"VP90" => Codec::Vp9,
        b"AV01" => Codec::Av1,
        b"MPG1" | b"MPG2" | b"MPEG" | b"PIM1" | b"EM2V" | b"MP1V" | b"MP2V" => Codec::Mpeg2Video,
        b"H263" | b"S263" | b"U263" | b"X263" => Codec::H263,
        b"AVDN" => Codec::Dnxhd,
        b"APCN" | b"APCH" | b"APCS" | b"APCO" | b"AP4H" | b"AP4X" => {
            Codec::ProRes(code.map(|byte| byte.to_ascii_lowercase()))
        }
        b"YUY2" | b"UYVY" | b"I420" | b"IYUV" | b"YV12" | b"NV12" | b"Y800" | b"GREY" | b"V210"
        | b"Y42B" | b"YUYV" | b"HDYC" => Codec::RawVideo(code),
        _ => Codec::Other(super::mp4::name(code)),
    }
}
