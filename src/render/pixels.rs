//! Frames as the renderer makes and reads them: constructors and row access. No arithmetic
//! on colours.

use bytes::Bytes;

use crate::media::{Frame, PixelFormat, Plane};
use crate::timeline::YuvColor;

/// Length of a row or a plane in bytes. A `u32` always fits where pictures fit.
pub(super) fn index(value: u32) -> usize {
    usize::try_from(value).expect("addresses have at least 32 bits")
}

/// Wraps tightly packed premultiplied RGBA.
#[must_use]
pub fn rgba_frame(width: u32, height: u32, pixels: Vec<u8>) -> Frame {
    debug_assert_eq!(pixels.len(), index(width) * index(height) * 4);
    Frame {
        width,
        height,
        format: PixelFormat::Rgba,
        planes: vec![Plane {
            data: Bytes::from(pixels),
            stride: index(width) * 4,
        }],
    }
}

/// Wraps three tightly packed planes: `width` × `height` luma, half sizes rounded up chroma.
#[must_use]
pub fn i420_frame(width: u32, height: u32, color: YuvColor, [y, u, v]: [Vec<u8>; 3]) -> Frame {
    let chroma = index(width.div_ceil(2));
    let plane = |data: Vec<u8>, stride| Plane {
        data: Bytes::from(data),
        stride,
    };
    Frame {
        width,
        height,
        format: PixelFormat::I420(color),
        planes: vec![plane(y, index(width)), plane(u, chroma), plane(v, chroma)],
    }
}

/// Row `y` of a plane, `length` bytes of it.
#[must_use]
pub(super) fn row(plane: &Plane, y: u32, length: usize) -> &[u8] {
    let start = plane.stride * index(y);
    &plane.data[start..start + length]
}

/// The size of plane `n` of a frame, in samples.
#[must_use]
pub(super) fn plane_size(frame: &Frame, n: usize) -> (u32, u32) {
    match frame.format {
        PixelFormat::I420(_) if n > 0 => (frame.width.div_ceil(2), frame.height.div_ceil(2)),
        PixelFormat::I420(_) | PixelFormat::Rgba => (frame.width, frame.height),
    }
}

/// Whether the planes hold what the sizes promise; frames come from decoders.
#[must_use]
pub(super) fn is_whole(frame: &Frame) -> bool {
    let (planes, samples) = match frame.format {
        PixelFormat::I420(_) => (3, 1),
        PixelFormat::Rgba => (1, 4),
    };
    frame.planes.len() == planes
        && frame.planes.iter().enumerate().all(|(n, plane)| {
            let (width, height) = plane_size(frame, n);
            let row = index(width) * samples;
            height == 0
                || (plane.stride >= row
                    && plane.data.len() >= plane.stride * index(height - 1) + row)
        })
}

/// A straight colour as premultiplied bytes.
#[must_use]
pub(super) fn premultiplied(color: crate::composition::Rgba) -> [u8; 4] {
    let by_alpha = |channel: u8| {
        let product = u16::from(channel) * u16::from(color.a);
        u8::try_from((product + 127) / 255).expect("a product of two fractions is a fraction")
    };
    [
        by_alpha(color.r),
        by_alpha(color.g),
        by_alpha(color.b),
        color.a,
    ]
}
