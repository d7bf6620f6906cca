//! What is lost on the way to a file, and what joining and cutting make of its times: pictures and
//! sound behind a gap stay where they were, and every gap is noted.

use std::path::{Path, PathBuf};

use framelane::media::{MediaEngine, MediaError, MediaInfo, MixPlan, container};

use super::kinds::{made, numbers, run, shown};
use super::sound::{heard, whole};
use crate::media::engine;
use crate::support::clips::{click_error, click_positions, clicks, numbered_clip, sound_clip};

/// Pictures with leading ones and a keyframe a second.
const REORDERED: [&str; 8] = [
    "-c:v",
    "libx264",
    "-g",
    "30",
    "-bf",
    "2",
    "-sc_threshold",
    "0",
];

fn path(file: &Path) -> &str {
    file.to_str().unwrap()
}

fn probed(file: &Path) -> MediaInfo {
    engine()
        .probe(file)
        .unwrap_or_else(|e| panic!("{file:?}: {e}"))
}

fn codes(info: &MediaInfo) -> Vec<&str> {
    info.notices.iter().map(|one| one.code.as_str()).collect()
}

/// A numbered clip with a tone beside it, in AAC.
fn film(dir: &Path, name: &str, rate: &str, frames: u64) -> PathBuf {
    let pictures = numbered_clip(
        dir,
        &format!("pictures-{name}.mp4"),
        rate,
        frames,
        &REORDERED,
    );
    let out = dir.join(name);
    let tone = ["-f", "lavfi", "-i", "sine=500:r=48000", "-shortest"];
    let copied = ["-c:v", "copy", "-c:a", "aac", path(&out)];
    run(&[&["-i", path(&pictures)][..], &tone, &copied].concat());
    out
}

#[test]
fn every_picture_of_a_film_that_mkvmerge_wrote_is_shown() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    // At other rates than the output's a picture is a frame of its own all the same.
    let film = film(dir, "a.mp4", "30", 90);
    let copy = dir.join("a.mkv");
    let status = std::process::Command::new("mkvmerge")
        .args(["-q", "-o", path(&copy), path(&film)])
        .status()
        .expect("mkvmerge is installed");
    assert!(status.success());
    assert_eq!(shown(&copy, 0, 90), numbers(0..90));
    assert_eq!(shown(&copy, 700_000_000, 60), numbers(21..81));
    assert_eq!(codes(&probed(&copy)), Vec::<&str>::new());
}

#[test]
fn a_short_film_loses_nothing_to_its_milliseconds() {
    let dir = tempfile::tempdir().unwrap();
    for frames in [12, 20, 30] {
        let name = format!("{frames}.mkv");
        let film = numbered_clip(dir.path(), &name, "30000/1001", frames, &["-bf", "0"]);
        let video = probed(&film).video.expect("pictures");
        for index in 0..frames {
            // At 30000/1001 a second, as the film.
            let time =
                framelane::composition::time::MediaTime::new(i128::from(index) * 1001, 30_000);
            let found = video.frames.at(time, (time, time));
            assert_eq!(found, Some(index), "of {frames}");
        }
    }
}

#[test]
fn a_transport_stream_that_loses_packets_keeps_its_times() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let film = film(dir, "a.mp4", "30", 120);
    let stream = made(dir, &[], &film, &["-c", "copy"], "a.ts");
    let bytes = std::fs::read(&stream).unwrap();
    let packets = bytes.len() / 188;
    for (from, to) in [(40, 60), (30, 42), (50, 65), (45, 50)] {
        let (head, tail) = (packets * from / 100 * 188, packets * to / 100 * 188);
        let lossy = dir.join("lossy.ts");
        std::fs::write(&lossy, [&bytes[..head], &bytes[tail..]].concat()).unwrap();
        let info = probed(&lossy);
        let end = info.video.as_ref().unwrap().frames.end();
        let off = (end - 4_000_000_000).abs();
        assert!(off < 50_000_000, "{from}–{to} %: it ends at {end}");
        let found = codes(&info);
        for code in ["source_damaged", "frames_duplicated"] {
            assert!(found.contains(&code), "{from}–{to} %: {found:?}");
        }
        // The keyframe at 3 s is behind every gap.
        assert_eq!(shown(&lossy, 3_000_000_000, 30), numbers(90..120));
    }
}

#[test]
fn a_stream_whose_program_map_changes_its_pids_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let film = film(dir, "a.mp4", "30", 60);
    let first = made(dir, &[], &film, &["-c", "copy", "-t", "1"], "1.ts");
    let other = ["-c", "copy", "-mpegts_start_pid", "0x200"];
    let second = made(dir, &["-ss", "1"], &film, &other, "2.ts");
    let joined = dir.join("joined.ts");
    let bytes = [first, second].map(|file| std::fs::read(file).unwrap());
    std::fs::write(&joined, bytes.concat()).unwrap();
    let info = probed(&joined);
    assert!(
        !codes(&info).contains(&"tracks_ignored"),
        "{:?}",
        info.notices
    );
    let contents = container::read(&joined).unwrap();
    assert_eq!(contents.tracks.len(), 2);
    let pictures = contents.tracks[0].packets.len();
    assert!(pictures >= 60, "{pictures} pictures");
}

#[test]
fn a_second_program_is_noted() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let film = numbered_clip(dir, "a.mp4", "30", 30, &[]);
    let both = [
        "-map",
        "0",
        "-map",
        "0",
        "-c",
        "copy",
        "-program",
        "title=a:st=0",
        "-program",
        "title=b:st=1",
    ];
    let stream = made(dir, &[], &film, &both, "two.ts");
    assert_eq!(codes(&probed(&stream)), ["tracks_ignored"]);
}

#[test]
fn a_pause_that_is_stated_as_a_packets_length_is_no_damage() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    // Without an edit list the first packet of sound is declared to last until the pictures begin.
    let film = film(dir, "a.mp4", "30", 60);
    let fragments = [
        "-c:v",
        "libx264",
        "-c:a",
        "aac",
        "-movflags",
        "frag_keyframe+empty_moov",
    ];
    let file = made(dir, &[], &film, &fragments, "f.mp4");
    let track = probed(&file).audio().expect("sound").track;
    let plan = MixPlan {
        samples: 90_000,
        clips: vec![framelane::media::MixClip {
            track,
            ..whole(0, 90_000)
        }],
        kbps: 128,
    };
    let damaged = engine()
        .mix(&plan, &[file], &dir.join("mix.m4a"), &mut |_| {})
        .expect("mixed");
    assert_eq!(damaged, []);
}

#[test]
fn a_lost_page_and_a_chained_stream_of_ogg_are_noted() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let clip = sound_clip(dir, "a.opus", &clicks(6), &["-c:a", "libopus"]);
    assert_eq!(codes(&probed(&clip)), Vec::<&str>::new());
    let bytes = std::fs::read(&clip).unwrap();
    let starts: Vec<usize> = (0..bytes.len() - 4)
        .filter(|&at| bytes[at..].starts_with(b"OggS"))
        .collect();
    let [from, to] = [starts[3], starts[4]];
    let changed = |bytes: &[u8]| {
        let file = dir.join("changed.opus");
        std::fs::write(&file, bytes).unwrap();
        probed(&file)
    };
    let without = changed(&[&bytes[..from], &bytes[to..]].concat());
    assert_eq!(codes(&without), ["source_damaged"]);
    assert!(without.notices[0].message.contains("pages are missing"));
    // A part of a page: the pages behind it are found again.
    let hole = changed(&[&bytes[..from + 500], &bytes[to + 100..]].concat());
    assert!(codes(&hole).contains(&"source_damaged"));
    let end = hole.audio().expect("sound").end;
    assert!(end > 5_500_000_000, "it ends at {end}");
    let mut other = bytes.clone();
    for &start in &starts {
        other[start + 14] ^= 0xff;
    }
    let chained = changed(&[bytes, other].concat());
    assert!(
        chained.notices[0].message.contains("chained"),
        "{:?}",
        chained.notices
    );
}

#[test]
fn sound_behind_a_hole_in_flac_stays_where_it_was() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    // Noise, so that frames are as large as they get.
    let noise: Vec<f32> = clicks(6)
        .iter()
        .enumerate()
        .map(|(n, click)| click + ((n * 7919 % 1000) as f32 - 500.0) / 1e6)
        .collect();
    let clip = sound_clip(dir, "a.flac", &noise, &["-c:a", "flac"]);
    let mut bytes = std::fs::read(&clip).unwrap();
    // From a third on a tenth of the file, well between the clicks at 0.5 and 3 s.
    let from = bytes.len() / 4;
    bytes.drain(from..from + bytes.len() / 10);
    let hole = dir.join("hole.flac");
    std::fs::write(&hole, bytes).unwrap();
    let info = probed(&hole);
    assert_eq!(codes(&info), ["source_damaged"]);
    assert!(
        info.notices[0].message.contains("missing"),
        "{:?}",
        info.notices
    );
    let samples = 6 * 48_000;
    let heard = heard(dir, &[hole], vec![whole(0, samples)], samples, 1);
    for position in click_positions(6) {
        let error = click_error(&heard, position);
        assert!(error.abs() <= 48, "at {position}: {error} samples");
    }
}

#[test]
fn ordered_chapters_of_matroska_play_in_their_order() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let film = numbered_clip(dir, "a.mp4", "30", 90, &REORDERED);
    let chapter = |from: &str, to: &str| {
        format!(
            "<ChapterAtom><ChapterTimeStart>{from}</ChapterTimeStart>\
             <ChapterTimeEnd>{to}</ChapterTimeEnd></ChapterAtom>"
        )
    };
    let chapters = dir.join("chapters.xml");
    let text = format!(
        "<?xml version=\"1.0\"?><Chapters><EditionEntry><EditionFlagOrdered>1</EditionFlagOrdered>\
         {}{}</EditionEntry></Chapters>",
        chapter("00:00:01.000000000", "00:00:02.000000000"),
        chapter("00:00:00.000000000", "00:00:00.500000000"),
    );
    std::fs::write(&chapters, text).unwrap();
    let ordered = dir.join("ordered.mkv");
    let status = std::process::Command::new("mkvmerge")
        .args([
            "-q",
            "-o",
            path(&ordered),
            "--chapters",
            path(&chapters),
            path(&film),
        ])
        .status()
        .expect("mkvmerge is installed");
    assert!(status.success());
    let wanted = [numbers(30..60), numbers(0..15)].concat();
    assert_eq!(shown(&ordered, 0, 45), wanted);
    assert_eq!(probed(&ordered).video.unwrap().frames.end(), 1_500_000_000);
}

#[test]
fn what_a_container_cannot_carry_is_refused_by_name() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let file = sound_clip(dir, "a.wav", &clicks(2), &["-c:a", "aac"]);
    let refused = engine().probe(&file);
    let Err(MediaError::Unsupported(why)) = &refused else {
        panic!("{refused:?}");
    };
    assert!(why.contains("aac in a WAVE file"), "{why}");
    // Bare sound that begins amid a frame is found behind it.
    for (name, codec, cut) in [("a.mp3", "libmp3lame", 2100), ("a.aac", "aac", 5)] {
        let clip = sound_clip(dir, name, &clicks(2), &["-c:a", codec]);
        let bytes = std::fs::read(&clip).unwrap();
        let begun = dir.join(format!("begun-{name}"));
        std::fs::write(&begun, &bytes[cut..]).unwrap();
        let sound = probed(&begun).audio().expect("sound").clone();
        assert!(sound.end > 1_700_000_000, "{name}: {sound:?}");
    }
}
