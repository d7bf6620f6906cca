//! Laws of validation that hold for every field of every table.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::validate;
use crate::composition::schema::{COMPOSITION, ELEMENTS, ENCODING, Field, Kind, Object, Support};
use crate::composition::{Json, Limits, ValidComposition, Violation, ViolationCode};

/// The defaults, with the bucket that every name stands for.
fn limits() -> Limits {
    Limits {
        destinations: vec!["other".to_owned()],
        ..Limits::default()
    }
}

fn check(body: &Value) -> Result<ValidComposition, Vec<Violation>> {
    let json = Json::parse(body.to_string().as_bytes()).expect("a test's JSON");
    validate(&json, &limits()).map(|(composition, _)| composition)
}

/// A body in which `object` has its required fields and `extra`.
fn body_of(object: &Object, extra: &[(&str, Value)]) -> Value {
    let mut fields = match object.name {
        "video" => json!({"type": "video", "source_url": "https://a.example/v.mp4"}),
        "audio" => json!({"type": "audio", "source_url": "https://a.example/v.mp3"}),
        "image" => {
            json!({"type": "image", "id": "i", "duration": 1, "source_url": "http://a.example/i"})
        }
        "text" => json!({"type": "text", "text": "x", "duration": 1}),
        _ => json!({}),
    };
    for (name, value) in extra {
        fields[name] = value.clone();
    }
    match object.name {
        "composition" => fields,
        "encoding" => json!({ "encoding": fields }),
        _ => json!({ "elements": [fields] }),
    }
}

fn objects() -> impl Iterator<Item = &'static Object> {
    ELEMENTS.into_iter().chain([&COMPOSITION, &ENCODING])
}

#[test]
fn a_field_at_its_default_means_what_its_absence_means() {
    for object in objects() {
        let plain = check(&body_of(object, &[])).expect(object.name);
        for field in object.fields() {
            // null equals absent, whether there is a default or not.
            if !field.required {
                let nulled = check(&body_of(object, &[(field.name, Value::Null)]));
                assert_eq!(
                    nulled.as_ref(),
                    Ok(&plain),
                    "{}.{}",
                    object.name,
                    field.name
                );
            }
            let Some(default) = field.default else {
                continue;
            };
            let default: Value = serde_json::from_str(default).expect("a default");
            let mut extra = vec![(field.name, default)];
            // The canvas is given whole or not at all.
            match field.name {
                "width" if object.name == "composition" => extra.push(("height", json!(720))),
                "height" if object.name == "composition" => extra.push(("width", json!(1280))),
                _ => {}
            }
            let explicit = check(&body_of(object, &extra));
            assert_eq!(
                explicit.as_ref(),
                Ok(&plain),
                "{}.{}",
                object.name,
                field.name
            );
        }
    }
}

/// A right value of the field that is not its default.
fn another(field: &Field) -> Option<Value> {
    Some(match field.kind {
        Kind::Bool => json!(true),
        Kind::Integer { min, .. } => json!(min),
        Kind::Number { min, max, .. } | Kind::Clamped { min, max } => {
            json!((min + max) / 2.0 + 0.25)
        }
        Kind::Seconds { .. } => json!(0.5),
        Kind::Length | Kind::Distance | Kind::Extent => json!("7%"),
        Kind::Scale | Kind::Angle | Kind::Track => json!(7),
        Kind::Color => json!("#123456"),
        Kind::Url | Kind::VideoUrl | Kind::PlainUrl { .. } => json!("https://a.example/other"),
        Kind::Name
        | Kind::FileName
        | Kind::WholeFileName
        | Kind::ObjectKey
        | Kind::NonEmptyText => {
            json!("other")
        }
        Kind::FrameRate => json!(25),
        Kind::Choice(names) => {
            let rendered = match field.support {
                Support::Only(rendered) => rendered,
                Support::Rendered | Support::Unsupported => &[],
            };
            json!(names.iter().rfind(|name| !rendered.contains(name))?)
        }
        Kind::Choices(names) => json!([names.first()?]),
        Kind::Labels => json!({"a": "b"}),
        Kind::Object(object) => {
            let mut value = json!({});
            for field in object.fields().filter(|field| field.required) {
                value[field.name] = another(field)?;
            }
            value
        }
        Kind::List(object) => json!([another(&Field::new("item", Kind::Object(object), ""))?]),
        Kind::Elements => return None,
    })
}

#[test]
fn a_value_that_would_not_render_is_refused_by_name() {
    let mut refused = 0;
    for object in objects() {
        for field in object.fields().filter(|f| f.support != Support::Rendered) {
            let Some(value) = another(field) else {
                continue;
            };
            let body = body_of(object, &[(field.name, value)]);
            let violations = check(&body).expect_err(&body.to_string());
            assert!(
                violations.iter().any(|violation| {
                    violation.code == ViolationCode::UnsupportedFeature
                        && violation.path.ends_with(field.name)
                }),
                "{body}: {violations:?}"
            );
            refused += 1;
        }
    }
    assert!(refused > 100, "only {refused} fields were tried");
}

#[test]
fn a_value_that_renders_changes_the_composition() {
    // Labels and fields that the contract gives no effect.
    const WITHOUT_EFFECT: [&str; 4] = ["name", "track", "clip", "ingest_external"];
    for object in objects() {
        let plain = check(&body_of(object, &[])).expect(object.name);
        for field in object.fields() {
            let known = ["type", "width", "height", "elements"].contains(&field.name);
            if known || field.support != Support::Rendered || WITHOUT_EFFECT.contains(&field.name) {
                continue;
            }
            let value = if field.name == "visible" {
                json!(false)
            } else {
                another(field).expect("a value")
            };
            // An empty object is the object's default.
            if value == json!({}) {
                continue;
            }
            let body = body_of(object, &[(field.name, value)]);
            let changed = check(&body).unwrap_or_else(|v| panic!("{body}: {v:?}"));
            assert_ne!(changed, plain, "{body}");
        }
    }
}

/// Values as clients and attackers send them.
fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(|n| json!(if n.is_finite() { n } else { 0.0 })),
        (-20.0_f64..120.0).prop_map(Value::from),
        (0_i64..20).prop_map(Value::from),
        prop::sample::select(vec![
            "auto",
            "50%",
            "-12.5px",
            "1e9%",
            "%",
            "px",
            "-",
            ".",
            "45°",
            "0.5rad",
            "rad",
            "#ffcc00",
            "#ffcc0080",
            "#é1234",
            "30000/1001",
            "1/",
            "99999999999/1",
            "https://a.example/v.mp4",
            "http://",
            "a",
            "",
            "video",
            "text",
            "fade",
            "sepia",
            "character",
            "\u{0}",
        ])
        .prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ]
}

fn field_name() -> impl Strategy<Value = String> {
    let known: Vec<String> = objects()
        .flat_map(Object::fields)
        .map(|field| field.name.to_owned())
        .collect();
    prop_oneof![9 => prop::sample::select(known), 1 => ".{0,8}"]
}

fn tree() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(3, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(field_name(), inner, 0..8).prop_map(|fields| json!(fields)),
        ]
    })
}

fn element() -> impl Strategy<Value = Value> {
    (
        prop::sample::select(vec!["video", "image", "text", "audio"]),
        prop::collection::btree_map(field_name(), tree(), 0..8),
    )
        .prop_map(|(kind, mut fields)| {
            fields.insert("type".into(), json!(kind));
            json!(fields)
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_body_makes_validation_fail_without_saying_why(
        fields in prop::collection::btree_map(field_name(), tree(), 0..8),
        elements in prop::collection::vec(element(), 0..4),
        bare in tree(),
        wrap in any::<bool>(),
    ) {
        let body = if wrap {
            let mut body = json!(fields);
            body["elements"] = json!(elements);
            body
        } else {
            bare
        };
        if let Err(violations) = check(&body) {
            prop_assert!(!violations.is_empty());
        }
    }

    #[test]
    fn seconds_are_the_decimals_that_were_sent(units in 1_u64..1_000_000_000_000, places in 0_u32..7) {
        use crate::composition::time::MediaTime;
        let scale = 10_u64.pow(places);
        let width = usize::try_from(places).expect("small");
        let text = format!("{}.{:0width$}", units / scale, units % scale);
        let text = text.trim_end_matches('.');
        let number: f64 = text.parse().expect("a decimal");
        let exact = MediaTime::new(i128::from(units), i128::from(scale));
        prop_assert_eq!(MediaTime::from_json_number(number), Some(exact));
        prop_assert_eq!(MediaTime::from_decimal_str(text), Some(exact));
    }
}
