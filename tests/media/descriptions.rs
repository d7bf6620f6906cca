//! Tracks whose samples are of several formats, as `QuickTime` editors join them.

use std::path::{Path, PathBuf};

use framelane::media::{MediaEngine, MediaError, container};

use super::sound::{heard, whole};
use crate::media::engine;
use crate::support::clips::{click_error, click_positions, clicks, numbered_clip, sound_clip};

/// Boxes that hold others, down to the sample tables.
const HOLDERS: [&[u8; 4]; 5] = [b"moov", b"trak", b"mdia", b"minf", b"stbl"];

/// Gives some boxes, by name and body, another body.
type Change<'a> = dyn Fn(&[u8; 4], &[u8]) -> Option<Vec<u8>> + 'a;

/// The boxes in `bytes` one behind another; `change` gives another body for some.
fn rewritten(bytes: &[u8], change: &Change<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = bytes;
    while let Some(head) = rest.first_chunk::<8>() {
        let size = u32::from_be_bytes(head[..4].try_into().unwrap()) as usize;
        let kind: &[u8; 4] = head[4..].try_into().unwrap();
        let body = &rest[8..size];
        let new = if HOLDERS.contains(&kind) {
            rewritten(body, change)
        } else {
            change(kind, body).unwrap_or_else(|| body.to_vec())
        };
        out.extend((u32::try_from(new.len()).unwrap() + 8).to_be_bytes());
        out.extend(kind);
        out.extend(new);
        rest = &rest[size..];
    }
    out
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap())
}

/// A copy of `file`, whose only track is of a second description from its middle on: the first one
/// under the name `kind`. Samples are of `unit` bytes; 0: each packet is one. Gives the offset of the
/// first byte of the second description's samples too.
fn with_second_description(file: &Path, kind: &[u8; 4], unit: u32, to: &Path) -> usize {
    let bytes = std::fs::read(file).unwrap();
    let packets = &container::read(file).unwrap().tracks[0].packets;
    let middle = packets.len() / 2;
    assert!(middle > 0, "{file:?} has {} packets", packets.len());
    let count = u32::try_from(packets.len()).unwrap().to_be_bytes();
    let change = |name: &[u8; 4], body: &[u8]| match name {
        b"stsd" => {
            let first = &body[8..8 + word(body, 8) as usize];
            let mut second = first.to_vec();
            second[4..8].copy_from_slice(kind);
            Some([&body[..4], &2_u32.to_be_bytes(), first, &second].concat())
        }
        // A chunk for each packet.
        b"stsc" => {
            let mut new = [&body[..4], &count].concat();
            for (chunk, packet) in packets.iter().enumerate() {
                let samples = packet.size.checked_div(unit).unwrap_or(1);
                let description = if chunk < middle { 1 } else { 2 };
                for value in [u32::try_from(chunk).unwrap() + 1, samples, description] {
                    new.extend(value.to_be_bytes());
                }
            }
            Some(new)
        }
        b"stco" => {
            let mut new = [&body[..4], &count].concat();
            for packet in packets {
                new.extend(u32::try_from(packet.offset).unwrap().to_be_bytes());
            }
            Some(new)
        }
        _ => None,
    };
    std::fs::write(to, rewritten(&bytes, &change)).unwrap();
    usize::try_from(packets[middle].offset).unwrap()
}

/// Clicks, of which the second half is stored with its bytes the other way round, and described so.
fn sound_of_two_orders(dir: &Path) -> PathBuf {
    let clip = sound_clip(dir, "whole.mov", &clicks(6), &["-c:a", "pcm_s16le"]);
    let joined = dir.join("joined.mov");
    let from = with_second_description(&clip, b"twos", 4, &joined);
    let mut bytes = std::fs::read(&joined).unwrap();
    let data = bytes.windows(4).position(|four| four == b"mdat").unwrap();
    let end = data - 4 + word(&bytes, data - 4) as usize;
    for sample in bytes[from..end].chunks_exact_mut(2) {
        sample.swap(0, 1);
    }
    std::fs::write(&joined, bytes).unwrap();
    joined
}

#[test]
fn sound_goes_on_where_its_format_changes() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let files = [sound_of_two_orders(dir)];
    let samples = 6 * 48_000;
    let heard = heard(dir, &files, vec![whole(0, samples)], samples, 1);
    for position in click_positions(6) {
        let error = click_error(&heard, position);
        assert!(error.abs() <= 48, "at {position}: {error} samples");
    }
}

#[test]
fn pictures_whose_codec_changes_are_refused_by_both_names() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let film = numbered_clip(dir, "a.mp4", "30", 60, &["-c:v", "libx264"]);
    let joined = dir.join("joined.mov");
    with_second_description(&film, b"apcn", 0, &joined);
    let error = engine().probe(&joined).unwrap_err();
    assert!(matches!(error, MediaError::Unsupported(_)), "{error}");
    let message = error.to_string();
    assert!(
        message.contains("h264") && message.contains("prores"),
        "{message}"
    );
}
