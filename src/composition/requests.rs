//! What clients ask for when they bring media, once it passed validation.

use serde_json::Value;

use super::schema::{IMPORT, PROBE, UPLOAD, WEBHOOK, request_schema};

/// A file that a client is about to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadRequest {
    /// One of the types that uploads may have.
    pub content_type: &'static str,
    /// The file's name.
    pub filename: String,
    /// Its length, if it is declared.
    pub size: Option<u64>,
    /// Whether the client asks for parts, or not to have any.
    pub multipart: Option<bool>,
}

/// A file that is to be fetched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportRequest {
    /// From where.
    pub url: String,
    /// What it is to be called.
    pub filename: Option<String>,
}

/// A webhook endpoint as a client requests it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebhookRequest {
    /// Where events are sent.
    pub url: String,
    /// The events to send, by name; `None`: the usual ones.
    pub events: Option<Vec<&'static str>>,
}

/// The body of `POST /v1/webhooks` as JSON Schema.
pub fn webhook_schema() -> Value {
    request_schema(&WEBHOOK)
}

/// The body of `POST /v1/probe` as JSON Schema.
pub fn probe_schema() -> Value {
    request_schema(&PROBE)
}

/// The bodies of `POST /v1/uploads` and `POST /v1/imports` as JSON Schema.
pub fn request_schemas() -> (Value, Value) {
    (request_schema(&UPLOAD), request_schema(&IMPORT))
}
