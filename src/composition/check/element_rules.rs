//! Rules between the fields of one element.

use super::fields::Fields;
use super::report::{Report, item, member};
use crate::composition::schema::names;
use crate::composition::{Size, ViolationCode};

/// Checks one element as a whole.
pub(super) fn check(element: &Fields, path: &str, report: &mut Report<'_>) {
    trim(element, path, report);
    crop(element, path, report);
    text(element, path, report);
    let is_text = element.choice("type") == Some("text");
    for (index, motion) in element.list("motion") {
        let path = item(&member(path, "motion"), *index);
        motion_allows(motion, is_text, &path, report);
    }
}

fn trim(element: &Fields, path: &str, report: &mut Report<'_>) {
    if let (Some(in_point), Some(out_point)) = (element.time("in_point"), element.time("out_point"))
        && out_point <= in_point
    {
        report.violation(
            &member(path, "out_point"),
            ViolationCode::Range,
            format!("must be over in_point, which is {in_point}"),
        );
    }
}

fn crop(element: &Fields, path: &str, report: &mut Report<'_>) {
    for (one, other) in [("crop_top", "crop_bottom"), ("crop_left", "crop_right")] {
        if let (Some(first), Some(second)) = (element.number(one), element.number(other))
            && first + second >= 1.0
        {
            report.violation(
                &member(path, other),
                ViolationCode::Conflict,
                format!(
                    "{one} and {other} leave nothing: they sum to {}",
                    first + second
                ),
            );
        }
    }
}

fn text(element: &Fields, path: &str, report: &mut Report<'_>) {
    if element.choice("type") != Some("text") {
        return;
    }
    if element.size("width") == Some(Size::Auto) {
        report.violation(
            &member(path, "width"),
            ViolationCode::UnsupportedFeature,
            "an automatic width of text is not rendered by this version",
        );
    }
    let mut set = ["background", "stroke", "shadow"]
        .into_iter()
        .filter(|name| element.flag(name) == Some(true));
    if let (Some(first), Some(second)) = (set.next(), set.next()) {
        report.violation(
            &member(path, second),
            ViolationCode::Conflict,
            format!("at most one of background, stroke and shadow; {first} is set"),
        );
    }
}

fn motion_allows(motion: &Fields, is_text: bool, path: &str, report: &mut Report<'_>) {
    let Some(kind) = motion.choice("type") else {
        return;
    };
    let by_character = motion.choice("scope") == Some("character");
    if by_character && !(is_text && names::CHARACTER_MOTIONS.contains(&kind)) {
        let message = if is_text {
            format!("{kind} cannot move single characters")
        } else {
            "only text has characters to move".to_owned()
        };
        report.violation(
            &member(path, "scope"),
            ViolationCode::UnsupportedCombination,
            message,
        );
    }
    let exits = !names::MOTIONS_WITHOUT_EXIT.contains(&kind) || (kind == "zoom_in" && by_character);
    if motion.flag("reversed") == Some(true) && !exits {
        report.violation(
            &member(path, "reversed"),
            ViolationCode::UnsupportedCombination,
            format!("{kind} is no exit"),
        );
    }
}
