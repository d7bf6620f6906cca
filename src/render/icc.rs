//! Pixels of pictures with an ICC profile, as those of sRGB.

use std::io::Cursor;

use image::{ColorType, DynamicImage, RgbImage};
use moxcms::{ColorProfile, DataColorSpace, Layout, TransformOptions};
use zune_core::colorspace::ColorSpace;
use zune_core::options::DecoderOptions;
use zune_jpeg::JpegDecoder;

/// A decoded picture of a profile as that of sRGB; `jpeg`: the file's bytes, where it is a JPEG.
/// A profile that cannot be read, or that is not of the picture's kind of colour, leaves pixels as
/// they are.
pub(super) fn to_srgb(picture: DynamicImage, profile: &[u8], jpeg: Option<&[u8]>) -> DynamicImage {
    let Ok(profile) = ColorProfile::new_from_slice(profile) else {
        return picture;
    };
    let is_gray = matches!(
        picture.color(),
        ColorType::L8 | ColorType::La8 | ColorType::L16 | ColorType::La16
    );
    let converted = match profile.color_space {
        DataColorSpace::Rgb if !is_gray => rgb(&picture, &profile),
        DataColorSpace::Gray if is_gray => gray(&picture, &profile),
        // The decoder has made red, green and blue of the inks without the profile.
        DataColorSpace::Cmyk => jpeg.and_then(|bytes| inks(bytes, &profile)),
        _ => None,
    };
    converted.unwrap_or(picture)
}

fn transformed(
    profile: &ColorProfile,
    (from, pixels): (Layout, &[u8]),
    (to, mut out): (Layout, Vec<u8>),
) -> Option<Vec<u8>> {
    let options = TransformOptions::default();
    let transform = profile
        .create_transform_8bit(from, &ColorProfile::new_srgb(), to, options)
        .ok()?;
    transform.transform(pixels, &mut out).ok()?;
    Some(out)
}

fn rgb(picture: &DynamicImage, profile: &ColorProfile) -> Option<DynamicImage> {
    let pixels = picture.to_rgba8();
    let (width, height) = pixels.dimensions();
    let out = vec![0; pixels.len()];
    let out = transformed(profile, (Layout::Rgba, &pixels), (Layout::Rgba, out))?;
    image::RgbaImage::from_raw(width, height, out).map(DynamicImage::from)
}

fn gray(picture: &DynamicImage, profile: &ColorProfile) -> Option<DynamicImage> {
    let pixels = picture.to_luma_alpha8();
    let (width, height) = pixels.dimensions();
    let out = vec![0; pixels.len() * 2];
    let out = transformed(profile, (Layout::GrayAlpha, &pixels), (Layout::Rgba, out))?;
    image::RgbaImage::from_raw(width, height, out).map(DynamicImage::from)
}

/// A JPEG of four inks, decoded anew to the inks themselves.
fn inks(jpeg: &[u8], profile: &ColorProfile) -> Option<DynamicImage> {
    let mut headers = JpegDecoder::new(Cursor::new(jpeg));
    headers.decode_headers().ok()?;
    let stored = headers.input_colorspace()?;
    let limit = usize::from(u16::MAX);
    let options = DecoderOptions::default()
        .set_max_width(limit)
        .set_max_height(limit)
        .jpeg_set_out_colorspace(stored);
    let mut decoder = JpegDecoder::new_with_options(Cursor::new(jpeg), options);
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
    let out = vec![0; samples.len() / 4 * 3];
    let out = transformed(profile, (Layout::Rgba, &samples), (Layout::Rgb, out))?;
    let side = |value: usize| u32::try_from(value).ok();
    RgbImage::from_raw(side(width)?, side(height)?, out).map(DynamicImage::from)
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

    #[test]
    fn gray_of_another_curve_becomes_that_of_srgb() {
        // Linear light: half of it is the code 188 of sRGB.
        let profile = ColorProfile::new_gray_with_gamma(1.0).encode().unwrap();
        let picture = DynamicImage::from(image::GrayImage::from_pixel(2, 2, image::Luma([128])));
        let found = to_srgb(picture, &profile, None).to_rgba8();
        let [r, g, b, a] = found.get_pixel(1, 1).0;
        assert!((187..=189).contains(&r), "{r}");
        assert_eq!((g, b, a), (r, r, 255));
    }

    #[test]
    fn a_profile_of_another_kind_of_colour_changes_nothing() {
        let profile = ColorProfile::new_gray_with_gamma(1.0).encode().unwrap();
        let pixel = image::Rgb([200, 80, 40]);
        let picture = DynamicImage::from(RgbImage::from_pixel(2, 2, pixel));
        let found = to_srgb(picture.clone(), &profile, None);
        assert_eq!(found, picture);
        assert_eq!(to_srgb(picture.clone(), b"no profile", None), picture);
    }

    #[test]
    fn inks_coded_as_differences_come_back() {
        // Gray differences leave luma in all three; the complement is the ink as stored.
        let mut pixel = [200, 128, 128, 7];
        without_differences(&mut pixel);
        assert_eq!(pixel, [55, 55, 55, 7]);
    }
}
