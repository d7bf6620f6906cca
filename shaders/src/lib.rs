//! The renderer's WGSL and the memory layout of its uniforms. Uses no graphics library:
//! what is here is text, and structs that are that text's other half.

pub mod uniforms;

/// One shader module: preludes and body are concatenated, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shader {
    /// Label of the module; the body's file name without its ending.
    pub name: &'static str,
    /// File names and texts, preludes first.
    pub parts: &'static [(&'static str, &'static str)],
    /// Functions a pipeline may begin at.
    pub entries: &'static [&'static str],
}

impl Shader {
    /// The module's whole text.
    #[must_use]
    pub fn source(&self) -> String {
        let texts: Vec<&str> = self.parts.iter().map(|(_, text)| *text).collect();
        texts.join("\n")
    }
}

macro_rules! part {
    ($file:literal) => {
        ($file, include_str!(concat!("../", $file)))
    };
}

/// Draws one layer.
pub const COMPOSITE: Shader = Shader {
    name: "composite",
    parts: &[part!("common/sampling.wgsl"), part!("composite.wgsl")],
    entries: &["vs_layer", "fs_copy", "fs_bilinear", "fs_tent"],
};

/// Planes of a decoded picture to RGBA.
pub const YUV_TO_RGB: Shader = Shader {
    name: "yuv_to_rgb",
    parts: &[part!("common/fullscreen.wgsl"), part!("yuv_to_rgb.wgsl")],
    entries: &["vs_fullscreen", "fs_yuv_to_rgb"],
};

/// The canvas to planes for the encoder.
pub const RGB_TO_YUV: Shader = Shader {
    name: "rgb_to_yuv",
    parts: &[part!("rgb_to_yuv.wgsl")],
    entries: &["cs_rgb_to_yuv"],
};

/// Every shader there is.
pub const CATALOGUE: &[Shader] = &[COMPOSITE, YUV_TO_RGB, RGB_TO_YUV];
