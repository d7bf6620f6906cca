//! The client's description of a video: parsing, validation, identity.

mod canonical;
mod capabilities;
mod check;
mod json;
mod limits;
mod problem;
mod requests;
mod schema;
mod source_use;
pub mod time;
mod valid;

pub use canonical::{body_digest, canonical_bytes};
pub use capabilities::{Capabilities, FeatureList, capabilities};
pub use check::{validate, validate_import, validate_probe, validate_upload, validate_webhook};
pub use json::{Json, MAX_DEPTH, ParseError};
pub use limits::Limits;
pub use problem::{Violation, ViolationCode, Warning};
pub use requests::{
    ImportRequest, UploadRequest, WebhookRequest, probe_schema, request_schemas, webhook_schema,
};
pub use schema::json_schema;
pub use source_use::{SourceKind, SourceUse};
pub use valid::{
    Clip, Destination, Element, ElementKind, Fit, Length, Output, OutputFormat, Rgba, Size,
    TextAlign, TextStyle, TrackChoice, ValidComposition, VerticalAlign, Visual,
};
