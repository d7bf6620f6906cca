//! Response bodies of the client API: what goes over the wire, spelled as API.md spells it.
//! No domain type is ever serialised to a client.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

/// A render.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Render)]
pub(crate) struct RenderBody {
    /// Its id, `render_` and a ULID.
    #[schema(example = "render_01JABCDEFGHJKMNPQRSTVWXYZ0")]
    pub(crate) id: String,
    /// Always `render`.
    #[schema(example = "render")]
    pub(crate) object: &'static str,
    /// `queued`, `processing`, `completed`, `failed` or `cancelled`; the last three are final.
    #[schema(schema_with = status_schema)]
    pub(crate) status: &'static str,
    /// Rises with every change.
    pub(crate) sequence: u64,
    /// When it was accepted.
    #[schema(format = DateTime)]
    pub(crate) created_at: String,
    /// When work on it began.
    #[schema(format = DateTime)]
    pub(crate) started_at: Option<String>,
    /// When it became final.
    #[schema(format = DateTime)]
    pub(crate) finished_at: Option<String>,
    /// From 0 to 1; never goes back, and is 1 only when completed.
    #[schema(minimum = 0, maximum = 1)]
    pub(crate) progress: f64,
    /// Seconds until it is expected to be completed, while there is an estimate.
    pub(crate) eta_seconds: Option<f64>,
    /// Frames rendered.
    pub(crate) frames: FramesBody,
    /// The request in short.
    pub(crate) composition: Option<CompositionBody>,
    /// The finished file, once completed.
    pub(crate) output: Option<OutputBody>,
    /// Why it failed.
    pub(crate) error: Option<RenderErrorBody>,
    /// As sent.
    pub(crate) metadata: BTreeMap<String, String>,
    /// Warnings: problems that did not stop the render.
    pub(crate) warnings: Vec<WarningBody>,
    /// The key it was submitted with.
    pub(crate) idempotency_key: Option<String>,
    /// Where the time went.
    pub(crate) timing: TimingBody,
}

/// Frames of a render.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Frames)]
pub(crate) struct FramesBody {
    /// Frames of the output; null until the sources are probed.
    pub(crate) total: Option<u64>,
    /// Frames rendered so far.
    pub(crate) done: u64,
}

/// A composition in short.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = CompositionSummary)]
pub(crate) struct CompositionBody {
    /// Canvas width.
    pub(crate) width: u64,
    /// Canvas height.
    pub(crate) height: u64,
    /// Seconds; null until the sources are probed, unless it was given.
    pub(crate) duration: Option<f64>,
    /// Frames a second: a number, or a fraction such as `30000/1001`.
    #[schema(schema_with = rate_schema)]
    pub(crate) frame_rate: serde_json::Value,
    /// The container.
    pub(crate) output_format: String,
    /// How many elements.
    pub(crate) element_count: usize,
}

/// The finished file.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = RenderOutput)]
pub(crate) struct OutputBody {
    /// A signed link, fresh with every answer; null once the file is no longer kept.
    #[schema(format = "uri")]
    pub(crate) url: Option<String>,
    /// When the link ends; null if there is none.
    #[schema(format = DateTime)]
    pub(crate) expires_at: Option<String>,
    /// The container.
    pub(crate) format: String,
    /// Width of the file.
    pub(crate) width: u32,
    /// Height of the file.
    pub(crate) height: u32,
    /// Seconds.
    pub(crate) duration: f64,
    /// Frames a second: a number, or a fraction such as `30000/1001`.
    #[schema(schema_with = rate_schema)]
    pub(crate) frame_rate: serde_json::Value,
    /// Length of the file.
    pub(crate) size_bytes: u64,
    /// Digest of the file, in hexadecimal.
    pub(crate) sha256: String,
    /// A signed link to a small picture of it, if there is one.
    #[schema(format = "uri")]
    pub(crate) thumbnail_url: Option<String>,
    /// The copy that the request asked for.
    pub(crate) destination: Option<DestinationBody>,
}

/// The copy of a finished file in the client's bucket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = RenderDestination)]
pub(crate) struct DestinationBody {
    /// Always `s3`.
    #[serde(rename = "type")]
    pub(crate) kind: &'static str,
    /// The bucket's name in the server's configuration.
    pub(crate) bucket: String,
    /// The object's key.
    pub(crate) key: String,
    /// `pending`, `delivered` or `failed`.
    pub(crate) status: &'static str,
    /// When it was there.
    #[schema(format = DateTime)]
    pub(crate) delivered_at: Option<String>,
    /// Why it is not.
    pub(crate) error: Option<RenderErrorBody>,
}

/// Why a render failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = RenderError)]
pub(crate) struct RenderErrorBody {
    /// Machine-readable code, such as `source_not_found`.
    pub(crate) code: String,
    /// A sentence.
    pub(crate) message: String,
    /// The element at fault, where there is one.
    pub(crate) details: Vec<super::error::Detail>,
}

/// A problem that did not stop the render.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Warning)]
pub(crate) struct WarningBody {
    /// Where, like `elements[1]`; empty for the whole.
    pub(crate) path: String,
    /// Machine-readable code, like `font_substituted`.
    pub(crate) code: String,
    /// A sentence.
    pub(crate) message: String,
    /// Seconds of the output where it begins to show, if it is about a part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) from: Option<f64>,
    /// Seconds of the output where it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) to: Option<f64>,
}

/// Where a render's time went. What has not happened yet is null.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Timing)]
pub(crate) struct TimingBody {
    /// From acceptance to the first lease.
    pub(crate) queued_ms: Option<u64>,
    /// From the first lease to the last piece.
    pub(crate) render_ms: Option<u64>,
    /// Joining the pieces.
    pub(crate) join_ms: Option<u64>,
    /// Pieces it was cut into.
    pub(crate) segments: u32,
    /// Pieces that came from the cache.
    pub(crate) segments_from_cache: u32,
}

/// A page of renders, newest first.
#[derive(Debug, ToSchema)]
#[schema(as = RenderList)]
#[expect(
    dead_code,
    reason = "describes the answer, which is written item by item"
)]
pub(crate) struct RenderListBody {
    /// The renders.
    pub(crate) data: Vec<RenderBody>,
    /// Hand this back as `cursor` for the next page.
    pub(crate) next_cursor: Option<String>,
    /// Whether there is a next page.
    pub(crate) has_more: bool,
}

/// A link to a finished file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Download)]
pub(crate) struct DownloadBody {
    /// The signed link.
    #[schema(format = "uri")]
    pub(crate) url: String,
    /// When it ends.
    #[schema(format = DateTime)]
    pub(crate) expires_at: String,
}

pub(super) fn status_schema() -> utoipa::openapi::schema::Schema {
    utoipa::openapi::ObjectBuilder::new()
        .schema_type(utoipa::openapi::schema::Type::String)
        .enum_values(Some(super::status::NAMES.map(|(name, _)| name)))
        .build()
        .into()
}

fn rate_schema() -> utoipa::openapi::schema::Schema {
    utoipa::openapi::OneOfBuilder::new()
        .item(
            utoipa::openapi::ObjectBuilder::new()
                .schema_type(utoipa::openapi::schema::Type::Number),
        )
        .item(
            utoipa::openapi::ObjectBuilder::new()
                .schema_type(utoipa::openapi::schema::Type::String),
        )
        .build()
        .into()
}
