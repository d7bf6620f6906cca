//! `POST /v1/preview`: so far only the dry run, which returns all findings of validation for a
//! composition and renders nothing.

use axum::Json as JsonResponse;
use axum::extract::State;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::context::Edge;
use super::error::{ApiError, Detail, ErrorBody};
use super::extract::{JsonBody, Workspace};
use super::params::Params;
use crate::composition::{Json, Limits, Violation, ViolationCode, Warning, validate};

/// The findings of validation.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DryRun)]
pub(crate) struct DryRunBody {
    /// Whether the composition would be accepted.
    valid: bool,
    /// Everything that would be refused or warned of.
    violations: Vec<JudgedBody>,
}

/// One finding of validation.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Violation)]
struct JudgedBody {
    /// `error` or `warning`.
    severity: &'static str,
    /// Where, like `elements[1].text_color`.
    path: String,
    /// Machine-readable code.
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
        (status = 200, body = DryRunBody, description = "The findings of validation, valid or not"),
        (status = 400, body = ErrorBody, description = "`invalid_json`, `invalid_parameter`"),
        (status = 408, body = ErrorBody, description = "`request_timeout`"),
        (status = 413, body = ErrorBody, description = "`body_too_large`"),
        (status = 415, body = ErrorBody, description = "`unsupported_media_type`"),
        (status = 422, body = ErrorBody, description = "`validation_failed`: `dry_run` is not true"),
    )
)]
pub(crate) async fn preview(
    State(edge): State<Edge>,
    Workspace(workspace): Workspace,
    params: Params,
    body: JsonBody,
) -> Result<JsonResponse<DryRunBody>, ApiError> {
    params.only(&[])?;
    let shared = edge.clone();
    let judged = body.judge(&edge, &workspace, move |json| {
        judge(json, &shared.config().limits.composition)
    });
    Ok(JsonResponse(judged.await?))
}

fn judge(json: Json, limits: &Limits) -> Result<DryRunBody, ApiError> {
    let judged = match validate(&without_dry_run(json)?, limits) {
        Ok((_, warnings)) => Ok(warnings.into_iter().map(JudgedBody::from).collect()),
        Err(violations) => Err(violations.into_iter().map(JudgedBody::from).collect()),
    };
    Ok(DryRunBody {
        valid: judged.is_ok(),
        violations: judged.unwrap_or_else(|violations| violations),
    })
}

/// The composition of a dry run; anything else is refused.
fn without_dry_run(mut json: Json) -> Result<Json, ApiError> {
    let refuse = |code, message: &str| {
        ApiError::validation(vec![Violation {
            path: "dry_run".to_owned(),
            code,
            message: message.to_owned(),
            suggestion: None,
        }])
    };
    // `at` belongs to preview, not to the composition.
    json.take("at");
    let flag = json.take("dry_run");
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
    Ok(json)
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
