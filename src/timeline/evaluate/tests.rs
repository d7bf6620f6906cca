//! Which layers a frame shows, and which frame of its source each.

use cluster::model::{FrameRange, FrameRate};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::testing::{
    LINES, frames, picture, sound, timeline, try_resolve, video, with_sound,
};
use super::super::{Affine, FrameTable, MediaInfo, Notice};
use super::*;
use crate::plan::{CutSettings, cut};

fn clip(fields: &Value) -> Value {
    let mut clip = json!({"type": "video", "source_url": "https://a.example/v.mp4"});
    for (name, value) in fields.as_object().expect("fields") {
        clip[name] = value.clone();
    }
    clip
}

/// The source frame that each output frame shows.
fn shown(body: &Value, source: MediaInfo) -> Vec<Option<u64>> {
    let (timeline, _) = try_resolve(body, vec![source]).expect("a test's source");
    (0..timeline.frames)
        .map(|frame| {
            let list = timeline.evaluate(FrameIndex(frame));
            list.layers.first().map(|layer| match layer.content {
                Content::Video { frame, .. } => frame,
                _ => panic!("{layer:?}"),
            })
        })
        .collect()
}

fn every(segment_frames: u32) -> CutSettings {
    CutSettings {
        segment_frames,
        segment_pixels: u64::MAX,
    }
}

#[test]
fn the_last_frame_not_after_the_source_time_is_shown() {
    let body = |rate: i32, fields: Value| json!({"duration": 1, "frame_rate": rate, "elements": [clip(&fields)]});
    let source = |fps, count| video(64, 36, frames(0, fps, count));
    let all = |range: std::ops::Range<u64>| range.map(Some).collect::<Vec<_>>();
    assert_eq!(shown(&body(30, json!({})), source(30, 60)), all(0..30));
    assert_eq!(
        shown(&body(30, json!({"in_point": 0.5})), source(30, 60)),
        all(15..45)
    );
    // 1.234 s at 30 fps is frame 37.02.
    assert_eq!(
        shown(&body(30, json!({"in_point": 1.234})), source(30, 90)),
        all(37..67)
    );
    // Slower and faster sources repeat and skip.
    let slow = shown(&body(30, json!({})), source(15, 60));
    assert_eq!(
        slow[..6],
        [Some(0), Some(0), Some(1), Some(1), Some(2), Some(2)]
    );
    let fast = shown(&body(25, json!({})), source(50, 60));
    assert_eq!(fast[..4], [Some(0), Some(2), Some(4), Some(6)]);
    // 24 fps pts rounded down to whole milliseconds still count as not after.
    let mut coarse = source(24, 24);
    if let Some(video) = &mut coarse.video {
        let coarse: Vec<i64> = video
            .frames
            .times()
            .map(|time| (time + 400_000) / 1_000_000 * 1_000_000)
            .collect();
        video.frames = FrameTable::from_nanos(&coarse, video.frames.end());
    }
    assert_eq!(shown(&body(24, json!({})), coarse), all(0..24));
}

#[test]
fn an_element_is_there_from_its_time_until_its_end() {
    let body = json!({"duration": 2, "frame_rate": 10, "elements": [clip(&json!({
        "time": 0.5, "in_point": 1, "out_point": 1.7, "duration": 5
    }))]});
    let shown = shown(&body, video(64, 36, frames(0, 10, 50)));
    let expected: Vec<_> = (0..20)
        .map(|n| (5..12).contains(&n).then_some(n + 5))
        .collect();
    assert_eq!(shown, expected);
}

#[test]
fn a_source_that_is_a_little_short_is_held_and_one_much_shorter_is_transparent() {
    let body = |out_point: f64, in_point: f64| json!({"frame_rate": 10, "elements": [clip(&json!({"out_point": out_point, "in_point": in_point}))]});
    // Ten frames of 100 ms; two of them may be missing.
    let short = || video(64, 36, frames(0, 10, 10));
    let held = shown(&body(1.2, 0.0), short());
    assert_eq!((held.len(), held[9], held[11]), (12, Some(9), Some(9)));
    let gone = shown(&body(1.3, 0.0), short());
    assert_eq!(
        (gone.len(), gone[9], gone[10], gone[12]),
        (13, Some(9), None, None)
    );
    let (_, warnings) = try_resolve(&body(1.3, 0.0), vec![short()]).expect("valid");
    assert_eq!(warnings[0].code, "source_shorter_than_out_point");
    assert_eq!(warnings[0].path, "elements[0]");

    let late = |first| video(64, 36, frames(first, 10, 20));
    assert_eq!(shown(&body(1.0, 0.0), late(200_000_000))[..3], [Some(0); 3]);
    let gap = shown(&body(1.0, 0.0), late(300_000_000));
    assert_eq!(gap[..4], [None, None, None, Some(0)]);
    let (_, warnings) = try_resolve(&body(1.0, 0.0), vec![late(300_000_000)]).expect("valid");
    assert_eq!(warnings[0].code, "source_starts_late");
}

#[test]
fn sound_that_lasts_longer_than_the_pictures_is_heard_to_its_end() {
    let source = || with_sound(video(64, 36, frames(0, 10, 10)), 3);
    let body = |fields: Value| json!({"frame_rate": 10, "elements": [clip(&fields)]});
    let shown_whole = shown(&body(json!({})), source());
    assert_eq!(
        (shown_whole.len(), shown_whole[9], shown_whole[10]),
        (30, Some(9), None)
    );
    let (_, warnings) = try_resolve(&body(json!({})), vec![source()]).expect("valid");
    let codes: Vec<&str> = warnings.iter().map(|one| one.code.as_str()).collect();
    assert_eq!(codes, ["source_shorter_than_out_point"]);
    assert_eq!((warnings[0].from, warnings[0].to), (Some(1.0), Some(3.0)));
    // Sound that is not heard prolongs nothing.
    assert_eq!(shown(&body(json!({"volume": 0})), source()).len(), 10);
}

#[test]
fn what_is_missing_behind_the_end_concerns_whoever_plays_to_the_end() {
    let mut source = sound(2);
    source.notices.push(Notice {
        code: "source_damaged".into(),
        message: "another stream is left out".into(),
        span: Some((2_020_000_000, 2_020_000_000)),
    });
    let body = |out_point: Value| {
        json!({"width": 64, "height": 36, "elements": [{
            "type": "audio", "source_url": "http://a.example/a.ogg", "out_point": out_point,
        }]})
    };
    let codes = |out_point: Value| {
        let (_, warnings) = try_resolve(&body(out_point), vec![source.clone()]).expect("valid");
        warnings.into_iter().map(|one| one.code).collect::<Vec<_>>()
    };
    assert_eq!(codes(Value::Null), ["source_damaged"]);
    assert_eq!(codes(json!(1)), Vec::<String>::new());
}

#[test]
fn higher_lies_above_and_of_equals_the_earlier() {
    let image = |id: &str, z_index: i32| json!({"type": "image", "id": id, "duration": 1, "source_url": "http://a.example/i", "z_index": z_index});
    let text = json!({"type": "text", "text": "x", "duration": 1});
    let body =
        json!({"elements": [text, image("a", 0), image("b", -1), image("c", 1), image("d", 0)]});
    let timeline = timeline(&body, vec![picture(10, 10)]);
    let order: Vec<_> = timeline
        .evaluate(FrameIndex(0))
        .layers
        .iter()
        .map(|l| l.element)
        .collect();
    assert_eq!(order, [2, 4, 1, 3, 0]);
}

#[test]
fn what_cannot_touch_a_pixel_is_left_out() {
    let image = |fields: Value| {
        let mut image = json!({"type": "image", "id": "i", "duration": 1, "source_url": "http://a.example/i", "width": 100, "height": 100});
        for (name, value) in fields.as_object().expect("fields") {
            image[name] = value.clone();
        }
        let timeline = timeline(&json!({"elements": [image]}), vec![picture(10, 10)]);
        timeline.evaluate(FrameIndex(0)).layers.len()
    };
    assert_eq!(image(json!({})), 1);
    assert_eq!(image(json!({"opacity": 0})), 0);
    assert_eq!(image(json!({"visible": false})), 0);
    assert_eq!(image(json!({"x": -50})), 0);
    assert_eq!(image(json!({"x": -49})), 1);
    assert_eq!(image(json!({"x": -60, "z_rotation": 45})), 1);
    assert_eq!(image(json!({"y": 770})), 0);
}

#[test]
fn a_full_frame_clip_lies_exactly_on_the_canvas() {
    let body = json!({"width": 1920, "height": 1080, "elements": [clip(&json!({}))]});
    let timeline = timeline(&body, vec![video(1920, 1080, frames(0, 30, 30))]);
    let list = timeline.evaluate(FrameIndex(0));
    let layer = &list.layers[0];
    let identity = Affine {
        a: 1.0,
        b: 0.0,
        c: 0.0,
        d: 1.0,
        e: 0.0,
        f: 0.0,
    };
    assert_eq!(layer.transform, identity);
    assert_eq!(layer.size, (1920.0, 1080.0));
    assert_eq!(
        (layer.content_rect.width, layer.content_rect.height),
        (1920.0, 1080.0)
    );
    assert!(layer.clipped);
}

#[test]
fn a_text_box_grows_with_its_lines() {
    let body = json!({"width": 400, "height": 200, "elements": [
        {"type": "text", "text": "x", "duration": 1, "width": "50%"}]});
    let timeline = timeline(&body, vec![]);
    let list = timeline.evaluate(FrameIndex(0));
    assert_eq!(list.layers[0].size, (200.0, LINES));
    assert_eq!(list.layers[0].transform.f, 80.0);
    assert!(!list.layers[0].clipped);
}

fn any_timeline() -> impl Strategy<Value = Timeline> {
    (
        prop::sample::select(vec![json!(10), json!(24), json!(29.97), json!("50/3")]),
        prop::sample::select(vec![10_i64, 24, 30, 60]),
        prop::collection::vec((0_u32..3000, 0_u32..1500, 1_u32..3000), 1..4),
    )
        .prop_map(|(rate, fps, placements)| {
            let millis = |n: u32| f64::from(n) / 1000.0;
            let elements: Vec<Value> = placements
                .into_iter()
                .map(|(time, in_point, length)| {
                    clip(&json!({
                        "time": millis(time),
                        "in_point": millis(in_point),
                        "out_point": millis(in_point + length),
                    }))
                })
                .collect();
            let source = with_sound(video(64, 36, frames(0, fps, fps * 3)), 3);
            let body = json!({"frame_rate": rate, "elements": elements});
            try_resolve(&body, vec![source]).expect("a test's source").0
        })
}

proptest! {
    #[test]
    fn cutting_never_shows(timeline in any_timeline(), step in 1_u32..60) {
        let rate: FrameRate = timeline.composition.frame_rate;
        let whole: Vec<_> = (0..timeline.frames).map(|n| timeline.evaluate(FrameIndex(n))).collect();
        let mut pieces = Vec::new();
        for range in cut(timeline.frames, 1, rate, None, every(step)) {
            // Each segment works from the plan as it was stored.
            let stored = serde_json::to_vec(&timeline).expect("a plan serialises");
            let reread: Timeline = serde_json::from_slice(&stored).expect("a plan is read back");
            pieces.extend(range.iter().map(|frame| reread.evaluate(frame)));
        }
        prop_assert_eq!(whole, pieces);
    }

    #[test]
    fn a_segment_knows_the_source_frames_it_needs(timeline in any_timeline(), step in 1_u32..60) {
        let rate: FrameRate = timeline.composition.frame_rate;
        for range in cut(timeline.frames, 1, rate, None, every(step)) {
            for element in 0..timeline.composition.elements.len() {
                let needed: Vec<u64> = needed(&timeline, range, element);
                prop_assert!(needed.is_sorted());
                let span = timeline.video_frames(element, range);
                prop_assert_eq!(span.as_ref().map(|span| *span.start()), needed.first().copied());
                prop_assert_eq!(span.map(|span| *span.end()), needed.last().copied());
            }
            let first = (0..timeline.composition.elements.len())
                .flat_map(|element| needed(&timeline, range, element))
                .min();
            prop_assert_eq!(timeline.first_frame(0, range), first);
        }
    }
}

fn needed(timeline: &Timeline, range: FrameRange, element: usize) -> Vec<u64> {
    let layers = range
        .iter()
        .flat_map(|frame| timeline.evaluate(frame).layers);
    layers
        .filter(|layer| layer.element == element)
        .filter_map(|layer| match layer.content {
            Content::Video { frame, .. } => Some(frame),
            _ => None,
        })
        .collect()
}
