//! `GET /v1/renders/{id}/events`: a render as it goes on, as Server-Sent Events. What the log
//! numbered comes from applied state, so any process goes on where another stopped.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::header::{self, HeaderName};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use cluster::model::{JobStatus, LogIndex};
use cluster::state::Job;
use futures::Stream;
use futures::future::BoxFuture;
use serde::Serialize;

use super::log::{Logged, What, beginning, events_after, is_over};
use crate::edge::access::Standing;
use crate::edge::changes::Watch;
use crate::edge::context::{Edge, Shared};
use crate::edge::error::{ApiError, ErrorBody};
use crate::edge::event_body::{RenderEventBody, SegmentEventBody, StatusEventBody};
use crate::edge::extract::{Caller, RenderId};
use crate::edge::params::Params;
use crate::edge::room::Place;
use crate::telemetry::metrics::Waiting;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Between two signs of life on a silent stream.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// When clients of a server that stops come again, in milliseconds: spread, so that they do
/// not all come at once.
const RETRY_MILLIS: std::ops::Range<u64> = 1000..3000;

/// Follow a render.
///
/// A stream of Server-Sent Events that begins with the current `status` and ends after the
/// last one. `status` and `segment` events have an id; with it as `Last-Event-ID`, on any
/// server and after a restart, the stream goes on after that event. Segments of a render that
/// has ended are not repeated. `progress` events, at most one a second, have no id. A comment
/// comes every 15 seconds. A server that stops ends its streams with a `retry` time; a stream
/// whose API key is revoked ends too.
///
/// The API key is taken from the `Authorization` header only, which a browser's `EventSource`
/// cannot send: use `fetch` and read the stream.
#[utoipa::path(
    get,
    path = "/v1/renders/{id}/events",
    tag = "renders",
    params(
        ("id" = String, Path, description = "The render's id"),
        ("Last-Event-ID" = Option<u64>, Header, description = "The last id that was received"),
    ),
    responses(
        (status = 200, body = RenderEventBody, content_type = "text/event-stream",
            description = "Events; the schema is that of their `data`, by their `event` name"),
        (status = 204, description = "The render has ended and `Last-Event-ID` is its last event"),
        (status = 400, body = ErrorBody, description = "`invalid_parameter`"),
        (status = 404, body = ErrorBody, description = "`not_found`"),
        (status = 429, body = ErrorBody, description = "`rate_limited`: also a 257th stream of the workspace",
            headers(("Retry-After" = u64))),
    )
)]
pub(crate) async fn events(
    State(edge): State<Edge>,
    Caller(client): Caller,
    RenderId(id): RenderId,
    params: Params,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    params.only(&[])?;
    let seen = last_event_id(&headers)?;
    edge.job(&client.workspace, id)?;
    let watch = edge.watch(id);
    let Some(job) = watch.job.borrow().clone() else {
        return Err(ApiError::not_found("render"));
    };
    // A number larger than any applied one is from before a restore or a moment ahead: what
    // happens from now on is new to its client, too.
    let applied = edge.state().applied;
    let seen = seen.map_or_else(|| beginning(&job), |seen| seen.min(applied));
    if is_over(&job, seen) {
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let place = edge.streams.take(&client.workspace).ok_or_else(|| {
        let message = "The workspace has as many streams of events open as it may.";
        edge.streams.refusal("streams", message)
    })?;
    let standing = client.standing();
    let follower = Follower {
        refused: Box::pin(standing.ended(edge.clone())),
        standing,
        edge,
        watch,
        seen,
        pending: VecDeque::new(),
        next: Next::Job,
        _open: Waiting::on_stream(),
        _place: place,
    };
    let heartbeat = KeepAlive::new().interval(HEARTBEAT);
    let mut response = Sse::new(stream(follower))
        .keep_alive(heartbeat)
        .into_response();
    for (name, value) in [
        (header::CACHE_CONTROL, "no-store"),
        // Some proxies buffer an answer until it is complete, unless this header forbids it.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ] {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    Ok(response)
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<LogIndex>, ApiError> {
    let mut values = headers.get_all(LAST_EVENT_ID).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let text = value.to_str().unwrap_or_default();
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    match text.parse() {
        Ok(index) if is_number && values.next().is_none() => Ok(Some(LogIndex(index))),
        _ => Err(ApiError::parameter(
            "Last-Event-ID",
            "type",
            "`Last-Event-ID` must be the id of an event, given once.",
        )),
    }
}

/// One client's place in a render's events. It holds what one look at the job gave and no
/// more: while the client does not read, later looks are not taken.
struct Follower {
    _place: Place,
    edge: Edge,
    standing: Standing,
    /// Ready once the client is let in no more.
    refused: BoxFuture<'static, ()>,
    watch: Watch,
    seen: LogIndex,
    pending: VecDeque<Event>,
    next: Next,
    _open: Waiting,
}

/// What is to be looked at once nothing is pending.
enum Next {
    /// The job.
    Job,
    /// Whatever changes.
    Change,
    /// The stream ends.
    End,
}

fn stream(follower: Follower) -> impl Stream<Item = Result<Event, Infallible>> + Send {
    futures::stream::unfold(follower, |mut follower| async move {
        loop {
            if let Some(event) = follower.pending.pop_front() {
                return Some((Ok(event), follower));
            }
            match follower.next {
                Next::Job => follower.look().await,
                Next::Change => follower.wait().await,
                Next::End => return None,
            }
        }
    })
}

impl Follower {
    /// Takes the events of the log that the client has not seen.
    async fn look(&mut self) {
        let job = self.watch.job.borrow_and_update().clone();
        let Some(job) = job.filter(|_| self.standing.holds(&self.edge)) else {
            self.next = Next::End;
            return;
        };
        self.next = if job.status.is_terminal() {
            Next::End
        } else {
            Next::Change
        };
        for logged in events_after(&job, self.seen) {
            if let Some(id) = logged.id {
                self.seen = id;
            }
            if let Some(event) = self.edge.event(&job, &logged).await {
                self.pending.push_back(event);
            }
        }
    }

    /// Waits for a change, for progress, or for the server to stop.
    async fn wait(&mut self) {
        tokio::select! {
            biased;
            () = &mut self.refused => self.next = Next::End,
            changed = self.watch.job.changed() => {
                self.next = if changed.is_ok() { Next::Job } else { Next::End };
            }
            () = self.edge.parts.draining.cancelled() => {
                let retry = Duration::from_millis(rand::random_range(RETRY_MILLIS));
                self.pending.push_back(Event::default().retry(retry));
                self.next = Next::End;
            }
            changed = self.watch.progress.changed() => {
                let data = self.watch.progress.borrow_and_update().clone();
                match (changed, data) {
                    (Ok(()), Some(data)) => {
                        self.pending.push_back(Event::default().event("progress").data(data));
                    }
                    (Ok(()), None) => {}
                    (Err(_), _) => self.next = Next::End,
                }
            }
        }
    }
}

impl Shared {
    /// The event as it is sent. What cannot be written, which would be a fault of this server,
    /// is left out: the stream is worth more than one event.
    async fn event(&self, job: &Arc<Job>, logged: &Logged) -> Option<Event> {
        let (name, data) = match &logged.what {
            What::Status(status) => ("status", json(&self.status_event(job, *status).await?)?),
            What::Segments(segments) => ("segment", json(&SegmentEventBody::new(job, segments))?),
        };
        let event = Event::default().event(name).data(data);
        Some(match logged.id {
            Some(id) => event.id(id.to_string()),
            None => event,
        })
    }

    async fn status_event(&self, job: &Arc<Job>, status: JobStatus) -> Option<StatusEventBody> {
        let render = self.describe(job).await.ok()?;
        Some(StatusEventBody::new(job, status, render))
    }
}

fn json(body: &impl Serialize) -> Option<String> {
    serde_json::to_string(body)
        .inspect_err(|error| tracing::error!(%error, "an event cannot be written"))
        .ok()
}
