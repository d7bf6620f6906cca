//! Parsers of bytes that others made, against arbitrary ones: they end, and never panic.
//!
//! As tests they run what was found before (`__fuzz__/tests__TARGET/corpus`) and a second of random
//! changes. `make fuzz` searches with libFuzzer, guided by coverage.
#![forbid(unsafe_code)]

use framelane::media::bitstream;
use framelane::media::container::{self, Codec, Input, Packets, TrackKind};
use framelane::media::presentation::{origin, present};
use framelane::media::sound::{entry, pieces};
use framelane::plan::{Plan, RequestObject};

/// Packets of a track that are looked into.
const PACKETS: usize = 64;

/// Reads a file, what of it is shown and heard, and the headers of its packets.
pub fn film(bytes: &[u8]) {
    let Ok(contents) = container::read_input(&mut Input::from_bytes(bytes.to_vec())) else {
        return;
    };
    let zero = origin(&contents);
    let mut packets = Packets::new(Input::from_bytes(bytes.to_vec()));
    let mut data = Vec::new();
    for track in &contents.tracks {
        match track.kind {
            TrackKind::Video => {
                for is_open in [false, true] {
                    drop(present(track, zero, is_open));
                }
            }
            TrackKind::Audio => {
                let heard = pieces(track, zero);
                for piece in heard.iter().take(PACKETS) {
                    let _ = entry(track, piece.media);
                }
            }
            TrackKind::Other => {}
        }
        for packet in track.packets.iter().take(PACKETS) {
            if packets.read(track, packet, &mut data).is_err() {
                continue;
            }
            let description = track.descriptions.get(usize::from(packet.description));
            if let Some(description) = description {
                headers(&description.codec, &description.config, &data);
            }
        }
    }
}

fn headers(codec: &Codec, config: &[u8], packet: &[u8]) {
    let _ = bitstream::coded(codec, config, packet);
    let _ = bitstream::entry(codec, config, packet);
    let _ = bitstream::is_hidden(codec, packet);
}

/// Headers of coded pictures: the first byte chooses the codec, the second how many bytes are its
/// configuration.
pub fn packets(bytes: &[u8]) {
    let codecs = [
        Codec::H264,
        Codec::H264ByteStream,
        Codec::H265,
        Codec::H265ByteStream,
        Codec::Av1,
        Codec::Vp8,
        Codec::Vp9,
        Codec::Mpeg2Video,
        Codec::Mpeg4,
        Codec::Mjpeg,
        Codec::Png,
        Codec::Theora,
        Codec::Ffv1,
        Codec::ProRes(*b"apch"),
    ];
    let Some((&[choice, split], rest)) = bytes.split_first_chunk() else {
        return;
    };
    let codec = &codecs[usize::from(choice) % codecs.len()];
    let (config, packet) = rest.split_at(usize::from(split).min(rest.len()));
    headers(codec, config, packet);
    let _ = bitstream::mpeg4_pictures(packet);
    let mut units = bitstream::Units::new(codec);
    units.find(rest, false);
    units.find(rest, true);
}

/// Objects of the store that a worker or an older build wrote.
pub fn objects(bytes: &[u8]) {
    drop(Plan::from_bytes(bytes));
    drop(RequestObject::from_bytes(bytes));
}

/// Pictures with their profiles, as sources and inside containers.
pub fn pictures_of_files(bytes: &[u8]) {
    use std::io::Write as _;
    let Ok(mut file) = tempfile::NamedTempFile::new() else {
        return;
    };
    if file.write_all(bytes).is_ok() {
        drop(framelane::render::image::decode_image(file.path(), 1 << 20));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes of an input. Every structure of every format fits.
    const MOST: usize = 64 * 1024;
    /// A target by name; its inputs lie in the directory of that name.
    macro_rules! targets {
        ($($name:ident: $run:path;)*) => {$(
            #[test]
            fn $name() {
                bolero::check!()
                    .with_max_len(MOST)
                    .for_each(|bytes: &[u8]| $run(bytes));
            }
        )*};
    }

    // What a container is, is judged by its bytes: the inputs make the difference.
    targets! {
        mp4: film;
        fragments: film;
        matroska: film;
        avi: film;
        transport: film;
        program: film;
        wav: film;
        aiff: film;
        flac: film;
        mp3: film;
        adts: film;
        ogg: film;
        bitstreams: packets;
        stored: objects;
        pictures: pictures_of_files;
    }
}
