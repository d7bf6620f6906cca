//! Validation by tables: what is refused, where and with which code; what is warned of.

use serde_json::{Value, json};

use super::validate;
use crate::composition::ViolationCode::{self, *};
use crate::composition::time::{FrameRate, MediaTime};
use crate::composition::{
    ElementKind, Json, Length, Limits, Rgba, Size, SourceKind, ValidComposition, Violation, Warning,
};

fn check(body: &Value) -> Result<(ValidComposition, Vec<Warning>), Vec<Violation>> {
    let json = Json::parse(body.to_string().as_bytes()).expect("a test's JSON");
    validate(&json, &Limits::default())
}

/// Paths and codes of what is wrong.
fn wrong(body: &Value) -> Vec<(String, ViolationCode)> {
    let violations = check(body).expect_err(&body.to_string());
    assert!(!violations.is_empty(), "{body}");
    violations.into_iter().map(|v| (v.path, v.code)).collect()
}

/// A composition of one element: `base` of its kind, with `fields` laid over.
fn with(kind: &str, fields: &Value) -> Value {
    let mut element = match kind {
        "video" => json!({"type": "video", "source_url": "https://a.example/v.mp4"}),
        "audio" => json!({"type": "audio", "source_url": "https://a.example/v.mp3"}),
        "image" => {
            json!({"type": "image", "id": "i", "duration": 1, "source_url": "http://a.example/i.png"})
        }
        _ => json!({"type": "text", "text": "x", "duration": 1}),
    };
    for (name, value) in fields.as_object().expect("fields") {
        element[name] = value.clone();
    }
    json!({ "elements": [element] })
}

#[test]
fn the_minimal_example_is_valid_as_it_stands() {
    let body = serde_json::from_str(include_str!("../../../tests/compositions/minimal.json"))
        .expect("JSON");
    let (composition, warnings) = check(&body).expect("the minimal example");
    assert_eq!(warnings, []);
    assert_eq!((composition.width, composition.height), (1920, 1080));
    assert_eq!(composition.duration, Some(MediaTime::new(10, 1)));
    assert_eq!(
        (composition.output.crf, &*composition.output.preset),
        (20, "veryfast")
    );
    let ElementKind::Text { text, visual } = &composition.elements[1].kind else {
        panic!("{:?}", composition.elements[1]);
    };
    assert_eq!(
        (text.size, visual.z_index, visual.height),
        (72.0, 1, Size::Auto)
    );
    assert_eq!(visual.x, Length::Percent(50.0));
}

#[test]
fn every_rendered_field_reaches_the_composition() {
    let body = serde_json::from_str(include_str!("../../../tests/compositions/placements.json"))
        .expect("JSON");
    let (composition, warnings) = check(&body).expect("the reference composition");
    assert_eq!(warnings, []);
    assert_eq!(
        composition.frame_rate,
        FrameRate::new(30_000, 1001).expect("a rate")
    );
    assert_eq!(
        (composition.output.crf, composition.output.audio_kbps),
        (28, 128)
    );
    assert_eq!(composition.priority, 3);
    assert_eq!(
        composition.background,
        Rgba {
            r: 16,
            g: 32,
            b: 48,
            a: 255
        }
    );
    let uses = composition.source_urls();
    let listed: Vec<_> = uses
        .iter()
        .map(|u| (u.url.rsplit('/').next().unwrap_or(""), u.kind, &*u.path))
        .collect();
    assert_eq!(
        listed,
        [
            ("clip.mp4", SourceKind::Video, "elements[0].source_url"),
            ("logo.png", SourceKind::Image, "elements[2].source_url"),
            ("music.mp3", SourceKind::Audio, "elements[4].source_url"),
            ("title.ttf", SourceKind::Font, "elements[3].font_url"),
        ]
    );
    let ElementKind::Video { clip, visual } = &composition.elements[0].kind else {
        panic!("{:?}", composition.elements[0]);
    };
    assert_eq!(clip.in_point, MediaTime::new(1234, 1000));
    assert_eq!((clip.gain, visual.height), (0.0, Size::Auto));
    let ElementKind::Text { text, .. } = &composition.elements[3].kind else {
        panic!("{:?}", composition.elements[3]);
    };
    assert_eq!((text.weight, text.italic, text.wrap), (700, false, false));
    let ElementKind::Audio { clip } = &composition.elements[4].kind else {
        panic!("{:?}", composition.elements[4]);
    };
    assert_eq!((clip.gain, clip.fade_in), (0.5, MediaTime::new(1, 2)));
}

#[test]
fn each_thing_wrong_with_a_composition_has_its_path_and_code() {
    let element = json!({"type": "text", "text": "x", "duration": 1, "id": "a"});
    let cases = [
        (json!([]), "", Type),
        (json!("x"), "", Type),
        (json!({"width": 640}), "height", Required),
        (json!({"height": 640, "width": null}), "width", Required),
        (json!({"width": 15, "height": 100}), "width", Range),
        (json!({"width": 100.5, "height": 100}), "width", Type),
        (json!({"width": "100", "height": 100}), "width", Type),
        (json!({"width": 1e300, "height": 100}), "width", Range),
        (
            json!({"width": 8192, "height": 8192}),
            "width",
            LimitExceeded,
        ),
        (json!({"duration": 0}), "duration", Range),
        (json!({"duration": -1}), "duration", Range),
        (json!({"duration": 1e-30}), "duration", Range),
        (json!({"duration": 1e300}), "duration", Range),
        (json!({"duration": 10801}), "duration", LimitExceeded),
        (
            json!({"width": 7680, "height": 4320, "frame_rate": 240, "duration": 10800}),
            "duration",
            LimitExceeded,
        ),
        (json!({"duration": "5"}), "duration", Type),
        (json!({"frame_rate": 0.5}), "frame_rate", Range),
        (json!({"frame_rate": 241}), "frame_rate", Range),
        (json!({"frame_rate": "fast"}), "frame_rate", Type),
        (json!({"frame_rate": "30/0"}), "frame_rate", Range),
        (json!({"output_format": "mkv"}), "output_format", Enum),
        (
            json!({"output_format": "webm"}),
            "output_format",
            UnsupportedFeature,
        ),
        (json!({"output_filename": "a/b"}), "output_filename", Range),
        (
            json!({"output_filename": "film.mp4"}),
            "output_filename",
            Range,
        ),
        (json!({"background_color": "red"}), "background_color", Type),
        (
            json!({"background_image_url": "https://a.example/b.png"}),
            "background_image_url",
            UnsupportedFeature,
        ),
        (json!({"alpha": true}), "alpha", UnsupportedFeature),
        (json!({"elements": {}}), "elements", Type),
        (json!({"elements": [1]}), "elements[0]", Type),
        (json!({"elements": [{}]}), "elements[0].type", Required),
        (
            json!({"elements": [{"type": "vidoe"}]}),
            "elements[0].type",
            Enum,
        ),
        (
            json!({"elements": [element, element]}),
            "elements[1].id",
            DuplicateId,
        ),
        (
            json!({"elements": vec![element.clone(); 501]}),
            "elements",
            LimitExceeded,
        ),
        (
            json!({"transitions": [{"type": "iris"}]}),
            "transitions[0].duration",
            Required,
        ),
        (
            json!({"transitions": [{"type": "iris", "duration": 1, "from_id": "x"}]}),
            "transitions[0].from_id",
            UnknownReference,
        ),
        (
            json!({"elements": [element], "transitions": [{"type": "iris", "duration": 1, "from_id": "a"}]}),
            "transitions[0].to_id",
            Required,
        ),
        (json!({"metadata": {"k": 1}}), "metadata.k", Type),
        (
            json!({"webhook_url": "https://user:secret@a.example"}),
            "webhook_url",
            Range,
        ),
        (
            json!({"webhook_url": format!("https://a.example/{}", "x".repeat(1024))}),
            "webhook_url",
            Range,
        ),
        (
            json!({"webhook_url": "ftp://a.example"}),
            "webhook_url",
            Range,
        ),
        (json!({"encoding": {"crf": 52}}), "encoding.crf", Range),
        (json!({"encoding": {"crf": 0}}), "encoding.crf", Range),
        (
            json!({"encoding": {"crf": 20, "video_bitrate": 8000}}),
            "encoding.video_bitrate",
            Conflict,
        ),
        (
            json!({"encoding": {"video_codec": "h265"}}),
            "encoding.video_codec",
            UnsupportedFeature,
        ),
        (
            json!({"encoding": {"video_codec": "prores"}}),
            "encoding.video_codec",
            UnsupportedCombination,
        ),
        (
            json!({"encoding": {"at": 1}}),
            "encoding.at",
            UnsupportedFeature,
        ),
        (
            json!({"destination": {"s3": {"bucket": "b", "key": "k"}}}),
            "destination.s3.bucket",
            UnknownReference,
        ),
        (
            json!({"destination": {"s3": {"bucket": "b", "key": "a/../k"}}}),
            "destination.s3.key",
            Range,
        ),
        (
            json!({"destination": {"s3": {"bucket": "b", "key": "/k"}}}),
            "destination.s3.key",
            Range,
        ),
        (
            json!({"destination": {"s3": {"bucket": "b"}}}),
            "destination.s3.key",
            Required,
        ),
        (json!({"priority": 11}), "priority", Range),
        (json!({"fps": 30}), "fps", UnknownField),
        (json!({"odd key": 30}), "[\"odd key\"]", UnknownField),
    ];
    for (body, path, code) in cases {
        let found = wrong(&body);
        assert!(found.contains(&(path.into(), code)), "{body}: {found:?}");
    }
    let labels: serde_json::Map<_, _> = (0..51).map(|n| (n.to_string(), json!("x"))).collect();
    assert_eq!(
        wrong(&json!({ "metadata": labels })),
        [("metadata".into(), Range)]
    );
}

#[test]
fn each_thing_wrong_with_an_element_has_its_field_and_code() {
    let cases = [
        ("video", json!({"source_url": null}), "source_url", Required),
        (
            "video",
            json!({"source_url": "clip.mp4"}),
            "source_url",
            Type,
        ),
        (
            "video",
            json!({"source_url": "file:///etc/passwd"}),
            "source_url",
            Range,
        ),
        (
            "video",
            json!({"source_url": "https://a.example/v.gif?x=.mp4"}),
            "source_url",
            Enum,
        ),
        (
            "video",
            json!({"in_point": 2, "out_point": 2}),
            "out_point",
            Range,
        ),
        ("video", json!({"volume": 101}), "volume", Range),
        ("audio", json!({"volume": 0}), "volume", Range),
        ("audio", json!({"x": 0}), "x", UnknownField),
        ("video", json!({"speed": 5}), "speed", Range),
        ("video", json!({"speed": 2}), "speed", UnsupportedFeature),
        ("video", json!({"loop": true}), "loop", UnsupportedFeature),
        (
            "video",
            json!({"freeze_at": 0}),
            "freeze_at",
            UnsupportedFeature,
        ),
        ("image", json!({"id": null}), "id", Required),
        ("image", json!({"duration": null}), "duration", Required),
        (
            "image",
            json!({"duration": 20_000}),
            "duration",
            LimitExceeded,
        ),
        (
            "image",
            json!({"crop_top": 0.5, "crop_bottom": 0.5}),
            "crop_bottom",
            Conflict,
        ),
        ("image", json!({"crop_top": 2}), "crop_top", Range),
        (
            "image",
            json!({"exposure": 10}),
            "exposure",
            UnsupportedFeature,
        ),
        (
            "image",
            json!({"effects": [{"type": "sepia"}]}),
            "effects",
            UnsupportedFeature,
        ),
        (
            "image",
            json!({"effects": [{"type": "sepja"}]}),
            "effects[0].type",
            Enum,
        ),
        (
            "image",
            json!({"blend_mode": "screen"}),
            "blend_mode",
            UnsupportedFeature,
        ),
        ("image", json!({"blend_mode": "xor"}), "blend_mode", Enum),
        (
            "image",
            json!({"motion": [{"type": "blur", "reversed": true}]}),
            "motion[0].reversed",
            UnsupportedCombination,
        ),
        (
            "image",
            json!({"motion": [{"type": "fade", "scope": "character"}]}),
            "motion[0].scope",
            UnsupportedCombination,
        ),
        (
            "text",
            json!({"motion": [{"type": "swing_in", "scope": "character"}]}),
            "motion[0].scope",
            UnsupportedCombination,
        ),
        (
            "text",
            json!({"motion": [{"type": "zoom_in", "scope": "character", "reversed": true}]}),
            "motion",
            UnsupportedFeature,
        ),
        ("text", json!({"text": ""}), "text", Range),
        (
            "text",
            json!({"text": "x".repeat(10_001)}),
            "text",
            LimitExceeded,
        ),
        ("text", json!({"text": 5}), "text", Type),
        ("text", json!({"duration": null}), "duration", Required),
        ("text", json!({"font_size": 0}), "font_size", Range),
        ("text", json!({"font_weight": 950}), "font_weight", Range),
        ("text", json!({"text_color": "#12345"}), "text_color", Type),
        ("text", json!({"text_align": "justify"}), "text_align", Enum),
        (
            "text",
            json!({"width": "auto"}),
            "width",
            UnsupportedFeature,
        ),
        ("text", json!({"clip": true}), "clip", UnsupportedFeature),
        (
            "text",
            json!({"stroke": true, "shadow": true}),
            "shadow",
            Conflict,
        ),
        ("text", json!({"width": 0}), "width", Range),
        ("text", json!({"x": "left"}), "x", Type),
        ("text", json!({"x": "50 %"}), "x", Type),
        ("text", json!({"x": 1e9}), "x", Range),
        ("text", json!({"opacity": 101}), "opacity", Range),
        ("text", json!({"z_index": 1.5}), "z_index", Type),
        ("text", json!({"time": -1}), "time", Range),
        ("text", json!({"track": 256}), "track", Range),
        ("text", json!({"visible": "yes"}), "visible", Type),
    ];
    for (kind, fields, field, code) in cases {
        let found = wrong(&with(kind, &fields));
        let expected = (format!("elements[0].{field}"), code);
        assert!(found.contains(&expected), "{kind} {fields}: {found:?}");
    }
}

#[test]
fn every_violation_is_told_at_once_and_nothing_twice() {
    let body = json!({
        "width": 5, "height": 720, "fps": 30, "duration": "long",
        "elements": [
            {"type": "video", "source_url": 3, "colour": 1, "opacity": -1},
            {"type": "text", "time": -1, "color": "#fff"},
        ],
    });
    let mut found = wrong(&body);
    let count = found.len();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found.dedup();
    assert_eq!(found.len(), count);
    let paths: Vec<_> = found.iter().map(|(path, _)| path.as_str()).collect();
    assert_eq!(
        paths,
        [
            "duration",
            "elements[0].colour",
            "elements[0].opacity",
            "elements[0].source_url",
            "elements[1].color",
            "elements[1].duration",
            "elements[1].text",
            "elements[1].time",
            "fps",
            "width",
        ]
    );
}

#[test]
fn unknown_names_come_with_the_name_that_was_meant() {
    let cases = [
        (json!({"fps": 30}), "frame_rate"),
        (json!({"length": 3}), "duration"),
        (json!({"framerate": 3}), "frame_rate"),
        (json!({"output_format": "mp5"}), "mp4"),
        (with("text", &json!({"color": "#ffffff"})), "text_color"),
        (with("text", &json!({"start": 1})), "time"),
        (with("text", &json!({"lenght": 1})), "duration"),
        (with("text", &json!({"fontsize": 10})), "font_size"),
        (with("text", &json!({"text_align": "centre"})), "center"),
        (with("video", &json!({"src": "x"})), "source_url"),
        (with("video", &json!({"url": "x"})), "source_url"),
        (with("image", &json!({"opactiy": 10})), "opacity"),
        (
            with("image", &json!({"effects": [{"type": "sepja"}]})),
            "sepia",
        ),
    ];
    for (body, meant) in cases {
        let violations = check(&body).expect_err(&body.to_string());
        assert!(
            violations
                .iter()
                .any(|v| v.suggestion.as_deref() == Some(meant)),
            "{body}: {violations:?}"
        );
    }
}

#[test]
fn the_listing_of_violations_ends_somewhere() {
    let body: serde_json::Map<_, _> = (0..5000).map(|n| (format!("x{n}"), json!(1))).collect();
    let violations = check(&Value::Object(body)).expect_err("all unknown");
    assert_eq!(violations.len(), 1001);
    assert_eq!(violations[1000].code, LimitExceeded);
}

#[test]
fn checking_ends_with_the_listing() {
    // Names that need the most comparing: all unlike, none a slip.
    let unknown = |count: usize| -> Json {
        let body: serde_json::Map<_, _> = (0..count)
            .map(|n| (format!("unknown_field_number_{n}"), json!(1)))
            .collect();
        Json::parse(Value::Object(body).to_string().as_bytes()).expect("JSON")
    };
    let (few, many) = (unknown(2_000), unknown(150_000));
    let cost = |json: &Json| {
        let tries = (0..5).map(|_| {
            let begun = std::time::Instant::now();
            assert_eq!(
                validate(json, &Limits::default())
                    .expect_err("unknown")
                    .len(),
                1001
            );
            begun.elapsed()
        });
        tries.min().expect("five tries")
    };
    // Seventy-five times as many fields, and the same work.
    let (few, many) = (cost(&few), cost(&many));
    assert!(many < few * 10, "{many:?} instead of {few:?}");
}

#[test]
fn metadata_is_held_to_its_lengths_in_characters() {
    let metadata = |key: &str, value: &str| json!({ "metadata": { key: value } });
    let (key, value) = ("\u{e9}".repeat(40), "\u{e9}".repeat(500));
    assert!(check(&metadata(&key, &value)).is_ok());
    let long_key = format!("{key}x");
    assert_eq!(
        wrong(&metadata(&long_key, "v")),
        [(format!("metadata[{long_key:?}]"), Range)]
    );
    assert_eq!(
        wrong(&metadata("note", &format!("{value}x"))),
        [("metadata.note".into(), Range)]
    );
}

#[test]
fn everything_that_does_not_render_yet_is_named() {
    let body = serde_json::from_str(include_str!("../../../tests/compositions/not_yet.json"))
        .expect("JSON");
    let mut refused: Vec<_> = wrong(&body);
    refused.retain(|(_, code)| *code == UnsupportedFeature);
    let paths: Vec<_> = refused.iter().map(|(path, _)| path.as_str()).collect();
    insta::assert_debug_snapshot!("unsupported_features", paths);
}

#[test]
fn doubtful_compositions_are_warned_of_and_accepted() {
    let text = |fields: Value| with("text", &fields);
    let mut late = text(json!({"time": 5}));
    late["duration"] = json!(5);
    let cases = [
        (json!({}), "", "no_visible_element"),
        (text(json!({"visible": false})), "", "no_visible_element"),
        (late, "elements[0]", "starts_after_end"),
        (
            with("image", &json!({"x": "200%"})),
            "elements[0]",
            "off_canvas",
        ),
        (
            with("image", &json!({"y": -400, "z_rotation": 0})),
            "elements[0]",
            "off_canvas",
        ),
        (
            with("image", &json!({"x": -800, "z_rotation": 45})),
            "elements[0]",
            "off_canvas",
        ),
        (
            with("audio", &json!({"fade_in_duration": -1})),
            "elements[0].fade_in_duration",
            "clamped",
        ),
    ];
    for (body, path, code) in cases {
        let (_, warnings) = check(&body).unwrap_or_else(|v| panic!("{body}: {v:?}"));
        let found: Vec<_> = warnings.iter().map(|w| (&*w.path, &*w.code)).collect();
        assert_eq!(found, [(path, code)], "{body}");
    }
    // Turned, a full-size box reaches 734 px from its anchor whichever way.
    for fields in [
        json!({"x": "100%"}),
        json!({"x": -700, "z_rotation": 45}),
        json!({"x": -3000, "width": "auto"}),
    ] {
        let (_, warnings) = check(&with("image", &fields)).expect("valid");
        assert_eq!(warnings, [], "{fields}");
    }
}
