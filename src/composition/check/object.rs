//! Objects and lists against their tables: names, presence, defaults, support.

use serde_json::{Map, Value};

use super::fields::{Checked, Fields};
use super::report::{Report, item, member};
use super::suggest::nearest;
use super::value::{self, type_name};
use crate::composition::ViolationCode;
use crate::composition::schema::{ELEMENTS, Field, Kind, Object, Support, names};

/// Checks `map` against `object`; what is wrong goes to the report and is left out.
pub(super) fn read(
    object: &'static Object,
    map: &Map<String, Value>,
    path: &str,
    report: &mut Report<'_>,
) -> Fields {
    let known = object.fields().map(|field| field.name);
    for name in map.keys().filter(|name| object.field(name).is_none()) {
        if report.is_full() {
            return Fields::default();
        }
        let suggestion = nearest(name, known.clone());
        let message = match suggestion {
            Some(meant) => format!("{} has no such field; did you mean {meant}?", object.name),
            None => format!("{} has no such field", object.name),
        };
        report.suggesting(
            &member(path, name),
            ViolationCode::UnknownField,
            message,
            suggestion,
        );
    }
    let mut fields = Fields::default();
    for field in object.fields() {
        let path = member(path, field.name);
        // null equals absent.
        match map.get(field.name).filter(|value| !value.is_null()) {
            Some(given) => {
                if let Some(checked) = value::read(field.kind, given, &path, report) {
                    support(field, &checked, &path, report);
                    fields.insert(field.name, checked);
                }
            }
            None if field.required => {
                report.violation(
                    &path,
                    ViolationCode::Required,
                    format!("{} needs {}", object.name, field.name),
                );
            }
            None => {
                if let Some(default) = default(field, report) {
                    fields.insert(field.name, default);
                }
            }
        }
    }
    fields
}

/// What absence of the field means.
fn default(field: &'static Field, report: &Report<'_>) -> Option<Checked> {
    let value = serde_json::from_str(field.default?).ok()?;
    value::read(
        field.kind,
        &value,
        field.name,
        &mut Report::new(report.limits),
    )
}

/// Refuses a right value that this build would not render.
fn support(field: &'static Field, value: &Checked, path: &str, report: &mut Report<'_>) {
    let renders = match field.support {
        Support::Rendered => true,
        Support::Unsupported => default(field, report).as_ref() == Some(value),
        Support::Only(names) => matches!(value, Checked::Choice(name) if names.contains(name)),
    };
    if !renders {
        let what = match value {
            Checked::Choice(name) => format!("{} {name}", field.name),
            _ => field.name.to_owned(),
        };
        report.violation(
            path,
            ViolationCode::UnsupportedFeature,
            format!("{what} is not rendered by this version"),
        );
    }
}

/// Checks each item of a list of like objects.
pub(super) fn read_list(
    object: &'static Object,
    items: &[Value],
    path: &str,
    report: &mut Report<'_>,
) -> Checked {
    let mut list = Vec::with_capacity(items.len());
    for (index, value) in items.iter().enumerate() {
        if report.is_full() {
            break;
        }
        let path = item(path, index);
        if let Some(map) = as_object(value, &path, report) {
            list.push((index, read(object, map, &path, report)));
        }
    }
    Checked::List(list)
}

/// Checks the elements, each against the table that its `type` names.
pub(super) fn read_elements(
    items: &[Value],
    path: &str,
    report: &mut Report<'_>,
) -> Option<Checked> {
    if items.len() > report.limits.elements {
        let limit = report.limits.elements;
        report.violation(
            path,
            ViolationCode::LimitExceeded,
            format!("{} elements, the limit is {limit}", items.len()),
        );
        return None;
    }
    let mut list = Vec::with_capacity(items.len());
    for (index, value) in items.iter().enumerate() {
        if report.is_full() {
            break;
        }
        let path = item(path, index);
        let Some(map) = as_object(value, &path, report) else {
            continue;
        };
        let type_path = member(&path, "type");
        let Some(kind) = map.get("type").filter(|kind| !kind.is_null()) else {
            let message = format!("an element needs type: {}", names::ELEMENTS.join(", "));
            report.violation(&type_path, ViolationCode::Required, message);
            continue;
        };
        let kind = value::read(Kind::Choice(names::ELEMENTS), kind, &type_path, report);
        let object = ELEMENTS
            .into_iter()
            .find(|object| kind == Some(Checked::Choice(object.name)));
        if let Some(object) = object {
            list.push((index, read(object, map, &path, report)));
        }
    }
    Some(Checked::List(list))
}

/// `value` as an object, or a violation.
pub(super) fn as_object<'a>(
    value: &'a Value,
    path: &str,
    report: &mut Report<'_>,
) -> Option<&'a Map<String, Value>> {
    let map = value.as_object();
    if map.is_none() {
        report.violation(
            path,
            ViolationCode::Type,
            format!("must be an object, not {}", type_name(value)),
        );
    }
    map
}
