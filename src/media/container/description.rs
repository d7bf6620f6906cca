//! What a track's packets are: codec, its configuration, and what the container declares of
//! pictures and sound. The bitstream itself is read by `media::bitstream`.

/// One sample description.
#[derive(Debug, Clone, PartialEq)]
pub struct Description {
    /// How the packets are coded.
    pub codec: Codec,
    /// The codec's configuration record, without box headers: `avcC`, `hvcC`, `av1C`, `vpcC`
    /// bodies; AAC's `AudioSpecificConfig`; `OpusHead` (with its magic, little endian, whatever
    /// container it came from); Vorbis' three headers each behind a big-endian u32 length;
    /// FLAC's STREAMINFO body (34 bytes); ALAC's magic cookie (24 bytes or more); MPEG-4 part 2
    /// VOS/VOL headers; empty where there is none.
    pub config: Vec<u8>,
    /// Encryption scheme (`cenc`, `cbcs`, `FairPlay` …), where packets are encrypted.
    pub encryption: Option<String>,
    /// Of pictures or sound.
    pub detail: Detail,
}

/// What a container declares of a track's pictures or sound.
#[derive(Debug, Clone, PartialEq)]
pub enum Detail {
    /// Pictures.
    Video(VideoFormat),
    /// Sound.
    Audio(AudioFormat),
    /// Anything else.
    None,
}

/// How packets are coded. A codec that no reader supports is `Other` with the container's own name
/// for it, so that a refusal can name it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Codec {
    /// H.264 with length-prefixed units and an `avcC` record in `config`.
    H264,
    /// H.264 as Annex B byte stream; parameter sets in band.
    H264ByteStream,
    /// H.265 with length-prefixed units and an `hvcC` record in `config`.
    H265,
    /// H.265 as Annex B byte stream; parameter sets in band.
    H265ByteStream,
    /// AV1 temporal units in the low-overhead format.
    Av1,
    /// VP8.
    Vp8,
    /// VP9.
    Vp9,
    /// MPEG-1 or MPEG-2 video.
    Mpeg2Video,
    /// MPEG-4 part 2 (Xvid, `DivX` 4 and later).
    Mpeg4,
    /// H.263 (also `s263`, Sorenson's is `Other`).
    H263,
    /// Apple `ProRes`; the variant's four characters (`apch`, `ap4h` …).
    ProRes([u8; 4]),
    /// Avid `DNxHD` and `DNxHR`.
    Dnxhd,
    /// Motion JPEG.
    Mjpeg,
    /// PNG pictures.
    Png,
    /// `QuickTime` Animation.
    QtRle,
    /// Theora; `config` holds its three headers as Vorbis' does.
    Theora,
    /// FFV1; `config` is its configuration record.
    Ffv1,
    /// `HuffYUV` or `FFVHuff` (`config` is its extradata); true for `FFVHuff`.
    Huffyuv(bool),
    /// Uncompressed pictures; `FourCC` of the layout (`yuv2`, `v210`, `RGBA`, `raw ` …).
    RawVideo([u8; 4]),
    /// AAC with an `AudioSpecificConfig` in `config` and bare packets.
    Aac,
    /// AAC with an ADTS header on every packet.
    AacAdts,
    /// MPEG audio layer 3.
    Mp3,
    /// MPEG audio layer 1 or 2.
    Mp2,
    /// Opus.
    Opus,
    /// Vorbis.
    Vorbis,
    /// FLAC frames.
    Flac,
    /// Apple Lossless.
    Alac,
    /// AC-3.
    Ac3,
    /// E-AC-3.
    Eac3,
    /// Linear PCM.
    Pcm(PcmFormat),
    /// G.711 A-law.
    ALaw,
    /// G.711 µ-law.
    MuLaw,
    /// Microsoft ADPCM; a packet is one block of the format's `block_align`.
    AdpcmMs,
    /// IMA ADPCM as in WAV; a packet is one block of the format's `block_align`.
    AdpcmImaWav,
    /// IMA ADPCM as in `QuickTime`: 34 bytes a channel hold 64 samples.
    AdpcmImaQt,
    /// Anything else, by the container's own name.
    Other(String),
}

impl Codec {
    /// Its name in the API.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::H264 | Self::H264ByteStream => "h264",
            Self::H265 | Self::H265ByteStream => "h265",
            Self::Av1 => "av1",
            Self::Vp8 => "vp8",
            Self::Vp9 => "vp9",
            Self::Mpeg2Video => "mpeg2",
            Self::Mpeg4 => "mpeg4",
            Self::H263 => "h263",
            Self::ProRes(_) => "prores",
            Self::Dnxhd => "dnxhd",
            Self::Mjpeg => "mjpeg",
            Self::Png => "png",
            Self::QtRle => "qtrle",
            Self::Theora => "theora",
            Self::Ffv1 => "ffv1",
            Self::Huffyuv(false) => "huffyuv",
            Self::Huffyuv(true) => "ffvhuff",
            Self::RawVideo(_) => "raw",
            Self::Aac | Self::AacAdts => "aac",
            Self::Mp3 => "mp3",
            Self::Mp2 => "mp2",
            Self::Opus => "opus",
            Self::Vorbis => "vorbis",
            Self::Flac => "flac",
            Self::Alac => "alac",
            Self::Ac3 => "ac3",
            Self::Eac3 => "eac3",
            Self::Pcm(_) => "pcm",
            Self::ALaw => "alaw",
            Self::MuLaw => "mulaw",
            Self::AdpcmMs | Self::AdpcmImaWav | Self::AdpcmImaQt => "adpcm",
            Self::Other(name) => name,
        }
    }

    /// Whether every packet is decoded on its own.
    #[must_use]
    pub fn is_intra_only(&self) -> bool {
        matches!(
            self,
            Self::ProRes(_)
                | Self::Dnxhd
                | Self::Mjpeg
                | Self::Png
                | Self::Ffv1
                | Self::Huffyuv(_)
                | Self::RawVideo(_)
        )
    }
}

/// How samples of linear PCM are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PcmFormat {
    /// Bits of one sample as stored: 8, 16, 24, 32 or 64.
    pub bits: u8,
    /// IEEE floating point (32 or 64 bits).
    pub is_float: bool,
    /// Two's complement; 8-bit samples may be unsigned.
    pub is_signed: bool,
    /// Most significant byte first.
    pub is_big_endian: bool,
}

impl PcmFormat {
    /// Bits that samples of so many are stored in: whole bytes. `None`: such samples are not read.
    pub(super) fn stored_bits(bits: impl TryInto<u8>) -> Option<u8> {
        let bits: u8 = bits.try_into().ok()?;
        [8, 16, 24, 32, 64]
            .into_iter()
            .find(|&stored| bits > 0 && (stored - 7..=stored).contains(&bits))
    }
}

/// What a container declares of pictures.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct VideoFormat {
    /// Width in samples; 0: not declared.
    pub width: u32,
    /// Height in samples; 0: not declared.
    pub height: u32,
    /// Width over height of one sample.
    pub pixel_aspect: Option<(u32, u32)>,
    /// Samples to leave off (`clap`, Matroska `PixelCrop…`).
    pub crop: Crop,
    /// What the numbers mean.
    pub color: ColorTags,
    /// Whether pictures are made of two fields; `None`: not declared.
    pub is_interlaced: Option<bool>,
    /// Bits a pixel as a `QuickTime` or AVI header declares (32: with alpha); 0: not declared.
    pub depth: u16,
    /// Whether pictures carry alpha, as far as the container states it.
    pub has_alpha: bool,
    /// Dolby Vision profile.
    pub dolby_vision: Option<u8>,
    /// Colour table of palette formats: up to 256 entries of 0xAARRGGBB.
    pub palette: Vec<u32>,
}

/// Samples left off at each side, after decoding and before turning. Thousandths of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Crop {
    /// Left side.
    pub left: u32,
    /// Right side.
    pub right: u32,
    /// Top.
    pub top: u32,
    /// Bottom.
    pub bottom: u32,
}

/// Code points of ISO/IEC 23091-2 (H.273); `None` where nothing is declared (2, unspecified).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ColorTags {
    /// Colour primaries.
    pub primaries: Option<u8>,
    /// Transfer characteristics: 16 is PQ, 18 HLG.
    pub transfer: Option<u8>,
    /// Matrix coefficients: 0 GBR, 1 BT.709, 5 and 6 BT.601, 7 SMPTE 240M, 9 BT.2020.
    pub matrix: Option<u8>,
    /// 0–255 rather than 16–235.
    pub full_range: Option<bool>,
    /// H.273 chroma sample location type: 0 left, 1 centre, 2 top left.
    pub chroma_location: Option<u8>,
    /// Of high dynamic range.
    pub light: LightLevels,
}

/// Mastering display and content light levels, in candelas per square metre.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct LightLevels {
    /// Brightest the mastering display could show.
    pub mastering_peak: Option<f64>,
    /// Brightest pixel of the content (`MaxCLL`).
    pub content_peak: Option<u16>,
}

/// What a container declares of sound.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct AudioFormat {
    /// Samples a second; 0: not declared.
    pub sample_rate: u32,
    /// Channels; 0: not declared.
    pub channels: u16,
    /// Where each channel is heard from, in coded order; `None`: by the codec's own rule.
    pub layout: Option<ChannelLayout>,
    /// Bytes of a block (ADPCM) or of one sample of all channels (PCM).
    pub block_align: u32,
    /// Samples a channel in one block or packet where it is fixed (ADPCM); 0: not declared.
    pub block_samples: u32,
}

/// Where each channel is heard from.
pub type ChannelLayout = Vec<Role>;

/// Where a channel is heard from (names of ITU-R BS.2051 and `WAVEFORMATEXTENSIBLE`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// The only channel, or one for both sides.
    Mono,
    /// Front left.
    FrontLeft,
    /// Front right.
    FrontRight,
    /// Front centre.
    FrontCenter,
    /// Low-frequency effects.
    LowFrequency,
    /// Back left.
    BackLeft,
    /// Back right.
    BackRight,
    /// Between front left and centre.
    FrontLeftOfCenter,
    /// Between front right and centre.
    FrontRightOfCenter,
    /// Back centre.
    BackCenter,
    /// Side left.
    SideLeft,
    /// Side right.
    SideRight,
    /// Above the listener.
    TopCenter,
    /// Above front left.
    TopFrontLeft,
    /// Above front centre.
    TopFrontCenter,
    /// Above front right.
    TopFrontRight,
    /// Above back left.
    TopBackLeft,
    /// Above back centre.
    TopBackCenter,
    /// Above back right.
    TopBackRight,
    /// Wide left.
    WideLeft,
    /// Wide right.
    WideRight,
    /// Second low-frequency effects.
    LowFrequency2,
    /// No place (ambisonics, discrete channels).
    Unplaced,
}

/// The headers of a configuration in which each lies behind its length, four bytes big endian
/// (Vorbis, Theora); those before the first that is cut off.
#[must_use]
pub fn split_headers(config: &[u8]) -> Vec<&[u8]> {
    let mut rest = config;
    let mut found = Vec::new();
    while let Some((length, tail)) = rest.split_first_chunk::<4>() {
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        let Some((header, next)) = tail.split_at_checked(length) else {
            break;
        };
        found.push(header);
        rest = next;
    }
    found
}
