//! Encoding and joining.

use std::path::{Path, PathBuf};

use framelane::composition::time::FrameRate;
use framelane::media::container;
use framelane::media::{
    EncodeSettings, Frame, JoinSettings, MediaEngine, MediaError, MixPlan, PixelFormat, Plane,
};
use framelane::timeline::YuvColor;
use sha2::{Digest, Sha256};

use crate::media::engine;
use crate::support::clips::{HEIGHT, WIDTH, decoded_numbers, ffmpeg, numbered, output_of};

pub(crate) fn settings(rate: FrameRate) -> EncodeSettings {
    EncodeSettings {
        width: WIDTH as u32,
        height: HEIGHT as u32,
        rate,
        crf: 20,
        preset: "veryfast".into(),
        kbps: None,
        keyframe_interval: 250,
    }
}

pub(crate) fn picture(number: u64) -> Frame {
    let bytes = bytes::Bytes::from(numbered(number));
    let (luma, chroma) = (WIDTH * HEIGHT, WIDTH * HEIGHT / 4);
    let plane = |start: usize, length: usize, stride: usize| Plane {
        data: bytes.slice(start..start + length),
        stride,
    };
    Frame {
        width: WIDTH as u32,
        height: HEIGHT as u32,
        format: PixelFormat::I420(YuvColor::OUTPUT),
        planes: vec![
            plane(0, luma, WIDTH),
            plane(luma, chroma, WIDTH / 2),
            plane(luma + chroma, chroma, WIDTH / 2),
        ],
    }
}

fn segment(
    dir: &Path,
    name: &str,
    settings: &EncodeSettings,
    numbers: std::ops::Range<u64>,
) -> PathBuf {
    let file = dir.join(name);
    let mut sink = engine().encode(settings, &file).expect("begun");
    let expected = numbers.end - numbers.start;
    for number in numbers {
        sink.push(&picture(number)).expect("pushed");
    }
    let done = sink.finish().expect("finished");
    assert_eq!(done.frames, expected);
    assert!(!done.codec_data.is_empty());
    file
}

/// `frames` frames cut into `parts` nearly equal segments and joined, with sound.
pub(crate) fn joined(
    dir: &Path,
    rate: FrameRate,
    frames: u64,
    parts: u64,
    sound: Option<(&Path, u64)>,
) -> PathBuf {
    let files: Vec<PathBuf> = (0..parts)
        .map(|part| {
            let range = part * frames / parts..(part + 1) * frames / parts;
            segment(dir, &format!("part{part}.mp4"), &settings(rate), range)
        })
        .collect();
    let out = dir.join(format!("joined{parts}.mp4"));
    let join = JoinSettings {
        frames,
        rate,
        samples: sound.map(|(_, samples)| samples),
    };
    engine()
        .join(&files, sound.map(|(file, _)| file), &join, &out)
        .expect("joined");
    out
}

fn probe(file: &Path, what: &str) -> String {
    let entries = ["-v", "error", "-of", "csv=p=0", "-show_entries", what];
    String::from_utf8(output_of("ffprobe", &entries, file)).unwrap()
}

fn silence(dir: &Path, samples: u64) -> PathBuf {
    let out = dir.join("silence.m4a");
    let plan = MixPlan {
        samples,
        clips: Vec::new(),
        kbps: 128,
    };
    engine().mix(&plan, &[], &out, &mut |_| {}).expect("mixed");
    out
}

#[test]
fn segments_join_into_one_exact_film() {
    let rates = [(30, 1), (30_000, 1001), (25, 1), (24, 1), (60, 1)];
    for (numerator, denominator) in rates {
        let rate = FrameRate::new(numerator, denominator).unwrap();
        for parts in [1, 4, 10] {
            let dir = tempfile::tempdir().unwrap();
            let frames = 120;
            let exact = f64::from(denominator) * 120.0 / f64::from(numerator);
            let samples = (exact * 48_000.0).round() as u64;
            let sound = silence(dir.path(), samples);
            let file = joined(dir.path(), rate, frames, parts, Some((&sound, samples)));
            let case = format!("{rate:?} in {parts}");

            assert_eq!(
                decoded_numbers(&file),
                (0..frames).collect::<Vec<_>>(),
                "{case}"
            );
            let times = probe(&file, "packet=pts,duration,flags,stream_index");
            let mut shown: Vec<i64> = Vec::new();
            let mut keyframes = Vec::new();
            for line in times.lines().filter(|line| line.starts_with("0,")) {
                let fields: Vec<&str> = line.split(',').collect();
                shown.push(fields[1].parse().unwrap());
                if fields[3].contains('K') {
                    keyframes.push(*shown.last().unwrap());
                }
            }
            shown.sort_unstable();
            let step = shown[1];
            let even: Vec<i64> = (0..120).map(|n| n * step).collect();
            assert_eq!(shown, even, "{case}");
            for part in 0..parts {
                let start = i64::try_from(part * frames / parts).unwrap() * step;
                assert!(keyframes.contains(&start), "{case}: no keyframe at {start}");
            }
            let length = format!("{exact:.6}");
            let streams = probe(
                &file,
                "stream=codec_name,r_frame_rate,start_time,duration,nb_frames",
            );
            let video = format!("h264,{numerator}/{denominator},0.000000,{length},120");
            assert!(streams.contains(&video), "{case}: {streams}");
            assert!(streams.contains("aac,0/0,0.000000,"), "{case}: {streams}");
            let container = probe(&file, "format=duration,start_time");
            assert_eq!(container.trim(), format!("0.000000,{length}"), "{case}");
        }
    }
}

#[test]
fn the_film_is_tagged_and_its_index_comes_first() {
    let dir = tempfile::tempdir().unwrap();
    let rate = FrameRate::new(30, 1).unwrap();
    let file = joined(dir.path(), rate, 30, 2, None);
    let tags = probe(
        &file,
        "stream=profile,pix_fmt,color_range,color_space,color_transfer,color_primaries,chroma_location",
    );
    assert_eq!(tags.trim(), "High,yuv420p,tv,bt709,bt709,bt709,left");
    let bytes = std::fs::read(&file).unwrap();
    let find = |what: &[u8]| bytes.windows(what.len()).position(|window| window == what);
    assert!(find(b"moov") < find(b"mdat"));
    assert!(find(b"colrnclx\0\x01\0\x01\0\x01").is_some());
}

#[test]
fn the_same_pictures_give_the_same_bytes() {
    let rate = FrameRate::new(30, 1).unwrap();
    let hash = || {
        let dir = tempfile::tempdir().unwrap();
        let sound = silence(dir.path(), 96_000);
        let film = joined(dir.path(), rate, 60, 3, Some((&sound, 96_000)));
        let part = std::fs::read(dir.path().join("part1.mp4")).unwrap();
        (
            Sha256::digest(std::fs::read(film).unwrap()),
            Sha256::digest(part),
        )
    };
    let first = hash();
    // Clock times in a file would have a resolution of one second.
    #[expect(clippy::disallowed_methods, reason = "time passing is what is tried")]
    std::thread::sleep(std::time::Duration::from_millis(1100));
    assert_eq!(first, hash());
}

#[test]
fn sizes_are_those_of_ffmpeg_with_the_same_settings() {
    let dir = tempfile::tempdir().unwrap();
    let clip = Path::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/media/bigbuckbunny.mp4"
    ));
    let engine = engine();
    let video = engine.probe(clip).expect("probed").video.expect("pictures");
    assert_eq!(video.frames.len(), 132);
    let ours = dir.path().join("ours.mp4");
    let rate = FrameRate::new(25, 1).unwrap();
    let settings = EncodeSettings {
        width: 1280,
        height: 720,
        ..settings(rate)
    };
    let mut sink = engine.encode(&settings, &ours).expect("begun");
    let mut source = engine.open(clip, &video, 0).expect("opened");
    for n in 0..60 {
        let mut frame = source.frame(n).expect("a picture");
        frame.format = PixelFormat::I420(YuvColor::OUTPUT);
        sink.push(&frame).expect("pushed");
    }
    sink.finish().expect("finished");
    let theirs = dir.path().join("theirs.mp4");
    let path = clip.to_str().unwrap();
    let arguments = [
        "-i",
        path,
        "-an",
        "-frames:v",
        "60",
        "-c:v",
        "libx264",
        "-preset",
        "veryfast",
        "-crf",
        "20",
        "-g",
        "250",
        "-threads",
        "1",
    ];
    ffmpeg(&arguments, &[], &theirs);
    let size = |file: &Path| std::fs::metadata(file).unwrap().len() as f64;
    let ratio = size(&ours) / size(&theirs);
    assert!((0.95..1.05).contains(&ratio), "{ratio}");
}

#[test]
fn segments_of_different_settings_are_not_joined() {
    let dir = tempfile::tempdir().unwrap();
    let rate = FrameRate::new(30, 1).unwrap();
    let first = segment(dir.path(), "a.mp4", &settings(rate), 0..10);
    let other = EncodeSettings {
        preset: "ultrafast".into(),
        ..settings(rate)
    };
    let second = segment(dir.path(), "b.mp4", &other, 10..20);
    let out = dir.path().join("out.mp4");
    let join = JoinSettings {
        frames: 20,
        rate,
        samples: None,
    };
    let refused = engine().join(&[first.clone(), second], None, &join, &out);
    assert!(
        matches!(refused, Err(MediaError::Invalid(_))),
        "{refused:?}"
    );
    let short = engine().join(&[first], None, &join, &out);
    assert!(matches!(short, Err(MediaError::Invalid(_))), "{short:?}");
}

#[test]
fn a_full_disk_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let rate = FrameRate::new(30, 1).unwrap();
    let full = dir.path().join("segment.mp4");
    // What the encoder writes to is a device that is always full.
    std::os::unix::fs::symlink("/dev/full", dir.path().join("segment.mp4.muxing")).unwrap();
    let mut sink = engine().encode(&settings(rate), &full).expect("begun");
    let failed = (0..30)
        .try_for_each(|n| sink.push(&picture(n)))
        .and_then(|()| sink.finish().map(drop));
    match failed {
        Err(MediaError::Io(error)) => assert_eq!(error.kind(), std::io::ErrorKind::StorageFull),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_keyframe_comes_at_least_as_often_as_asked() {
    let dir = tempfile::tempdir().unwrap();
    let rate = FrameRate::new(30, 1).unwrap();
    let often = EncodeSettings {
        keyframe_interval: 8,
        ..settings(rate)
    };
    let file = segment(dir.path(), "a.mp4", &often, 0..40);
    let video = engine()
        .probe(&file)
        .expect("probed")
        .video
        .expect("pictures");
    let contents = container::read(&file).expect("read");
    let packets = &contents.tracks[0].packets;
    let keyframes: Vec<usize> = (0..packets.len())
        .filter(|&n| packets[n].flags.is_sync)
        .collect();
    assert!(keyframes.windows(2).all(|pair| pair[1] - pair[0] <= 8));
    assert!(keyframes.len() >= 5);
    assert!(video.plain);
}
