//! Codecs whose pictures stand alone, and the small rest: `ProRes`, JPEG, PNG, `QuickTime` Animation,
//! Theora, H.263.

use super::{Chroma, Coded, Entry};
use crate::media::container::{Codec, ColorTags};

pub(super) fn coded(codec: &Codec, _config: &[u8], packet: &[u8]) -> Option<Coded> {
    match codec {
        Codec::ProRes(variant) => prores(*variant, packet),
        Codec::Mjpeg => jpeg(packet),
        Codec::Png => png(packet),
        _ => None,
    }
}

fn tag(code: u8) -> Option<u8> {
    (code != 2 && code != 0).then_some(code)
}

/// A `ProRes` frame header (SMPTE RDD 36 §5.1).
fn prores(variant: [u8; 4], packet: &[u8]) -> Option<Coded> {
    let start = if packet.get(4..8) == Some(b"icpf") {
        8
    } else {
        0
    };
    let header = packet.get(start..start + 20)?;
    let side = |at: usize| u32::from(u16::from_be_bytes([header[at], header[at + 1]]));
    let is_444 = header[12] >> 6 == 3;
    Some(Coded {
        width: side(8),
        height: side(10),
        pixel_aspect: None,
        chroma: if is_444 {
            Chroma::Yuv444
        } else {
            Chroma::Yuv422
        },
        depth: if variant.starts_with(b"ap4") { 12 } else { 10 },
        color: ColorTags {
            primaries: tag(header[14]),
            transfer: tag(header[15]),
            matrix: tag(header[16]),
            ..ColorTags::default()
        },
        is_interlaced: header[12] & 0x0c != 0,
        has_alpha: header[17] & 15 != 0,
    })
}

/// A JPEG's frame header and the colour tags of its application markers.
fn jpeg(packet: &[u8]) -> Option<Coded> {
    let mut rest = packet.strip_prefix(&[0xff, 0xd8])?;
    let mut adobe = None;
    loop {
        let at = rest.windows(2).position(|pair| {
            pair[0] == 0xff && !matches!(pair[1], 0 | 0xff | 0xd0..=0xd7 | 0x01)
        })?;
        let marker = rest[at + 1];
        let body = rest.get(at + 2..)?;
        let length = usize::from(u16::from_be_bytes([*body.first()?, *body.get(1)?]));
        let segment = body.get(2..length.min(body.len()))?;
        match marker {
            0xee if segment.starts_with(b"Adobe") => adobe = segment.get(11).copied(),
            0xc0..=0xc3 | 0xc5..=0xc7 | 0xc9..=0xcb | 0xcd..=0xcf => {
                let &[depth, h1, h2, w1, w2, components, ..] = segment else {
                    return None;
                };
                let sampling = |index: usize| segment.get(6 + index * 3 + 1).copied();
                let chroma = match (components, adobe, sampling(0), sampling(1)) {
                    (1, ..) => Chroma::Monochrome,
                    (3, Some(0), ..) => Chroma::Rgb,
                    (_, _, Some(0x22), Some(0x11)) => Chroma::Yuv420,
                    (_, _, Some(0x21), Some(0x11)) | (_, _, Some(0x22), Some(0x12)) => {
                        Chroma::Yuv422
                    }
                    (_, _, Some(0x41), Some(0x11)) => Chroma::Yuv411,
                    _ => Chroma::Yuv444,
                };
                return Some(Coded {
                    width: u32::from(u16::from_be_bytes([w1, w2])),
                    height: u32::from(u16::from_be_bytes([h1, h2])),
                    pixel_aspect: None,
                    chroma,
                    depth,
                    // JFIF has BT.601 in full range alone.
                    color: ColorTags {
                        matrix: Some(if chroma == Chroma::Rgb { 0 } else { 5 }),
                        full_range: Some(true),
                        chroma_location: Some(1),
                        ..ColorTags::default()
                    },
                    is_interlaced: false,
                    has_alpha: false,
                });
            }
            0xda | 0xd9 => return None,
            _ => {}
        }
        rest = body.get(length..)?;
    }
}

fn png(packet: &[u8]) -> Option<Coded> {
    let header = packet.strip_prefix(b"\x89PNG\r\n\x1a\n")?.get(8..21)?;
    let side = |at: usize| Some(u32::from_be_bytes(header.get(at..at + 4)?.try_into().ok()?));
    let kind = header[9];
    Some(Coded {
        width: side(0)?,
        height: side(4)?,
        pixel_aspect: None,
        chroma: if kind & 2 == 0 {
            Chroma::Monochrome
        } else {
            Chroma::Rgb
        },
        depth: header[8],
        color: ColorTags {
            full_range: Some(true),
            ..ColorTags::default()
        },
        is_interlaced: false,
        has_alpha: kind & 4 != 0,
    })
}

pub(super) fn entry(codec: &Codec, packet: &[u8]) -> Entry {
    let is_key = match codec {
        // A header whose flag for a part of the picture is not set is of all of it.
        Codec::QtRle => packet
            .get(4..6)
            .is_some_and(|flags| flags[1] & 8 == 0 && flags[0] == 0),
        Codec::Theora => packet.first().is_some_and(|first| first & 0xc0 == 0),
        _ => false,
    };
    if is_key { Entry::Closed } else { Entry::None }
}
