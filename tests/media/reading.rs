//! Probing and decoding.

use std::path::Path;

use framelane::media::{FrameSource, MediaEngine, MediaError, MediaInfo, PixelFormat, VideoInfo};
use framelane::timeline::{Matrix, YuvColor};

use crate::media::engine;
use crate::support::clips::{
    HEIGHT, WIDTH, ffmpeg, number_of, numbered, numbered_clip, sound_clip, vfr_clip,
};

const FRAMES: u64 = 75;

fn probed(file: &Path) -> (MediaInfo, VideoInfo) {
    let info = engine().probe(file).expect("probed");
    let video = info.video.clone().expect("pictures");
    (info, video)
}

fn number(source: &mut dyn FrameSource, index: u64) -> u64 {
    let frame = source.frame(index).expect("a picture");
    number_of(&frame.planes[0].data, frame.planes[0].stride, 1)
}

#[test]
fn every_frame_of_every_kind_of_clip_decodes_to_its_own_number() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let clips = [
        numbered_clip(dir, "24.mp4", "24", FRAMES, &[]),
        numbered_clip(dir, "25.mp4", "25", FRAMES, &["-g", "10"]),
        numbered_clip(dir, "29.97.mov", "30000/1001", FRAMES, &[]),
        numbered_clip(dir, "30.mkv", "30", FRAMES, &["-g", "20"]),
        numbered_clip(dir, "60.mp4", "60", FRAMES, &[]),
        numbered_clip(
            dir,
            "open.mp4",
            "30",
            FRAMES,
            &["-g", "15", "-x264-params", "open-gop=1"],
        ),
        numbered_clip(dir, "30.ts", "30", FRAMES, &["-g", "20"]),
        numbered_clip(
            dir,
            "xvid.avi",
            "25",
            FRAMES,
            &["-c:v", "mpeg4", "-q:v", "3", "-bf", "0"],
        ),
        numbered_clip(
            dir,
            "vp9.webm",
            "30",
            FRAMES,
            &[
                "-c:v",
                "libvpx-vp9",
                "-crf",
                "30",
                "-b:v",
                "0",
                "-deadline",
                "realtime",
                "-cpu-used",
                "8",
                "-g",
                "25",
            ],
        ),
        numbered_clip(
            dir,
            "vp8.webm",
            "30",
            FRAMES,
            &[
                "-c:v",
                "libvpx",
                "-b:v",
                "2M",
                "-deadline",
                "realtime",
                "-cpu-used",
                "8",
                "-auto-alt-ref",
                "1",
                "-lag-in-frames",
                "10",
            ],
        ),
        vfr_clip(dir, "vfr.mp4", FRAMES),
        vfr_clip(dir, "vfr.mkv", FRAMES),
    ];
    let engine = engine();
    for clip in &clips {
        let (_, video) = probed(clip);
        assert_eq!(video.frames.len(), FRAMES, "{clip:?}");
        assert_eq!(
            (video.width as usize, video.height as usize),
            (WIDTH, HEIGHT)
        );
        let mut source = engine.open(clip, &video, 0).expect("opened");
        let seen: Vec<u64> = (0..FRAMES).map(|n| number(&mut *source, n)).collect();
        assert_eq!(seen, (0..FRAMES).collect::<Vec<_>>(), "{clip:?}");
    }
}

#[test]
fn decoding_may_begin_at_any_frame_and_jump_ahead() {
    let dir = tempfile::tempdir().unwrap();
    let clips = [
        numbered_clip(dir.path(), "a.mp4", "30000/1001", FRAMES, &["-g", "16"]),
        numbered_clip(dir.path(), "b.mkv", "24", FRAMES, &["-g", "16"]),
        numbered_clip(
            dir.path(),
            "c.mp4",
            "30",
            FRAMES,
            &["-g", "16", "-x264-params", "open-gop=1"],
        ),
        vfr_clip(dir.path(), "d.mp4", FRAMES),
    ];
    let engine = engine();
    for clip in &clips {
        let (_, video) = probed(clip);
        for first in (0..FRAMES).step_by(3) {
            let mut source = engine.open(clip, &video, first).expect("opened");
            let mut index = first;
            for step in [0, 1, 0, 7, 29, 2] {
                index = (index + step).min(FRAMES - 1);
                assert_eq!(number(&mut *source, index), index, "{clip:?} from {first}");
            }
        }
    }
}

#[test]
fn times_are_those_of_the_container() {
    let dir = tempfile::tempdir().unwrap();
    let clip = numbered_clip(
        dir.path(),
        "a.mp4",
        "30000/1001",
        40,
        &["-g", "12", "-sc_threshold", "0"],
    );
    let (info, video) = probed(&clip);
    assert_eq!(info.container, "mp4");
    assert_eq!(video.codec, "h264");
    for (n, pts) in (0_i64..).zip(video.frames.times()) {
        let exact = n * 1001 * 1_000_000_000 / 30_000;
        assert!((pts - exact).abs() < 1_000, "frame {n} at {pts}");
    }
    let vfr = vfr_clip(dir.path(), "b.mp4", 20);
    let (_, video) = probed(&vfr);
    for (n, pts) in (0_i64..).zip(video.frames.times()) {
        let exact = (n + n / 5) * 1_000_000_000 / 30;
        assert!((pts - exact).abs() < 100_000, "frame {n} at {pts}");
    }
}

#[test]
fn only_pictures_fit_for_pass_through_are_called_plain() {
    let dir = tempfile::tempdir().unwrap();
    let tags = |matrix: &str| {
        format!(
            "-colorspace {matrix} -color_primaries {matrix} -color_trc {matrix} -color_range tv"
        )
    };
    let (hd, sd) = (tags("bt709"), tags("smpte170m"));
    let cases: [(&str, &str, bool, Matrix, bool); 6] = [
        ("bt709.mp4", &hd, true, Matrix::Bt709, false),
        ("bt601.mp4", &sd, false, Matrix::Bt601, false),
        ("untagged.mp4", "", false, Matrix::Bt601, false),
        (
            "full.mp4",
            "-color_range pc -colorspace bt709 -color_primaries bt709 -color_trc bt709",
            false,
            Matrix::Bt709,
            true,
        ),
        (
            "tenbit.mp4",
            "-pix_fmt yuv420p10le -colorspace bt709 -color_primaries bt709 -color_trc bt709",
            false,
            Matrix::Bt709,
            false,
        ),
        (
            "444.mp4",
            "-pix_fmt yuv444p -colorspace bt709 -color_primaries bt709 -color_trc bt709",
            false,
            Matrix::Bt709,
            false,
        ),
    ];
    for (name, extra, plain, matrix, full_range) in cases {
        let extra: Vec<&str> = extra.split_whitespace().collect();
        let clip = numbered_clip(dir.path(), name, "30", 12, &extra);
        let (_, video) = probed(&clip);
        assert_eq!(video.plain, plain, "{name}");
        let color = YuvColor {
            matrix,
            full_range,
            centered_chroma: false,
        };
        assert_eq!(video.color, color, "{name}");
        let mut source = engine().open(&clip, &video, 0).expect("opened");
        let frame = source.frame(11).expect("a picture");
        assert_eq!(frame.format, PixelFormat::I420(color), "{name}");
        assert_eq!(
            number_of(&frame.planes[0].data, frame.planes[0].stride, 1),
            11,
            "{name}"
        );
        // Range and matrix of the samples are the source's own.
        let white = frame.planes[0].data[(BLOCK_CENTRE) * frame.planes[0].stride + BLOCK_CENTRE];
        assert!(white < 40, "{name}: a black block reads {white}");
    }
}

const BLOCK_CENTRE: usize = 10;

#[test]
fn rotation_and_stretching_are_known_and_pictures_come_upright() {
    let dir = tempfile::tempdir().unwrap();
    let plain = numbered_clip(dir.path(), "plain.mp4", "30", 12, &[]);
    let turned = dir.path().join("turned.mp4");
    let path = plain.to_str().unwrap();
    ffmpeg(
        &["-i", path, "-c", "copy", "-metadata:s:v:0", "rotate=270"],
        &[],
        &turned,
    );
    let (_, video) = probed(&turned);
    assert_eq!((video.rotation, video.plain), (90, false));
    assert_eq!(
        (video.width as usize, video.height as usize),
        (HEIGHT, WIDTH)
    );
    let mut source = engine().open(&turned, &video, 0).expect("opened");
    let frame = source.frame(5).expect("a picture");
    assert_eq!(
        (frame.width as usize, frame.height as usize),
        (HEIGHT, WIDTH)
    );
    // That number is `ffmpeg`'s counter-clockwise one. What was the top left corner's row becomes the right-hand column.
    let original = numbered(5);
    let stride = frame.planes[0].stride;
    for (x, y) in [(10, 10), (150, 10), (110, 30), (150, 30)] {
        let was = original[y * WIDTH + x];
        let is = frame.planes[0].data[x * stride + (HEIGHT - 1 - y)];
        assert!(was.abs_diff(is) < 40, "({x}, {y}): {was} became {is}");
    }

    let wide = numbered_clip(dir.path(), "wide.mp4", "30", 6, &["-vf", "setsar=4/3"]);
    let (_, video) = probed(&wide);
    assert_eq!(video.coded_width as usize, WIDTH);
    assert_eq!(video.width, 213);
    assert!(!video.plain);
}

#[test]
fn interlaced_pictures_are_made_progressive_one_a_frame() {
    let dir = tempfile::tempdir().unwrap();
    let clip = numbered_clip(dir.path(), "i.mp4", "25", 20, &["-flags", "+ilme+ildct"]);
    let (_, video) = probed(&clip);
    assert!(!video.plain);
    let mut source = engine().open(&clip, &video, 0).expect("opened");
    let seen: Vec<u64> = (0..20).map(|n| number(&mut *source, n)).collect();
    assert_eq!(seen, (0..20).collect::<Vec<_>>());
}

#[test]
fn what_is_not_media_is_refused_with_a_reason() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let clip = numbered_clip(dir.path(), "ok.mp4", "30", 30, &[]);
    let whole = std::fs::read(&clip).unwrap();
    let mut garbled = whole.clone();
    garbled[40..].fill(0x5a);
    let cases = [
        (file("empty.mp4", b""), "empty"),
        (file("text.mp4", b"hello there\n"), "text"),
        (
            file("page.mp4", b"<!DOCTYPE html><html></html>"),
            "web page",
        ),
        (file("noise.mp4", &[0x81; 5000]), "known kind"),
        // The index comes last, so half a file has none.
        (file("half.mp4", &whole[..whole.len() / 2]), ""),
        (file("garbled.mp4", &garbled), ""),
        (file("head.mkv", &[0x1a, 0x45, 0xdf, 0xa3, 0, 0, 0, 0]), ""),
        (file("head.wav", b"RIFF\x24\0\0\0WAVEfmt "), ""),
    ];
    for (path, reason) in cases {
        match engine().probe(&path) {
            Err(MediaError::Invalid(text)) => assert!(text.contains(reason), "{path:?}: {text}"),
            other => panic!("{path:?}: {other:?}"),
        }
    }
}

#[test]
fn a_truncated_file_is_used_as_far_as_it_goes() {
    let dir = tempfile::tempdir().unwrap();
    let clip = numbered_clip(
        dir.path(),
        "fast.mp4",
        "30",
        60,
        &["-movflags", "+faststart", "-g", "10"],
    );
    let whole = std::fs::read(&clip).unwrap();
    let cut = dir.path().join("cut.mp4");
    std::fs::write(&cut, &whole[..whole.len() * 3 / 4]).unwrap();
    let (_, video) = probed(&cut);
    let readable = video.frames.len();
    assert!((10..60).contains(&readable), "{readable}");
    let mut source = engine().open(&cut, &video, 0).expect("opened");
    for n in 0..readable - 4 {
        assert_eq!(number(&mut *source, n), n);
    }
    source
        .frame(readable - 1)
        .expect("the last decodable picture is held");
    assert!(source.frame(readable).is_err());
}

#[test]
fn a_picture_beyond_the_limit_is_refused_before_it_is_decoded() {
    let dir = tempfile::tempdir().unwrap();
    let clip = numbered_clip(dir.path(), "a.mp4", "30", 6, &[]);
    let small = engine().with_max_pixels(1000);
    assert!(matches!(small.probe(&clip), Err(MediaError::Limit(_))));
}

#[test]
fn sound_is_measured_without_codec_delay() {
    let dir = tempfile::tempdir().unwrap();
    let samples: Vec<f32> = vec![0.1; 48_000 * 2 * 3];
    let cases: [(&str, &[&str], &str); 7] = [
        ("a.m4a", &["-c:a", "aac"], "aac"),
        ("a.mp3", &["-c:a", "libmp3lame"], "mp3"),
        ("a.webm", &["-c:a", "libopus"], "opus"),
        ("a.ogg", &["-c:a", "libvorbis"], "vorbis"),
        ("a.flac", &["-c:a", "flac"], "flac"),
        ("a.wav", &["-c:a", "pcm_s16le"], "pcm"),
        ("a.aac", &["-c:a", "aac"], "aac"),
    ];
    for (name, codec, expected_codec) in cases {
        let file = sound_clip(dir.path(), name, &samples, codec);
        let info = engine().probe(&file).expect(name);
        let audio = info.audio().expect(name);
        assert_eq!(
            (audio.codec.as_str(), audio.channels, audio.sample_rate),
            (expected_codec, 2, 48_000)
        );
        let allowed = match name {
            // Nowhere to declare delay and padding.
            "a.aac" => 50_000_000,
            // The demuxer keeps back a last packet that its track cuts short.
            "a.m4a" => 1024 * 1_000_000_000 / 48_000,
            // What is to be discarded of the last packet is given beside it, not in its length.
            "a.webm" => 20_000_000,
            _ => 1_000_000,
        };
        let error = audio.end - 3_000_000_000;
        assert!(error.abs() <= allowed, "{name}: {error} ns");
    }
}
