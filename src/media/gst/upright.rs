//! Frames made progressive, cropped and turned, plane by plane.

use bytes::Bytes;

use super::super::container::{Crop, Orientation};
use super::super::{Frame, PixelFormat, Plane};

/// Thousandths of a sample in one.
const THOUSANDTHS: u32 = 1000;

/// Bytes of one sample in a frame's planes.
fn sample_bytes(frame: &Frame) -> usize {
    match frame.format {
        PixelFormat::I420(_) => 1,
        PixelFormat::Rgba => 4,
    }
}

/// Columns and rows of a plane.
fn size_of(frame: &Frame, plane: usize) -> (usize, usize) {
    let (width, height) = (frame.width as usize, frame.height as usize);
    match frame.format {
        PixelFormat::I420(_) if plane > 0 => (width.div_ceil(2), height.div_ceil(2)),
        PixelFormat::I420(_) | PixelFormat::Rgba => (width, height),
    }
}

/// A frame of two fields as its upper one: rows of the lower field are the mean of those above and
/// below. One frame stays one frame, so that frames keep their numbers.
pub(super) fn progressive(frame: &Frame) -> Frame {
    let bytes = sample_bytes(frame);
    let planes = (0_usize..)
        .zip(&frame.planes)
        .map(|(number, plane)| {
            let (columns, rows) = size_of(frame, number);
            let width = columns * bytes;
            let mut out = Vec::with_capacity(width * rows);
            let row = |y: usize| {
                let start = y * plane.stride;
                plane.data.get(start..start + width).unwrap_or_default()
            };
            for y in 0..rows {
                if y % 2 == 0 || y + 1 >= rows {
                    out.extend_from_slice(row(if y % 2 == 0 { y } else { y - 1 }));
                    continue;
                }
                let pairs = row(y - 1).iter().zip(row(y + 1));
                out.extend(pairs.map(|(&above, &below)| above.midpoint(below)));
            }
            Plane {
                data: out.into(),
                stride: width,
            }
        })
        .collect();
    Frame { planes, ..*frame }
}

/// A frame without what the container leaves off, in whole samples; chroma begins at an even one.
pub(super) fn cropped(frame: Frame, crop: Crop) -> Frame {
    if crop == Crop::default() {
        return frame;
    }
    let is_i420 = matches!(frame.format, PixelFormat::I420(_));
    let whole = |thousandths: u32| (thousandths + THOUSANDTHS / 2) / THOUSANDTHS;
    let begin = |thousandths: u32| {
        let samples = whole(thousandths);
        if is_i420 {
            samples - samples % 2
        } else {
            samples
        }
    };
    let (left, top) = (begin(crop.left), begin(crop.top));
    let width = frame.width.saturating_sub(left + whole(crop.right));
    let height = frame.height.saturating_sub(top + whole(crop.bottom));
    if width == 0 || height == 0 {
        return frame;
    }
    let bytes = sample_bytes(&frame);
    let planes = (0_usize..)
        .zip(&frame.planes)
        .map(|(number, plane)| {
            let half = if is_i420 && number > 0 { 2 } else { 1 };
            let start = (top / half) as usize * plane.stride + (left / half) as usize * bytes;
            Plane {
                data: plane.data.slice(start.min(plane.data.len())..),
                stride: plane.stride,
            }
        })
        .collect();
    Frame {
        width,
        height,
        planes,
        ..frame
    }
}

/// A frame mirrored left to right, then turned clockwise.
pub(super) fn turned(frame: Frame, orientation: Orientation) -> Frame {
    if orientation == Orientation::default() {
        return frame;
    }
    let is_sideways = orientation.rotation % 180 == 90;
    let planes = (0_usize..)
        .zip(&frame.planes)
        .map(|(number, plane)| {
            let size = size_of(&frame, number);
            match sample_bytes(&frame) {
                4 => turned_plane::<4>(plane, size, orientation),
                _ => turned_plane::<1>(plane, size, orientation),
            }
        })
        .collect();
    let (width, height) = if is_sideways {
        (frame.height, frame.width)
    } else {
        (frame.width, frame.height)
    };
    Frame {
        width,
        height,
        planes,
        ..frame
    }
}

fn turned_plane<const BYTES: usize>(
    plane: &Plane,
    (columns, rows): (usize, usize),
    Orientation { rotation, mirrored }: Orientation,
) -> Plane {
    let (width, height) = if rotation % 180 == 90 {
        (rows, columns)
    } else {
        (columns, rows)
    };
    let mut out = Vec::with_capacity(width * height * BYTES);
    for y in 0..height {
        for x in 0..width {
            let (column, row) = match rotation {
                90 => (y, rows - 1 - x),
                180 => (columns - 1 - x, rows - 1 - y),
                270 => (columns - 1 - y, x),
                _ => (x, y),
            };
            let column = if mirrored {
                columns - 1 - column
            } else {
                column
            };
            let at = row * plane.stride + column * BYTES;
            let sample = plane.data.get(at..at + BYTES);
            out.extend_from_slice(sample.unwrap_or(&[0; BYTES]));
        }
    }
    Plane {
        data: Bytes::from(out),
        stride: width * BYTES,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::timeline::YuvColor;

    /// 4 × 2 luma numbered from 0, chroma 2 × 1.
    fn numbered() -> Frame {
        let plane = |data: Vec<u8>, stride| Plane {
            data: data.into(),
            stride,
        };
        Frame {
            width: 4,
            height: 2,
            format: PixelFormat::I420(YuvColor::OUTPUT),
            planes: vec![
                plane((0..8).collect(), 4),
                plane(vec![10, 11], 2),
                plane(vec![20, 21], 2),
            ],
        }
    }

    #[test]
    fn a_frame_is_mirrored_first_and_then_turned_clockwise() {
        let turn = |rotation, mirrored| {
            let frame = turned(numbered(), Orientation { rotation, mirrored });
            (frame.width, frame.planes[0].data.to_vec())
        };
        assert_eq!(turn(0, false), (4, vec![0, 1, 2, 3, 4, 5, 6, 7]));
        assert_eq!(turn(90, false), (2, vec![4, 0, 5, 1, 6, 2, 7, 3]));
        assert_eq!(turn(180, false), (4, vec![7, 6, 5, 4, 3, 2, 1, 0]));
        assert_eq!(turn(270, false), (2, vec![3, 7, 2, 6, 1, 5, 0, 4]));
        assert_eq!(turn(0, true), (4, vec![3, 2, 1, 0, 7, 6, 5, 4]));
        assert_eq!(turn(90, true), (2, vec![7, 3, 6, 2, 5, 1, 4, 0]));
    }

    #[test]
    fn cropping_keeps_chroma_with_its_luma() {
        let crop = Crop {
            left: 2000,
            ..Crop::default()
        };
        let frame = cropped(numbered(), crop);
        assert_eq!((frame.width, frame.height), (2, 2));
        let row = |plane: usize, y: usize| frame.planes[plane].data[y * frame.planes[plane].stride];
        assert_eq!((row(0, 0), row(0, 1), row(1, 0), row(2, 0)), (2, 6, 11, 21));
    }

    #[test]
    fn the_lower_field_is_made_of_its_neighbours() {
        let frame = Frame {
            width: 1,
            height: 4,
            format: PixelFormat::Rgba,
            planes: vec![Plane {
                data: [[10_u8; 4], [200; 4], [30; 4], [200; 4]].concat().into(),
                stride: 4,
            }],
        };
        let rows = progressive(&frame).planes[0].data.to_vec();
        assert_eq!([rows[0], rows[4], rows[8], rows[12]], [10, 20, 30, 30]);
    }
}
