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
    mark(input, &mut contents)?;
    Ok(contents)
}

/// Bytes of a `QuickTime` Animation packet, below which it only states that nothing changes.
const LEAST_ANIMATION: u32 = 8;
/// Most bytes of an MPEG-4 packet without a coded picture.
const MOST_NOT_CODED: u32 = 32;
/// Bytes that determine whether a picture of VP8 or VP9 is shown.
const HEAD: u32 = 16;

/// Marks what only the bitstream shows: reference pictures of VP8 and VP9 that are never shown, and
/// packets of `QuickTime` Animation and MPEG-4 that change nothing, for which no picture comes out
/// of the decoder. AVI's reader has seen to the latter, where several pictures may share a packet.
fn mark(input: &mut Input, contents: &mut Contents) -> Result<(), MediaError> {
    let is_avi = contents.container == Container::Avi;
    for track in &mut contents.tracks {
        let Some(codec) = track.descriptions.first().map(|one| one.codec.clone()) else {
            continue;
        };
        if track.payload != Payload::Plain {
            continue;
        }
        for packet in track.packets.iter_mut().filter(|packet| packet.size > 0) {
            match codec {
                Codec::QtRle => packet.flags.is_repeat |= packet.size < LEAST_ANIMATION,
                Codec::Vp8 | Codec::Vp9 => {
                    let head = input.available(packet.offset, packet.size.min(HEAD).into())?;
                    let mut is_hidden = super::bitstream::is_hidden(&codec, head);
                    // A superframe is a picture that is not shown with one that is.
                    if is_hidden && codec == Codec::Vp9 {
                        let whole = input.available(packet.offset, packet.size.into())?;
                        is_hidden = super::bitstream::is_hidden(&codec, whole);
                    }
                    packet.flags.is_hidden |= is_hidden;
                }
                Codec::Mpeg4 if !is_avi => {
                    if packet.size <= MOST_NOT_CODED {
                        let whole = input.available(packet.offset, packet.size.into())?;
                        let pictures = super::bitstream::mpeg4_pictures(whole);
                        packet.flags.is_repeat |=
                            !pictures.is_empty() && pictures.iter().all(|&(_, is_coded)| !is_coded);
                    }
                }
                _ => break,
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_pictures_of_vp9_are_marked_unless_one_that_is_shown_comes_with_them() {
        // As in the bitstream's tests: a hidden frame alone, a superframe, a shown frame.
        let (hidden, shown) = (0b1000_0100, 0b1000_0110);
        let parts: [&[u8]; 3] = [&[hidden], &[hidden, shown, 0xc1, 1, 1, 0xc1], &[shown]];
        let mut offset = 0;
        let packets = parts.map(|part| {
            let packet = Packet {
                offset,
                size: u32::try_from(part.len()).unwrap(),
                description: 0,
                flags: PacketFlags::default(),
                dts: 0,
                pts: 0,
                duration: 0,
            };
            offset += part.len() as u64;
            packet
        });
        let codec = Codec::Vp9;
        let track = wav::track(codec, Vec::new(), AudioFormat::default(), packets.into(), 0);
        let mut contents = Contents {
            container: Container::Matroska,
            tracks: vec![track],
            findings: Vec::new(),
        };
        mark(&mut Input::from_bytes(parts.concat()), &mut contents).expect("marked");
        let marks = contents.tracks[0].packets.iter();
        let marks: Vec<bool> = marks.map(|packet| packet.flags.is_hidden).collect();
        assert_eq!(marks, [true, false, false]);
    }
}
