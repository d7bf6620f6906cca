//! Container readers against damaged files: whatever is changed, they end, and never panic.

use std::path::Path;

use framelane::media::MediaError;
use framelane::media::container::{self, Input, Packets};

use crate::support::clips::{bytes_of, ffmpeg, numbered};

/// Changes made to each file.
const CHANGES: u64 = 150;

/// A small file of every container, made by `ffmpeg`.
fn files(dir: &Path) -> Vec<std::path::PathBuf> {
    let film: Vec<u8> = (0..20).flat_map(numbered).collect();
    let picture = [
        "-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", "160x88", "-r", "25", "-i", "-",
    ];
    let sound = ["-f", "f32le", "-ar", "48000", "-ac", "2", "-i", "-"];
    let samples = bytes_of(&vec![0.1; 48_000]);
    let pictures: [(&str, &[&str]); 8] = [
        ("a.mp4", &["-c:v", "libx264", "-g", "8"]),
        (
            "f.mp4",
            &[
                "-c:v",
                "libx264",
                "-g",
                "8",
                "-movflags",
                "frag_keyframe+empty_moov",
            ],
        ),
        ("a.mov", &["-c:v", "png"]),
        ("a.mkv", &["-c:v", "libx264", "-g", "8"]),
        ("a.webm", &["-c:v", "libvpx", "-b:v", "1M"]),
        ("a.avi", &["-c:v", "mpeg4"]),
        ("a.ts", &["-c:v", "libx264", "-g", "8"]),
        ("a.mpg", &["-c:v", "mpeg2video"]),
    ];
    let sounds: [(&str, &[&str]); 9] = [
        ("a.wav", &[]),
        ("a.aiff", &[]),
        ("a.flac", &[]),
        ("a.mp3", &["-c:a", "libmp3lame"]),
        ("a.aac", &["-c:a", "aac"]),
        ("a.ogg", &["-c:a", "libvorbis"]),
        ("a.opus", &["-c:a", "libopus"]),
        ("a.m4a", &["-c:a", "alac"]),
        ("a.mka", &["-c:a", "libopus"]),
    ];
    let mut made = Vec::new();
    for (name, codec) in pictures {
        ffmpeg(&[&picture[..], codec].concat(), &film, &dir.join(name));
        made.push(dir.join(name));
    }
    for (name, codec) in sounds {
        ffmpeg(&[&sound[..], codec].concat(), &samples, &dir.join(name));
        made.push(dir.join(name));
    }
    made
}

/// The next number of a fixed sequence (xorshift).
fn next(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

/// Reads everything that a reader lists.
fn read_all(bytes: Vec<u8>) -> Result<usize, MediaError> {
    let contents = container::read_input(&mut Input::from_bytes(bytes.clone()))?;
    let mut packets = Packets::new(Input::from_bytes(bytes));
    let mut into = Vec::new();
    let mut read = 0;
    for track in &contents.tracks {
        for packet in &track.packets {
            read += usize::from(packets.read(track, packet, &mut into).is_ok());
            if let Some(description) = track.descriptions.get(usize::from(packet.description)) {
                let (codec, config) = (&description.codec, &description.config);
                let _ = framelane::media::bitstream::coded(codec, config, &into);
                let _ = framelane::media::bitstream::entry(codec, config, &into);
                let _ = framelane::media::bitstream::is_hidden(codec, &into);
            }
        }
    }
    Ok(read)
}

#[test]
fn damaged_files_are_read_to_their_end_or_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut state = 0x2545_f491_4f6c_dd1d;
    for file in files(dir.path()) {
        let whole = std::fs::read(&file).unwrap();
        let packets = read_all(whole.clone()).unwrap_or_else(|e| panic!("{file:?}: {e}"));
        assert!(packets > 0, "{file:?}");
        for change in 0..CHANGES {
            let mut bytes = whole.clone();
            // Headers lie at the beginning, and in MP4 at the end.
            let length = bytes.len() as u64;
            for _ in 0..=change % 4 {
                let near = next(&mut state) % length.min(2000);
                let at = match next(&mut state) % 3 {
                    0 => near,
                    1 => length - 1 - near,
                    _ => next(&mut state) % length,
                };
                bytes[at as usize] = next(&mut state) as u8;
            }
            if change % 5 == 0 {
                bytes.truncate((next(&mut state) % length) as usize);
            }
            if bytes.is_empty() {
                continue;
            }
            // What comes out is either; that it comes out is the point.
            let _ = read_all(bytes);
        }
    }
}
