//! Sound from source to film.

use std::path::{Path, PathBuf};

use framelane::composition::time::FrameRate;
use framelane::media::{MediaEngine, MixClip, MixPlan};

use super::writing::joined;
use crate::media::engine;
use crate::support::clips::{
    bytes_of, click_error, click_flash_clip, click_positions, clicks, decoded_sound, ffmpeg,
    sound_clip,
};

const SECONDS: u64 = 6;

pub(super) fn whole(source: usize, length: u64) -> MixClip {
    MixClip {
        source,
        track: 0,
        start: 0,
        length,
        source_start: 0,
        gain: 1.0,
        fade_in: 0,
        fade_out: 0,
    }
}

/// The mix of `clips`, joined to pictures and decoded again by `ffmpeg`.
pub(super) fn heard(
    dir: &Path,
    files: &[PathBuf],
    mut clips: Vec<MixClip>,
    samples: u64,
    parts: u64,
) -> Vec<f32> {
    for clip in &mut clips {
        let info = engine().probe(&files[clip.source]).expect("probed");
        clip.track = info.audio().expect("sound").track;
    }
    let plan = MixPlan {
        samples,
        clips,
        kbps: 256,
    };
    let sound = dir.join("mix.m4a");
    let mut done = 0;
    engine()
        .mix(&plan, files, &sound, &mut |n| done = n)
        .expect("mixed");
    assert_eq!(done, samples);
    let rate = FrameRate::new(30, 1).unwrap();
    let film = joined(
        dir,
        rate,
        samples * 30 / 48_000,
        parts,
        Some((&sound, samples)),
    );
    let mut heard = decoded_sound(&film);
    // It ends where the edit list ends, to within the last packet.
    let beyond = heard.len() as u64 - samples * 2;
    assert!(beyond < 2 * 1024, "{beyond}");
    heard.truncate(usize::try_from(samples * 2).unwrap());
    heard
}

#[test]
fn clicks_of_every_codec_stay_within_a_millisecond() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let clicks = clicks(SECONDS);
    let x264 = ["-c:v", "libx264", "-preset", "veryfast"];
    let with = |codec: &[&'static str]| [&x264[..], codec].concat();
    let vp8 = ["-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8"];
    let sources = [
        click_flash_clip(
            dir,
            "aac.mp4",
            SECONDS,
            &with(&["-c:a", "aac", "-b:a", "192k"]),
        ),
        click_flash_clip(
            dir,
            "opus.webm",
            SECONDS,
            &[&vp8[..], &["-c:a", "libopus"]].concat(),
        ),
        sound_clip(
            dir,
            "a.mp3",
            &clicks,
            &["-c:a", "libmp3lame", "-b:a", "192k"],
        ),
        sound_clip(
            dir,
            "b.mp3",
            &clicks,
            &["-c:a", "libmp3lame", "-ar", "44100"],
        ),
        sound_clip(dir, "a.opus", &clicks, &["-c:a", "libopus"]),
        sound_clip(dir, "a.ogg", &clicks, &["-c:a", "libvorbis"]),
        sound_clip(dir, "a.flac", &clicks, &["-c:a", "flac"]),
        sound_clip(dir, "a.m4a", &clicks, &["-c:a", "aac", "-ar", "44100"]),
        sound_clip(
            dir,
            "a.wav",
            &clicks,
            &["-c:a", "pcm_s24le", "-ar", "96000"],
        ),
    ];
    for (number, source) in sources.iter().enumerate() {
        let parts = [1, 4, 10][number % 3];
        let samples = SECONDS * 48_000;
        let files = [source.clone()];
        let heard = heard(dir, &files, vec![whole(0, samples)], samples, parts);
        for position in click_positions(SECONDS) {
            let error = click_error(&heard, position);
            assert!(
                error.abs() <= 48,
                "{source:?} at {position}: {error} samples"
            );
        }
    }
}

#[test]
fn clicks_of_every_way_of_writing_sound_stay_within_a_millisecond() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let clicks = clicks(SECONDS);
    let cases: [(&str, &[&str]); 24] = [
        ("u8.wav", &["-c:a", "pcm_u8"]),
        ("f32.wav", &["-c:a", "pcm_f32le"]),
        ("f64.wav", &["-c:a", "pcm_f64le", "-ar", "44100"]),
        ("alaw.wav", &["-c:a", "pcm_alaw"]),
        ("mulaw.wav", &["-c:a", "pcm_mulaw"]),
        ("ms.wav", &["-c:a", "adpcm_ms"]),
        ("ima.wav", &["-c:a", "adpcm_ima_wav"]),
        ("a.aiff", &["-c:a", "pcm_s16be"]),
        ("ima.aiff", &["-c:a", "adpcm_ima_qt"]),
        ("s24.mov", &["-c:a", "pcm_s24le"]),
        ("f32.mov", &["-c:a", "pcm_f32le"]),
        ("f64.mov", &["-c:a", "pcm_f64be"]),
        ("s32.mov", &["-c:a", "pcm_s32be"]),
        ("ima.mov", &["-c:a", "adpcm_ima_qt"]),
        ("alac.m4a", &["-c:a", "alac"]),
        ("flac.mp4", &["-c:a", "flac", "-strict", "-2"]),
        ("opus.mp4", &["-c:a", "libopus"]),
        ("mp3.mp4", &["-c:a", "libmp3lame"]),
        ("flac.ogg", &["-c:a", "flac"]),
        ("opus.mka", &["-c:a", "libopus"]),
        ("vorbis.mka", &["-c:a", "libvorbis"]),
        ("flac.mka", &["-c:a", "flac"]),
        ("pcm.mka", &["-c:a", "pcm_s16be"]),
        ("pcm.avi", &["-c:a", "pcm_s16le"]),
    ];
    for (name, codec) in cases {
        let source = sound_clip(dir, name, &clicks, codec);
        let samples = SECONDS * 48_000;
        let heard = heard(dir, &[source], vec![whole(0, samples)], samples, 1);
        for position in click_positions(SECONDS) {
            let error = click_error(&heard, position);
            assert!(error.abs() <= 48, "{name} at {position}: {error} samples");
        }
    }
}

#[test]
fn a_tag_in_front_of_flac_and_adts_is_passed_over() {
    let dir = tempfile::tempdir().unwrap();
    let clicks = clicks(SECONDS);
    for (name, codec) in [("a.flac", "flac"), ("a.aac", "aac")] {
        let source = sound_clip(dir.path(), name, &clicks, &["-c:a", codec]);
        let tag = [&b"ID3\x04\0\0\0\0\x01\x00"[..], &[0; 128]].concat();
        let tagged = [tag, std::fs::read(&source).unwrap()].concat();
        let file = dir.path().join(format!("tagged-{name}"));
        std::fs::write(&file, tagged).unwrap();
        let plain = engine().probe(&source).expect("probed");
        assert_eq!(engine().probe(&file).expect("probed").sounds, plain.sounds);
    }
}

#[test]
fn clips_lie_where_the_plan_puts_them_and_from_where_it_takes_them() {
    let dir = tempfile::tempdir().unwrap();
    let files = [sound_clip(
        dir.path(),
        "a.wav",
        &clicks(SECONDS),
        &["-c:a", "pcm_s16le"],
    )];
    let samples = SECONDS * 48_000;
    let placed = MixClip {
        start: 100_001,
        length: 30_000,
        source_start: 20_000,
        ..whole(0, 0)
    };
    let heard = heard(dir.path(), &files, vec![placed], samples, 1);
    // The source's first click is at 24 000: 4 000 into the clip.
    assert!(click_error(&heard, 104_001).abs() <= 1);
    let loud = |range: std::ops::Range<usize>| {
        heard[range.start * 2..range.end * 2]
            .iter()
            .any(|s| s.abs() > 0.05)
    };
    assert!(!loud(0..100_000) && loud(103_900..104_400) && !loud(106_000..samples as usize));
}

#[test]
fn gain_and_fades_scale_what_is_heard() {
    let dir = tempfile::tempdir().unwrap();
    let tone: Vec<f32> = (0..96_000)
        .flat_map(|n| {
            let wave = (f64::from(n) * 0.1).sin() as f32 * 0.5;
            [wave, wave]
        })
        .collect();
    let files = [sound_clip(
        dir.path(),
        "tone.wav",
        &tone,
        &["-c:a", "pcm_f32le"],
    )];
    let clip = MixClip {
        gain: 0.5,
        fade_in: 48_000,
        ..whole(0, 96_000)
    };
    let heard = heard(dir.path(), &files, vec![clip], 96_000, 1);
    let level = |at: usize| {
        let part = &heard[at * 2..(at + 2_000) * 2];
        let power: f32 = part.iter().map(|s| s * s).sum();
        (power / part.len() as f32).sqrt()
    };
    let full = 0.5 * 0.5 / std::f32::consts::SQRT_2;
    assert!(
        (level(70_000) / full - 1.0).abs() < 0.02,
        "{}",
        level(70_000)
    );
    assert!(
        (level(23_000) / full - 0.5).abs() < 0.02,
        "{}",
        level(23_000)
    );
    assert!(level(0) < full * 0.03, "{}", level(0));
}

#[test]
fn an_overdriven_mix_is_limited() {
    let dir = tempfile::tempdir().unwrap();
    let tone: Vec<f32> = (0..96_000)
        .flat_map(|n| {
            let wave = (f64::from(n) * 0.05).sin() as f32 * 0.8;
            [wave, wave]
        })
        .collect();
    let files = [sound_clip(
        dir.path(),
        "tone.wav",
        &tone,
        &["-c:a", "pcm_f32le"],
    )];
    let clips = vec![whole(0, 96_000), whole(0, 96_000)];
    let heard = heard(dir.path(), &files, clips, 96_000, 1);
    let steady = &heard[2 * 4_000..2 * 92_000];
    let highest = steady.iter().fold(0.0_f32, |high, s| high.max(s.abs()));
    // The codec overshoots the limiter's ceiling a little, and more where a tone begins.
    assert!((0.86..0.99).contains(&highest), "{highest}");
}

#[test]
fn five_point_one_and_mono_fold_into_stereo() {
    let dir = tempfile::tempdir().unwrap();
    // Only the centre sounds, then only the left surround; order L R C LFE Ls Rs.
    let samples: Vec<f32> = (0..96_000)
        .flat_map(|n| {
            let wave = (f64::from(n) * 0.1).sin() as f32 * 0.5;
            let mut all = [0.0; 6];
            all[if n < 48_000 { 2 } else { 4 }] = wave;
            all
        })
        .collect();
    let surround = dir.path().join("surround.wav");
    let raw = ["-f", "f32le", "-ar", "48000"];
    let five = [&raw[..], &["-ac", "6", "-i", "-", "-c:a", "pcm_f32le"]].concat();
    ffmpeg(&five, &bytes_of(&samples), &surround);
    let mono = dir.path().join("mono.wav");
    let one: Vec<f32> = samples.chunks(6).map(|s| s[2] + s[4]).collect();
    let single = [&raw[..], &["-ac", "1", "-i", "-", "-c:a", "pcm_f32le"]].concat();
    ffmpeg(&single, &bytes_of(&one), &mono);
    let level = |heard: &[f32], at: usize, side: usize| {
        let part: Vec<f32> = heard[at * 2..(at + 4_000) * 2]
            .chunks(2)
            .map(|s| s[side])
            .collect();
        (part.iter().map(|s| s * s).sum::<f32>() / part.len() as f32).sqrt()
    };
    let full = 0.5 / std::f32::consts::SQRT_2;
    let half = std::f32::consts::FRAC_1_SQRT_2;
    let cases = [
        (surround, [[half, half], [half, 0.0]]),
        (mono, [[1.0, 1.0], [1.0, 1.0]]),
    ];
    for (file, expected) in cases {
        let files = [file.clone()];
        let heard = heard(dir.path(), &files, vec![whole(0, 96_000)], 96_000, 1);
        for (at, sides) in [20_000, 70_000].into_iter().zip(expected) {
            for (side, factor) in sides.into_iter().enumerate() {
                let found = level(&heard, at, side) / full;
                assert!(
                    (found - factor).abs() < 0.03,
                    "{file:?} at {at}: {found} for {factor}"
                );
            }
        }
    }
}

#[test]
fn a_source_that_ends_early_leaves_silence() {
    let dir = tempfile::tempdir().unwrap();
    let files = [sound_clip(
        dir.path(),
        "short.wav",
        &vec![0.5; 48_000],
        &["-c:a", "pcm_s16le"],
    )];
    let heard = heard(dir.path(), &files, vec![whole(0, 96_000)], 96_000, 1);
    assert!(heard[20_000] > 0.4);
    assert!(heard[30_000 * 2..].iter().all(|s| s.abs() < 0.01));
}
