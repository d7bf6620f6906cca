//! The `OpenAPI` document, made from the handlers themselves, with what holds for every
//! operation added once and the composition's schema put in its place.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{Html, IntoResponse, Response};
use axum::{Extension, Json};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::context::Edge;
use super::error::{ApiError, ErrorBody};
use super::params::Params;
use crate::composition::{json_schema, probe_schema, request_schemas, webhook_schema};

/// Where the composition's schema is served, and so what it is called.
const COMPOSITION_ID: &str = "/schemas/composition.json";

/// What the way to show a key is called.
const BEARER: &str = "key";

/// Stands for the composition's schema in handlers' annotations; the document has the real one.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct Composition {}

/// Stands for the schema of an upload's request.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct UploadRequest {}

/// Stands for the schema of an import's request.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ImportRequest {}

/// Stands for the schema of a probe's request.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ProbeRequest {}

/// Stands for the schema of a webhook's request.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = WebhookRequest)]
pub(crate) struct WebhookRequestBody {}

/// Stands for a composition with preview's own fields beside its own.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct PreviewRequest {}

/// The document a router serves, built from the descriptions of its routes.
#[derive(Debug, Clone)]
pub(super) struct Document(Arc<Value>);

impl Document {
    /// The document of routes annotated as `described`.
    pub(super) fn new(described: &utoipa::openapi::OpenApi, version: &str) -> Self {
        // A document made of strings and maps serialises; an empty one would fail every test.
        let mut document = serde_json::to_value(described).unwrap_or_default();
        document["info"] = json!({
            "title": "framelane",
            "summary": "Compositions in, finished videos out",
            "version": version,
            "license": {"name": "Apache-2.0 OR MIT", "identifier": "Apache-2.0 OR MIT"},
        });
        document["tags"] = json!([
            {"name": "renders", "description": "Submit compositions and follow their renders"},
            {"name": "media", "description": "Bring files, and look into them: uploads, imports, probes"},
            {"name": "webhooks", "description": "Receive events at an endpoint of yours"},
            {"name": "workspace", "description": "What a workspace had rendered"},
            {"name": "files", "description": "Finished files, by signed link"},
            {"name": "capabilities", "description": "What this server renders"},
            {"name": "documents", "description": "This API, described"},
            {"name": "operations", "description": "For probes and scrapers"},
            {"name": "admin", "description": "For operators"},
        ]);
        document["components"]["schemas"]["Composition"] = composition_schema();
        let (upload, import) = request_schemas();
        document["components"]["schemas"]["UploadRequest"] = upload;
        document["components"]["schemas"]["ImportRequest"] = import;
        document["components"]["schemas"]["ProbeRequest"] = probe_schema();
        document["components"]["schemas"]["WebhookRequest"] = webhook_schema();
        document["components"]["securitySchemes"][BEARER] = json!({
            "type": "http",
            "scheme": "bearer",
            "description": "An API key: `fl_…` of a workspace for /v1, `fla_…` for /admin. \
                While no key exists, a server on loopback asks for none.",
        });
        document["components"]["schemas"]["PreviewRequest"] = preview_schema();
        document["components"]["schemas"]["Error"]["description"] = json!(
            "The envelope of every 4xx and 5xx, unknown routes and methods included, and of \
                 what never reaches a route: `invalid_request` (400), `request_timeout` (408), \
                 `uri_too_long` (414), `headers_too_large` (431)."
        );
        if let Some(paths) = document["paths"].as_object_mut() {
            for (path, item) in paths {
                for operation in item.as_object_mut().into_iter().flat_map(Map::values_mut) {
                    add_to_every_operation(path, operation);
                }
            }
        }
        Self(Arc::new(document))
    }
}

/// What holds for all handlers, so that no handler repeats it.
fn add_to_every_operation(path: &str, operation: &mut Value) {
    // A route of /v1 that needs no key is marked with `security(())`.
    let is_public = operation.get("security").is_some() || !path.starts_with("/v1/");
    let needs_key = path.starts_with("/admin/") || !is_public;
    operation["security"] = if needs_key {
        json!([{BEARER: []}])
    } else {
        json!([])
    };
    let Some(Value::Object(responses)) = operation.get_mut("responses") else {
        return;
    };
    let error = |description: &str| {
        json!({
            "description": description,
            "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
        })
    };
    responses.insert("500".to_owned(), error("`internal`"));
    if needs_key {
        responses.insert("401".to_owned(), error("`unauthorized`"));
        let refused = error(
            "`forbidden`: the key is of the other kind, or the server is open and asked from elsewhere",
        );
        responses.entry("403").or_insert(refused);
    }
    if !is_public {
        add_rate_limit(responses, error("`rate_limited`"));
    }
    for response in responses.values_mut() {
        response["headers"]["X-Request-Id"] = json!({
            "description": "The client's own `X-Request-Id` if it sent a usable one",
            "schema": {"type": "string"},
        });
    }
    responses.sort_keys();
}

/// Every operation that needs a workspace's key can be asked for too often.
fn add_rate_limit(responses: &mut Map<String, Value>, refusal: Value) {
    let refused = responses.entry("429").or_insert_with(|| refusal);
    if let Some(Value::String(text)) = refused.get_mut("description")
        && !text.contains("rate_limited")
    {
        text.push_str(", `rate_limited`");
    }
    for (name, description) in [
        ("Retry-After", "Seconds after which to ask again"),
        (
            "RateLimit-Policy",
            "Requests that may come at once, and the seconds in which they come back",
        ),
        (
            "RateLimit",
            "Requests left, and the seconds until there is one more",
        ),
    ] {
        refused["headers"][name] =
            json!({"description": description, "schema": {"type": "string"}});
    }
}

fn composition_schema() -> Value {
    let mut schema = json_schema();
    // Its references are to itself: with an id it is a resource of its own wherever it is.
    schema["$id"] = json!(COMPOSITION_ID);
    schema
}

fn preview_schema() -> Value {
    let mut schema = composition_schema();
    schema["$id"] = json!("/schemas/preview.json");
    schema["title"] = json!("PreviewRequest");
    schema["properties"]["dry_run"] = json!({
        "const": true,
        "description": "Validate only; the one kind of preview there is so far",
    });
    schema["properties"]["at"] = json!({
        "type": ["number", "null"],
        "description": "Seconds of the frame to show; without effect on a dry run",
    });
    match schema.get_mut("required").and_then(Value::as_array_mut) {
        Some(required) => required.push(json!("dry_run")),
        None => schema["required"] = json!(["dry_run"]),
    }
    schema
}

/// This API as an `OpenAPI` 3.1 document.
#[utoipa::path(get, path = "/openapi.json", tag = "documents",
    responses(
        (status = 200, body = Object, description = "The document"),
        (status = 400, body = ErrorBody, description = "`invalid_parameter`"),
    ))]
pub(crate) async fn openapi(
    Extension(Document(document)): Extension<Document>,
    params: Params,
) -> Result<Json<Arc<Value>>, ApiError> {
    params.only(&[])?;
    Ok(Json(document))
}

/// The JSON Schema of a composition.
#[utoipa::path(get, path = "/schemas/composition.json", tag = "documents",
    responses(
        (status = 200, body = Object, content_type = "application/schema+json", description = "The schema"),
        (status = 400, body = ErrorBody, description = "`invalid_parameter`"),
    ))]
pub(crate) async fn schema(
    State(_edge): State<Edge>,
    params: Params,
) -> Result<Response, ApiError> {
    params.only(&[])?;
    let content_type = HeaderValue::from_static("application/schema+json");
    Ok((
        [(header::CONTENT_TYPE, content_type)],
        composition_schema().to_string(),
    )
        .into_response())
}

/// A page to read this API.
#[utoipa::path(get, path = "/docs", tag = "documents",
    responses((status = 200, body = String, content_type = "text/html", description = "The page")))]
pub(crate) async fn docs() -> Response {
    // The page loads the document from this server and nothing from elsewhere.
    let policy = HeaderValue::from_static(
        "default-src 'none'; connect-src 'self'; style-src 'unsafe-inline'; \
         script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'",
    );
    (
        [(header::CONTENT_SECURITY_POLICY, policy)],
        Html(include_str!("docs.html")),
    )
        .into_response()
}
