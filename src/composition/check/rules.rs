//! Rules between the fields of a composition.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::element_rules;
use super::fields::Fields;
use super::report::{Report, item, member};
use crate::composition::ViolationCode;

/// Checks the composition as a whole. Fields that were wrong by themselves are absent and are
/// not checked again.
pub(super) fn check(fields: &Fields, given: &Map<String, Value>, report: &mut Report<'_>) {
    canvas(fields, given, report);
    length(fields, report);
    size(fields, report);
    output(fields, report);
    destination(fields, report);
    let ids = ids(fields, report);
    for (index, element) in fields.list("elements") {
        element_rules::check(element, &item("elements", *index), report);
    }
    for (index, transition) in fields.list("transitions") {
        transition_ends(transition, &item("transitions", *index), &ids, report);
    }
}

fn canvas(fields: &Fields, given: &Map<String, Value>, report: &mut Report<'_>) {
    let is_given = |name: &str| given.get(name).is_some_and(|value| !value.is_null());
    for (present, missing) in [("width", "height"), ("height", "width")] {
        if is_given(present) && !is_given(missing) {
            let message = format!("{present} is given; give both or neither");
            report.violation(missing, ViolationCode::Required, message);
        }
    }
    let (Some(width), Some(height)) = (fields.integer("width"), fields.integer("height")) else {
        return;
    };
    let pixels = u64::try_from(width.saturating_mul(height)).unwrap_or(u64::MAX);
    if pixels > report.limits.pixels {
        let message = format!(
            "{width}x{height} are {pixels} pixels, the limit is {}",
            report.limits.pixels
        );
        report.violation("width", ViolationCode::LimitExceeded, message);
    }
}

fn length(fields: &Fields, report: &mut Report<'_>) {
    let limit = report.limits.duration;
    if let Some(duration) = fields.time("duration") {
        if duration > limit {
            let message = format!("the output would last {duration}, the limit is {limit}");
            report.violation("duration", ViolationCode::LimitExceeded, message);
        }
        return;
    }
    // Without a length of its own the output lasts as long as its latest element.
    for (index, element) in fields.list("elements") {
        let lasting = matches!(element.choice("type"), Some("text" | "image"));
        let (Some(time), Some(duration)) = (element.time("time"), element.time("duration")) else {
            continue;
        };
        if lasting && element.flag("visible") == Some(true) && time + duration > limit {
            report.violation(
                &member(&item("elements", *index), "duration"),
                ViolationCode::LimitExceeded,
                format!("it would end at {}, the limit is {limit}", time + duration),
            );
        }
    }
}

/// How much there is to render, as far as it is known before the sources are.
fn size(fields: &Fields, report: &mut Report<'_>) {
    let ends = fields.list("elements").iter().filter_map(|(_, element)| {
        let lasting = matches!(element.choice("type"), Some("text" | "image"));
        let is_visible = element.flag("visible") == Some(true);
        (lasting && is_visible).then_some(element.time("time")? + element.time("duration")?)
    });
    let known = fields.time("duration").or_else(|| ends.max());
    let (Some(duration), Some(rate)) = (known, fields.rate("frame_rate")) else {
        return;
    };
    let side = |name| {
        fields
            .integer(name)
            .and_then(|side| u64::try_from(side).ok())
    };
    let (Some(width), Some(height)) = (side("width"), side("height")) else {
        return;
    };
    let refused = report
        .limits
        .refuse_render(duration.frame_count(rate), width, height);
    if let Some(message) = refused {
        report.violation("duration", ViolationCode::LimitExceeded, message);
    }
}

fn output(fields: &Fields, report: &mut Report<'_>) {
    let format = fields.choice("output_format");
    if fields.flag("alpha") == Some(true) && !matches!(format, Some("webm" | "mov") | None) {
        report.violation(
            "alpha",
            ViolationCode::UnsupportedCombination,
            "only webm and mov keep transparency",
        );
    }
    let Some(encoding) = fields.object("encoding") else {
        return;
    };
    if let (Some(codec), Some(format)) = (encoding.choice("video_codec"), format) {
        let codecs: &[&str] = match format {
            "mp4" => &["h264", "h265", "av1"],
            "webm" => &["vp9", "av1"],
            "mov" => &["h264", "h265", "prores"],
            _ => &[],
        };
        if !codecs.contains(&codec) {
            report.violation(
                "encoding.video_codec",
                ViolationCode::UnsupportedCombination,
                format!("{format} does not hold {codec}"),
            );
        }
    }
    if encoding.integer("crf").is_some() && encoding.integer("video_bitrate").is_some() {
        report.violation(
            "encoding.video_bitrate",
            ViolationCode::Conflict,
            "crf and video_bitrate exclude one another",
        );
    }
}

/// A bucket must be one the operator set up.
fn destination(fields: &Fields, report: &mut Report<'_>) {
    let bucket = fields
        .object("destination")
        .and_then(|destination| destination.object("s3")?.text("bucket"));
    let Some(bucket) = bucket else {
        return;
    };
    let known = &report.limits.destinations;
    if known.iter().any(|name| name == bucket) {
        return;
    }
    let message = if known.is_empty() {
        "this server is set up with no bucket to copy to".to_owned()
    } else {
        "no bucket of this name is set up".to_owned()
    };
    report.violation(
        "destination.s3.bucket",
        ViolationCode::UnknownReference,
        message,
    );
}

/// The elements' ids with their positions.
fn ids<'a>(fields: &'a Fields, report: &mut Report<'_>) -> BTreeMap<&'a str, usize> {
    let mut ids = BTreeMap::new();
    for (index, element) in fields.list("elements") {
        let Some(id) = element.text("id") else {
            continue;
        };
        if let Some(first) = ids.get(id) {
            report.violation(
                &member(&item("elements", *index), "id"),
                ViolationCode::DuplicateId,
                format!("elements[{first}] has the same id"),
            );
        } else {
            ids.insert(id, *index);
        }
    }
    ids
}

fn transition_ends(
    transition: &Fields,
    path: &str,
    ids: &BTreeMap<&str, usize>,
    report: &mut Report<'_>,
) {
    let ends = ["from_id", "to_id"];
    for (name, other) in [(ends[0], ends[1]), (ends[1], ends[0])] {
        match transition.text(name) {
            Some(id) if !ids.contains_key(id) => report.violation(
                &member(path, name),
                ViolationCode::UnknownReference,
                "no element has this id",
            ),
            Some(_) if transition.text(other).is_none() => report.violation(
                &member(path, other),
                ViolationCode::Required,
                format!("{name} is given; give both or neither"),
            ),
            _ => {}
        }
    }
}
