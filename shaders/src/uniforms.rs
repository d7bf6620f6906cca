//! The host side of each WGSL uniform struct: same names, same order, same offsets.

use bytemuck::{Pod, Zeroable};

/// Declares a uniform and the offsets its WGSL twin must have.
macro_rules! uniform {
    (
        $(#[$about:meta])*
        $name:ident { $( $(#[$field_about:meta])* $field:ident: $type:ty, )* }
    ) => {
        $(#[$about])*
        #[derive(Debug, Clone, Copy, PartialEq, Pod, Zeroable)]
        #[repr(C)]
        pub struct $name {
            $( $(#[$field_about])* pub $field: $type, )*
        }

        impl $name {
            /// The struct's name in WGSL.
            pub const NAME: &'static str = stringify!($name);
            /// Bytes.
            pub const SIZE: usize = size_of::<Self>();
            /// Field names and where they begin.
            pub const FIELDS: &'static [(&'static str, usize)] =
                &[$( (stringify!($field), std::mem::offset_of!($name, $field)), )*];
        }
    };
}

uniform! {
    /// One layer of `composite.wgsl`.
    Layer {
        /// Target pixel (x, y, 1) to texel coordinate u; then the tent's radius along u.
        texel_u: [f32; 4],
        /// The same for v.
        texel_v: [f32; 4],
        /// Target pixel to distance from the region's left edge; then the region's width.
        edge_s: [f32; 4],
        /// The same from the top edge; then the height.
        edge_t: [f32; 4],
        /// Clip-space corners: top left, top right.
        corners_top: [f32; 4],
        /// Clip-space corners: bottom right, bottom left.
        corners_bottom: [f32; 4],
        /// The picture's last column and row.
        last: [i32; 2],
        /// 0.0 to 1.0.
        opacity: f32,
        /// Unused.
        padding: f32,
    }
}

uniform! {
    /// The conversion of `yuv_to_rgb.wgsl`.
    YuvToRgb {
        /// (y, u, v, 1) to red.
        red: [f32; 4],
        /// (y, u, v, 1) to green.
        green: [f32; 4],
        /// (y, u, v, 1) to blue.
        blue: [f32; 4],
        /// Luma column and row of the first chroma sample.
        site: [f32; 2],
        /// Last column and row of the chroma planes.
        last: [i32; 2],
    }
}

uniform! {
    /// The conversion of `rgb_to_yuv.wgsl`.
    RgbToYuv {
        /// Last column and row of the canvas.
        last: [i32; 2],
        /// Blocks of 8×2 luma samples across and down.
        blocks: [u32; 2],
        /// Words in a luma row.
        luma_words: u32,
        /// Word at which U begins.
        u_start: u32,
        /// Word at which V begins.
        v_start: u32,
        /// Unused.
        padding: u32,
    }
}
