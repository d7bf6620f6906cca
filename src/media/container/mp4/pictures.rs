//! Sample entries of picture tracks (ISO 14496-12 §12.1, ISO 14496-15, `QuickTime`).

use super::esds::{self, Stream};
use super::fields::{Fields, boxes, find};
use crate::media::container::{
    Codec, ColorTags, Crop, Description, Detail, LightLevels, VideoFormat,
};

/// Bytes of an entry before its boxes: the common part and the visual one.
const HEADER: usize = 78;

/// Reads one entry of a picture track.
pub(super) fn description(kind: [u8; 4], body: &[u8]) -> Option<Description> {
    let mut fields = Fields::new(body);
    // Reserved, data reference; then version, revision, vendor, two qualities.
    fields.skip(8 + 16)?;
    let (width, height) = (u32::from(fields.u16()?), u32::from(fields.u16()?));
    // Resolutions, data size, frame count, compressor name.
    fields.skip(4 + 4 + 4 + 2 + 32)?;
    let depth = fields.u16()?;
    let color_table = fields.u16()?.cast_signed();
    let inner = extensions(body, color_table);
    let (kind, encryption) = super::protection::original(kind, inner);
    let mut format = VideoFormat {
        width,
        height,
        depth,
        palette: palette(body, depth, color_table),
        ..VideoFormat::default()
    };
    details(inner, &mut format);
    let record = |kind: &[u8; 4]| find(inner, kind).map(<[u8]>::to_vec).unwrap_or_default();
    let (codec, config) = match &kind {
        b"avc1" | b"avc2" | b"avc3" | b"avc4" | b"dvav" | b"dva1" => (Codec::H264, record(b"avcC")),
        b"hvc1" | b"hev1" | b"dvh1" | b"dvhe" => (Codec::H265, record(b"hvcC")),
        b"av01" => (Codec::Av1, record(b"av1C")),
        b"vp08" => (Codec::Vp8, record(b"vpcC")),
        b"vp09" => {
            let config = record(b"vpcC");
            vp9_colour(&config, &mut format);
            (Codec::Vp9, config)
        }
        b"mp4v" => match find(inner, b"esds").and_then(esds::read) {
            Some(Stream {
                object_type,
                config,
            }) => (esds::picture_codec(object_type), config),
            None => (Codec::Mpeg4, Vec::new()),
        },
        b"apch" | b"apcn" | b"apcs" | b"apco" | b"ap4h" | b"ap4x" => {
            format.has_alpha = kind.starts_with(b"ap4") && depth == 32;
            (Codec::ProRes(kind), Vec::new())
        }
        b"aprn" | b"aprh" => (Codec::Other("ProRes RAW".into()), Vec::new()),
        b"jpeg" | b"mjpa" | b"mjpg" | b"MJPG" | b"AVDJ" | b"dmb1" => (Codec::Mjpeg, Vec::new()),
        b"png " | b"MPNG" => {
            format.has_alpha = depth == 32;
            (Codec::Png, Vec::new())
        }
        b"rle " => {
            format.has_alpha = depth == 32;
            (Codec::QtRle, Vec::new())
        }
        b"AVdn" | b"AVdh" => (Codec::Dnxhd, Vec::new()),
        b"s263" | b"h263" | b"H263" => (Codec::H263, Vec::new()),
        b"XVID" | b"xvid" | b"DIVX" | b"divx" | b"DX50" | b"3IV2" | b"FMP4" => {
            (Codec::Mpeg4, record(b"glbl"))
        }
        b"mp1v" | b"mp2v" | b"m1v " | b"m2v1" | b"mpeg" | b"MPEG" => {
            (Codec::Mpeg2Video, Vec::new())
        }
        // HDV, XDCAM and IMX are MPEG-2 under a name for each size and rate.
        [b'h', b'd', b'v', _]
        | [b'x', b'd', b'v' | b'5' | b'h', _]
        | [b'm', b'x', b'3' | b'4' | b'5', _] => (Codec::Mpeg2Video, Vec::new()),
        b"FFV1" => (Codec::Ffv1, record(b"glbl")),
        b"HFYU" => (Codec::Huffyuv(false), record(b"glbl")),
        b"FFVH" => (Codec::Huffyuv(true), record(b"glbl")),
        b"raw " | b"2vuy" | b"2Vuy" | b"yuv2" | b"yuvs" | b"v210" | b"RGBA" | b"BGRA" | b"ABGR"
        | b"ARGB" | b"I420" | b"YV12" | b"UYVY" | b"YUY2" => (Codec::RawVideo(kind), Vec::new()),
        _ => (Codec::Other(name(kind)), Vec::new()),
    };
    Some(Description {
        codec,
        config,
        encryption,
        detail: Detail::Video(format),
    })
}

/// A four-character code as text.
pub(in crate::media::container) fn name(kind: [u8; 4]) -> String {
    let is_text = kind.iter().all(|&byte| (0x20..0x7f).contains(&byte));
    if is_text {
        String::from_utf8_lossy(&kind).trim_end().to_owned()
    } else {
        format!("{:#010x}", u32::from_be_bytes(kind))
    }
}

/// The boxes behind the fixed part, and behind a colour table where one lies between.
fn extensions(body: &[u8], color_table: i16) -> &[u8] {
    let rest = body.get(HEADER..).unwrap_or_default();
    if color_table != 0 {
        return rest;
    }
    let size = rest.get(6..8).map_or(0, |size| {
        (usize::from(u16::from_be_bytes([size[0], size[1]])) + 1) * 8
    });
    rest.get(8 + size..).unwrap_or(rest)
}

/// The colours of a palette format: the entry's own table, or `QuickTime`'s built-in ones.
fn palette(body: &[u8], depth: u16, color_table: i16) -> Vec<u32> {
    let is_gray = (33..=40).contains(&depth);
    let bits = if is_gray { depth - 32 } else { depth };
    if !matches!(bits, 1 | 2 | 4 | 8) {
        return Vec::new();
    }
    if color_table == 0 {
        let rest = body.get(HEADER + 8..).unwrap_or_default();
        return rest
            .chunks_exact(8)
            .take(256)
            .map(|entry| u32::from_be_bytes([0xff, entry[2], entry[4], entry[6]]))
            .collect();
    }
    if depth == 8 {
        return (0..=255).map(system_color).collect();
    }
    let count = 1_u32 << bits;
    (0..count)
        .map(|index| {
            // QuickTime's default runs from white to black.
            let gray = 255 - index * 255 / (count - 1);
            0xff00_0000 | gray << 16 | gray << 8 | gray
        })
        .collect()
}

/// The system palette of 256 colours: a cube of six steps a channel from white on, ramps of red,
/// green, blue and gray between those steps, black.
fn system_color(index: u32) -> u32 {
    const RAMP: [u32; 10] = [0xee, 0xdd, 0xbb, 0xaa, 0x88, 0x77, 0x55, 0x44, 0x22, 0x11];
    let step = |place: u32| 255 - 51 * place;
    let (red, green, blue) = match index {
        0..215 => (step(index / 36), step(index / 6 % 6), step(index % 6)),
        215..255 => {
            let place = index - 215;
            let value = RAMP[(place % 10) as usize];
            let only = |channel: u32| {
                if place / 10 == channel || place >= 30 {
                    value
                } else {
                    0
                }
            };
            (only(0), only(1), only(2))
        }
        _ => (0, 0, 0),
    };
    0xff00_0000 | red << 16 | green << 8 | blue
}

/// Colour, shape, crop, fields and dynamic range, from whatever boxes are there.
fn details(inner: &[u8], format: &mut VideoFormat) {
    for one in boxes(inner) {
        let mut fields = Fields::new(one.body);
        // A box that is too short is ignored.
        let _: Option<()> = (|| {
            match &one.kind {
                b"colr" => colour(one.body, &mut format.color),
                b"pasp" => {
                    let (across, down) = (fields.u32()?, fields.u32()?);
                    if across > 0 && down > 0 {
                        format.pixel_aspect = Some((across, down));
                    }
                }
                b"clap" => {
                    format.crop = clean_aperture(one.body, format.width, format.height)?;
                }
                b"fiel" => format.is_interlaced = Some(fields.u8()? == 2),
                b"mdcv" => {
                    fields.skip(16)?;
                    format.color.light.mastering_peak = Some(f64::from(fields.u32()?) / 10_000.0);
                }
                b"SmDm" => {
                    fields.skip(4 + 16)?;
                    format.color.light.mastering_peak = Some(f64::from(fields.u32()?) / 256.0);
                }
                b"clli" => format.color.light.content_peak = known_peak(fields.u16()?),
                b"CoLL" => {
                    fields.skip(4)?;
                    format.color.light.content_peak = known_peak(fields.u16()?);
                }
                b"dvcC" | b"dvvC" | b"dvwC" => {
                    fields.skip(2)?;
                    format.dolby_vision = Some(fields.u8()? >> 1);
                }
                _ => {}
            }
            Some(())
        })();
    }
}

fn known_peak(value: u16) -> Option<u16> {
    (value > 0).then_some(value)
}

/// `colr`: code points of H.273, with the range only in `nclx`.
fn colour(body: &[u8], color: &mut ColorTags) {
    let mut fields = Fields::new(body);
    let Some(kind) = fields.bytes(4) else { return };
    if kind != b"nclx" && kind != b"nclc" {
        return;
    }
    let code = |value: Option<u16>| {
        value
            .and_then(|value| u8::try_from(value).ok())
            .filter(|&code| code != 2)
    };
    let light = color.light;
    *color = ColorTags {
        primaries: code(fields.u16()),
        transfer: code(fields.u16()),
        matrix: code(fields.u16()),
        full_range: None,
        chroma_location: None,
        light: LightLevels { ..light },
    };
    if kind == b"nclx" {
        color.full_range = fields.u8().map(|flags| flags & 0x80 != 0);
    }
}

/// `vpcC` carries the colour that VP9's own header has no room for.
fn vp9_colour(config: &[u8], format: &mut VideoFormat) {
    // Version and flags, profile, level, depth and sampling and range, then three code points.
    let &[_, _, _, _, _, _, packed, primaries, transfer, matrix, ..] = config else {
        return;
    };
    let code = |value: u8| (value != 2).then_some(value);
    let color = &mut format.color;
    color.primaries = color.primaries.or(code(primaries));
    color.transfer = color.transfer.or(code(transfer));
    color.matrix = color.matrix.or(code(matrix));
    color.full_range = color.full_range.or(Some(packed & 1 == 1));
}

/// `clap` (§12.1.4): a size and where its middle lies from the picture's, all fractions.
fn clean_aperture(body: &[u8], width: u32, height: u32) -> Option<Crop> {
    let mut fields = Fields::new(body);
    let mut fraction = || {
        let (numerator, denominator) = (fields.i32()?, fields.i32()?);
        (denominator != 0).then(|| i64::from(numerator) * 1000 / i64::from(denominator))
    };
    let (clean_width, clean_height) = (fraction()?, fraction()?);
    let (across, down) = (fraction()?, fraction()?);
    let side = |full: u32, clean: i64, offset: i64| {
        let spare = i64::from(full) * 1000 - clean;
        if clean <= 0 || spare < 0 {
            return None;
        }
        let first = spare / 2 + offset;
        let first = first.clamp(0, spare);
        Some((
            u32::try_from(first).ok()?,
            u32::try_from(spare - first).ok()?,
        ))
    };
    let (left, right) = side(width, clean_width, across)?;
    let (top, bottom) = side(height, clean_height, down)?;
    Some(Crop {
        left,
        right,
        top,
        bottom,
    })
}
