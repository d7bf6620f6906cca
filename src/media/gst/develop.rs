//! From a decoded picture to a frame as the renderer takes it: colour decided, made progressive,
//! cropped, turned upright.

use super::super::bitstream::{Chroma, Coded};
use super::super::container::{Crop, Orientation, VideoFormat};
use super::super::pixels::{ColorDecision, Layout, Native, decide, to_frame};
use super::super::{Frame, MediaError, PixelFormat, YuvColor};
use super::pictures::Decoded;
use super::upright::{cropped, progressive, turned};

/// What is done to every picture of a track.
#[derive(Debug)]
pub(super) struct Development {
    format: VideoFormat,
    coded: Option<Coded>,
    orientation: Orientation,
    decided: Option<(Layout, u32, ColorDecision)>,
}

impl Development {
    /// For pictures that the container describes by `format` and their own headers by `coded`.
    pub(super) fn new(format: VideoFormat, coded: Option<Coded>, orientation: Orientation) -> Self {
        Self {
            format,
            coded,
            orientation,
            decided: None,
        }
    }

    /// What the numbers of a picture mean.
    pub(super) fn decision(&mut self, picture: &Decoded) -> &ColorDecision {
        let key = (self.layout(picture), picture.height);
        let is_known =
            matches!(&self.decided, Some((layout, height, _)) if (*layout, *height) == key);
        if !is_known {
            self.decided = None;
        }
        let (_, _, decision) = self.decided.get_or_insert_with(|| {
            let decision = decide(
                &self.format.color,
                self.coded.as_ref(),
                key.0,
                picture.height,
            );
            (key.0, key.1, decision)
        });
        decision
    }

    /// How the samples lie. AV1's decoder calls green, blue and red luma and colour differences.
    fn layout(&self, picture: &Decoded) -> Layout {
        let is_rgb = self.coded.is_some_and(|coded| coded.chroma == Chroma::Rgb);
        match picture.layout {
            Layout::I444 if is_rgb => Layout::Gbr(8),
            Layout::I444Deep(bits) if is_rgb => Layout::Gbr(bits),
            layout => layout,
        }
    }

    /// Width over height of one sample.
    pub(super) fn aspect(&self, picture: &Decoded) -> (u32, u32) {
        let is_usable = |&(across, down): &(u32, u32)| across > 0 && down > 0;
        self.format
            .pixel_aspect
            .filter(is_usable)
            .or_else(|| {
                self.coded
                    .and_then(|coded| coded.pixel_aspect)
                    .filter(is_usable)
            })
            .unwrap_or(picture.aspect)
    }

    /// Whether a picture's planes can be used as they are.
    pub(super) fn is_plain(&mut self, picture: &Decoded) -> bool {
        self.is_untouched(picture) && self.yuv(picture) == Some(YuvColor::OUTPUT)
    }

    fn is_untouched(&self, picture: &Decoded) -> bool {
        picture.layout == Layout::I420
            && picture.alpha.is_none()
            && !picture.is_interlaced
            && self.format.crop == Crop::default()
            && self.orientation == Orientation::default()
    }

    /// What the numbers mean, of pictures that stay luma and colour differences.
    fn yuv(&mut self, picture: &Decoded) -> Option<YuvColor> {
        self.decision(picture).yuv()
    }

    /// The picture as the renderer takes it.
    pub(super) fn frame(&mut self, picture: &Decoded) -> Result<Frame, MediaError> {
        if self.is_untouched(picture)
            && let Some(color) = self.yuv(picture)
        {
            return Ok(picture.as_it_is(color));
        }
        let is_interlaced = picture.is_interlaced;
        let (crop, orientation) = (self.format.crop, self.orientation);
        let native = Native {
            layout: self.layout(picture),
            ..picture.native()
        };
        let converted = to_frame(&native, self.decision(picture))?;
        let whole = if is_interlaced {
            progressive(&converted)
        } else {
            converted
        };
        Ok(turned(cropped(whole, crop), orientation))
    }
}

/// The colour tags of a track's frames, as the plan keeps them.
pub(super) fn color_of(frame: &Frame) -> YuvColor {
    match frame.format {
        PixelFormat::I420(color) => color,
        PixelFormat::Rgba => YuvColor::OUTPUT,
    }
}
