//! Pictures that are decoded without the library: PNG, each on its own (the library's decoder
//! lets every picture show through the next), and raw ones, which need only be looked at.

use std::io::Cursor;
use std::path::Path;

use bytes::Bytes;
use image::codecs::png::PngDecoder;
use image::{DynamicImage, ImageDecoder, Limits};

use super::super::container::{Codec, Description, Detail, Input, Packets};
use super::super::pixels::Layout;
use super::super::{MediaError, Plane};
use super::packets::Feeding;
use super::pictures::Decoded;

/// Bytes that decoding one picture may hold.
const MAX_BYTES: u64 = 1 << 30;

/// Decodes packets one by one.
#[derive(Debug)]
pub(super) struct Stills {
    packets: Packets,
    feeding: Feeding,
    kind: Kind,
    next: usize,
    bytes: Vec<u8>,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Png,
    Raw(Raw),
}

/// How raw pictures lie in their packets.
#[derive(Debug, Clone, Copy)]
struct Raw {
    layout: Layout,
    width: u32,
    height: u32,
    /// Rows are padded to a multiple of so many bytes.
    align: usize,
    /// The last row comes first.
    is_bottom_up: bool,
    /// The two chroma planes are the other way round.
    is_swapped: bool,
}

impl Stills {
    /// Reads packets from the one `feeding` names.
    pub(super) fn open(
        file: &Path,
        feeding: Feeding,
        description: &Description,
    ) -> Result<Self, MediaError> {
        let kind = match &description.codec {
            Codec::RawVideo(code) => Kind::Raw(raw(*code, description)?),
            _ => Kind::Png,
        };
        Ok(Self {
            packets: Packets::new(Input::open(file)?),
            next: feeding.from,
            feeding,
            kind,
            bytes: Vec::new(),
        })
    }

    /// The next picture, or `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Decoded>, MediaError> {
        let track = self.feeding.track()?;
        let Some((index, packet)) = track
            .packets
            .iter()
            .enumerate()
            .skip(self.next)
            .find(|(_, packet)| !packet.flags.is_repeat && packet.size > 0)
        else {
            return Ok(None);
        };
        self.next = index + 1;
        let rank = match &self.feeding.ranks {
            Some(ranks) => ranks.get(index).copied().unwrap_or(u32::MAX).into(),
            None => index as u64,
        };
        self.packets.read(track, packet, &mut self.bytes)?;
        match self.kind {
            Kind::Png => png(&self.bytes, rank).map(Some),
            Kind::Raw(form) => form.picture(&self.bytes, rank).map(Some),
        }
    }
}

fn png(bytes: &[u8], rank: u64) -> Result<Decoded, MediaError> {
    let invalid = |error: image::ImageError| MediaError::Invalid(format!("a PNG picture: {error}"));
    let mut limits = Limits::default();
    limits.max_alloc = Some(MAX_BYTES);
    let decoder = PngDecoder::with_limits(Cursor::new(bytes), limits).map_err(invalid)?;
    let (width, height) = decoder.dimensions();
    let picture = DynamicImage::from_decoder(decoder).map_err(invalid)?;
    let has_alpha = picture.color().has_alpha();
    let (layout, data, samples) = if has_alpha {
        (Layout::Rgba, picture.into_rgba8().into_raw(), 4)
    } else {
        (Layout::Rgb, picture.into_rgb8().into_raw(), 3)
    };
    let plane = Plane {
        data: data.into(),
        stride: width as usize * samples,
    };
    Ok(Decoded::made(rank, layout, (width, height), vec![plane]))
}

fn raw(code: [u8; 4], description: &Description) -> Result<Raw, MediaError> {
    let Detail::Video(format) = &description.detail else {
        return Err(MediaError::Invalid("raw pictures without a size".into()));
    };
    let (width, height) = (format.width, format.height);
    if width == 0 || height == 0 {
        return Err(MediaError::Invalid("raw pictures without a size".into()));
    }
    let unsupported = || {
        let name = String::from_utf8_lossy(&code).into_owned();
        MediaError::Unsupported(format!("raw pictures in the layout `{name}`"))
    };
    let plain = |layout| Raw {
        layout,
        width,
        height,
        align: 1,
        is_bottom_up: false,
        is_swapped: false,
    };
    Ok(match (&code, format.depth) {
        (b"raw " | b"RGB " | b"24BG", 0 | 24) | (b"RGB3", _) => plain(Layout::Rgb),
        (b"RGBA", _) => plain(Layout::Rgba),
        (b"BGRA", _) => plain(Layout::Bgra),
        (b"ARGB", _) | (b"raw ", 32) => plain(Layout::Argb),
        (b"ABGR", _) => plain(Layout::Abgr),
        (b"DIB " | b"BGR ", depth) => Raw {
            align: 4,
            is_bottom_up: code == *b"DIB ",
            ..plain(match depth {
                32 => Layout::Bgrx,
                0 | 24 => Layout::Bgr,
                _ => return Err(unsupported()),
            })
        },
        (b"2vuy" | b"UYVY" | b"HDYC" | b"uyvy", _) => plain(Layout::Uyvy),
        (b"yuvs" | b"yuv2" | b"YUY2" | b"YUYV" | b"yuyv", _) => plain(Layout::Yuy2),
        (b"I420" | b"IYUV" | b"i420", _) => plain(Layout::I420),
        (b"YV12" | b"yv12", _) => Raw {
            is_swapped: true,
            ..plain(Layout::I420)
        },
        (b"NV12", _) => plain(Layout::Nv12),
        (b"Y42B" | b"422P", _) => plain(Layout::I422),
        (b"444P", _) => plain(Layout::I444),
        (b"Y800" | b"GREY" | b"Y8  ", _) => plain(Layout::Gray8),
        (b"v210", _) => Raw {
            align: 128,
            ..plain(Layout::V210)
        },
        _ => return Err(unsupported()),
    })
}

impl Raw {
    fn picture(self, bytes: &[u8], rank: u64) -> Result<Decoded, MediaError> {
        let short = || MediaError::Invalid("a raw picture lacks bytes".into());
        let bytes = Bytes::copy_from_slice(bytes);
        let mut planes = Vec::new();
        let mut at = 0;
        for plane in 0..self.layout.planes() {
            let (row, rows) = self.layout.plane_size(plane, self.width, self.height);
            let stride = row.next_multiple_of(self.align);
            let end = at + stride * rows.saturating_sub(1) + row;
            if end > bytes.len() {
                return Err(short());
            }
            let data = bytes.slice(at..(at + stride * rows).min(bytes.len()));
            planes.push(Plane {
                data: if self.is_bottom_up {
                    reversed(&data, stride)
                } else {
                    data
                },
                stride,
            });
            at += stride * rows;
        }
        if self.is_swapped {
            planes.swap(1, 2);
        }
        let size = (self.width, self.height);
        Ok(Decoded::made(rank, self.layout, size, planes))
    }
}

/// Rows in the other order.
fn reversed(data: &[u8], stride: usize) -> Bytes {
    let mut rows: Vec<&[u8]> = data.chunks(stride).collect();
    rows.reverse();
    let mut out = Vec::with_capacity(data.len() + stride);
    for row in rows {
        out.extend_from_slice(row);
        out.resize(out.len().next_multiple_of(stride), 0);
    }
    out.into()
}
