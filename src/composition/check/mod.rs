//! Validation: a request body becomes a [`ValidComposition`], or every reason why not.
//!
//! Three steps: each value against the tables of the schema, then what fields say about one
//! another, then the translation into the renderer's terms, which nothing wrong reaches.

mod build;
mod element_rules;
mod fields;
mod notation;
mod object;
mod report;
mod rules;
mod suggest;
mod value;
mod warnings;

use super::schema::COMPOSITION;
use super::{Json, Limits, ValidComposition, Violation, Warning};
use report::Report;

/// Checks a request body.
///
/// # Errors
/// Every violation at once, never an empty list.
pub fn validate(
    json: &Json,
    limits: &Limits,
) -> Result<(ValidComposition, Vec<Warning>), Vec<Violation>> {
    let mut report = Report::new(limits);
    let Some(map) = object::as_object(json.value(), "", &mut report) else {
        return Err(report.violations);
    };
    let fields = object::read(&COMPOSITION, map, "", &mut report);
    rules::check(&fields, map, &mut report);
    if !report.violations.is_empty() {
        return Err(report.violations);
    }
    warnings::check(&fields, &mut report);
    let composition = build::composition(&fields)
        .expect("without a violation every required and defaulted field is there");
    Ok((composition, report.warnings))
}

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;
