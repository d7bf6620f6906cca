//! Lengths of outputs, and sources that are not what they should be.

use serde_json::{Value, json};

use super::super::FrameTable;
use super::super::testing::{frames, picture, sound, try_resolve, video, with_sound};
use crate::composition::time::MediaTime;

fn text(time: f64, duration: f64) -> Value {
    json!({"type": "text", "text": "x", "time": time, "duration": duration})
}

fn film(fields: &Value) -> Value {
    let mut element = json!({"type": "video", "source_url": "https://a.example/v.mp4"});
    for (name, value) in fields.as_object().expect("fields") {
        element[name] = value.clone();
    }
    element
}

fn music(fields: &Value) -> Value {
    let mut element = json!({"type": "audio", "source_url": "https://a.example/m.mp3"});
    for (name, value) in fields.as_object().expect("fields") {
        element[name] = value.clone();
    }
    element
}

#[test]
fn the_output_lasts_until_its_latest_visible_end() {
    let clip = || video(64, 36, frames(0, 10, 30));
    let song = || sound(60);
    let hidden = |mut element: Value| {
        element["visible"] = json!(false);
        element
    };
    let cases = [
        (vec![], vec![], 100),
        (vec![text(1.0, 2.0)], vec![], 30),
        (vec![film(&json!({}))], vec![clip()], 30),
        (
            vec![film(&json!({"in_point": 1, "time": 0.5}))],
            vec![clip()],
            25,
        ),
        (vec![film(&json!({"duration": 2}))], vec![clip()], 20),
        (vec![film(&json!({"duration": 20}))], vec![clip()], 30),
        (
            vec![film(&json!({"out_point": 2.5})), text(0.0, 1.0)],
            vec![clip()],
            25,
        ),
        // Music without an end of its own follows the pictures.
        (vec![music(&json!({})), text(0.0, 2.0)], vec![song()], 20),
        (
            vec![music(&json!({"out_point": 7})), text(0.0, 2.0)],
            vec![song()],
            70,
        ),
        (vec![music(&json!({"time": 1}))], vec![song()], 610),
        (vec![music(&json!({"out_point": 7}))], vec![song()], 70),
        (vec![hidden(text(0.0, 50.0)), text(0.0, 2.0)], vec![], 20),
        (vec![hidden(text(0.0, 50.0))], vec![], 100),
    ];
    for (elements, sources, frames) in cases {
        let body = json!({"frame_rate": 10, "elements": elements});
        let (timeline, _) = try_resolve(&body, sources).expect("valid");
        assert_eq!(timeline.frames, frames, "{body}");
    }
}

#[test]
fn frames_are_rounded_half_up_and_there_is_at_least_one() {
    for (duration, rate, frames) in [
        (json!(0.05), json!(10), 1),
        (json!(0.25), json!(10), 3),
        (json!(0.001), json!(1), 1),
        (json!(10), json!(29.97), 300),
        (json!(1.23), json!(30), 37),
    ] {
        let body = json!({"duration": duration, "frame_rate": rate});
        let (timeline, _) = try_resolve(&body, vec![]).expect("valid");
        assert_eq!(timeline.frames, frames, "{body}");
    }
}

#[test]
fn a_source_of_the_wrong_kind_names_its_element() {
    let image =
        || json!({"type": "image", "id": "i", "duration": 1, "source_url": "http://a.example/i"});
    let clip = || video(64, 36, frames(0, 10, 30));
    let mut empty = clip();
    if let Some(video) = &mut empty.video {
        video.frames = FrameTable::from_nanos(&[], 0);
    }
    let cases = [
        (film(&json!({})), sound(5), "source_url"),
        (film(&json!({})), picture(5, 5), "source_url"),
        (film(&json!({})), empty, "source_url"),
        (film(&json!({"in_point": 3})), clip(), "in_point"),
        (image(), clip(), "source_url"),
        (image(), sound(5), "source_url"),
        (music(&json!({})), clip(), "source_url"),
        (music(&json!({"in_point": 5})), sound(5), "in_point"),
    ];
    for (element, source, field) in cases {
        let body = json!({"elements": [text(0.0, 1.0), element]});
        let error = try_resolve(&body, vec![source]).expect_err(&body.to_string());
        assert_eq!(error.code, "invalid_source");
        assert_eq!(error.path, format!("elements[1].{field}"), "{body}");
    }
    let body = json!({"elements": [music(&json!({}))]});
    assert!(try_resolve(&body, vec![with_sound(clip(), 3)]).is_ok());
    // What is invisible takes no part, whatever its source is.
    let mut hidden = film(&json!({"in_point": 9}));
    hidden["visible"] = json!(false);
    assert!(try_resolve(&json!({"elements": [hidden]}), vec![]).is_ok());
    let missing = try_resolve(&body, vec![]).expect_err("no source");
    assert_eq!(missing.path, "elements[0].source_url");
}

#[test]
fn a_derived_length_is_held_to_the_limit_too() {
    let body = json!({"elements": [music(&json!({}))]});
    let error = try_resolve(&body, vec![sound(3 * 3600 + 1)]).expect_err("too long");
    assert_eq!((&*error.code, &*error.path), ("limit_exceeded", "duration"));
}

#[test]
fn a_derived_size_is_held_to_the_limit_too() {
    let body = json!({"width": 7680, "height": 4320, "frame_rate": 240,
        "elements": [music(&json!({}))]});
    let error = try_resolve(&body, vec![sound(9000)]).expect_err("too large");
    assert_eq!((&*error.code, &*error.path), ("limit_exceeded", "duration"));
}

#[test]
fn one_file_used_twice_is_one_source_and_fonts_are_none() {
    let mut title = text(0.0, 1.0);
    title["font_url"] = json!("https://a.example/v.mp4");
    let body = json!({"elements": [title, film(&json!({})), film(&json!({"time": 1})), music(&json!({}))]});
    let sources = vec![video(64, 36, frames(0, 10, 30)), sound(9)];
    let (timeline, _) = try_resolve(&body, sources).expect("valid");
    assert_eq!(timeline.element_sources[1..], [Some(0), Some(0), Some(1)]);
    // The font comes after the media.
    assert_eq!(timeline.element_sources[0], Some(2));
    assert_eq!(timeline.source_of(0), None);
}

#[test]
fn odd_sizes_are_told_to_be_padded() {
    let body = json!({"width": 101, "height": 50, "duration": 1});
    let (timeline, warnings) = try_resolve(&body, vec![]).expect("valid");
    assert_eq!((timeline.composition.width, warnings.len()), (101, 1));
    assert_eq!(warnings[0].code, "padded_to_even");
    assert!(
        warnings[0].message.contains("102x50"),
        "{}",
        warnings[0].message
    );
}

#[test]
fn stills_shown_together_are_held_to_a_bound_each_source_once() {
    let image = |name: &str, time: f64| {
        json!({
            "type": "image", "id": format!("{name}-{time}"), "time": time, "duration": 2,
            "source_url": format!("https://a.example/{name}.png"),
        })
    };
    let body = json!({
        "width": 100, "height": 50,
        "elements": [image("a", 0.0), image("a", 0.5), image("b", 1.0), image("c", 2.5)],
    });
    let stills = vec![picture(1000, 100), picture(1000, 200), picture(1000, 300)];
    let (timeline, _) = try_resolve(&body, stills).expect("valid");
    let beyond = |most| timeline.stills_beyond(most);
    assert_eq!(beyond(2_000_000), None);
    let over = beyond(1_100_000).expect("a, a and b together");
    assert_eq!((over.bytes, over.elements), (1_200_000, vec![0, 1, 2]));
    assert_eq!(over.at, MediaTime::new(1, 1));
    let last = beyond(1_200_000).expect("b and c together");
    assert_eq!((last.bytes, last.elements), (2_000_000, vec![2, 3]));
}

#[test]
fn sound_shorter_than_a_sample_gives_a_warning() {
    let body = json!({
        "width": 100, "height": 50, "duration": 1,
        "elements": [{
            "type": "audio", "source_url": "https://a.example/a.mp3",
            "out_point": 0.000_001,
        }],
    });
    let (timeline, warnings) = try_resolve(&body, vec![sound(5)]).expect("valid");
    assert!(timeline.mix().is_none());
    let codes: Vec<&str> = warnings.iter().map(|one| one.code.as_str()).collect();
    assert_eq!(codes, ["audio_ends_early"]);
}
