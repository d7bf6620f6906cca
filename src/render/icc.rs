//! Pixels of pictures with an ICC profile, as those of sRGB.

use image::{ColorType, DynamicImage, RgbImage};
use moxcms::{ColorProfile, DataColorSpace, Layout, TransformOptions};

use super::jpeg;

/// A decoded picture of a profile as that of sRGB; `file`: its bytes, where it is a
/// JPEG.
/// A profile that cannot be read, or that is not of the picture's kind of colour, leaves pixels as
/// they are.
pub(super) fn to_srgb(picture: DynamicImage, profile: &[u8], file: Option<&[u8]>) -> DynamicImage {
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
        DataColorSpace::Cmyk => file.and_then(|bytes| inks(bytes, &profile)),
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
fn inks(file: &[u8], profile: &ColorProfile) -> Option<DynamicImage> {
    let (width, height, samples) = jpeg::inks(file)?;
    let out = vec![0; samples.len() / 4 * 3];
    let out = transformed(profile, (Layout::Rgba, &samples), (Layout::Rgb, out))?;
    RgbImage::from_raw(width, height, out).map(DynamicImage::from)
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
}
