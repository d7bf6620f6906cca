//! `POST /v1/preview`: so far only the dry run, which says everything validation has to say
//! about a composition and renders nothing.

use axum::Json as JsonResponse;
use axum::extract::State;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::context::Edge;
use super::error::{ApiError, Detail, ErrorBody};
use super::extract::{JsonBody, Workspace};
use super::params::Params;
use crate::composition::{Json, Violation, ViolationCode, Warning, validate};

/// What validation says.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DryRun)]
pub(crate) struct DryRunBody {
    /// Whether the composition would be accepted.
    valid: bool,
    /// Everything that would be refused or warned of.
    violations: Vec<JudgedBody>,
}

/// One thing validation says.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Violation)]
struct JudgedBody {
    /// `error` or `warning`.
    severity: &'static str,
    /// Where, like `elements[1].text_color`.
    path: String,
    /// In one word.
    code: String,
    /// A sentence.
    message: String,
    /// The nearest known name or value.
    suggestion: Option<String>,
}

/// Validate a composition without rendering it.
///
/// Takes a composition with `dry_run: true` beside its fields; preview frames are not
/// rendered yet.
#[utoipa::path(
    post,
    path = "/v1/preview",
    tag = "renders",
    request_body(content = super::openapi::PreviewRequest, content_type = "application/json"),
    responses(
        (status = 200, body = DryRunBody, description = "What validation says, good or bad"),
        (status = 400, body = ErrorBody, description = "`invalid_json`, `invalid_parameter`"),
        (status = 408, body = ErrorBody, description = "`request_timeout`"),
        (status = 413, body = ErrorBody, description = "`body_too_large`"),
        (status = 415, body = ErrorBody, description = "`unsupported_media_type`"),
        (status = 422, body = ErrorBody, description = "`validation_failed`: `dry_run` is not true"),
    )
)]
pub(crate) async fn preview(
    State(edge): State<Edge>,
    Workspace(_workspace): Workspace,
    params: Params,
    JsonBody(json): JsonBody,
) -> Result<JsonResponse<DryRunBody>, ApiError> {
    params.only(&[])?;
    let composition = without_dry_run(&json)?;
    let body = match validate(&composition, &edge.config().limits.composition) {
        Ok((_, warnings)) => DryRunBody {
            valid: true,
            violations: warnings.into_iter().map(JudgedBody::from).collect(),
        },
        Err(violations) => DryRunBody {
            valid: false,
            violations: violations.into_iter().map(JudgedBody::from).collect(),
        },
    };
    Ok(JsonResponse(body))
}

/// The composition of a dry run; anything else is refused.
fn without_dry_run(json: &Json) -> Result<Json, ApiError> {
    let refuse = |code, message: &str| {
        ApiError::validation(vec![Violation {
            path: "dry_run".to_owned(),
            code,
            message: message.to_owned(),
            suggestion: None,
        }])
    };
    let mut value = json.value().clone();
    // `at` belongs to preview, not to the composition.
    let flag = value.as_object_mut().and_then(|fields| {
        fields.shift_remove("at");
        fields.shift_remove("dry_run")
    });
    match flag {
        Some(Value::Bool(true)) => {}
        None | Some(Value::Null | Value::Bool(false)) => {
            return Err(refuse(
                ViolationCode::UnsupportedFeature,
                "Preview frames are not rendered yet; only `dry_run: true` is.",
            ));
        }
        Some(_) => {
            return Err(refuse(
                ViolationCode::Type,
                "`dry_run` must be true or false.",
            ));
        }
    }
    Json::parse(value.to_string().as_bytes()).map_err(|error| {
        let error = &error as &dyn std::error::Error;
        tracing::error!(error, "a body that was JSON is not any more");
        ApiError::internal()
    })
}

impl From<Violation> for JudgedBody {
    fn from(violation: Violation) -> Self {
        let detail = Detail::from(violation);
        Self {
            severity: "error",
            path: detail.path,
            code: detail.code,
            message: detail.message,
            suggestion: detail.suggestion,
        }
    }
}

impl From<Warning> for JudgedBody {
    fn from(warning: Warning) -> Self {
        Self {
            severity: "warning",
            path: warning.path,
            code: warning.code,
            message: warning.message,
            suggestion: None,
        }
    }
}
