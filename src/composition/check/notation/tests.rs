//! Spellings and what they mean.

use serde_json::json;

use super::*;

#[test]
fn lengths_angles_and_percents_have_several_spellings() {
    for (value, expected) in [
        (json!(12), Some(Length::Px(12.0))),
        (json!("12px"), Some(Length::Px(12.0))),
        (json!("12"), Some(Length::Px(12.0))),
        (json!("-0.5%"), Some(Length::Percent(-0.5))),
        (json!("50%"), Some(Length::Percent(50.0))),
        (json!("%"), None),
        (json!("1e3px"), None),
        (json!("inf"), None),
        (json!("+5"), None),
        (json!("12em"), None),
        (json!(true), None),
    ] {
        assert_eq!(length(&value).ok(), expected, "{value}");
    }
    for (value, degrees) in [
        (json!(45), 45.0),
        (json!("45deg"), 45.0),
        (json!("45°"), 45.0),
        (json!("-45"), -45.0),
        (json!("0.5rad"), 28.647_889_756_541_16),
    ] {
        let parsed = angle(&value).ok().expect("an angle");
        assert!((parsed - degrees).abs() < 1e-12, "{value}: {parsed}");
    }
    assert!(angle(&json!("45grad")).is_err());
    assert_eq!(percent(&json!("120%")).ok(), Some(120.0));
    assert_eq!(percent(&json!(120)).ok(), Some(120.0));
}

#[test]
fn colours_have_six_or_eight_digits() {
    let opaque = Rgba {
        r: 255,
        g: 204,
        b: 0,
        a: 255,
    };
    assert_eq!(color(&json!("#ffCC00")).ok(), Some(opaque));
    assert_eq!(
        color(&json!("#ffcc0080")).ok(),
        Some(Rgba { a: 128, ..opaque })
    );
    for value in [
        json!("#fff"),
        json!("ffcc00"),
        json!("#ffcc0g"),
        json!("#+1+1+1"),
        json!("#é123"),
        json!(0),
    ] {
        assert!(color(&value).is_err(), "{value}");
    }
}

#[test]
fn rates_are_exact_fractions() {
    for (value, expected) in [
        (json!(30), Some((30, 1))),
        (json!(30.0), Some((30, 1))),
        (json!(12.5), Some((25, 2))),
        (json!(23.976), Some((24_000, 1001))),
        (json!(29.97), Some((30_000, 1001))),
        (json!("29.97"), Some((30_000, 1001))),
        (json!(59.94), Some((60_000, 1001))),
        (json!(119.88), Some((120_000, 1001))),
        (json!("30000/1001"), Some((30_000, 1001))),
        (json!("60/2"), Some((30, 1))),
        (json!(1), Some((1, 1))),
        (json!(240), Some((240, 1))),
        (json!(0.999), None),
        (json!(240.001), None),
        (json!(29.970_03), None),
        (json!("30/0"), None),
        (json!("-30/1"), None),
        (json!("240000000/1000000"), None),
        (json!(1e300), None),
    ] {
        let rate = frame_rate(&value).ok();
        let fraction = rate.map(|rate| (rate.numerator(), rate.denominator()));
        assert_eq!(fraction, expected, "{value}");
    }
}

#[test]
fn a_video_is_judged_by_the_extension_of_its_path_if_it_has_one() {
    for (text, accepted) in [
        ("https://a.example/v.mp4", true),
        ("https://a.example/v.MOV?sig=a.png", true),
        ("https://a.example/v.mkv#t", true),
        ("https://a.example/v", true),
        ("https://a.example/v1.2/file", true),
        ("https://a.example/", true),
        ("https://a.example/my.holiday film", true),
        ("https://a.example/v.gif", false),
        ("https://a.example/v.mp3", false),
    ] {
        assert_eq!(url(&json!(text), true).is_ok(), accepted, "{text}");
        assert!(url(&json!(text), false).is_ok(), "{text}");
    }
    for text in [
        "a.mp4",
        "//a.example/v.mp4",
        "data:video/mp4;base64,AAAA",
        "http://",
        "ftp://a/b",
    ] {
        assert!(url(&json!(text), false).is_err(), "{text}");
    }
}

#[test]
fn file_names_have_no_path_and_no_extension() {
    for (text, accepted) in [
        ("film", true),
        ("my film v1.2", true),
        ("été", true),
        ("film.mp4", false),
        ("film.WEBM", false),
        ("a/b", false),
        ("a\\b", false),
        ("..", false),
        ("", false),
        ("a\u{0}b", false),
    ] {
        assert_eq!(file_name(&json!(text)).is_ok(), accepted, "{text:?}");
    }
}
