//! `/admin/v1/jobs`: every workspace's jobs with their tasks and attempts, and what an
//! operator can do to them.

use std::sync::Arc;

use axum::Extension;
use axum::Json as JsonResponse;
use axum::extract::State;
use axum::response::Response;
use cluster::command::{Command, Outcome, Rejection};
use cluster::model::JobId;
use cluster::state::Job;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::memory;
use super::tasks::{TaskBody, tasks};
use super::waiting;
use crate::composition::{Json, Violation, ViolationCode};
use crate::edge::access::Standing;
use crate::edge::body::{RenderErrorBody, TimingBody};
use crate::edge::context::Edge;
use crate::edge::describe::timing;
use crate::edge::error::{ApiError, Code, ErrorBody};
use crate::edge::extract::{JsonBody, OPERATORS, RenderId};
use crate::edge::pages::PageRequest;
use crate::edge::params::Params;
use crate::edge::renders::end;
use crate::edge::status;
use crate::edge::timestamp::rfc3339;

/// A job as operators read it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Job)]
pub(crate) struct JobBody {
    /// The render's id.
    id: String,
    /// Whose it is.
    workspace: String,
    /// As clients read it.
    status: &'static str,
    /// −10 to 10; higher goes first.
    priority: i8,
    /// Rises with every change.
    sequence: u64,
    /// When it was accepted.
    created_at: String,
    /// When work on it began.
    started_at: Option<String>,
    /// When it became final.
    finished_at: Option<String>,
    /// Which plan is current; 0 before the first.
    generation: u32,
    /// What it renders under.
    fingerprint: Option<String>,
    /// `retry_delay`, `no_node`, `fingerprint`, `quota` or `no_slot` while nothing of it runs.
    waiting_reason: Option<&'static str>,
    /// Why it failed.
    error: Option<RenderErrorBody>,
    /// Its pieces.
    tasks: Vec<TaskBody>,
    /// Where the time went.
    timing: TimingBody,
}

/// A page of jobs, newest first.
#[derive(Debug, ToSchema)]
#[schema(as = JobList)]
#[expect(
    dead_code,
    reason = "describes the answer, which is written item by item"
)]
pub(crate) struct JobListBody {
    /// The jobs.
    data: Vec<JobBody>,
    /// Hand this back as `cursor` for the next page.
    next_cursor: Option<String>,
    /// Whether there is a next page.
    has_more: bool,
}

/// What can be changed of a job.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = JobChange)]
pub(crate) struct JobChangeBody {
    /// −10 to 10; higher goes first.
    #[schema(minimum = -10, maximum = 10)]
    #[expect(dead_code, reason = "describes the body; `priority_of` reads it")]
    priority: i8,
}

/// List the jobs of every workspace, newest first.
#[utoipa::path(get, path = "/admin/v1/jobs", tag = "admin",
    params(
        ("state" = Option<String>, Query, description = "Only jobs with this status"),
        ("workspace" = Option<String>, Query, description = "Only this workspace's jobs"),
        ("limit" = Option<usize>, Query, minimum = 1, maximum = 100, description = "Jobs on a page"),
        ("cursor" = Option<String>, Query, description = "`next_cursor` of the page before"),
    ),
    responses(
        (status = 200, body = JobListBody, description = "A page of jobs"),
        (status = 400, body = ErrorBody, description = "`invalid_parameter`, `invalid_cursor`"),
    ))]
pub(crate) async fn jobs(
    State(edge): State<Edge>,
    Extension(standing): Extension<Standing>,
    params: Params,
) -> Result<Response, ApiError> {
    let params = params.only(&["state", "workspace", "limit", "cursor"])?;
    let page = PageRequest::read("jobs", "", &params, &["state", "workspace"])?;
    let status = params.choice("state", &status::NAMES)?;
    let workspace = params.text("workspace").map(str::to_owned);
    let page = page.jobs(&edge.state(), |job| {
        workspace
            .as_ref()
            .is_none_or(|workspace| job.workspace == *workspace)
            && status.is_none_or(|status| job.status == status)
    });
    let admitted = {
        let edge = edge.clone();
        move || standing.holds(&edge)
    };
    page.respond(admitted, move |id| {
        let state = edge.state();
        // Retention may have removed it, and its status may be another by now.
        let job = state.jobs.get(&id);
        let job = job.filter(|job| status.is_none_or(|status| job.status == status));
        let body = job.map(|job| describe(&edge, &state, job));
        async move { Ok(body) }
    })
    .await
}

/// Read a job with its tasks and attempts.
#[utoipa::path(get, path = "/admin/v1/jobs/{id}", tag = "admin",
    params(("id" = String, Path, description = "The render's id")),
    responses(
        (status = 200, body = JobBody, description = "The job"),
        (status = 400, body = ErrorBody, description = "`invalid_parameter`"),
        (status = 404, body = ErrorBody, description = "`not_found`"),
    ))]
pub(crate) async fn job(
    State(edge): State<Edge>,
    RenderId(id): RenderId,
    params: Params,
) -> Result<JsonResponse<JobBody>, ApiError> {
    params.only(&[])?;
    let job = found(&edge, id)?;
    Ok(JsonResponse(describe(&edge, &edge.state(), &job)))
}

/// Cancel a job of any workspace.
#[utoipa::path(post, path = "/admin/v1/jobs/{id}/cancel", tag = "admin",
    params(("id" = String, Path, description = "The render's id")),
    responses(
        (status = 200, body = JobBody, description = "The job, now (or already) cancelled"),
        (status = 400, body = ErrorBody, description = "`invalid_parameter`"),
        (status = 404, body = ErrorBody, description = "`not_found`"),
        (status = 409, body = ErrorBody, description = "`invalid_state`: completed or failed"),
        (status = 503, body = ErrorBody, description = "`no_leader`, `commit_unknown`, `draining`",
            headers(("Retry-After" = u64))),
    ))]
pub(crate) async fn cancel_job(
    State(edge): State<Edge>,
    RenderId(id): RenderId,
    params: Params,
) -> Result<JsonResponse<JobBody>, ApiError> {
    params.only(&[])?;
    let workspace = found(&edge, id)?.workspace.clone();
    end(&edge, workspace, id).await?;
    let job = edge.caught_up(id, |job| job.status.is_terminal()).await?;
    Ok(JsonResponse(describe(&edge, &edge.state(), &job)))
}

/// Change a job's place in the queue.
#[utoipa::path(patch, path = "/admin/v1/jobs/{id}", tag = "admin",
    params(("id" = String, Path, description = "The render's id")),
    request_body = JobChangeBody,
    responses(
        (status = 200, body = JobBody, description = "The job"),
        (status = 400, body = ErrorBody, description = "`invalid_json`, `invalid_parameter`"),
        (status = 404, body = ErrorBody, description = "`not_found`"),
        (status = 408, body = ErrorBody, description = "`request_timeout`"),
        (status = 409, body = ErrorBody, description = "`invalid_state`: it has ended"),
        (status = 413, body = ErrorBody, description = "`body_too_large`"),
        (status = 415, body = ErrorBody, description = "`unsupported_media_type`"),
        (status = 422, body = ErrorBody, description = "`validation_failed`"),
        (status = 503, body = ErrorBody, description = "`no_leader`, `commit_unknown`, `draining`, `storage_full`",
            headers(("Retry-After" = u64))),
    ))]
pub(crate) async fn change_job(
    State(edge): State<Edge>,
    RenderId(id): RenderId,
    params: Params,
    body: JsonBody,
) -> Result<JsonResponse<JobBody>, ApiError> {
    params.only(&[])?;
    found(&edge, id)?;
    let judged = body.judge(&edge, OPERATORS, |json| {
        priority_of(&json).map_err(ApiError::validation)
    });
    let priority = judged.await?;
    match edge
        .propose(Command::SetPriority { job: id, priority })
        .await?
    {
        Outcome::Accepted => {}
        Outcome::Rejected(Rejection::UnknownJob) => return Err(ApiError::not_found("job")),
        Outcome::Rejected(Rejection::JobEnded) => {
            return Err(ApiError::new(Code::InvalidState, "The job has ended."));
        }
        other => {
            tracing::error!(job = %id, outcome = ?other, "a priority had an outcome it cannot have");
            return Err(ApiError::internal());
        }
    }
    let job = edge
        .caught_up(id, |job| {
            job.priority == priority || job.status.is_terminal()
        })
        .await?;
    Ok(JsonResponse(describe(&edge, &edge.state(), &job)))
}

fn priority_of(json: &Json) -> Result<i8, Vec<Violation>> {
    let violation = |path: &str, code, message: &str| Violation {
        path: path.to_owned(),
        code,
        message: message.to_owned(),
        suggestion: None,
    };
    let Value::Object(fields) = json.value() else {
        let message = "The body must be an object.";
        return Err(vec![violation("", ViolationCode::Type, message)]);
    };
    let mut violations: Vec<Violation> = fields
        .keys()
        .filter(|name| *name != "priority")
        .map(|name| {
            violation(
                name,
                ViolationCode::UnknownField,
                "Only `priority` can be changed.",
            )
        })
        .collect();
    let range = "`priority` must be a whole number from -10 to 10.";
    let priority = match fields.get("priority") {
        None | Some(Value::Null) => Err((ViolationCode::Required, "`priority` is required.")),
        Some(Value::Number(number)) => number
            .as_i64()
            .and_then(|number| i8::try_from(number).ok())
            .filter(|number| (-10..=10).contains(number))
            .ok_or((ViolationCode::Range, range)),
        Some(_) => Err((ViolationCode::Type, range)),
    };
    match priority {
        Ok(priority) if violations.is_empty() => Ok(priority),
        Ok(_) => Err(violations),
        Err((code, message)) => {
            violations.push(violation("priority", code, message));
            Err(violations)
        }
    }
}

fn found(edge: &Edge, id: JobId) -> Result<Arc<Job>, ApiError> {
    let state = edge.state();
    state
        .jobs
        .get(&id)
        .cloned()
        .ok_or_else(|| ApiError::not_found("job"))
}

fn describe(edge: &Edge, state: &cluster::State, job: &Arc<Job>) -> JobBody {
    JobBody {
        id: job.id.to_string(),
        workspace: job.workspace.clone(),
        status: status::name(job.status),
        priority: job.priority,
        sequence: job.sequence.0,
        created_at: rfc3339(job.submitted_at),
        started_at: job.started_at.map(rfc3339),
        finished_at: job.finished_at.map(rfc3339),
        generation: job.generation.0,
        fingerprint: job.fingerprint.map(|fingerprint| fingerprint.0.to_string()),
        waiting_reason: waiting::reason(state, job, edge.config().limits.concurrent_per_workspace),
        error: job.error.as_ref().map(RenderErrorBody::from),
        tasks: tasks(&memory::with_tasks(&edge.jobs, job)),
        timing: timing(job),
    }
}
