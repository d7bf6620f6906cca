//! Validation: a request body becomes a [`ValidComposition`], or every reason why not.
//!
//! Three steps: each value against the tables of the schema, then the rules between fields of one
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

use super::schema::{COMPOSITION, IMPORT, Object, PROBE, UPLOAD, WEBHOOK};
use super::{
    ImportRequest, Json, Limits, UploadRequest, ValidComposition, Violation, ViolationCode,
    Warning, WebhookRequest,
};
use fields::Fields;
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
    if !report.is_full() {
        rules::check(&fields, map, &mut report);
    }
    if !report.violations.is_empty() {
        return Err(report.violations);
    }
    warnings::check(&fields, &mut report);
    let composition = build::composition(&fields)
        .expect("without a violation every required and defaulted field is there");
    Ok((composition, report.warnings))
}

/// Checks the body of `POST /v1/uploads`; a file has at most `most_bytes`.
///
/// # Errors
/// Every violation at once, never an empty list.
pub fn validate_upload(json: &Json, most_bytes: u64) -> Result<UploadRequest, Vec<Violation>> {
    let limits = Limits::default();
    let mut report = Report::new(&limits);
    let fields = read_request(&UPLOAD, json, &mut report);
    let size = fields.integer("size_bytes");
    let size = size.and_then(|size| u64::try_from(size).ok());
    if let Some(size) = size.filter(|size| *size > most_bytes) {
        report.violation(
            "size_bytes",
            ViolationCode::LimitExceeded,
            format!("{size} bytes, the limit is {most_bytes}"),
        );
    }
    let multipart = fields.flag("multipart");
    let has_size = json.value().get("size_bytes").is_some_and(|v| !v.is_null());
    if multipart == Some(true) && !has_size {
        report.violation(
            "size_bytes",
            ViolationCode::Required,
            "multipart needs size_bytes",
        );
    }
    if !report.violations.is_empty() {
        return Err(report.violations);
    }
    let given = fields.choice("content_type").zip(fields.text("filename"));
    let (content_type, filename) = given.expect("without a violation required fields are there");
    Ok(UploadRequest {
        content_type,
        filename: filename.to_owned(),
        size,
        multipart,
    })
}

/// Checks the body of `POST /v1/imports`.
///
/// # Errors
/// Every violation at once, never an empty list.
pub fn validate_import(json: &Json) -> Result<ImportRequest, Vec<Violation>> {
    let limits = Limits::default();
    let mut report = Report::new(&limits);
    let fields = read_request(&IMPORT, json, &mut report);
    if !report.violations.is_empty() {
        return Err(report.violations);
    }
    let url = fields.text("url");
    Ok(ImportRequest {
        url: url
            .expect("without a violation required fields are there")
            .to_owned(),
        filename: fields.text("filename").map(str::to_owned),
    })
}

/// Checks the body of `POST /v1/probe` and gives its `source_url`.
///
/// # Errors
/// Every violation at once, never an empty list.
pub fn validate_probe(json: &Json) -> Result<String, Vec<Violation>> {
    let limits = Limits::default();
    let mut report = Report::new(&limits);
    let fields = read_request(&PROBE, json, &mut report);
    if !report.violations.is_empty() {
        return Err(report.violations);
    }
    let url = fields.text("source_url");
    Ok(url
        .expect("without a violation required fields are there")
        .to_owned())
}

/// Checks the body of `POST /v1/webhooks`.
///
/// # Errors
/// Every violation at once, never an empty list.
pub fn validate_webhook(json: &Json) -> Result<WebhookRequest, Vec<Violation>> {
    let limits = Limits::default();
    let mut report = Report::new(&limits);
    let fields = read_request(&WEBHOOK, json, &mut report);
    if !report.violations.is_empty() {
        return Err(report.violations);
    }
    let url = fields.text("url");
    Ok(WebhookRequest {
        url: url
            .expect("without a violation required fields are there")
            .to_owned(),
        events: fields.choices("events").map(<[_]>::to_vec),
    })
}

fn read_request(object: &'static Object, json: &Json, report: &mut Report<'_>) -> Fields {
    object::as_object(json.value(), "", report)
        .map(|map| object::read(object, map, "", report))
        .unwrap_or_default()
}

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;
