//! `/admin/v1/keys`: API keys made, listed and revoked. A key is shown once, in the
//! answer that creates it.

use std::str::FromStr;

use axum::Json as JsonResponse;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use cluster::command::{Command, Outcome, Rejection};
use cluster::model::{ApiKey, KeyId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::composition::{Json, Violation, ViolationCode};
use crate::edge::access::draw_key;
use crate::edge::context::Edge;
use crate::edge::error::{ApiError, ErrorBody};
use crate::edge::extract::{JsonBody, OPERATORS};
use crate::edge::params::Params;
use crate::edge::timestamp::rfc3339;
use crate::settings::is_workspace_name;

const DEFAULT_WORKSPACE: &str = "default";

/// Longest name of a key, in characters.
const MAX_NAME: usize = 100;

/// An API key.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Key)]
pub(crate) struct KeyBody {
    /// Its id, `key_` and a ULID; not the key itself.
    id: String,
    /// Whose renders it reaches; null for an admin key.
    workspace: Option<String>,
    /// What people call it.
    name: String,
    /// Whether it reaches /admin, and no workspace.
    admin: bool,
    /// How it begins and ends.
    #[schema(example = "fl_…x7Qa")]
    hint: String,
    /// When it was made.
    #[schema(format = DateTime)]
    created_at: String,
    /// The key itself: only in the answer to the request that made it.
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<String>,
}

/// Every API key.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = KeyList)]
pub(crate) struct KeyListBody {
    /// The keys, oldest first.
    data: Vec<KeyBody>,
}

/// A key to make.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = NewKey)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewKeyBody {
    /// Whose renders it is to reach; `default` unless given. Not for an admin key.
    #[serde(default)]
    #[schema(pattern = "^[a-z0-9][a-z0-9_-]{0,62}$")]
    workspace: Option<String>,
    /// What people call it; empty unless given.
    #[serde(default)]
    #[schema(max_length = 100)]
    name: Option<String>,
    /// Whether it is to reach /admin instead of a workspace.
    #[serde(default)]
    admin: Option<bool>,
}

/// A key that is no more.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RevokedKey)]
pub(crate) struct RevokedBody {
    /// Its id.
    id: String,
    /// Always true.
    revoked: bool,
}

/// List the API keys, without the keys themselves.
#[utoipa::path(get, path = "/admin/v1/keys", tag = "admin",
    responses(
        (status = 200, body = KeyListBody, description = "Every key"),
        (status = 400, body = ErrorBody, description = "`invalid_parameter`"),
    ))]
pub(crate) async fn keys(
    State(edge): State<Edge>,
    params: Params,
) -> Result<JsonResponse<KeyListBody>, ApiError> {
    params.only(&[])?;
    let data = edge.state().keys.values().map(describe).collect();
    Ok(JsonResponse(KeyListBody { data }))
}

/// Make an API key.
///
/// The first key closes a server that was open. The answer is the only one that shows it.
#[utoipa::path(post, path = "/admin/v1/keys", tag = "admin",
    request_body = NewKeyBody,
    responses(
        (status = 201, body = KeyBody, description = "The key, shown this once"),
        (status = 400, body = ErrorBody, description = "`invalid_json`, `invalid_parameter`"),
        (status = 408, body = ErrorBody, description = "`request_timeout`"),
        (status = 413, body = ErrorBody, description = "`body_too_large`"),
        (status = 415, body = ErrorBody, description = "`unsupported_media_type`"),
        (status = 422, body = ErrorBody, description = "`validation_failed`"),
        (status = 503, body = ErrorBody, description = "`no_leader`, `commit_unknown`, `draining`",
            headers(("Retry-After" = u64))),
    ))]
pub(crate) async fn create_key(
    State(edge): State<Edge>,
    params: Params,
    body: JsonBody,
) -> Result<(StatusCode, JsonResponse<KeyBody>), ApiError> {
    params.only(&[])?;
    let judged = body.judge(&edge, OPERATORS, |json| {
        wanted(&json).map_err(ApiError::validation)
    });
    let wanted = judged.await?;
    let is_admin = wanted.admin.unwrap_or(false);
    let workspace = wanted.workspace;
    let workspace = (!is_admin).then(|| workspace.unwrap_or_else(|| DEFAULT_WORKSPACE.to_owned()));
    let drawn = draw_key(workspace, wanted.name.unwrap_or_default());
    let id = drawn.kept.id;
    match edge.propose(Command::CreateKey(drawn.kept)).await? {
        Outcome::Accepted => {}
        other => {
            tracing::error!(key = %id, outcome = ?other, "a new key had an outcome it cannot have");
            return Err(ApiError::internal());
        }
    }
    let kept = edge.once(|state| state.keys.get(&id).cloned()).await?;
    tracing::info!(key = %id, workspace = kept.workspace, is_admin, "an API key was made");
    let body = KeyBody {
        key: Some(drawn.text),
        ..describe(&kept)
    };
    Ok((StatusCode::CREATED, JsonResponse(body)))
}

/// Revoke an API key.
///
/// Requests that come after the answer are refused with it, on every edge within a second.
#[utoipa::path(delete, path = "/admin/v1/keys/{id}", tag = "admin",
    params(("id" = String, Path, description = "The key's id")),
    responses(
        (status = 200, body = RevokedBody, description = "It is no more"),
        (status = 400, body = ErrorBody, description = "`invalid_parameter`"),
        (status = 404, body = ErrorBody, description = "`not_found`"),
        (status = 503, body = ErrorBody, description = "`no_leader`, `commit_unknown`, `draining`",
            headers(("Retry-After" = u64))),
    ))]
pub(crate) async fn revoke_key(
    State(edge): State<Edge>,
    Path(id): Path<String>,
    params: Params,
) -> Result<JsonResponse<RevokedBody>, ApiError> {
    params.only(&[])?;
    let id = KeyId::from_str(&id).map_err(|_| ApiError::not_found("key"))?;
    match edge.propose(Command::RevokeKey { key: id }).await? {
        Outcome::Accepted => {}
        Outcome::Rejected(Rejection::UnknownKey) => return Err(ApiError::not_found("key")),
        other => {
            tracing::error!(key = %id, outcome = ?other, "a revocation had an outcome it cannot have");
            return Err(ApiError::internal());
        }
    }
    edge.once(|state| (!state.keys.contains_key(&id)).then_some(()))
        .await?;
    tracing::info!(key = %id, "an API key was revoked");
    Ok(JsonResponse(RevokedBody {
        id: id.to_string(),
        revoked: true,
    }))
}

fn describe(key: &ApiKey) -> KeyBody {
    KeyBody {
        id: key.id.to_string(),
        workspace: (!key.is_admin).then(|| key.workspace.clone()),
        name: key.name.clone(),
        admin: key.is_admin,
        hint: key.hint.clone(),
        created_at: rfc3339(key.created_at),
        key: None,
    }
}

/// A key as the API shows it, without the secret.
pub fn key_description(key: &ApiKey) -> Value {
    // A body of strings and flags serialises.
    serde_json::to_value(describe(key)).unwrap_or_default()
}

/// What the body asks for, or everything that is wrong with it.
fn wanted(json: &Json) -> Result<NewKeyBody, Vec<Violation>> {
    let Value::Object(fields) = json.value() else {
        let message = "The body must be an object.";
        return Err(vec![violation("", ViolationCode::Type, message)]);
    };
    let mut violations = Vec::new();
    let mut wanted = NewKeyBody {
        workspace: None,
        name: None,
        admin: None,
    };
    for (field, value) in fields {
        let problem = match (field.as_str(), value) {
            ("workspace" | "name" | "admin", Value::Null) => None,
            ("workspace", Value::String(name)) if is_workspace_name(name) => {
                wanted.workspace = Some(name.clone());
                None
            }
            ("workspace", Value::String(_)) => Some((
                ViolationCode::Range,
                "`workspace` must be 1 to 63 characters of a-z, 0-9, _ and -, the first a letter or digit.",
            )),
            ("name", Value::String(name)) if is_key_name(name) => {
                wanted.name = Some(name.clone());
                None
            }
            ("name", Value::String(_)) => Some((
                ViolationCode::Range,
                "`name` must be at most 100 characters, none of them a control character.",
            )),
            ("admin", Value::Bool(admin)) => {
                wanted.admin = Some(*admin);
                None
            }
            ("workspace" | "name", _) => Some((ViolationCode::Type, "This must be a string.")),
            ("admin", _) => Some((ViolationCode::Type, "`admin` must be true or false.")),
            _ => Some((
                ViolationCode::UnknownField,
                "A key has `workspace`, `name` and `admin` only.",
            )),
        };
        violations.extend(problem.map(|(code, message)| violation(field, code, message)));
    }
    if wanted.admin == Some(true) && wanted.workspace.is_some() {
        let message = "An admin key belongs to no workspace.";
        violations.push(violation("workspace", ViolationCode::Conflict, message));
    }
    if violations.is_empty() {
        Ok(wanted)
    } else {
        Err(violations)
    }
}

fn is_key_name(name: &str) -> bool {
    name.chars().count() <= MAX_NAME && !name.chars().any(char::is_control)
}

fn violation(path: &str, code: ViolationCode, message: &str) -> Violation {
    Violation {
        path: path.to_owned(),
        code,
        message: message.to_owned(),
        suggestion: None,
    }
}
