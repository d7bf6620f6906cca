//! What receivers are sent of an event: the thing it is about, as it was then.

use bytes::Bytes;
use cluster::model::{AssetKind, Event, EventKind, JobStatus, Subject};
use serde::Serialize;
use serde_json::Value;

use crate::edge::body::RenderBody;
use crate::edge::context::Edge;
use crate::edge::error::ApiError;
use crate::edge::renders::as_of;
use crate::edge::timestamp::rfc3339;

#[derive(Serialize)]
struct EventBody<'a> {
    id: &'a str,
    r#type: &'static str,
    created_at: String,
    data: Data,
}

#[derive(Serialize)]
struct Data {
    object: Value,
}

/// The body of `event`; `None` if what it is about is gone.
pub(super) async fn render(edge: &Edge, event: &Event) -> Result<Option<Bytes>, ApiError> {
    let object = match event.subject {
        Subject::Job(id) => {
            let Some(job) = edge.state().jobs.get(&id).cloned() else {
                return Ok(None);
            };
            let mut body = edge.describe(&job).await?;
            as_it_was(&mut body, event);
            serde_json::to_value(body)
        }
        Subject::Asset(id) => {
            let Some(asset) = edge.state().assets.get(&id).cloned() else {
                return Ok(None);
            };
            match id.kind {
                AssetKind::Upload => serde_json::to_value(edge.describe_upload(&asset).await?),
                AssetKind::Import => serde_json::to_value(edge.describe_import(&asset)),
                // They have no events.
                AssetKind::Probe => return Ok(None),
            }
        }
    };
    let object = object.map_err(|error| {
        tracing::error!(%error, "a body cannot be written");
        ApiError::internal()
    })?;
    write(&event.id.to_string(), event.kind, rfc3339(event.at), object).map(Some)
}

/// The body of a message that is no event of the log.
pub(super) fn write(
    id: &str,
    kind: EventKind,
    created_at: String,
    object: Value,
) -> Result<Bytes, ApiError> {
    named(id, kind.name(), created_at, object)
}

/// The same for a type that is no kind of event.
pub(super) fn named(
    id: &str,
    name: &'static str,
    created_at: String,
    object: Value,
) -> Result<Bytes, ApiError> {
    let body = EventBody {
        id,
        r#type: name,
        created_at,
        data: Data { object },
    };
    serde_json::to_vec(&body).map(Bytes::from).map_err(|error| {
        tracing::error!(%error, "an event cannot be written");
        ApiError::internal()
    })
}

/// A render that has changed since is sent as it was: later events carry the later changes.
fn as_it_was(body: &mut RenderBody, event: &Event) {
    body.sequence = event.sequence.0;
    let status = match event.kind {
        EventKind::RenderQueued => JobStatus::Queued,
        EventKind::RenderProcessing => JobStatus::Processing,
        _ => return,
    };
    as_of(body, status);
}
