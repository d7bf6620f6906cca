//! The layouts that decoders give pictures in, by the names of `GStreamer`'s video formats.

/// How samples lie in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Layout {
    /// Planes of luma and two colour differences, 8 bits, halved both ways.
    I420,
    /// As `I420`, the colour differences in one plane.
    Nv12,
    /// Halved across.
    I422,
    /// Quartered across.
    Y41b,
    /// Not halved.
    I444,
    /// As `I420` with so many bits in little-endian words: 10 or 12.
    I420Deep(u8),
    /// As `I422`, deep.
    I422Deep(u8),
    /// As `I444`, deep.
    I444Deep(u8),
    /// `I420`, `I422` or `I444` with a plane of alpha: halved across, halved down, bits.
    Alpha(bool, bool, u8),
    /// Luma alone in 8 bits.
    Gray8,
    /// Luma alone in 16-bit words; true: big endian.
    Gray16(bool),
    /// Planes of green, blue and red in so many bits.
    Gbr(u8),
    /// As `Gbr` with a plane of alpha.
    Gbra(u8),
    /// Bytes of red, green, blue.
    Rgb,
    /// Bytes of blue, green, red.
    Bgr,
    /// Bytes of red, green, blue and one that is nothing.
    Rgbx,
    /// Blue, green, red, nothing.
    Bgrx,
    /// Nothing, red, green, blue.
    Xrgb,
    /// Nothing, blue, green, red.
    Xbgr,
    /// Red, green, blue, alpha.
    Rgba,
    /// Blue, green, red, alpha.
    Bgra,
    /// Alpha, red, green, blue.
    Argb,
    /// Alpha, blue, green, red.
    Abgr,
    /// Little-endian words of 5, 6 and 5 bits.
    Rgb16,
    /// Little-endian words of 5 bits each.
    Rgb15,
    /// Bytes that number entries of a palette.
    Rgb8Palette,
    /// Luma, blue difference, luma, red difference.
    Yuy2,
    /// Blue difference, luma, red difference, luma.
    Uyvy,
    /// Three samples of 10 bits in each little-endian word of 32.
    V210,
}

impl Layout {
    /// By the name of `GStreamer`'s format.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "I420" => Self::I420,
            "NV12" => Self::Nv12,
            "Y42B" => Self::I422,
            "Y41B" => Self::Y41b,
            "Y444" => Self::I444,
            "I420_10LE" => Self::I420Deep(10),
            "I420_12LE" => Self::I420Deep(12),
            "I422_10LE" => Self::I422Deep(10),
            "I422_12LE" => Self::I422Deep(12),
            "Y444_10LE" => Self::I444Deep(10),
            "Y444_12LE" => Self::I444Deep(12),
            "A420" => Self::Alpha(true, true, 8),
            "A420_10LE" => Self::Alpha(true, true, 10),
            "A422_10LE" => Self::Alpha(true, false, 10),
            "A444_10LE" => Self::Alpha(false, false, 10),
            "GRAY8" => Self::Gray8,
            "GRAY16_LE" => Self::Gray16(false),
            "GRAY16_BE" => Self::Gray16(true),
            "GBR" => Self::Gbr(8),
            "GBR_10LE" => Self::Gbr(10),
            "GBR_12LE" => Self::Gbr(12),
            "GBRA" => Self::Gbra(8),
            "GBRA_10LE" => Self::Gbra(10),
            "GBRA_12LE" => Self::Gbra(12),
            "RGB" => Self::Rgb,
            "BGR" => Self::Bgr,
            "RGBx" => Self::Rgbx,
            "BGRx" => Self::Bgrx,
            "xRGB" => Self::Xrgb,
            "xBGR" => Self::Xbgr,
            "RGBA" => Self::Rgba,
            "BGRA" => Self::Bgra,
            "ARGB" => Self::Argb,
            "ABGR" => Self::Abgr,
            "RGB16" => Self::Rgb16,
            "RGB15" => Self::Rgb15,
            "RGB8P" => Self::Rgb8Palette,
            "YUY2" => Self::Yuy2,
            "UYVY" => Self::Uyvy,
            "v210" => Self::V210,
            _ => return None,
        })
    }

    /// Bits of a sample.
    #[must_use]
    pub fn bits(self) -> u8 {
        match self {
            Self::I420Deep(bits)
            | Self::I422Deep(bits)
            | Self::I444Deep(bits)
            | Self::Alpha(_, _, bits)
            | Self::Gbr(bits)
            | Self::Gbra(bits) => bits,
            Self::Gray16(_) => 16,
            Self::V210 => 10,
            _ => 8,
        }
    }

    /// Whether colour differences are halved across and down; `None` for formats without them.
    #[must_use]
    pub fn halved(self) -> Option<(bool, bool)> {
        match self {
            Self::I420 | Self::Nv12 | Self::I420Deep(_) => Some((true, true)),
            Self::I422 | Self::I422Deep(_) | Self::Yuy2 | Self::Uyvy | Self::V210 | Self::Y41b => {
                Some((true, false))
            }
            Self::I444 | Self::I444Deep(_) => Some((false, false)),
            Self::Alpha(across, down, _) => Some((across, down)),
            _ => None,
        }
    }

    /// Whether it holds red, green and blue.
    #[must_use]
    pub fn is_rgb(self) -> bool {
        self.halved().is_none() && !self.is_gray()
    }

    /// Whether it holds luma alone.
    #[must_use]
    pub fn is_gray(self) -> bool {
        matches!(self, Self::Gray8 | Self::Gray16(_))
    }

    /// Whether it holds alpha.
    #[must_use]
    pub fn has_alpha(self) -> bool {
        matches!(
            self,
            Self::Alpha(..) | Self::Gbra(_) | Self::Rgba | Self::Bgra | Self::Argb | Self::Abgr
        )
    }

    /// Number of planes.
    #[must_use]
    pub fn planes(self) -> usize {
        match self {
            Self::Alpha(..) | Self::Gbra(_) => 4,
            Self::Nv12 => 2,
            Self::I420
            | Self::I422
            | Self::Y41b
            | Self::I444
            | Self::I420Deep(_)
            | Self::I422Deep(_)
            | Self::I444Deep(_)
            | Self::Gbr(_) => 3,
            _ => 1,
        }
    }

    /// Bytes of a row of a plane, and rows.
    #[must_use]
    pub fn plane_size(self, plane: usize, width: u32, height: u32) -> (usize, usize) {
        let (width, height) = (width as usize, height as usize);
        let bytes = if self.bits() > 8 { 2 } else { 1 };
        let is_chroma = matches!(plane, 1 | 2);
        match self {
            Self::Nv12 if plane == 1 => (width.div_ceil(2) * 2, height.div_ceil(2)),
            Self::Y41b if is_chroma => (width.div_ceil(4), height),
            Self::Rgb | Self::Bgr => (width * 3, height),
            Self::Rgbx
            | Self::Bgrx
            | Self::Xrgb
            | Self::Xbgr
            | Self::Rgba
            | Self::Bgra
            | Self::Argb
            | Self::Abgr => (width * 4, height),
            Self::Rgb16 | Self::Rgb15 => (width * 2, height),
            Self::Yuy2 | Self::Uyvy => (width.div_ceil(2) * 4, height),
            Self::V210 => (width.div_ceil(6) * 16, height),
            _ => match self.halved() {
                Some((across, down)) if is_chroma => (
                    if across { width.div_ceil(2) } else { width } * bytes,
                    if down { height.div_ceil(2) } else { height },
                ),
                _ => (width * bytes, height),
            },
        }
    }
}
