//! What every request that makes something has in common, before anything is proposed: its
//! idempotency key may have made it before, else its body is checked. Renders, uploads and
//! imports differ in what they look up and what they check.

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use cluster::State;
use cluster::model::{AssetId, Digest, IdempotencyRow, JobId, LogTime};

use super::context::Edge;
use super::error::{ApiError, Code};
use super::extract::{JsonBody, idempotency_key};
use crate::composition::{Json, body_digest};

const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// Where an idempotency key is kept: workspace, method and path, key.
type Place = (String, String, String);

/// What idempotency keys make: each kind has rows of its own.
pub(super) trait MadeByKey: Copy + Send + 'static {
    /// What the key at `place` made, of which body, and when.
    fn row<'a>(state: &'a State, place: &Place) -> Option<&'a (Self, Digest, LogTime)>;
}

impl MadeByKey for JobId {
    fn row<'a>(state: &'a State, place: &Place) -> Option<&'a (Self, Digest, LogTime)> {
        state.idempotency.get(place)
    }
}

impl MadeByKey for AssetId {
    fn row<'a>(state: &'a State, place: &Place) -> Option<&'a (Self, Digest, LogTime)> {
        state.asset_keys.get(place)
    }
}

/// A request that is to make something.
#[derive(Debug)]
pub(super) struct Creation<'a> {
    /// Whose it will be.
    pub(super) workspace: &'a str,
    /// Method and path: a key counts for these only.
    pub(super) scope: &'static str,
    /// Its headers, with the key.
    pub(super) headers: &'a HeaderMap,
    /// Its body.
    pub(super) body: JsonBody,
}

/// Result of the request.
#[derive(Debug)]
pub(super) enum Prologue<T, Id> {
    /// It is new: its body, and the row to commit with what it makes.
    New(T, Option<IdempotencyRow>),
    /// Its key made this before.
    Made(Id),
}

impl Creation<'_> {
    /// Looks the key up and, if it is new, has `check` judge the body.
    ///
    /// # Errors
    /// 400 for a key or body that cannot be read, 409 for a key that was used with another
    /// body, what `check` refuses, and 503 once this process is about to stop.
    pub(super) async fn begin<T, Id>(
        self,
        edge: &Edge,
        check: impl FnOnce(&Json) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<Prologue<T, Id>, ApiError>
    where
        T: Send + 'static,
        Id: MadeByKey,
    {
        let key = idempotency_key(self.headers)?;
        let (scope, workspace) = (self.scope, self.workspace.to_owned());
        let shared = edge.clone();
        let judge = move |json: Json| {
            let row = key.map(|key| IdempotencyRow {
                key,
                scope: scope.to_owned(),
                body: body_digest(&json),
            });
            if let Some(row) = &row
                && let Some(made) = made(&shared.state(), workspace, row)?
            {
                return Ok(Prologue::Made(made));
            }
            let checked = check(&json)?;
            shared.refuse_if_draining()?;
            Ok(Prologue::New(checked, row))
        };
        self.body.judge(edge, self.workspace, judge).await
    }
}

/// What the row's key has made of the same body.
fn made<Id: MadeByKey>(
    state: &State,
    workspace: String,
    row: &IdempotencyRow,
) -> Result<Option<Id>, ApiError> {
    let place = (workspace, row.scope.clone(), row.key.clone());
    match Id::row(state, &place) {
        Some((id, body, at)) if state.is_replayable(*at) => {
            if *body == row.body {
                Ok(Some(*id))
            } else {
                Err(conflict())
            }
        }
        _ => Ok(None),
    }
}

/// Whether the key at this place has made something that it still stands for.
pub(super) fn is_replayable(state: &State, place: &Place) -> bool {
    let job = JobId::row(state, place).map(|(_, _, at)| *at);
    let asset = || AssetId::row(state, place).map(|(_, _, at)| *at);
    job.or_else(asset).is_some_and(|at| state.is_replayable(at))
}

/// The header of an answer that repeats an earlier one.
pub(super) fn replayed() -> [(HeaderName, HeaderValue); 1] {
    [(REPLAYED, HeaderValue::from_static("true"))]
}

/// Whether an answer with these headers repeats an earlier one.
pub(super) fn is_replay(headers: &HeaderMap) -> bool {
    headers.contains_key(REPLAYED)
}

/// The key was used with another body.
pub(super) fn conflict() -> ApiError {
    ApiError::new(
        Code::IdempotencyConflict,
        "This Idempotency-Key was used with another body.",
    )
}
