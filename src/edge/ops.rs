//! What probes and scrapers ask: is the process alive, can it serve, what has it counted.

use std::time::{Duration, Instant};

use axum::Json;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use cluster::model::{JobStatus, NodeState};
use serde::Serialize;
use utoipa::ToSchema;

use super::context::Edge;
use super::error::{ApiError, Code, ErrorBody};
use super::ports::NodeHealth;
use super::write_probe::GOOD_FOR;
use crate::store::{StoreError, keys};
use crate::telemetry::metrics;

/// How long the store may take to answer a probe.
const PROBE: Duration = Duration::from_secs(2);

/// A process that answers at all.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Health)]
pub(crate) struct HealthBody {
    /// Always `ok`.
    status: &'static str,
    /// Build version.
    version: String,
}

/// A process that can serve.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Readiness)]
pub(crate) struct ReadyBody {
    /// Always `ready`.
    status: &'static str,
    /// What an operator should know although it serves: a wall clock that was not believed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    notes: Vec<String>,
}

/// Whether the process is alive.
#[utoipa::path(get, path = "/healthz", tag = "operations",
    responses((status = 200, body = HealthBody, description = "It is")))]
pub(crate) async fn health(State(edge): State<Edge>) -> Json<HealthBody> {
    Json(HealthBody {
        status: "ok",
        version: edge.config().version.clone(),
    })
}

/// Whether the process can serve: a leader is known, a render node and the store answer, and
/// the data directory takes writes.
#[utoipa::path(get, path = "/readyz", tag = "operations",
    responses(
        (status = 200, body = ReadyBody, description = "It can"),
        (status = 503, body = ErrorBody, description = "`draining`, or `not_ready` with what is missing",
            headers(("Retry-After" = u64))),
    ))]
pub(crate) async fn ready(State(edge): State<Edge>) -> Result<Json<ReadyBody>, ApiError> {
    if edge.parts.draining.is_cancelled() {
        return Err(ApiError::new(Code::Draining, "This server is stopping."));
    }
    let mut missing = Vec::new();
    if edge.parts.observer.raft().leader_id.is_none() {
        missing.push(("leader", "no coordinator leads"));
    }
    if !has_render_node(&edge) {
        missing.push(("render", "no render node is reachable"));
    }
    if !store_answers(&edge).await {
        missing.push(("store", "the object store does not answer"));
    }
    if !edge.write_probe.succeeds().await {
        missing.push(("data_dir", "the data directory cannot be written"));
    }
    if missing.is_empty() {
        let notes = edge.parts.observer.clock_note();
        return Ok(Json(ReadyBody {
            status: "ready",
            notes: notes.into_iter().collect(),
        }));
    }
    let error = ApiError::new(Code::NotReady, "This server cannot serve yet.");
    Err(missing.into_iter().fold(error, |error, (part, message)| {
        error.with_detail(part, "unavailable", message)
    }))
}

fn has_render_node(edge: &Edge) -> bool {
    let state = edge.state();
    edge.parts.observer.nodes().iter().any(|(id, sight)| {
        sight.health == NodeHealth::Live
            && state
                .nodes
                .get(id)
                .is_some_and(|node| node.roles.render && node.state != NodeState::Quarantined)
    })
}

/// Whether the store takes an object, as of the last few seconds. One that is full answers too:
/// what needs room is refused with `storage_full`, and the rest goes on.
async fn store_answers(edge: &Edge) -> bool {
    let mut found = edge.store_probe.lock().await;
    if let Some((at, answers)) = *found
        && at.elapsed() < GOOD_FOR
    {
        return answers;
    }
    let put = edge
        .parts
        .store
        .put(keys::probe(), Bytes::from_static(b"ready"));
    let answers = match tokio::time::timeout(PROBE, put).await {
        Ok(Ok(_) | Err(StoreError::Full)) => true,
        Ok(Err(error)) => {
            tracing::error!(
                error = &error as &dyn std::error::Error,
                "the store takes nothing"
            );
            false
        }
        Err(_) => false,
    };
    *found = Some((Instant::now(), answers));
    answers
}

/// Everything counted and measured, for Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "operations",
    responses((status = 200, body = String, content_type = "text/plain", description = "Prometheus text format")))]
pub(crate) async fn scrape(State(edge): State<Edge>) -> Response {
    gauge(&edge);
    let text = edge.parts.exposition.render();
    let content_type = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    ([(header::CONTENT_TYPE, content_type)], text).into_response()
}

/// Brings the gauges that applied state is the source of up to date.
fn gauge(edge: &Edge) {
    let state = edge.state();
    let active = state.active.keys().filter_map(|id| state.jobs.get(id));
    let (mut queued, mut processing, mut oldest) = (0, 0, None);
    for job in active {
        if job.status == JobStatus::Queued {
            queued += 1;
            oldest = oldest.or(Some(job.submitted_at));
        } else {
            processing += 1;
        }
    }
    let age = oldest.map_or(0, |since| edge.now().millis_since(since));
    metrics::queue(queued, processing, Duration::from_millis(age));
    metrics::applied_index(state.applied.0);
    metrics::webhooks_pending(state.due.len());
    let (mut slots, mut busy, mut live) = (0, 0, 0);
    let sights = edge.parts.observer.nodes();
    for (id, sight) in &sights {
        let Some(node) = state.nodes.get(id).filter(|node| node.roles.render) else {
            continue;
        };
        if sight.health == NodeHealth::Live {
            live += 1;
            slots += node.slots;
            busy += sight.busy_slots;
        }
    }
    metrics::nodes(live, slots, busy);
}
