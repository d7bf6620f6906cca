//! Still picture files: what they are, and their pixels. Sizes are checked against the
//! header before anything is decoded: a small file can claim a large picture.

use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::Path;

use image::codecs::png::PngDecoder;
use image::codecs::webp::WebPDecoder;
use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};

use super::jpeg::{Strictly, strictly};
use super::pixels::rgba_frame;
use super::{RenderError, icc};
use crate::media::Frame;
use crate::timeline::{FrameTable, Matrix, MediaInfo, Notice, VideoInfo, YuvColor};

/// Bytes a decoder may hold for each pixel of the limit: RGBA at 16 bits, twice.
const BYTES_A_PIXEL: u64 = 16;

/// Reads a picture file's header: container, size as shown (EXIF orientation applied).
///
/// # Errors
/// [`RenderError::Picture`] when it is no picture that can be shown, [`RenderError::Limit`]
/// when it has more than `max_pixels`.
pub fn probe_image(file: &Path, max_pixels: u64) -> Result<MediaInfo, RenderError> {
    let (mut decoder, format) = open(file, max_pixels)?;
    let (coded_width, coded_height) = decoder.dimensions();
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let (width, height) = if turns_sideways(orientation) {
        (coded_height, coded_width)
    } else {
        (coded_width, coded_height)
    };
    let name = match format {
        ImageFormat::Png => "png",
        ImageFormat::Jpeg => "jpeg",
        _ => "webp",
    };
    Ok(MediaInfo {
        container: name.to_owned(),
        video: Some(VideoInfo {
            track: 0,
            codec: name.to_owned(),
            width,
            height,
            coded_width,
            coded_height,
            // Decoding gives the picture upright.
            rotation: 0,
            mirrored: false,
            plain: false,
            color: YuvColor {
                matrix: Matrix::Bt709,
                full_range: true,
                centered_chroma: true,
            },
            frames: FrameTable::from_nanos(&[0], 0),
        }),
        sounds: Vec::new(),
        notices: is_animated(file, format)
            .then(first_of_many)
            .into_iter()
            .collect(),
        refusal: None,
    })
}

/// Whether a file holds pictures behind the first, which are not shown.
fn is_animated(file: &Path, format: ImageFormat) -> bool {
    let bytes = || File::open(file).ok().map(BufReader::new);
    let animated = match format {
        ImageFormat::Png => bytes()
            .and_then(|bytes| PngDecoder::new(bytes).ok())
            .and_then(|decoder| decoder.is_apng().ok()),
        ImageFormat::WebP => bytes()
            .and_then(|bytes| WebPDecoder::new(bytes).ok())
            .map(|decoder| decoder.has_animation()),
        _ => None,
    };
    animated.unwrap_or(false)
}

fn first_of_many() -> Notice {
    Notice {
        code: "frames_skipped".into(),
        message: "it is animated; only its first picture is shown".into(),
        span: None,
    }
}

/// A decoded still.
#[derive(Debug, Clone)]
pub struct Still {
    /// Premultiplied RGBA, upright.
    pub frame: Frame,
    /// Parts of it are missing from the file and made up.
    pub is_damaged: bool,
}

/// Whether `bytes` begin like a picture file of a supported kind.
#[must_use]
pub fn is_image(bytes: &[u8]) -> bool {
    image::guess_format(bytes).is_ok_and(is_supported)
}

/// Decodes a picture file.
///
/// # Errors
/// As [`probe_image`]; also when the file is damaged further in, of those that cannot be shown
/// in part.
pub fn decode_image(file: &Path, max_pixels: u64) -> Result<Still, RenderError> {
    let (mut decoder, format) = open(file, max_pixels)?;
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let profile = decoder.icc_profile().ok().flatten();
    let jpeg = (format == ImageFormat::Jpeg).then(|| std::fs::read(file));
    let jpeg = jpeg.and_then(Result::ok);
    let strict = jpeg.as_deref().map_or(Strictly::Unknown, strictly);
    let is_damaged = matches!(strict, Strictly::Damaged);
    let mut picture = match strict {
        Strictly::Whole(picture) => picture,
        Strictly::Damaged | Strictly::Unknown => {
            DynamicImage::from_decoder(decoder).map_err(|error| refusal(&error))?
        }
    };
    if let Some(profile) = profile {
        picture = icc::to_srgb(picture, &profile, jpeg.as_deref());
    }
    picture.apply_orientation(orientation);
    let picture = picture.into_rgba8();
    let (width, height) = picture.dimensions();
    let mut pixels = picture.into_raw();
    for pixel in pixels.chunks_exact_mut(4) {
        let alpha = u16::from(pixel[3]);
        for channel in &mut pixel[..3] {
            let product = (u16::from(*channel) * alpha + 127) / 255;
            *channel = u8::try_from(product).unwrap_or(255);
        }
    }
    Ok(Still {
        frame: rgba_frame(width, height, pixels),
        is_damaged,
    })
}

/// A decoder whose header is read and within limits.
fn open(
    file: &Path,
    max_pixels: u64,
) -> Result<(impl ImageDecoder + use<>, ImageFormat), RenderError> {
    let unreadable =
        |error: std::io::Error| RenderError::Picture(format!("file access failed: {error}"));
    let bytes = BufReader::new(File::open(file).map_err(unreadable)?);
    let reader = limited(bytes, max_pixels).map_err(unreadable)?;
    let Some(format) = reader.format().filter(|format| is_supported(*format)) else {
        return Err(RenderError::Picture(unread(file)));
    };
    let decoder = reader.into_decoder().map_err(|error| refusal(&error))?;
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    if pixels > max_pixels {
        return Err(RenderError::Limit(format!(
            "a picture of {width}×{height} has {pixels} pixels; {max_pixels} is the most"
        )));
    }
    if pixels == 0 {
        return Err(RenderError::Picture("the picture is empty".to_owned()));
    }
    Ok((decoder, format))
}

/// Why a file is not shown: the name of a kind that is known and not read.
fn unread(file: &Path) -> String {
    let mut head = Vec::new();
    let read = File::open(file).and_then(|file| file.take(512).read_to_end(&mut head));
    let is_svg = |head: &[u8]| {
        let text = String::from_utf8_lossy(head);
        text.contains("<svg")
    };
    let name = match image::guess_format(&head) {
        Ok(ImageFormat::Gif) => "GIF",
        Ok(ImageFormat::Tiff) => "TIFF",
        Ok(ImageFormat::Avif) => "AVIF",
        Ok(ImageFormat::Bmp) => "BMP",
        Ok(ImageFormat::Ico) => "ICO",
        _ if matches!(
            head.get(4..12),
            Some(b"ftypheic" | b"ftypheix" | b"ftypmif1")
        ) =>
        {
            "HEIF"
        }
        _ if head.starts_with(b"\xff\x0a") || head.starts_with(b"\0\0\0\x0cJXL ") => "JPEG XL",
        _ if read.is_ok() && is_svg(&head) => "SVG",
        _ => return "not a PNG, JPEG or WebP file".to_owned(),
    };
    format!("{name} pictures are not read; PNG, JPEG and WebP are")
}

fn limited<R: Read + Seek + std::io::BufRead>(
    bytes: R,
    max_pixels: u64,
) -> std::io::Result<ImageReader<R>> {
    let mut reader = ImageReader::new(bytes).with_guessed_format()?;
    let mut limits = Limits::default();
    limits.max_alloc = Some(max_pixels.saturating_mul(BYTES_A_PIXEL));
    reader.limits(limits);
    Ok(reader)
}

fn is_supported(format: ImageFormat) -> bool {
    matches!(
        format,
        ImageFormat::Png | ImageFormat::Jpeg | ImageFormat::WebP
    )
}

fn turns_sideways(orientation: Orientation) -> bool {
    matches!(
        orientation,
        Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH
    )
}

fn refusal(error: &ImageError) -> RenderError {
    match error {
        ImageError::Limits(limit) => RenderError::Limit(limit.to_string()),
        ImageError::Decoding(_)
        | ImageError::Encoding(_)
        | ImageError::Parameter(_)
        | ImageError::Unsupported(_)
        | ImageError::IoError(_) => RenderError::Picture(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saved(name: &str, bytes: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        (folder, path)
    }

    fn png(width: u32, height: u32, pixel: [u8; 4]) -> Vec<u8> {
        let picture = image::RgbaImage::from_pixel(width, height, image::Rgba(pixel));
        let mut bytes = std::io::Cursor::new(Vec::new());
        picture.write_to(&mut bytes, ImageFormat::Png).unwrap();
        bytes.into_inner()
    }

    /// An EXIF segment with nothing but the orientation, put behind a JPEG's first marker.
    fn with_orientation(jpeg: &[u8], orientation: u8) -> Vec<u8> {
        let mut exif = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
        exif.extend([orientation, 0, 0, 0, 0, 0, 0]);
        let length = u16::try_from(exif.len() + 2).unwrap().to_be_bytes();
        let mut bytes = jpeg[..2].to_vec();
        bytes.extend([0xFF, 0xE1]);
        bytes.extend(length);
        bytes.extend(exif);
        bytes.extend(&jpeg[2..]);
        bytes
    }

    #[test]
    fn colours_are_premultiplied() {
        let (_folder, path) = saved("a.png", &png(3, 2, [200, 100, 0, 128]));
        let frame = decode_image(&path, 6).unwrap().frame;
        assert_eq!((frame.width, frame.height), (3, 2));
        assert_eq!(frame.planes[0].data[..4], [100, 50, 0, 128]);
    }

    #[test]
    fn a_picture_over_the_limit_is_refused_by_its_header_alone() {
        let mut bomb = png(1, 1, [0; 4]);
        // The header claims 60000 × 60000; its checksum is made right.
        bomb[16..24].copy_from_slice(&[0, 0, 0xEA, 0x60, 0, 0, 0xEA, 0x60]);
        let sum = crc(&bomb[12..29]).to_be_bytes();
        bomb[29..33].copy_from_slice(&sum);
        let (_folder, path) = saved("bomb.png", &bomb);
        for result in [
            probe_image(&path, 33_177_600).map(|_| ()),
            decode_image(&path, 33_177_600).map(|_| ()),
        ] {
            assert!(matches!(result, Err(RenderError::Limit(_))), "{result:?}");
        }
    }

    fn crc(bytes: &[u8]) -> u32 {
        !bytes.iter().fold(!0u32, |sum, byte| {
            (0..8).fold(sum ^ u32::from(*byte), |sum, _| {
                if sum & 1 == 1 {
                    (sum >> 1) ^ 0xEDB8_8320
                } else {
                    sum >> 1
                }
            })
        })
    }

    #[test]
    fn exif_orientation_turns_the_picture() {
        let picture = image::RgbImage::from_fn(16, 8, |x, _| {
            image::Rgb(if x < 8 { [255, 0, 0] } else { [0, 0, 255] })
        });
        let mut bytes = std::io::Cursor::new(Vec::new());
        picture.write_to(&mut bytes, ImageFormat::Jpeg).unwrap();
        let turned = with_orientation(&bytes.into_inner(), 6);
        let (_folder, path) = saved("a.jpg", &turned);
        let info = probe_image(&path, 1000).unwrap();
        let video = info.video.unwrap();
        assert_eq!((video.width, video.height), (8, 16));
        let frame = decode_image(&path, 1000).unwrap().frame;
        assert_eq!((frame.width, frame.height), (8, 16));
        // Turned clockwise: what was left is on top.
        let data = &frame.planes[0].data;
        assert!(data[0] > 200 && data[2] < 60, "{:?}", &data[..4]);
        assert!(data[15 * 8 * 4] < 60 && data[15 * 8 * 4 + 2] > 200);
    }

    #[test]
    fn a_profile_is_converted_to_srgb() {
        let profile = moxcms::ColorProfile::new_display_p3().encode().unwrap();
        let mut bytes = std::io::Cursor::new(Vec::new());
        let mut encoder = image::codecs::png::PngEncoder::new(&mut bytes);
        image::ImageEncoder::set_icc_profile(&mut encoder, profile).unwrap();
        let pixels = [200, 80, 40].repeat(4);
        let kind = image::ExtendedColorType::Rgb8;
        image::ImageEncoder::write_image(encoder, &pixels, 2, 2, kind).unwrap();
        let (_folder, path) = saved("p3.png", &bytes.into_inner());
        let frame = decode_image(&path, 100).unwrap().frame;
        // The same colour is more saturated in the smaller space.
        let [r, g, b] = [0, 1, 2].map(|channel| frame.planes[0].data[channel]);
        assert!(
            (212..=222).contains(&r) && (66..=76).contains(&g) && b < 30,
            "{r} {g} {b}"
        );
    }

    #[test]
    fn a_picture_that_lacks_its_end_is_shown_and_called_damaged() {
        let picture = image::RgbImage::from_fn(160, 120, |x, y| {
            image::Rgb([x, y, x * y].map(|one| one.to_le_bytes()[0]))
        });
        let mut bytes = std::io::Cursor::new(Vec::new());
        picture.write_to(&mut bytes, ImageFormat::Jpeg).unwrap();
        let whole = bytes.into_inner();
        let (_folder, path) = saved("a.jpg", &whole);
        assert!(!decode_image(&path, 20_000).unwrap().is_damaged);
        let (_folder, path) = saved("a.jpg", &whole[..whole.len() * 3 / 5]);
        let still = decode_image(&path, 20_000).unwrap();
        assert!(still.is_damaged);
        assert_eq!((still.frame.width, still.frame.height), (160, 120));
    }

    #[test]
    fn a_still_is_reported_as_a_track_of_one_frame() {
        let (_folder, path) = saved("a.png", &png(7, 5, [1, 2, 3, 255]));
        let report = crate::media::Report::of(&probe_image(&path, 100).unwrap());
        let [track] = &report.tracks[..] else {
            panic!("{report:?}");
        };
        let video = track.video.as_ref().unwrap();
        assert_eq!((video.width, video.height, video.frames), (7, 5, 1));
        assert_eq!((track.codec.as_str(), track.used), ("png", true));
        assert_eq!(report.duration, None);
    }

    #[test]
    fn pictures_behind_the_first_are_noted() {
        let mut file = png(2, 2, [1, 2, 3, 255]);
        let info = |bytes: &[u8]| {
            let (_folder, path) = saved("a.png", bytes);
            probe_image(&path, 100).unwrap()
        };
        assert_eq!(info(&file).notices, []);
        // An animation of one frame, declared in front of the data.
        let mut chunk = b"acTL\0\0\0\x01\0\0\0\0".to_vec();
        chunk.extend(crc(&chunk).to_be_bytes());
        file.splice(33..33, [&[0, 0, 0, 8][..], &chunk].concat());
        assert_eq!(info(&file).notices[0].code, "frames_skipped");
    }

    #[test]
    fn known_kinds_that_are_not_read_are_named() {
        for (head, name) in [
            (&b"GIF89a\x01\0\x01\0"[..], "GIF"),
            (b"II*\0\x08\0\0\0", "TIFF"),
            (b"\0\0\0\x1cftypavif\0\0\0\0", "AVIF"),
            (b"\0\0\0\x1cftypheic\0\0\0\0", "HEIF"),
            (b"<?xml version='1.0'?><svg width='1'/>", "SVG"),
        ] {
            let (_folder, path) = saved("a", head);
            let message = probe_image(&path, 100).unwrap_err().to_string();
            assert!(message.contains(name), "{message}");
        }
    }

    #[test]
    fn what_is_no_picture_is_refused() {
        let truncated = &png(40, 40, [1, 2, 3, 255])[..60];
        for bytes in [&b"plain text"[..], b"", truncated] {
            let (_folder, path) = saved("a.png", bytes);
            assert!(matches!(
                decode_image(&path, 10_000),
                Err(RenderError::Picture(_))
            ));
        }
        assert!(!is_image(b"plain text"));
        assert!(is_image(&png(1, 1, [0; 4])));
    }
}
