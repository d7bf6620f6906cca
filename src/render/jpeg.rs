//! JPEG files beyond what the `image` crate's decoder reports: whether all of a picture is
//! there, and the inks of those of four.

use std::io::Cursor;

use image::{DynamicImage, GrayImage, RgbImage};
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

/// Every side of a JPEG is at most this; limits on pixels are the caller's.
const LONGEST_SIDE: usize = u16::MAX as usize;
/// What a strict decoder refuses and no pixel is lost by.
const HARMLESS: &str = "Extra bytes between headers";

/// How a JPEG decodes when nothing is concealed.
pub(super) enum Strictly {
    /// Every pixel is there.
    Whole(DynamicImage),
    /// It ends too early, or its data contradicts itself: what a tolerant decoder gives is partly made
    /// up.
    Damaged,
    /// The strict decoder does not decide: inks, or another fault that concerns no pixel.
    Unknown,
}

fn options() -> DecoderOptions {
    DecoderOptions::default()
        .set_max_width(LONGEST_SIDE)
        .set_max_height(LONGEST_SIDE)
}

/// Decodes a picture of one or three colours.
pub(super) fn strictly(file: &[u8]) -> Strictly {
    let mut headers = JpegDecoder::new(Cursor::new(file));
    if headers.decode_headers().is_err() {
        return Strictly::Unknown;
    }
    let wanted = match headers.input_colorspace() {
        Some(ColorSpace::Luma) => ColorSpace::Luma,
        Some(ColorSpace::RGB | ColorSpace::YCbCr) => ColorSpace::RGB,
        _ => return Strictly::Unknown,
    };
    let options = options()
        .set_strict_mode(true)
        .jpeg_set_out_colorspace(wanted);
    let mut decoder = JpegDecoder::new_with_options(Cursor::new(file), options);
    let samples = match decoder.decode() {
        Ok(samples) => samples,
        Err(error) if error.to_string().contains(HARMLESS) => return Strictly::Unknown,
        Err(_) => return Strictly::Damaged,
    };
    let picture = decoder.dimensions().and_then(|(width, height)| {
        let (width, height) = (u32::try_from(width).ok()?, u32::try_from(height).ok()?);
        match wanted {
            ColorSpace::Luma => GrayImage::from_raw(width, height, samples).map(Into::into),
            _ => RgbImage::from_raw(width, height, samples).map(Into::into),
        }
    });
    picture.map_or(Strictly::Unknown, Strictly::Whole)
}

/// Width, height and inks (how much of each is put on) of a JPEG of four inks.
pub(super) fn inks(file: &[u8]) -> Option<(u32, u32, Vec<u8>)> {
    let mut headers = JpegDecoder::new(Cursor::new(file));
    headers.decode_headers().ok()?;
    let stored = headers.input_colorspace()?;
    let options = options().jpeg_set_out_colorspace(stored);
    let mut decoder = JpegDecoder::new_with_options(Cursor::new(file), options);
    let mut samples = decoder.decode().ok()?;
    let (width, height) = decoder.dimensions()?;
    match stored {
        ColorSpace::CMYK => {}
        ColorSpace::YCCK => samples.chunks_exact_mut(4).for_each(without_differences),
        _ => return None,
    }
    // Adobe's writers, whose JPEGs of inks all others follow, store how much ink is left out.
    for sample in &mut samples {
        *sample = 255 - *sample;
    }
    Some((
        u32::try_from(width).ok()?,
        u32::try_from(height).ok()?,
        samples,
    ))
}

/// Luma and colour differences of the first three inks (ITU-T T.871) as those inks.
fn without_differences(pixel: &mut [u8]) {
    let &mut [luma, blue, red, _] = pixel else {
        return;
    };
    let [luma, blue, red] = [luma, blue, red].map(i32::from);
    let (blue, red) = (blue - 128, red - 128);
    // The factors 1.402, 0.344136, 0.714136 and 1.772 in parts of 65,536.
    let part = |sum: i32| (sum + 32_768) >> 16;
    let inks = [
        luma + part(91_881 * red),
        luma - part(22_554 * blue + 46_802 * red),
        luma + part(116_130 * blue),
    ];
    for (stored, ink) in pixel.iter_mut().zip(inks) {
        // An ink is what its complement leaves out.
        *stored = 255 - u8::try_from(ink.clamp(0, 255)).unwrap_or(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(picture: &DynamicImage) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        picture
            .write_to(&mut bytes, image::ImageFormat::Jpeg)
            .unwrap();
        bytes.into_inner()
    }

    fn noise(width: u32, height: u32) -> RgbImage {
        let mut state = 1_u32;
        RgbImage::from_fn(width, height, |_, _| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let [_, blue, green, red] = state.to_le_bytes();
            image::Rgb([red, green, blue])
        })
    }

    #[test]
    fn a_whole_picture_decodes_to_what_the_usual_decoder_gives() {
        let color = DynamicImage::from(noise(75, 50));
        for picture in [color.to_luma8().into(), color] {
            let file = written(&picture);
            let usual = image::load_from_memory(&file).unwrap();
            let Strictly::Whole(found) = strictly(&file) else {
                panic!("not whole");
            };
            assert_eq!(found, usual);
        }
    }

    #[test]
    fn a_picture_that_lacks_its_end_is_damaged() {
        let file = written(&noise(200, 150).into());
        for part in [50, 60, 90] {
            let cut = &file[..file.len() * part / 100];
            assert!(matches!(strictly(cut), Strictly::Damaged), "{part} %");
        }
    }

    #[test]
    fn inks_coded_as_differences_come_back() {
        // Gray differences leave luma in all three; the complement is the ink as stored.
        let mut pixel = [200, 128, 128, 7];
        without_differences(&mut pixel);
        assert_eq!(pixel, [55, 55, 55, 7]);
    }
}
