//! What cannot be decoded: pictures that are damaged or stay the same, and what is refused by name.

use std::path::Path;

use framelane::media::{MediaEngine, MediaError, container};

use super::kinds::{made, numbers, run, shown};
use crate::media::engine;
use crate::support::clips::numbered_clip;

/// Where the bytes of the picture track's packet `index` lie, and how many they are.
fn packet_of(file: &Path, index: usize) -> (usize, u32) {
    let contents = container::read(file).unwrap();
    let packet = &contents.tracks[0].packets[index];
    (usize::try_from(packet.offset).unwrap(), packet.size)
}

#[test]
fn packets_that_change_nothing_hold_the_picture_and_are_no_damage() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let film = numbered_clip(dir, "a.mp4", "30", 10, &["-c:v", "mpeg4", "-g", "1"]);
    let mut bytes = std::fs::read(&film).unwrap();
    let (at, size) = packet_of(&film, 4);
    // A P picture that is not coded: its type, no whole second, its time in ticks of 1/30 s.
    bytes[at..at + 7].copy_from_slice(&[0, 0, 1, 0xb6, 0b0101_0010, 0b0100_1111, 0xff]);
    let sizes = bytes.windows(4).position(|four| four == b"stsz").unwrap();
    let entry = sizes + 16 + 4 * 4;
    assert_eq!(bytes[entry..entry + 4], size.to_be_bytes());
    bytes[entry..entry + 4].copy_from_slice(&7_u32.to_be_bytes());
    // What follows it moves up.
    let data = bytes.windows(4).position(|four| four == b"mdat").unwrap() - 4;
    let length = u32::from_be_bytes(bytes[data..data + 4].try_into().unwrap());
    bytes[data..data + 4].copy_from_slice(&(length - (size - 7)).to_be_bytes());
    bytes.drain(at + 7..at + size as usize);
    let held = dir.join("held.mp4");
    std::fs::write(&held, bytes).unwrap();
    let mut want = numbers(0..10);
    want[4] = Some(3);
    assert_eq!(shown(&held, 0, 10), want);

    // A still picture, of which QuickTime Animation stores the first packet alone.
    let still = dir.join("still.mov");
    let source = "color=c=0xc85028:s=64x48:r=10:d=1";
    let output = ["-c:v", "qtrle", still.to_str().unwrap()];
    run(&[&["-f", "lavfi", "-i", source][..], &output].concat());
    assert!(packet_of(&still, 5).1 < 8);
    let info = engine().probe(&still).unwrap();
    let frames = &info.video.as_ref().unwrap().frames;
    assert_eq!((frames.len(), frames.end()), (1, 1_000_000_000));
    assert_eq!(info.notices, []);
}

#[test]
fn errors_that_a_decoder_conceals_are_damage() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    for (name, codec) in [
        ("a.mp4", "libx264"),
        ("b.mp4", "mpeg4"),
        ("c.mkv", "mjpeg"),
        ("d.mov", "prores_ks"),
        ("e.mkv", "mpeg2video"),
    ] {
        let source = "testsrc2=s=320x240:r=30:d=1";
        let film = dir.join(name);
        let output = ["-c:v", codec, "-g", "10", film.to_str().unwrap()];
        run(&[&["-f", "lavfi", "-i", source][..], &output].concat());
        let mut bytes = std::fs::read(&film).unwrap();
        let (at, size) = packet_of(&film, 20);
        let size = size as usize;
        for byte in &mut bytes[at + size / 2..at + size] {
            *byte ^= 0xff;
        }
        std::fs::write(&film, bytes).unwrap();
        let video = engine().probe(&film).unwrap().video.unwrap();
        let mut reader = engine().open(&film, &video, 0).expect("opened");
        let damaged: Vec<u64> = (0..30)
            .filter(|&index| {
                reader.frame(index).expect("a picture");
                reader.is_damaged()
            })
            .collect();
        let near = damaged.iter().all(|index| (18..=24).contains(index));
        assert!(!damaged.is_empty() && near, "{name}: {damaged:?}");
    }
}

#[test]
fn samples_that_are_not_read_are_refused_and_crash_nothing() {
    let dir = tempfile::tempdir().unwrap();
    for (name, codec, pixels) in [
        ("a.mkv", "ffv1", "yuva444p"),
        ("b.mkv", "ffv1", "yuv440p"),
        ("c.mkv", "ffv1", "gray10le"),
        ("d.mkv", "ffv1", "gbrp16le"),
        ("e.mkv", "ffv1", "ya8"),
        ("f.mp4", "libx265", "gray10le"),
        ("g.mp4", "libx265", "gray12le"),
    ] {
        let film = dir.path().join(name);
        let source = ["-f", "lavfi", "-i", "testsrc2=s=320x240:r=30:d=0.2"];
        let output = ["-c:v", codec, "-pix_fmt", pixels, film.to_str().unwrap()];
        run(&[&source[..], &output].concat());
        let refused = engine().probe(&film);
        let named = matches!(refused, Err(MediaError::Unsupported(_)));
        assert!(named, "{name}, {pixels}: {refused:?}");
    }
}

#[test]
fn what_is_known_and_not_read_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let film = numbered_clip(dir.path(), "a.mp4", "30", 30, &[]);
    let encrypted = made(
        dir.path(),
        &[],
        &film,
        &[
            "-c",
            "copy",
            "-encryption_scheme",
            "cenc-aes-ctr",
            "-encryption_key",
            "76a6c65c5ea762046bd749a2e632ccbb",
            "-encryption_kid",
            "a7e61c373e219033c21091fa607bf3b8",
        ],
        "e.mp4",
    );
    let refused = |file: &Path| match engine().probe(file) {
        Err(MediaError::Unsupported(why)) => why,
        other => panic!("{file:?}: {other:?}"),
    };
    assert!(refused(&encrypted).contains("encrypted (cenc)"));
    let mut bytes = std::fs::read(&film).unwrap();
    let at = bytes.windows(4).position(|four| four == b"avc1").unwrap();
    // The first is a brand, the second the sample description.
    let next = bytes[at + 4..]
        .windows(4)
        .position(|four| four == b"avc1")
        .unwrap();
    bytes[at + 4 + next..][..4].copy_from_slice(b"aprn");
    let raw = dir.path().join("raw.mov");
    std::fs::write(&raw, bytes).unwrap();
    assert!(refused(&raw).contains("ProRes RAW"));
}

#[test]
fn pictures_of_a_film_without_readable_sound_are_shown_with_a_notice() {
    let dir = tempfile::tempdir().unwrap();
    let film = numbered_clip(dir.path(), "a.mp4", "30", 30, &[]);
    for (name, pictures) in [
        ("b.mkv", "copy"),
        ("b.mp4", "copy"),
        ("b.ts", "copy"),
        ("b.vob", "mpeg2video"),
    ] {
        let file = dir.path().join(name);
        let film = film.to_str().unwrap();
        run(&[
            &["-i", film, "-f", "lavfi", "-i", "sine=r=48000:d=1"][..],
            &["-c:v", pictures, "-c:a", "dca", "-strict", "-2", "-ac", "2"],
            &[file.to_str().unwrap()],
        ]
        .concat());
        let info = engine().probe(&file).unwrap();
        assert!(info.video.is_some() && info.sounds.is_empty(), "{name}");
        let notice = info.notices.first().expect(name);
        assert_eq!(notice.code, "codec_unsupported", "{name}");
        assert!(notice.message.contains("DTS"), "{}", notice.message);
    }
}
