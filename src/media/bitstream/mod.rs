//! Properties of coded pictures from the bitstream: sizes, colour tags, whether decoding can
//! begin at a packet, and where access units begin in streams that have no container. Pure
//! functions of bytes, total: damaged bytes give `None` or the least promise, never a panic.

mod av1;
mod bits;
mod h264;
mod h265;
mod intra;
mod mpeg2;
mod mpeg4;
mod nal;
mod units;
mod vpx;

pub use bits::Bits;
pub use units::{Unit, Units};

use super::container::{Codec, ColorTags};

/// What the headers of a coded picture declare.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Coded {
    /// Width in samples, cropping applied.
    pub width: u32,
    /// Height in samples (of a whole frame, both fields), cropping applied.
    pub height: u32,
    /// Width over height of one sample, where declared.
    pub pixel_aspect: Option<(u32, u32)>,
    /// How colour is sampled.
    pub chroma: Chroma,
    /// Bits a sample.
    pub depth: u8,
    /// Colour tags that the bitstream carries; `None` in each that it leaves out.
    pub color: ColorTags,
    /// Whether it may hold pictures made of two fields.
    pub is_interlaced: bool,
    /// Whether it carries alpha.
    pub has_alpha: bool,
}

/// How colour is sampled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chroma {
    /// Luma alone.
    Monochrome,
    /// Half both ways.
    Yuv420,
    /// Half across.
    Yuv422,
    /// Half down.
    Yuv440,
    /// A quarter across.
    Yuv411,
    /// Full.
    Yuv444,
    /// Red, green and blue rather than luma and colour differences.
    Rgb,
}

/// What decoding from a packet on gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// Every picture shown at or after it is right (IDR, an intra-only codec's any packet).
    Closed,
    /// The packet itself is right and so is all shown after it; pictures shown before it that
    /// follow it in decode order lean on what lies before (open group: CRA, recovery point 0).
    Open,
    /// Right from this many frames on, in decode order (gradual refresh).
    Gradual(u32),
    /// Decoding cannot begin here.
    None,
}

/// What the headers in `config` and `packet` declare; `config` as in
/// [`Description::config`](super::container::Description::config). Headers in the packet win
/// over those in `config`, as decoders have it. `None`: neither holds a whole header.
#[must_use]
pub fn coded(codec: &Codec, config: &[u8], packet: &[u8]) -> Option<Coded> {
    match codec {
        Codec::H264 | Codec::H264ByteStream => {
            h264::coded(nal::form(codec, config), config, packet)
        }
        Codec::H265 | Codec::H265ByteStream => {
            h265::coded(nal::form(codec, config), config, packet)
        }
        Codec::Av1 => av1::coded(config, packet),
        Codec::Vp8 => vpx::coded_vp8(packet),
        Codec::Vp9 => vpx::coded_vp9(config, packet),
        Codec::Mpeg2Video => mpeg2::coded(config, packet),
        Codec::Mpeg4 => mpeg4::coded(config, packet),
        _ => intra::coded(codec, config, packet),
    }
}

/// What decoding from `packet` on gives, by its own bytes.
#[must_use]
pub fn entry(codec: &Codec, config: &[u8], packet: &[u8]) -> Entry {
    match codec {
        Codec::H264 | Codec::H264ByteStream => {
            h264::entry(nal::form(codec, config), config, packet)
        }
        Codec::H265 | Codec::H265ByteStream => h265::entry(nal::form(codec, config), packet),
        Codec::Av1 => av1::entry(packet),
        Codec::Vp8 => vpx::entry_vp8(packet),
        Codec::Vp9 => vpx::entry_vp9(packet),
        Codec::Mpeg2Video => mpeg2::entry(packet),
        Codec::Mpeg4 => mpeg4::entry(packet),
        _ if codec.is_intra_only() => Entry::Closed,
        _ => intra::entry(codec, packet),
    }
}

/// Whether `packet` makes a reference picture and shows nothing: alternate references of VP8 and
/// VP9, AV1 without a shown frame. A not-coded picture of MPEG-4 part 2 shows the one before it again
/// and is not hidden.
#[must_use]
pub fn is_hidden(codec: &Codec, packet: &[u8]) -> bool {
    match codec {
        Codec::Vp8 => vpx::is_hidden_vp8(packet),
        Codec::Vp9 => vpx::is_hidden_vp9(packet),
        Codec::Av1 => av1::is_hidden(packet),
        _ => false,
    }
}

/// Where the pictures of an MPEG-4 part 2 packet begin, and whether each is coded: a packed stream
/// puts a B picture behind the one it leans on, and a not-coded picture (`vop_coded` 0, ISO 14496-2
/// §6.3.5) into the packet where it would lie.
#[must_use]
pub fn mpeg4_pictures(packet: &[u8]) -> Vec<(usize, bool)> {
    mpeg4::pictures(packet)
}
