//! Containers read in Rust: which tracks a file has, where each packet lies and when it is shown,
//! without decoding anything. Hostile files meet no other parser before their packets reach a
//! decoder.
//!
//! A reader ([`read`]) makes [`Contents`]; [`Packets`] reads the bytes of one packet. Times are
//! in ticks of each track's own clock, exactly as the file has them; what they mean for the
//! timeline is decided by `media::presentation`.

mod adts;
mod aiff;
mod avi;
mod description;
mod flac;
mod input;
mod matroska;
mod mp3;
mod mp4;
mod ogg;
mod packets;
mod pes;
mod priming;
mod program;
mod riff;
mod sniff;
mod track;
mod transport;
mod wav;

use std::path::Path;

pub use description::split_headers;
pub use input::Input;
pub use packets::Packets;
pub use sniff::Container;
pub use track::{
    Addition, AudioFormat, ChannelLayout, Clock, Codec, ColorTags, Contents, Crop, Description,
    Detail, Edit, Extent, Finding, LightLevels, Orientation, Packet, PacketFlags, Payload,
    PcmFormat, Role, Track, TrackKind, VideoFormat,
};

use super::MediaError;

/// More packets than this in one file are refused: days of pictures.
const MAX_PACKETS: usize = 8_000_000;
/// More tracks than this in one file are refused.
const MAX_TRACKS: usize = 256;

/// Takes a file apart.
///
/// # Errors
/// [`MediaError::Invalid`] when it is not media of a known kind or damaged beyond use,
/// [`MediaError::Unsupported`] when it is of a kind that is known and not read,
/// [`MediaError::Limit`] beyond a limit, [`MediaError::Io`] when reading fails.
pub fn read(path: &Path) -> Result<Contents, MediaError> {
    read_input(&mut Input::open(path)?)
}

/// As [`read`], from an open input.
///
/// # Errors
/// As [`read`].
pub fn read_input(input: &mut Input) -> Result<Contents, MediaError> {
    let (container, start) = sniff::sniff(input)?;
    let mut contents = match container {
        Container::Mp4 => mp4::read(input),
        Container::Matroska => matroska::read(input),
        Container::Avi => avi::read(input),
        Container::MpegPs => program::read(input),
        Container::MpegTs => transport::read(input),
        Container::Wav => wav::read(input),
        Container::Aiff => aiff::read(input),
        Container::Ogg => ogg::read(input),
        Container::Flac => flac::read(input, start),
        Container::Mp3 => mp3::read(input, start),
        Container::Adts => adts::read(input, start),
    }?;
    let is_undeclared = matches!(
        container,
        Container::Matroska | Container::MpegTs | Container::MpegPs
    );
    if is_undeclared {
        priming::complete(&mut contents);
    }
    hide(input, &mut contents)?;
    Ok(contents)
}

/// Marks VP8's reference pictures that are never shown, which only the bitstream knows: the first
/// byte of a packet says it.
fn hide(input: &mut Input, contents: &mut Contents) -> Result<(), MediaError> {
    for track in &mut contents.tracks {
        let is_vp8 = (track.descriptions.first()).is_some_and(|one| one.codec == Codec::Vp8);
        if !is_vp8 || track.payload != Payload::Plain {
            continue;
        }
        for packet in track.packets.iter_mut().filter(|packet| packet.size > 0) {
            let first = input.available(packet.offset, 1)?;
            packet.flags.is_hidden |= super::bitstream::is_hidden(&Codec::Vp8, first);
        }
    }
    Ok(())
}
