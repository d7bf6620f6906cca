//! Kinds of files that people bring, each against what its generator put in: numbers in pictures,
//! flat colours, clicks.

use std::path::{Path, PathBuf};
use std::process::Command;

use framelane::composition::time::MediaTime;
use framelane::media::{Frame, MediaEngine, MediaInfo, PixelFormat};
use framelane::timeline::Matrix;

use crate::media::engine;
use crate::support::clips::{number_of, numbered_clip};

/// Keyframes each 60 frames and nowhere else.
const EVERY_SECOND_SECOND: &[&str] = &[
    "-g",
    "60",
    "-x264-params",
    "keyint=60:min-keyint=60:scenecut=0",
];

pub(super) fn run(arguments: &[&str]) {
    let status = Command::new("ffmpeg")
        .args(["-v", "error", "-y"])
        .args(arguments)
        .status()
        .expect("ffmpeg is installed");
    assert!(status.success(), "ffmpeg {arguments:?}");
}

/// `from` made into `to` by `ffmpeg`; what stands before `-i` comes first.
pub(super) fn made(
    dir: &Path,
    before: &[&str],
    from: &Path,
    arguments: &[&str],
    to: &str,
) -> PathBuf {
    let to = dir.join(to);
    let input = ["-i", from.to_str().unwrap()];
    run(&[before, &input, arguments, &[to.to_str().unwrap()]].concat());
    to
}

/// A numbered clip with silent sound beside it.
fn with_sound(dir: &Path, name: &str, frames: u64, extra: &[&str]) -> PathBuf {
    let pictures = numbered_clip(dir, &format!("pictures-{name}"), "30", frames, extra);
    let out = dir.join(name);
    run(&[
        "-i",
        pictures.to_str().unwrap(),
        "-f",
        "lavfi",
        "-i",
        "sine=500:r=48000",
        "-shortest",
        "-map",
        "0:v",
        "-map",
        "1:a",
        "-c:v",
        "copy",
        "-c:a",
        "aac",
        out.to_str().unwrap(),
    ]);
    out
}

/// The number shown in each of `count` output frames at 30 a second, from source time `from` on.
pub(super) fn shown(file: &Path, from: i64, count: u64) -> Vec<Option<u64>> {
    let engine = engine();
    let info = engine
        .probe(file)
        .unwrap_or_else(|e| panic!("{file:?}: {e}"));
    let video = info.video.expect("pictures");
    let mut source = engine.open(file, &video, 0).expect("opened");
    (0..count)
        .map(|n| {
            let time = MediaTime::new(i128::from(n), 30) + MediaTime::from_nanos(from);
            let index = video.frames.at(time, (MediaTime::ZERO, time))?;
            let frame = source.frame(index).expect("a picture");
            Some(number_of(&frame.planes[0].data, frame.planes[0].stride, 1))
        })
        .collect()
}

pub(super) fn numbers(range: std::ops::Range<u64>) -> Vec<Option<u64>> {
    range.map(Some).collect()
}

#[test]
fn a_copied_trim_shows_its_pictures_from_the_one_that_covers_its_start() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let long = with_sound(dir, "l.mp4", 300, EVERY_SECOND_SECOND);
    for (start, first) in [("5.5", 165), ("3.9", 117), ("2", 60), ("0.1", 3)] {
        let cut = made(
            dir,
            &["-ss", start],
            &long,
            &["-t", "1.5", "-c", "copy"],
            "c.mp4",
        );
        assert_eq!(
            shown(&cut, 0, 44),
            numbers(first..first + 44),
            "from {start}"
        );
        let info = engine().probe(&cut).unwrap();
        let sound = info.audio().expect("sound");
        assert!(
            sound.start == 0 && (sound.end - 1_500_000_000).abs() < 50_000_000,
            "{sound:?}"
        );
    }
}

#[test]
fn a_muxer_that_moves_all_times_moves_no_picture() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let film = with_sound(dir, "l.mp4", 60, EVERY_SECOND_SECOND);
    let copies: [(&str, &[&str], &str); 8] = [
        ("opus in mkv", &["-c:v", "copy", "-c:a", "libopus"], "o.mkv"),
        ("aac in mkv", &["-c", "copy"], "a.mkv"),
        (
            "vorbis in mkv",
            &["-c:v", "copy", "-c:a", "libvorbis"],
            "v.mkv",
        ),
        ("ts", &["-c", "copy"], "a.ts"),
        ("ts without sound", &["-an", "-c", "copy"], "b.ts"),
        (
            "m2ts",
            &["-c", "copy", "-mpegts_m2ts_mode", "1", "-f", "mpegts"],
            "a.m2ts",
        ),
        (
            "wrap",
            &["-c", "copy", "-output_ts_offset", "95442.5"],
            "w.ts",
        ),
        (
            "program stream",
            &["-c:v", "mpeg2video", "-q:v", "2", "-bf", "2", "-c:a", "mp2"],
            "a.mpg",
        ),
    ];
    for (case, arguments, name) in copies {
        let copy = made(dir, &[], &film, arguments, name);
        assert_eq!(shown(&copy, 0, 60), numbers(0..60), "{case}");
        assert_eq!(
            shown(&copy, 500_000_000, 20),
            numbers(15..35),
            "{case} from its middle"
        );
    }
}

#[test]
fn two_streams_one_behind_the_other_play_on() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let film = numbered_clip(dir, "a.ts", "30", 30, &["-g", "10"]);
    let bytes = std::fs::read(&film).unwrap();
    let twice = dir.join("twice.ts");
    std::fs::write(&twice, [bytes.clone(), bytes].concat()).unwrap();
    let expected = [numbers(0..30), numbers(0..30)].concat();
    assert_eq!(shown(&twice, 0, 60), expected);
}

#[test]
fn a_file_that_begins_between_keyframes_shows_what_can_be_decoded() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let extra = [
        "-bf",
        "2",
        "-g",
        "30",
        "-x264-params",
        "keyint=30:min-keyint=30:scenecut=0",
    ];
    let film = numbered_clip(dir, "w.mp4", "30", 90, &extra);
    let drop = [
        "-c",
        "copy",
        "-copyinkf",
        "-bsf:v",
        "noise=drop='lt(n,20)'",
        "-avoid_negative_ts",
        "make_zero",
    ];
    let cut = made(dir, &[], &film, &drop, "k.mkv");
    let seen = shown(&cut, 0, 60);
    let first = seen.iter().position(Option::is_some).expect("pictures");
    // Number 30 is the first keyframe; ten or eleven pictures lie before it.
    assert!((10..=11).contains(&first), "{seen:?}");
    assert_eq!(seen[first..first + 40], numbers(30..70));
    let info = engine().probe(&cut).unwrap();
    let codes: Vec<&str> = info.notices.iter().map(|one| one.code.as_str()).collect();
    assert_eq!(codes, ["source_starts_between_keyframes"]);
}

/// Red, green, blue and alpha in the middle of a frame, as the renderer understands it.
fn color(frame: &Frame) -> [i32; 4] {
    let (x, y) = (frame.width as usize / 2, frame.height as usize / 2);
    let at = |plane: usize, x: usize, y: usize| {
        f64::from(frame.planes[plane].data[y * frame.planes[plane].stride + x])
    };
    match frame.format {
        PixelFormat::Rgba => [0, 1, 2, 3].map(|channel| at(0, x * 4 + channel, y) as i32),
        PixelFormat::I420(color) => {
            let (red, blue) = match color.matrix {
                Matrix::Bt601 => (0.299, 0.114),
                Matrix::Bt709 => (0.2126, 0.0722),
                Matrix::Bt2020 => (0.2627, 0.0593),
                Matrix::Smpte240m => (0.212, 0.087),
            };
            let (luma, u, v) = (
                at(0, x, y),
                at(1, x / 2, y / 2) - 128.0,
                at(2, x / 2, y / 2) - 128.0,
            );
            let (luma, scale) = if color.full_range {
                (luma, 1.0)
            } else {
                ((luma - 16.0) * 255.0 / 219.0, 255.0 / 224.0)
            };
            let r = luma + 2.0 * (1.0 - red) * v * scale;
            let b = luma + 2.0 * (1.0 - blue) * u * scale;
            let g = (luma - red * r - blue * b) / (1.0 - red - blue);
            let [r, g, b] = [r, g, b].map(|value| value.round().clamp(0.0, 255.0) as i32);
            [r, g, b, 255]
        }
    }
}

#[test]
fn flat_colours_come_out_as_they_went_in() {
    let dir = tempfile::tempdir().unwrap();
    let orange = "color=c=0xC85028:s=320x240:r=10:d=1";
    let half = "color=c=0xC85028@0.5:s=320x240:r=10:d=1,format=rgba";
    let cases: [(&str, &str, &[&str], [i32; 4]); 20] = [
        (
            "f.mp4",
            "color=c=0x111111:s=320x240:r=10:d=1,scale=out_range=pc,format=yuvj420p",
            &["-c:v", "libx264", "-color_range", "pc"],
            [17, 17, 17, 255],
        ),
        (
            "r.mp4",
            "color=c=0x00FF00:s=640x480:r=10:d=1,format=rgb24",
            &["-c:v", "libx264rgb", "-qp", "0"],
            [0, 255, 0, 255],
        ),
        (
            "a.mp4",
            &format!("{orange},format=gbrp"),
            &["-c:v", "libaom-av1", "-crf", "1", "-cpu-used", "8"],
            [200, 80, 40, 255],
        ),
        (
            "g.mp4",
            "color=c=white:s=320x240:r=10:d=1,format=gray",
            &["-c:v", "libx265", "-x265-params", "log-level=none"],
            [255, 255, 255, 255],
        ),
        (
            "p.mov",
            &format!("{orange},format=rgb24"),
            &["-c:v", "png"],
            [200, 80, 40, 255],
        ),
        (
            "p.mkv",
            &format!("{orange},format=rgb24"),
            &["-c:v", "png"],
            [200, 80, 40, 255],
        ),
        (
            "p.avi",
            &format!("{orange},format=rgb24"),
            &["-c:v", "png"],
            [200, 80, 40, 255],
        ),
        (
            "m.mkv",
            orange,
            &["-c:v", "mjpeg", "-q:v", "1", "-pix_fmt", "yuvj422p"],
            [200, 80, 40, 255],
        ),
        (
            "m.mov",
            orange,
            &["-c:v", "mjpeg", "-q:v", "1", "-pix_fmt", "yuvj444p"],
            [200, 80, 40, 255],
        ),
        (
            "709.mp4",
            &format!("{orange},format=rgb24,scale=out_color_matrix=bt709,format=yuv420p"),
            &[
                "-c:v",
                "libx264",
                "-qp",
                "1",
                "-pix_fmt",
                "yuv420p",
                "-colorspace",
                "bt709",
            ],
            [200, 80, 40, 255],
        ),
        (
            "240.mkv",
            &format!("{orange},format=rgb24,scale=out_color_matrix=smpte240m,format=yuv444p"),
            &[
                "-c:v",
                "libx264",
                "-qp",
                "1",
                "-pix_fmt",
                "yuv444p",
                "-colorspace",
                "smpte240m",
            ],
            [200, 80, 40, 255],
        ),
        (
            "2020.mp4",
            &format!("{orange},format=rgb24,scale=out_color_matrix=bt2020,format=yuv422p10le"),
            &[
                "-c:v",
                "libx265",
                "-x265-params",
                "log-level=none:qp=2",
                "-pix_fmt",
                "yuv422p10le",
                "-colorspace",
                "bt2020nc",
            ],
            [200, 80, 40, 255],
        ),
        (
            "h.mov",
            orange,
            &["-c:v", "prores_ks", "-profile:v", "3"],
            [200, 80, 40, 255],
        ),
        (
            "h.mkv",
            orange,
            &["-c:v", "prores_ks", "-profile:v", "3"],
            [200, 80, 40, 255],
        ),
        (
            "u.avi",
            orange,
            &["-c:v", "huffyuv", "-pix_fmt", "yuv422p"],
            [200, 80, 40, 255],
        ),
        (
            "v.mkv",
            orange,
            &["-c:v", "ffv1", "-pix_fmt", "yuv420p10le"],
            [200, 80, 40, 255],
        ),
        (
            "4444.mov",
            half,
            &[
                "-c:v",
                "prores_ks",
                "-profile:v",
                "4444",
                "-pix_fmt",
                "yuva444p10le",
            ],
            [100, 40, 20, 127],
        ),
        (
            "rle.mov",
            half,
            &["-c:v", "qtrle", "-pix_fmt", "argb"],
            [100, 40, 20, 127],
        ),
        (
            "png.mov",
            half,
            &["-c:v", "png", "-pix_fmt", "rgba"],
            [100, 40, 20, 127],
        ),
        (
            "vp9.webm",
            half,
            &[
                "-c:v",
                "libvpx-vp9",
                "-pix_fmt",
                "yuva420p",
                "-deadline",
                "realtime",
            ],
            [100, 40, 20, 127],
        ),
    ];
    for (name, input, codec, wanted) in cases {
        let file = dir.path().join(name);
        let source = ["-f", "lavfi", "-i", input];
        run(&[&source[..], codec, &[file.to_str().unwrap()]].concat());
        let video = engine()
            .probe(&file)
            .unwrap_or_else(|e| panic!("{name}: {e}"))
            .video
            .unwrap();
        // QuickTime Animation stores a picture that stays the same once.
        let frames = if name.starts_with("rle") { 1 } else { 10 };
        assert_eq!(video.frames.len(), frames, "{name}");
        assert_eq!(video.frames.end(), 1_000_000_000, "{name}");
        let indices = if frames == 1 { [0, 0] } else { [3, 9] };
        let mut reader = engine().open(&file, &video, indices[0]).expect("opened");
        for index in indices {
            let found = color(&reader.frame(index).expect("a picture"));
            let near = found
                .iter()
                .zip(wanted)
                .all(|(found, wanted)| (found - wanted).abs() <= 2);
            assert!(near, "{name}: {found:?} for {wanted:?}");
        }
    }
}

#[test]
fn the_default_track_plays_and_others_are_listed() {
    let dir = tempfile::tempdir().unwrap();
    let film = numbered_clip(dir.path(), "a.mp4", "30", 30, &[]);
    let two = dir.path().join("two.mp4");
    run(&[
        "-i",
        film.to_str().unwrap(),
        "-f",
        "lavfi",
        "-i",
        "anullsrc=d=1",
        "-f",
        "lavfi",
        "-i",
        "sine=d=1",
        "-map",
        "0",
        "-map",
        "1",
        "-map",
        "2",
        "-c:v",
        "copy",
        "-c:a",
        "aac",
        "-disposition:a:0",
        "0",
        "-disposition:a:1",
        "default",
        "-metadata:s:a:1",
        "language=deu",
        two.to_str().unwrap(),
    ]);
    let info: MediaInfo = engine().probe(&two).unwrap();
    assert_eq!(info.sounds.len(), 2);
    let sound = info.audio().expect("sound");
    assert_eq!((sound.track, sound.language.as_deref()), (2, Some("deu")));
    assert!(info.notices.iter().any(|one| one.code == "tracks_ignored"));
}
