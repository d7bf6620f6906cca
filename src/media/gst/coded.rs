//! How each picture codec is handed to the library: the element that decodes it, the caps that
//! describe its packets, and the form its packets are given. Always the same software elements,
//! so that the same file gives the same pictures on every node of a fingerprint.

use gstreamer as gst;
use gstreamer::prelude::*;

use super::super::MediaError;
use super::super::container::{Codec, Description, Detail, VideoFormat, split_headers};
use super::init::element;

/// The decoder of a picture codec, and what its packets are.
pub(super) struct Decoder {
    pub(super) element: gst::Element,
    pub(super) caps: gst::Caps,
}

/// The element that decodes `codec`, if there is one on the list.
pub(super) fn decoder_name(codec: &Codec) -> Option<&'static str> {
    element_of(NAMES, codec)
}

/// The element that a table of names has for `codec`; `None`: none is needed, or known.
pub(super) fn element_of(names: &[(&str, &'static str)], codec: &Codec) -> Option<&'static str> {
    let named = names.iter().find(|(name, _)| *name == codec.name());
    let (_, element) = named?;
    (!element.is_empty()).then_some(element)
}

/// Codecs of pictures by name, and the element that decodes each; none: this program itself.
pub(super) const NAMES: &[(&str, &str)] = &[
    ("h264", "avdec_h264"),
    ("h265", "avdec_h265"),
    ("av1", "av1dec"),
    ("vp8", "vp8dec"),
    ("vp9", "vp9dec"),
    ("mpeg2", "avdec_mpeg2video"),
    ("mpeg4", "avdec_mpeg4"),
    ("h263", "avdec_h263"),
    ("prores", "avdec_prores"),
    ("dnxhd", "avdec_dnxhd"),
    ("mjpeg", "avdec_mjpeg"),
    ("png", ""),
    ("qtrle", "avdec_qtrle"),
    ("theora", "theoradec"),
    ("ffv1", "avdec_ffv1"),
    ("huffyuv", "avdec_huffyuv"),
    ("raw", ""),
];

/// The decoder of a description's packets; `is_open`: it begins where a group opens.
///
/// # Errors
/// [`MediaError::Unsupported`] naming a codec that is not decoded, [`MediaError::MissingElement`].
pub(super) fn decoder(description: &Description, is_open: bool) -> Result<Decoder, MediaError> {
    if let Some(scheme) = &description.encryption {
        return Err(MediaError::Unsupported(format!(
            "its pictures are encrypted ({scheme})"
        )));
    }
    let codec = &description.codec;
    let name = decoder_name(codec)
        .ok_or_else(|| MediaError::Unsupported(format!("pictures coded as {}", codec.name())))?;
    let decoder = element(name)?;
    // One thread a decoder: slots are what fills the machine. The library's H.264 decoder loses
    // the picture that opens a group when it begins there with one thread; with two it does not.
    let threads: i32 = if is_open { 2 } else { 1 };
    for property in ["max-threads", "threads"] {
        if let Some(spec) = decoder.find_property(property) {
            if spec.value_type() == gst::glib::Type::I32 {
                decoder.set_property(property, threads);
            } else if spec.value_type() == gst::glib::Type::U32 {
                decoder.set_property(property, threads.unsigned_abs());
            }
        }
    }
    // Where it decodes into the next element's memory, the library's wrapper crashes on layouts of
    // samples that it has no name for (FFV1 has dozens); copying, it refuses them.
    let has_layouts = matches!(codec, Codec::Ffv1 | Codec::Huffyuv(_) | Codec::Mjpeg);
    if has_layouts && decoder.find_property("direct-rendering").is_some() {
        decoder.set_property("direct-rendering", false);
    }
    Ok(Decoder {
        element: decoder,
        caps: caps(description),
    })
}

fn caps(description: &Description) -> gst::Caps {
    let format = match &description.detail {
        Detail::Video(format) => format.clone(),
        Detail::Audio(_) | Detail::None => VideoFormat::default(),
    };
    let config = gst::Buffer::from_mut_slice(description.config.clone());
    let has_config = !description.config.is_empty();
    let new = |name: &str| gst::Caps::builder(name);
    let sized = |builder: gst::caps::Builder<gst::caps::NoFeature>| {
        let side = |value: u32| i32::try_from(value).ok().filter(|&side| side > 0);
        builder
            .field_if_some("width", side(format.width))
            .field_if_some("height", side(format.height))
    };
    let depth = i32::from(if format.depth == 0 { 24 } else { format.depth });
    match &description.codec {
        Codec::H264 | Codec::H264ByteStream => new("video/x-h264")
            .field("stream-format", "byte-stream")
            .field("alignment", "au")
            .build(),
        Codec::H265 | Codec::H265ByteStream => new("video/x-h265")
            .field("stream-format", "byte-stream")
            .field("alignment", "au")
            .build(),
        Codec::Av1 => new("video/x-av1")
            .field("stream-format", "obu-stream")
            .field("alignment", "tu")
            .build(),
        Codec::Vp8 => new("video/x-vp8").build(),
        Codec::Vp9 => new("video/x-vp9").build(),
        Codec::Mpeg2Video => sized(new("video/mpeg"))
            .field("mpegversion", 2_i32)
            .field("systemstream", false)
            .field("parsed", true)
            .build(),
        Codec::Mpeg4 => sized(new("video/mpeg"))
            .field("mpegversion", 4_i32)
            .field("systemstream", false)
            .field("parsed", true)
            .field_if("codec_data", config, has_config)
            .build(),
        Codec::H263 => sized(new("video/x-h263")).field("variant", "itu").build(),
        Codec::ProRes(variant) => sized(new("video/x-prores"))
            .field("variant", prores_variant(*variant))
            .build(),
        Codec::Dnxhd => sized(new("video/x-dnxhd")).build(),
        Codec::Mjpeg => sized(new("image/jpeg")).field("parsed", true).build(),
        Codec::QtRle => sized(new("video/x-rle"))
            .field("layout", "quicktime")
            .field("depth", depth)
            .build(),
        Codec::Theora => with_headers(new("video/x-theora"), &description.config),
        Codec::Ffv1 => sized(new("video/x-ffv"))
            .field("ffvversion", 1_i32)
            .field_if("codec_data", config, has_config)
            .build(),
        Codec::Huffyuv(false) => sized(new("video/x-huffyuv"))
            .field("bpp", depth)
            .field_if("codec_data", config, has_config)
            .build(),
        other => new("video/x-unknown").field("codec", other.name()).build(),
    }
}

/// The library decodes 4444 to 12 bits, for which it has no layout with alpha; asked for as
/// another variant, it gives the same pictures in 10 bits.
fn prores_variant(variant: [u8; 4]) -> &'static str {
    match &variant {
        b"apco" => "proxy",
        b"apcs" => "lt",
        b"apcn" => "standard",
        _ => "hq",
    }
}

/// Caps with a codec's headers, which `config` holds each behind its length.
pub(super) fn with_headers(
    builder: gst::caps::Builder<gst::caps::NoFeature>,
    config: &[u8],
) -> gst::Caps {
    let headers = split_headers(config)
        .into_iter()
        .map(|header| gst::Buffer::from_mut_slice(header.to_vec()).to_send_value());
    builder
        .field("streamheader", gst::Array::from_values(headers))
        .build()
}

/// What is done to a codec's packets before the decoder gets them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PacketForm {
    /// Nothing.
    AsStored,
    /// H.264 units behind lengths become a byte stream; parameter sets come from `avcC`.
    H264,
    /// The same of H.265 and `hvcC`.
    H265,
    /// AV1's sequence header comes from `av1C` where packets leave it out.
    Av1,
    /// The configuration lies in front of the first packet.
    Preceded,
    /// Matroska leaves out the box round a `ProRes` frame, which the decoder needs.
    ProRes,
}

impl PacketForm {
    pub(super) fn of(codec: &Codec) -> Self {
        match codec {
            Codec::H264 => Self::H264,
            Codec::H265 => Self::H265,
            Codec::Av1 => Self::Av1,
            Codec::Mpeg2Video => Self::Preceded,
            Codec::ProRes(_) => Self::ProRes,
            _ => Self::AsStored,
        }
    }

    /// The packet as the decoder takes it; `with_config` where decoding may begin at it.
    pub(super) fn shaped(self, packet: Vec<u8>, config: &[u8], with_config: bool) -> Vec<u8> {
        match self {
            Self::H264 => {
                let size = usize::from(config.get(4).map_or(3, |byte| byte & 3)) + 1;
                let mut out = Vec::with_capacity(packet.len() + config.len() + 16);
                if with_config {
                    avc_parameter_sets(config, &mut out);
                }
                byte_stream(&packet, size, &mut out);
                out
            }
            Self::H265 => {
                let size = usize::from(config.get(21).map_or(3, |byte| byte & 3)) + 1;
                let mut out = Vec::with_capacity(packet.len() + config.len() + 16);
                if with_config {
                    hevc_parameter_sets(config, &mut out);
                }
                byte_stream(&packet, size, &mut out);
                out
            }
            Self::Av1 if with_config && config.len() > 4 => {
                [config.get(4..).unwrap_or_default(), &packet].concat()
            }
            Self::Preceded if with_config => [config, &packet].concat(),
            Self::ProRes if packet.get(4..8) != Some(b"icpf") => {
                let size = u32::try_from(packet.len() + 8).unwrap_or(0);
                [&size.to_be_bytes()[..], b"icpf", &packet].concat()
            }
            Self::AsStored | Self::Av1 | Self::Preceded | Self::ProRes => packet,
        }
    }
}

const START_CODE: [u8; 4] = [0, 0, 0, 1];

/// Units behind lengths of `size` bytes as units behind start codes.
fn byte_stream(packet: &[u8], size: usize, out: &mut Vec<u8>) {
    let mut rest = packet;
    while let Some((length, tail)) = rest.split_at_checked(size) {
        let length = length
            .iter()
            .fold(0_usize, |length, &byte| length << 8 | usize::from(byte));
        let unit = &tail[..length.min(tail.len())];
        out.extend_from_slice(&START_CODE);
        out.extend_from_slice(unit);
        rest = &tail[unit.len()..];
    }
}

/// Sequence and picture parameter sets of an `avcC` record (ISO 14496-15 §5.3.3).
fn avc_parameter_sets(config: &[u8], out: &mut Vec<u8>) {
    let Some(&count) = config.get(5) else { return };
    let mut rest = config.get(6..).unwrap_or_default();
    rest = take_units(rest, usize::from(count & 0x1f), out);
    if let Some((&count, tail)) = rest.split_first() {
        take_units(tail, usize::from(count), out);
    }
}

/// The arrays of an `hvcC` record (ISO 14496-15 §8.3.3).
fn hevc_parameter_sets(config: &[u8], out: &mut Vec<u8>) {
    let Some(&arrays) = config.get(22) else {
        return;
    };
    let mut rest = config.get(23..).unwrap_or_default();
    for _ in 0..arrays {
        let &[_, high, low, ..] = rest else { return };
        let count = usize::from(u16::from_be_bytes([high, low]));
        rest = take_units(&rest[3..], count, out);
    }
}

/// Appends `count` units behind 16-bit lengths as a byte stream; returns what follows.
fn take_units<'a>(mut rest: &'a [u8], count: usize, out: &mut Vec<u8>) -> &'a [u8] {
    for _ in 0..count {
        let Some((length, tail)) = rest.split_first_chunk::<2>() else {
            return &[];
        };
        let length = usize::from(u16::from_be_bytes(*length)).min(tail.len());
        out.extend_from_slice(&START_CODE);
        out.extend_from_slice(&tail[..length]);
        rest = &tail[length..];
    }
    rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_become_start_codes_and_parameter_sets_come_first() {
        // Length size 4; one SPS `67 1`, one PPS `68`.
        let config = [1, 0, 0, 0, 0xff, 0xe1, 0, 2, 0x67, 1, 1, 0, 1, 0x68];
        let packet = vec![0, 0, 0, 2, 0x65, 9, 0, 0, 0, 1, 6];
        let stream = PacketForm::H264.shaped(packet.clone(), &config, true);
        let expected = [
            &[0, 0, 0, 1, 0x67, 1, 0, 0, 0, 1, 0x68][..],
            &[0, 0, 0, 1, 0x65, 9, 0, 0, 0, 1, 6],
        ]
        .concat();
        assert_eq!(stream, expected);
        let later = PacketForm::H264.shaped(packet, &config, false);
        assert_eq!(later, expected[11..]);
    }

    #[test]
    fn a_cut_record_gives_what_it_holds() {
        let mut out = Vec::new();
        avc_parameter_sets(&[1, 0, 0, 0, 0xff, 0xe3, 0, 9, 0x67], &mut out);
        assert_eq!(out, [0, 0, 0, 1, 0x67]);
        hevc_parameter_sets(&[0; 30], &mut out);
        assert_eq!(out.len(), 5);
    }
}
