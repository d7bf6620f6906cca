//! What the library's format descriptions mean to us: which software elements read a codec, and
//! what the numbers of decoded pictures stand for.

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_video as gst_video;
use gstreamer_video::{VideoChromaSite, VideoColorMatrix, VideoColorRange, VideoFormat};

use super::super::{Matrix, MediaError, YuvColor};
use super::init::element;

/// Untagged pictures of at least this many lines are taken for BT.709.
const HD_LINES: u32 = 720;

/// How a codec is read. Always the same software elements, so that the same file gives the same
/// pictures on every node of a fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Codec {
    /// Its name in one word.
    pub(super) word: &'static str,
    parser: Option<&'static str>,
    decoder: Option<&'static str>,
}

const fn codec(
    word: &'static str,
    parser: Option<&'static str>,
    decoder: Option<&'static str>,
) -> Codec {
    Codec {
        word,
        parser,
        decoder,
    }
}

impl Codec {
    /// The elements that make whole packets of the stream.
    pub(super) fn parsing(self) -> Result<Vec<gst::Element>, MediaError> {
        self.parser.map(element).into_iter().collect()
    }

    /// The elements that decode it.
    pub(super) fn decoding(self) -> Result<Vec<gst::Element>, MediaError> {
        let mut elements = self.parsing()?;
        if let Some(name) = self.decoder {
            let decoder = element(name)?;
            // One thread a decoder: slots are what fills the machine.
            for property in ["max-threads", "threads"] {
                if let Some(spec) = decoder.find_property(property) {
                    if spec.value_type() == gst::glib::Type::I32 {
                        decoder.set_property(property, 1_i32);
                    } else if spec.value_type() == gst::glib::Type::U32 {
                        decoder.set_property(property, 1_u32);
                    }
                }
            }
            elements.push(decoder);
        }
        Ok(elements)
    }
}

/// The picture codec that caps name.
pub(super) fn video_codec(caps: &gst::CapsRef) -> Result<Codec, MediaError> {
    let unsupported = || MediaError::Unsupported(format!("video codec of {caps}"));
    let structure = caps.structure(0).ok_or_else(unsupported)?;
    let version = structure.get::<i32>("mpegversion").ok();
    Ok(match (structure.name().as_str(), version) {
        ("video/x-h264", _) => codec("h264", Some("h264parse"), Some("avdec_h264")),
        ("video/x-h265", _) => codec("h265", Some("h265parse"), Some("avdec_h265")),
        ("video/x-vp8", _) => codec("vp8", None, Some("vp8dec")),
        ("video/x-vp9", _) => codec("vp9", None, Some("vp9dec")),
        ("video/x-av1", _) => codec("av1", Some("av1parse"), Some("av1dec")),
        ("video/mpeg", Some(1 | 2)) => {
            codec("mpeg2", Some("mpegvideoparse"), Some("avdec_mpeg2video"))
        }
        ("video/mpeg", Some(4)) => codec("mpeg4", Some("mpeg4videoparse"), Some("avdec_mpeg4")),
        ("video/x-divx" | "video/x-xvid", _) => codec("mpeg4", None, Some("avdec_mpeg4")),
        ("image/jpeg", _) => codec("mjpeg", None, Some("avdec_mjpeg")),
        ("image/png", _) => codec("png", None, Some("avdec_png")),
        ("video/x-prores", _) => codec("prores", None, Some("avdec_prores")),
        ("video/x-dnxhd", _) => codec("dnxhd", None, Some("avdec_dnxhd")),
        ("video/x-theora", _) => codec("theora", None, Some("theoradec")),
        ("video/x-raw", _) => codec("raw", None, None),
        _ => return Err(unsupported()),
    })
}

/// The sound codec that caps name.
pub(super) fn audio_codec(caps: &gst::CapsRef) -> Result<Codec, MediaError> {
    let unsupported = || MediaError::Unsupported(format!("audio codec of {caps}"));
    let structure = caps.structure(0).ok_or_else(unsupported)?;
    let version = structure.get::<i32>("mpegversion").ok();
    let layer = structure.get::<i32>("layer").ok();
    Ok(match (structure.name().as_str(), version) {
        ("audio/mpeg", Some(2 | 4)) => codec("aac", Some("aacparse"), Some("avdec_aac")),
        ("audio/mpeg", _) if layer == Some(3) => {
            codec("mp3", Some("mpegaudioparse"), Some("avdec_mp3float"))
        }
        ("audio/mpeg", _) => codec("mp2", Some("mpegaudioparse"), Some("avdec_mp2float")),
        ("audio/x-opus", _) => codec("opus", Some("opusparse"), Some("opusdec")),
        ("audio/x-vorbis", _) => codec("vorbis", None, Some("vorbisdec")),
        ("audio/x-flac", _) => codec("flac", Some("flacparse"), Some("flacdec")),
        ("audio/x-alac", _) => codec("alac", None, Some("avdec_alac")),
        ("audio/x-ac3", _) => codec("ac3", Some("ac3parse"), Some("avdec_ac3")),
        ("audio/x-eac3", _) => codec("eac3", Some("ac3parse"), Some("avdec_eac3")),
        ("audio/x-alaw", _) => codec("alaw", None, Some("alawdec")),
        ("audio/x-mulaw", _) => codec("mulaw", None, Some("mulawdec")),
        ("audio/x-raw", _) => codec("pcm", None, None),
        _ => return Err(unsupported()),
    })
}

/// What decoded pictures are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Picture {
    /// Width in samples.
    pub(super) width: u32,
    /// Height in samples.
    pub(super) height: u32,
    /// Sample aspect ratio.
    pub(super) aspect: (u32, u32),
    /// What the numbers mean, after conversion to I420 where one is needed.
    pub(super) color: YuvColor,
    /// Already 8-bit 4:2:0 and progressive.
    pub(super) simple: bool,
}

/// Reads decoded caps; `coded` are those before the decoder, which know whether colour was tagged.
pub(super) fn picture(decoded: &gst::CapsRef, coded: &gst::CapsRef) -> Result<Picture, MediaError> {
    let info = gst_video::VideoInfo::from_caps(decoded)
        .map_err(|_| MediaError::Unsupported(format!("pictures of {decoded}")))?;
    let aspect = info.par();
    let positive = |value: i32| u32::try_from(value).unwrap_or(1).max(1);
    Ok(Picture {
        width: info.width(),
        height: info.height(),
        aspect: (positive(aspect.numer()), positive(aspect.denom())),
        color: color(&info, coded),
        simple: info.format() == VideoFormat::I420 && !info.is_interlaced(),
    })
}

fn color(info: &gst_video::VideoInfo, coded: &gst::CapsRef) -> YuvColor {
    if info.is_rgb() || info.is_gray() {
        // Converted on the way out, and the conversion's target is ours to choose.
        return YuvColor::OUTPUT;
    }
    let colorimetry = info.colorimetry();
    let size_says = if info.height() >= HD_LINES {
        Matrix::Bt709
    } else {
        Matrix::Bt601
    };
    let tagged = coded
        .structure(0)
        .is_some_and(|structure| structure.has_field("colorimetry"))
        || assumed_by_library(info).is_some_and(|plain| plain.colorimetry() != colorimetry);
    let declared = coded
        .structure(0)
        .and_then(|structure| structure.get::<String>("colorimetry").ok())
        .and_then(|text| text.parse::<gst_video::VideoColorimetry>().ok());
    let matrix = match declared.as_ref().unwrap_or(&colorimetry).matrix() {
        _ if !tagged => size_says,
        VideoColorMatrix::Bt709 => Matrix::Bt709,
        VideoColorMatrix::Bt601 | VideoColorMatrix::Fcc | VideoColorMatrix::Smpte240m => {
            Matrix::Bt601
        }
        VideoColorMatrix::Bt2020 => Matrix::Bt2020,
        _ => size_says,
    };
    let already_420 = matches!(
        info.format(),
        VideoFormat::I420 | VideoFormat::Yv12 | VideoFormat::Nv12 | VideoFormat::I42010le
    );
    let says_site = coded.structure(0).is_some_and(|structure| {
        structure.has_field("chroma-site") || structure.name() == "image/jpeg"
    }) || assumed_by_library(info)
        .is_some_and(|plain| plain.chroma_site() != info.chroma_site());
    YuvColor {
        matrix,
        full_range: [Some(&colorimetry), declared.as_ref()]
            .into_iter()
            .flatten()
            .any(|tag| tag.range() == VideoColorRange::Range0_255),
        centered_chroma: already_420 && says_site && info.chroma_site() == VideoChromaSite::JPEG,
    }
}

/// What the library writes into caps when a stream says nothing.
fn assumed_by_library(info: &gst_video::VideoInfo) -> Option<gst_video::VideoInfo> {
    gst_video::VideoInfo::builder(info.format(), info.width(), info.height())
        .build()
        .ok()
}

/// Caps of pictures as they leave a reader.
pub(super) fn i420() -> gst::Caps {
    gst::Caps::builder("video/x-raw")
        .field("format", "I420")
        .build()
}
