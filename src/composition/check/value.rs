//! One JSON value against what its field takes.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::fields::Checked;
use super::notation;
use super::object;
use super::report::{Report, member};
use super::suggest::nearest;
use crate::composition::schema::{
    Kind, MAX_LABEL_KEY, MAX_LABEL_VALUE, MAX_LABELS, MAX_LENGTH, MAX_NAME, MAX_SECONDS,
};
use crate::composition::time::MediaTime;
use crate::composition::{Length, Size, TrackChoice, ViolationCode};

/// Why a value does not fit its field: `Type` when it cannot be read at all, `Range` when it
/// can and lies outside.
#[derive(Debug)]
pub(super) struct Misfit {
    pub(super) code: ViolationCode,
    pub(super) message: String,
    pub(super) suggestion: Option<&'static str>,
}

impl Misfit {
    pub(super) fn of_type(wanted: &str, value: &Value) -> Self {
        Self {
            code: ViolationCode::Type,
            message: format!("must be {wanted}, not {}", type_name(value)),
            suggestion: None,
        }
    }

    pub(super) fn range(message: impl Into<String>) -> Self {
        Self {
            code: ViolationCode::Range,
            message: message.into(),
            suggestion: None,
        }
    }
}

/// The name of a value's type, for messages.
pub(super) fn type_name(value: &Value) -> String {
    const SHOWN: usize = 40;
    match value {
        Value::Null => "null".into(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) if text.chars().count() <= SHOWN => format!("{text:?}"),
        Value::String(_) => "a long string".into(),
        Value::Array(_) => "a list".into(),
        Value::Object(_) => "an object".into(),
    }
}

/// The value as `kind` takes it; `None` when it does not fit, which is then in the report.
pub(super) fn read(
    kind: Kind,
    value: &Value,
    path: &str,
    report: &mut Report<'_>,
) -> Option<Checked> {
    let read = match kind {
        Kind::Bool => match value {
            Value::Bool(flag) => Ok(Checked::Flag(*flag)),
            _ => Err(Misfit::of_type("true or false", value)),
        },
        Kind::Integer { min, max } => integer(value, min, max),
        Kind::Number { min, max, above } => number(value, min, max, above),
        Kind::Clamped { min, max } => return clamped(value, (min, max), path, report),
        Kind::Seconds { above } => seconds(value, above),
        Kind::FrameRate => notation::frame_rate(value).map(Checked::Rate),
        Kind::Length => notation::length(value).map(Checked::Length),
        Kind::Distance => notation::length(value).and_then(|length| {
            if extent_of(length) < 0.0 {
                return Err(Misfit::range("must not be negative"));
            }
            Ok(Checked::Length(length))
        }),
        Kind::Extent => extent(value),
        Kind::Track => track(value).map(Checked::Track),
        Kind::Scale => notation::percent(value).map(Checked::Number),
        Kind::Angle => notation::angle(value).map(Checked::Number),
        Kind::Color => notation::color(value).map(Checked::Color),
        Kind::Url => notation::url(value, false).map(Checked::Text),
        Kind::VideoUrl => notation::url(value, true).map(Checked::Text),
        Kind::PlainUrl { most } => notation::plain_url(value, most).map(Checked::Text),
        Kind::ObjectKey => notation::object_key(value).map(Checked::Text),
        Kind::WholeFileName => notation::whole_file_name(value).map(Checked::Text),
        Kind::Name => name(value).map(Checked::Text),
        Kind::FileName => notation::file_name(value).map(Checked::Text),
        Kind::NonEmptyText => return non_empty_text(value, path, report),
        Kind::Choice(names) => choice(value, names),
        Kind::Choices(names) => return choices(value, names, path, report),
        Kind::Labels => return labels(value, path, report),
        Kind::Object(object) => {
            let map = object::as_object(value, path, report)?;
            return Some(Checked::Object(object::read(object, map, path, report)));
        }
        Kind::List(object) => match value {
            Value::Array(items) => return Some(object::read_list(object, items, path, report)),
            _ => Err(Misfit::of_type("a list", value)),
        },
        Kind::Elements => match value {
            Value::Array(items) => return object::read_elements(items, path, report),
            _ => Err(Misfit::of_type("a list", value)),
        },
    };
    keep(read, path, report)
}

/// The value, or its misfit into the report.
fn keep(read: Result<Checked, Misfit>, path: &str, report: &mut Report<'_>) -> Option<Checked> {
    match read {
        Ok(checked) => Some(checked),
        Err(misfit) => {
            report.suggesting(path, misfit.code, misfit.message, misfit.suggestion);
            None
        }
    }
}

/// A number from 0 to 255, or a language tag.
fn track(value: &Value) -> Result<TrackChoice, Misfit> {
    const LONGEST: usize = 35;
    if let Value::String(language) = value {
        let is_tag = (1..=LONGEST).contains(&language.len())
            && language
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        return if is_tag {
            Ok(TrackChoice::Language(language.clone()))
        } else {
            Err(Misfit::range("must be a language like `eng` or `de-CH`"))
        };
    }
    match integer(value, 0, 255)? {
        Checked::Integer(number) => {
            Ok(TrackChoice::Number(u8::try_from(number).unwrap_or(u8::MAX)))
        }
        _ => Err(Misfit::of_type("a number or a language", value)),
    }
}

fn integer(value: &Value, min: i64, max: i64) -> Result<Checked, Misfit> {
    let wrong = || Misfit::of_type("a whole number", value);
    let number = value.as_f64().ok_or_else(wrong)?;
    if number.fract() != 0.0 {
        return Err(wrong());
    }
    // Every bound in the tables is far below 2^53, so the comparison is exact.
    #[expect(clippy::cast_precision_loss, reason = "bounds are small")]
    let within = (min as f64..=max as f64).contains(&number);
    if !within {
        return Err(Misfit::range(format!("must be from {min} to {max}")));
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "whole and between two integers"
    )]
    let whole = number as i64;
    Ok(Checked::Integer(whole))
}

fn number(value: &Value, min: f64, max: f64, above: bool) -> Result<Checked, Misfit> {
    let number = value
        .as_f64()
        .ok_or_else(|| Misfit::of_type("a number", value))?;
    if number > max || number < min || (above && number == min) {
        return Err(Misfit::range(if above {
            format!("must be over {min} and at most {max}")
        } else {
            format!("must be from {min} to {max}")
        }));
    }
    // −0 is 0: equal requests stay equal.
    Ok(Checked::Number(number + 0.0))
}

fn clamped(
    value: &Value,
    (min, max): (f64, f64),
    path: &str,
    report: &mut Report<'_>,
) -> Option<Checked> {
    let Some(number) = value.as_f64() else {
        return keep(Err(Misfit::of_type("a number", value)), path, report);
    };
    let within = number.clamp(min, max) + 0.0;
    if number < min || number > max {
        report.warning(
            path,
            "clamped",
            format!("{number} is outside {min} to {max}; {within} is used"),
        );
    }
    Some(Checked::Number(within))
}

fn seconds(value: &Value, above: bool) -> Result<Checked, Misfit> {
    let number = value
        .as_f64()
        .ok_or_else(|| Misfit::of_type("a number of seconds", value))?;
    let time = MediaTime::from_json_number(number)
        .filter(|&time| time <= MediaTime::new(i128::from(MAX_SECONDS), 1));
    match time {
        Some(time) if time > MediaTime::ZERO || (time == MediaTime::ZERO && !above) => {
            Ok(Checked::Time(time))
        }
        _ if above => Err(Misfit::range(format!(
            "must be over 0 and at most {MAX_SECONDS} seconds"
        ))),
        _ => Err(Misfit::range(format!(
            "must be from 0 to {MAX_SECONDS} seconds"
        ))),
    }
}

fn extent(value: &Value) -> Result<Checked, Misfit> {
    if value.as_str() == Some("auto") {
        return Ok(Checked::Size(Size::Auto));
    }
    let length = notation::length(value)?;
    if extent_of(length) <= 0.0 {
        return Err(Misfit::range("must be over 0"));
    }
    Ok(Checked::Size(Size::Length(length)))
}

fn extent_of(length: Length) -> f64 {
    match length {
        Length::Px(extent) | Length::Percent(extent) => extent,
    }
}

/// Whether a length or an angle is near enough to zero to be meant.
pub(super) fn bounded(number: f64) -> Result<f64, Misfit> {
    if number.abs() > MAX_LENGTH {
        return Err(Misfit::range(format!(
            "must be from -{MAX_LENGTH} to {MAX_LENGTH}"
        )));
    }
    Ok(number + 0.0)
}

fn name(value: &Value) -> Result<String, Misfit> {
    let text = value
        .as_str()
        .ok_or_else(|| Misfit::of_type("a string", value))?;
    if text.is_empty() || text.chars().count() > MAX_NAME {
        return Err(Misfit::range(format!(
            "must have from 1 to {MAX_NAME} characters"
        )));
    }
    Ok(text.to_owned())
}

fn non_empty_text(value: &Value, path: &str, report: &mut Report<'_>) -> Option<Checked> {
    let Some(text) = value.as_str() else {
        return keep(Err(Misfit::of_type("a string", value)), path, report);
    };
    let (count, limit) = (text.chars().count(), report.limits.text_chars);
    if count > limit {
        let message = format!("{count} characters, the limit is {limit}");
        report.violation(path, ViolationCode::LimitExceeded, message);
        return None;
    }
    if text.is_empty() {
        return keep(Err(Misfit::range("must not be empty")), path, report);
    }
    Some(Checked::Text(text.to_owned()))
}

fn choice(value: &Value, names: &'static [&'static str]) -> Result<Checked, Misfit> {
    let text = value
        .as_str()
        .ok_or_else(|| Misfit::of_type("a string", value))?;
    if let Some(name) = names.iter().find(|name| **name == text) {
        return Ok(Checked::Choice(name));
    }
    // A list that fits a line is listed; a longer one is in the schema.
    const LISTED: usize = 12;
    let listed = if names.len() <= LISTED {
        format!("must be one of {}", names.join(", "))
    } else {
        "is not a known name".to_owned()
    };
    Err(Misfit {
        code: ViolationCode::Enum,
        message: format!("{listed}; got {}", type_name(value)),
        suggestion: nearest(text, names.iter().copied()),
    })
}

fn choices(
    value: &Value,
    names: &'static [&'static str],
    path: &str,
    report: &mut Report<'_>,
) -> Option<Checked> {
    let Value::Array(items) = value else {
        return keep(Err(Misfit::of_type("a list", value)), path, report);
    };
    if items.is_empty() {
        report.violation(path, ViolationCode::Range, "must not be empty");
        return None;
    }
    let mut chosen = Vec::new();
    let mut is_right = true;
    for (index, item) in items.iter().enumerate() {
        if report.is_full() {
            return None;
        }
        let path = format!("{path}[{index}]");
        match keep(choice(item, names), &path, report) {
            Some(Checked::Choice(name)) if chosen.contains(&name) => {
                let message = format!("`{name}` is given more than once");
                report.violation(&path, ViolationCode::Conflict, message);
                is_right = false;
            }
            Some(Checked::Choice(name)) => chosen.push(name),
            _ => is_right = false,
        }
    }
    is_right.then_some(Checked::Choices(chosen))
}

fn labels(value: &Value, path: &str, report: &mut Report<'_>) -> Option<Checked> {
    let map: &Map<String, Value> = object::as_object(value, path, report)?;
    if map.len() > MAX_LABELS {
        let message = format!("{} keys, at most {MAX_LABELS} are allowed", map.len());
        report.violation(path, ViolationCode::Range, message);
        return None;
    }
    let mut labels = BTreeMap::new();
    for (key, value) in map {
        let path = member(path, key);
        if key.chars().count() > MAX_LABEL_KEY {
            let message = format!("a key must have at most {MAX_LABEL_KEY} characters");
            report.violation(&path, ViolationCode::Range, message);
        }
        match value {
            Value::String(text) if text.chars().count() > MAX_LABEL_VALUE => {
                let message = format!("must have at most {MAX_LABEL_VALUE} characters");
                report.violation(&path, ViolationCode::Range, message);
            }
            Value::String(text) => {
                labels.insert(key.clone(), text.clone());
            }
            _ => {
                let misfit = Misfit::of_type("a string", value);
                report.violation(&path, misfit.code, misfit.message);
            }
        }
    }
    Some(Checked::Labels(labels))
}
