//! Where sound lies on the sample grid.

use serde_json::{Value, json};

use super::super::testing::{frames, sound, timeline, try_resolve, video, with_sound};
use super::*;

fn audio(fields: &Value) -> Value {
    let mut element = json!({"type": "audio", "source_url": "https://a.example/m.mp3"});
    for (name, value) in fields.as_object().expect("fields") {
        element[name] = value.clone();
    }
    element
}

fn mix(body: &Value, seconds: i64) -> Option<MixPlan> {
    try_resolve(body, vec![sound(seconds)])
        .expect("a test's source")
        .0
        .mix()
}

#[test]
fn edges_are_rounded_once_to_the_nearest_sample() {
    let body = json!({"duration": 10, "elements": [audio(&json!({
        "time": 0.1234567, "in_point": 1.00001, "out_point": 3.5, "volume": 50,
        "fade_in_duration": 0.25, "fade_out_duration": 0.5
    }))]});
    let plan = mix(&body, 60).expect("sound");
    assert_eq!((plan.samples, plan.kbps), (480_000, 192));
    let clip = &plan.clips[0];
    // 0.1234567 × 48000 = 5925.92; the end is 0.1234567 + 2.49999 = 2.6234467 s, 125925.44.
    assert_eq!((clip.start, clip.length), (5926, 125_925 - 5926));
    // 1.00001 × 48000 = 48000.48.
    assert_eq!(clip.source_start, 48_000);
    assert_eq!(
        (clip.gain, clip.fade_in, clip.fade_out),
        (0.5, 12_000, 24_000)
    );
}

#[test]
fn the_number_of_samples_follows_from_the_frames() {
    for (duration, rate, samples) in [
        (json!(10), json!(30), 480_000),
        // 300 frames of 1001/30000 s.
        (json!(10.01), json!(29.97), 480_480),
        // 0.01 s is no whole frame: one frame of 1/30 s.
        (json!(0.01), json!(30), 1600),
        (json!(1), json!("24000/1001"), 48_048),
    ] {
        let body =
            json!({"duration": duration, "frame_rate": rate, "elements": [audio(&json!({}))]});
        assert_eq!(mix(&body, 60).expect("sound").samples, samples, "{body}");
    }
}

#[test]
fn what_lies_after_the_end_is_cut_unless_it_is_fading() {
    let cut = |fields: Value| {
        let body = json!({"duration": 2, "elements": [audio(&fields)]});
        mix(&body, 60).expect("sound").clips.remove(0)
    };
    let plain = cut(json!({"out_point": 5}));
    assert_eq!((plain.length, plain.fade_out), (96_000, 0));
    // The fade begins after the output's end: it is never heard.
    let later = cut(json!({"out_point": 5, "fade_out_duration": 3}));
    assert_eq!((later.length, later.fade_out), (96_000, 0));
    // It begins before: the clip keeps its own end, so that the ramp keeps its slope.
    let fading = cut(json!({"out_point": 5, "fade_out_duration": 4}));
    assert_eq!((fading.length, fading.fade_out), (240_000, 192_000));
    let long = cut(json!({"out_point": 1, "fade_in_duration": 9, "fade_out_duration": 9}));
    assert_eq!((long.fade_in, long.fade_out), (48_000, 48_000));
}

#[test]
fn only_what_is_audible_is_mixed() {
    for fields in [json!({"visible": false}), json!({"time": 20})] {
        let body = json!({"duration": 10, "elements": [audio(&fields)]});
        assert_eq!(mix(&body, 60), None, "{body}");
    }
    let clip = |volume: i32| {
        json!({"elements": [
        {"type": "video", "source_url": "https://a.example/v.mp4", "volume": volume}]})
    };
    let silent = || video(64, 36, frames(0, 30, 60));
    assert_eq!(timeline(&clip(100), vec![silent()]).mix(), None);
    assert_eq!(
        timeline(&clip(0), vec![with_sound(silent(), 2)]).mix(),
        None
    );
    let plan = timeline(&clip(100), vec![with_sound(silent(), 2)])
        .mix()
        .expect("sound");
    assert_eq!((plan.samples, plan.clips[0].length), (96_000, 96_000));
}
