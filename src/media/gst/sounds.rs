//! How each sound codec is handed to the library: the element that decodes it and the caps that
//! describe its packets. Always the same software elements, so that the same file gives the same
//! sound on every node of a fingerprint.

use gstreamer as gst;

use super::super::MediaError;
use super::super::container::{AudioFormat, Codec, Description, Detail, PcmFormat};
use super::coded::{element_of, with_headers};
use super::init::element;

/// Codecs of sound by name, and the element that decodes each; none: this program itself.
pub(super) const NAMES: &[(&str, &str)] = &[
    ("aac", "avdec_aac"),
    ("mp3", "avdec_mp3float"),
    ("mp2", "avdec_mp2float"),
    ("opus", "opusdec"),
    ("vorbis", "vorbisdec"),
    ("flac", "avdec_flac"),
    ("alac", "avdec_alac"),
    ("ac3", "avdec_ac3"),
    ("eac3", "avdec_eac3"),
    ("alaw", "alawdec"),
    ("mulaw", "mulawdec"),
    ("adpcm", "adpcmdec"),
    ("pcm", ""),
];

/// The element that decodes `codec`; none for what needs no decoding.
fn decoder_name(codec: &Codec) -> Option<&'static str> {
    match codec {
        Codec::AdpcmMs => Some("avdec_adpcm_ms"),
        Codec::AdpcmImaQt => Some("avdec_adpcm_ima_qt"),
        codec => element_of(NAMES, codec),
    }
}

/// The library's converter ends the process on more channels than this.
const MOST_CHANNELS: u16 = 63;

/// Why a description's sound cannot be decoded; `None`: it can.
pub(super) fn refusal(description: &Description) -> Option<String> {
    if let Some(scheme) = &description.encryption {
        return Some(format!("its sound is encrypted ({scheme})"));
    }
    let channels = match &description.detail {
        Detail::Audio(format) => format.channels,
        Detail::Video(_) | Detail::None => 0,
    };
    if channels > MOST_CHANNELS {
        return Some(format!(
            "sound of {channels} channels cannot be read, at most {MOST_CHANNELS} are"
        ));
    }
    // The library has no whole numbers of 64 bits.
    if let Codec::Pcm(pcm) = &description.codec
        && pcm.bits == 64
        && !pcm.is_float
    {
        return Some("sound of whole numbers of 64 bits cannot be read".to_owned());
    }
    (!is_readable(&description.codec)).then(|| {
        format!(
            "sound coded as {} cannot be decoded",
            description.codec.name()
        )
    })
}

/// Whether sound of a codec can be decoded.
fn is_readable(codec: &Codec) -> bool {
    match codec {
        Codec::Pcm(_) => true,
        codec => decoder_name(codec).is_some(),
    }
}

/// What makes samples of a description's packets.
pub(super) struct Decoder {
    /// None for linear PCM.
    pub(super) element: Option<gst::Element>,
    pub(super) caps: gst::Caps,
    /// What every sample is multiplied by.
    pub(super) gain: f32,
}

/// The decoder of a description's packets.
///
/// # Errors
/// [`MediaError::Unsupported`] naming a codec that is not decoded, [`MediaError::MissingElement`].
pub(super) fn decoder(description: &Description) -> Result<Decoder, MediaError> {
    if let Some(why) = refusal(description) {
        return Err(MediaError::Unsupported(why));
    }
    let codec = &description.codec;
    Ok(Decoder {
        element: decoder_name(codec).map(element).transpose()?,
        caps: caps(description),
        gain: if *codec == Codec::Opus {
            opus_gain(&description.config)
        } else {
            1.0
        },
    })
}

/// `output_gain` of an `OpusHead`: 1/256 dB.
fn opus_gain(head: &[u8]) -> f32 {
    let Some(&[low, high]) = head.get(16..18) else {
        return 1.0;
    };
    let decibels = f32::from(i16::from_le_bytes([low, high])) / 256.0;
    10_f32.powf(decibels / 20.0)
}

fn caps(description: &Description) -> gst::Caps {
    let format = match &description.detail {
        Detail::Audio(format) => format.clone(),
        Detail::Video(_) | Detail::None => AudioFormat::default(),
    };
    let positive = |value: u32| i32::try_from(value).ok().filter(|&value| value > 0);
    let rate = positive(format.sample_rate);
    let channels = positive(u32::from(format.channels));
    let block = positive(format.block_align);
    let new = |name: &str| {
        gst::Caps::builder(name)
            .field_if_some("rate", rate)
            .field_if_some("channels", channels)
    };
    let config = &description.config;
    let data = gst::Buffer::from_mut_slice(config.clone());
    let has_config = !config.is_empty();
    let mpeg = |layer: i32| {
        new("audio/mpeg")
            .field("mpegversion", 1_i32)
            .field("layer", layer)
            .field("parsed", true)
            .build()
    };
    let adpcm = |layout: &str| {
        new("audio/x-adpcm")
            .field("layout", layout)
            .field_if_some("block_align", block)
            .field_if("codec_data", data.clone(), has_config)
            .build()
    };
    match &description.codec {
        Codec::Aac => new("audio/mpeg")
            .field("mpegversion", 4_i32)
            .field("stream-format", "raw")
            .field("framed", true)
            .field_if("codec_data", data, has_config)
            .build(),
        Codec::AacAdts => new("audio/mpeg")
            .field("mpegversion", 4_i32)
            .field("stream-format", "adts")
            .field("framed", true)
            .build(),
        Codec::Mp3 => mpeg(3),
        Codec::Mp2 => mpeg(2),
        Codec::Opus => opus(config),
        Codec::Vorbis => with_headers(new("audio/x-vorbis"), config),
        Codec::Flac => new("audio/x-flac")
            .field("framed", true)
            .field("codec_data", data)
            .build(),
        Codec::Alac => {
            // The decoder takes the whole box.
            let mut whole = vec![0, 0, 0, 36];
            whole.extend_from_slice(b"alac\0\0\0\0");
            whole.extend_from_slice(config);
            new("audio/x-alac")
                .field("codec_data", gst::Buffer::from_mut_slice(whole))
                .build()
        }
        Codec::Ac3 => new("audio/x-ac3")
            .field("framed", true)
            .field("alignment", "frame")
            .build(),
        Codec::Eac3 => new("audio/x-eac3")
            .field("framed", true)
            .field("alignment", "frame")
            .build(),
        Codec::ALaw => new("audio/x-alaw").build(),
        Codec::MuLaw => new("audio/x-mulaw").build(),
        Codec::AdpcmMs => adpcm("microsoft"),
        Codec::AdpcmImaWav => adpcm("dvi"),
        Codec::AdpcmImaQt => adpcm("quicktime"),
        Codec::Pcm(pcm) => new("audio/x-raw")
            .field("format", pcm_format(*pcm))
            .field("layout", "interleaved")
            // Their positions come from the container.
            .field_if("channel-mask", gst::Bitmask::new(0), format.channels > 2)
            .build(),
        other => new("audio/x-unknown").field("codec", other.name()).build(),
    }
}

fn pcm_format(pcm: PcmFormat) -> String {
    let kind = match (pcm.is_float, pcm.is_signed) {
        (true, _) => 'F',
        (false, true) => 'S',
        (false, false) => 'U',
    };
    let order = match (pcm.bits, pcm.is_big_endian) {
        (8, _) => "",
        (_, true) => "BE",
        (_, false) => "LE",
    };
    format!("{kind}{}{order}", pcm.bits)
}

/// Opus without its header: what is cut off at the beginning is cut off elsewhere.
fn opus(head: &[u8]) -> gst::Caps {
    let byte = |at: usize| head.get(at).copied().unwrap_or(0);
    let channels = i32::from(byte(9).max(1));
    let builder = gst::Caps::builder("audio/x-opus")
        .field("rate", 48_000_i32)
        .field("channels", channels)
        .field("channel-mapping-family", i32::from(byte(18)));
    if byte(18) == 0 {
        return builder.build();
    }
    let mapping = (0..usize::from(byte(9))).map(|at| i32::from(byte(21 + at)));
    builder
        .field("stream-count", i32::from(byte(19)))
        .field("coupled-count", i32::from(byte(20)))
        .field("channel-mapping", gst::Array::new(mapping))
        .build()
}
