//! What the numbers of a source's pictures mean, decided once: field by field the container's tag
//! where it has one, else the bitstream's, else what the format or the size suggests.

use std::sync::{Arc, OnceLock};

use super::Layout;
use super::tone::Lut;
use crate::media::bitstream::{Chroma, Coded};
use crate::media::container::{ColorTags, LightLevels};
use crate::timeline::{Matrix, YuvColor};

/// Untagged pictures of at least this many lines are taken for BT.709.
const HD_LINES: u32 = 720;
/// Brightest content where the file does not state it, in candelas per square metre.
const USUAL_PEAK: f64 = 1000.0;

/// Who decided a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The container's tag.
    Container,
    /// The bitstream's own.
    Bitstream,
    /// No tag: assumed from the layout or the size.
    Assumed,
}

impl Source {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Container => "container",
            Self::Bitstream => "bitstream",
            Self::Assumed => "assumed",
        }
    }
}

/// How light was coded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Curve {
    /// For displays of a standard dynamic range.
    Sdr,
    /// SMPTE ST 2084.
    Pq,
    /// BT.2100's hybrid log-gamma.
    Hlg,
}

/// What the numbers mean.
#[derive(Debug, Clone)]
pub struct ColorDecision {
    /// Coefficients; `None`: red, green and blue themselves.
    pub matrix: Option<Matrix>,
    /// Where that comes from.
    pub matrix_source: Source,
    /// 0–255 rather than 16–235.
    pub full_range: bool,
    /// Where that comes from.
    pub range_source: Source,
    /// Chroma lies midway between luma columns.
    pub centered_chroma: bool,
    /// How light was coded.
    pub curve: Curve,
    /// H.273 code of the primaries.
    pub primaries: Option<u8>,
    /// Of a high dynamic range.
    pub light: LightLevels,
    has_alpha: bool,
    lut: Arc<OnceLock<Lut>>,
}

/// Decides for pictures of `layout` that are `height` lines high.
#[must_use]
pub fn decide(
    container: &ColorTags,
    coded: Option<&Coded>,
    layout: Layout,
    height: u32,
) -> ColorDecision {
    let own = coded.map(|coded| coded.color).unwrap_or_default();
    let suggested = if height >= HD_LINES {
        Matrix::Bt709
    } else {
        Matrix::Bt601
    };
    let chosen = [
        (container.matrix, Source::Container),
        (own.matrix, Source::Bitstream),
    ]
    .into_iter()
    .find_map(|(code, source)| Some((matrix_of(code?)?, source)));
    let (matrix, matrix_source) = if layout.is_rgb() {
        (None, Source::Assumed)
    } else {
        match chosen {
            Some((matrix, source)) => (Some(matrix), source),
            None => (Some(suggested), Source::Assumed),
        }
    };
    // Of codecs whose every picture is red, green and blue, a range of luma has no meaning.
    let is_rgb = layout.is_rgb() || coded.is_some_and(|coded| coded.chroma == Chroma::Rgb);
    let (full_range, range_source) = match (container.full_range, own.full_range) {
        (Some(full), _) => (full, Source::Container),
        (None, Some(full)) => (full, Source::Bitstream),
        (None, None) => (is_rgb, Source::Assumed),
    };
    let curve = match container.transfer.or(own.transfer) {
        Some(16) => Curve::Pq,
        Some(18) => Curve::Hlg,
        _ => Curve::Sdr,
    };
    let is_420 = layout.halved() == Some((true, true));
    let location = container.chroma_location.or(own.chroma_location);
    ColorDecision {
        matrix,
        matrix_source,
        full_range,
        range_source,
        centered_chroma: is_420 && location == Some(1),
        curve,
        primaries: container.primaries.or(own.primaries),
        light: LightLevels {
            mastering_peak: container.light.mastering_peak.or(own.light.mastering_peak),
            content_peak: container.light.content_peak.or(own.light.content_peak),
        },
        has_alpha: layout.has_alpha(),
        lut: Arc::default(),
    }
}

/// The coefficients that a code stands for; `None` for those of red, green and blue and for
/// codes that are not read, which leave it to others.
fn matrix_of(code: u8) -> Option<Matrix> {
    Some(match code {
        1 => Matrix::Bt709,
        // FCC's differ from BT.601's in the third digit.
        4..=6 => Matrix::Bt601,
        7 => Matrix::Smpte240m,
        9 | 10 => Matrix::Bt2020,
        _ => return None,
    })
}

impl ColorDecision {
    /// What the numbers mean, of pictures that stay luma and colour differences.
    #[must_use]
    pub fn yuv(&self) -> Option<YuvColor> {
        let matrix = self
            .matrix
            .filter(|_| self.curve == Curve::Sdr && !self.has_alpha)?;
        Some(YuvColor {
            matrix,
            full_range: self.full_range,
            centered_chroma: self.centered_chroma,
        })
    }

    /// The name of the curve that is brought to a standard range, if it is.
    #[must_use]
    pub fn tone_mapped(&self) -> Option<&'static str> {
        match self.curve {
            Curve::Sdr => None,
            Curve::Pq => Some("PQ"),
            Curve::Hlg => Some("HLG"),
        }
    }

    /// How bright the content gets, in candelas per square metre.
    #[must_use]
    pub fn peak(&self) -> f64 {
        let content = self.light.content_peak.map(f64::from);
        let peak = content.or(self.light.mastering_peak).unwrap_or(USUAL_PEAK);
        if self.curve == Curve::Hlg {
            return USUAL_PEAK;
        }
        peak.clamp(200.0, 10_000.0)
    }

    /// The table that brings a high dynamic range to a standard one.
    pub(super) fn lut(&self) -> &Lut {
        self.lut.get_or_init(|| Lut::new(self))
    }
}
