//! Answers that are lists: items are made one by one while the client reads, so that a list
//! costs the memory of a few items, however many it has and however slowly it is read.

use std::future::Future;
use std::ops::Bound;

use axum::body::{Body, Bytes};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use cluster::State;
use cluster::model::JobId;
use cluster::state::Job;
use futures::{Stream, StreamExt, TryStreamExt};
use serde::Serialize;

use super::cursor::List;
use super::error::ApiError;
use super::params::Params;

const DEFAULT_LIMIT: usize = 20;
const MAX_LIMIT: usize = 100;

/// Items that are made at one time: those whose objects lie in a distant store overlap.
const AHEAD: usize = 4;

/// Which page of a list is asked for.
#[derive(Debug, Clone)]
pub(super) struct PageRequest {
    list: List,
    limit: usize,
    /// The page goes on with items older than this one.
    pub(super) after: Option<u128>,
}

/// A page: which items are on it, and where the next one begins.
#[derive(Debug)]
pub(super) struct Page<T> {
    items: Vec<T>,
    next_cursor: Option<String>,
}

impl PageRequest {
    /// Reads `limit` and `cursor`, of the list called `name` that belongs to `owner` and is
    /// filtered by the parameters `filters`.
    ///
    /// # Errors
    /// 400 for a limit out of range and for a cursor of any other list.
    pub(super) fn read(
        name: &str,
        owner: &str,
        params: &Params,
        filters: &[&str],
    ) -> Result<Self, ApiError> {
        let list = List::new(name, owner, params, filters);
        Ok(Self {
            limit: params
                .integer("limit", 1..=MAX_LIMIT)?
                .unwrap_or(DEFAULT_LIMIT),
            after: list.place(params)?,
            list,
        })
    }

    /// The page of those jobs, newest first, that `is_shown`.
    pub(super) fn jobs(&self, state: &State, is_shown: impl Fn(&Job) -> bool) -> Page<JobId> {
        let end = self
            .after
            .map_or(Bound::Unbounded, |after| Bound::Excluded(JobId(after)));
        let jobs = state.jobs.range((Bound::Unbounded, end)).rev();
        let shown = jobs.filter(|(_, job)| is_shown(job)).map(|(id, _)| *id);
        self.of(shown, |id| id.0)
    }

    /// The page of `items`, which begin where this page does. `id` gives an item's place.
    pub(super) fn of<T>(&self, items: impl Iterator<Item = T>, id: impl Fn(&T) -> u128) -> Page<T> {
        // One item more than the page shows whether another page follows.
        let mut items: Vec<T> = items.take(self.limit + 1).collect();
        let has_more = items.len() > self.limit;
        items.truncate(self.limit);
        let last = items.last().filter(|_| has_more);
        let next_cursor = last.map(|item| self.list.cursor(id(item)));
        Page { items, next_cursor }
    }
}

impl<T: Send + 'static> Page<T> {
    /// The answer: each item as `describe` makes it once the client has read those before it,
    /// as long as `is_admitted` returns that the client may have it. An item that is gone by then
    /// is left out.
    ///
    /// # Errors
    /// An error of `describe` for the first items; later on the answer breaks off.
    pub(super) async fn respond<B, F>(
        self,
        is_admitted: impl Fn() -> bool + Send + 'static,
        describe: impl Fn(T) -> F + Send + 'static,
    ) -> Result<Response, ApiError>
    where
        B: Serialize + Send + 'static,
        F: Future<Output = Result<Option<B>, ApiError>> + Send + 'static,
    {
        let Self { items, next_cursor } = self;
        let written = futures::stream::iter(items)
            .map(move |item| {
                let described = is_admitted().then(|| describe(item));
                async move {
                    match described {
                        Some(described) => described.await,
                        None => Err(ApiError::revoked()),
                    }
                }
            })
            .buffered(AHEAD)
            .try_filter_map(|item| async move { item.map(|item| write(&item)).transpose() });
        let mut written = Box::pin(written);
        // What keeps every item from being made is an answer of its own.
        let first = written.try_next().await?;
        let has_more = next_cursor.is_some();
        let end = format!(
            "],\"next_cursor\":{},\"has_more\":{has_more}}}",
            serde_json::Value::from(next_cursor)
        );
        let body = Body::from_stream(joined(first, written, end));
        let json = HeaderValue::from_static("application/json");
        Ok(([(header::CONTENT_TYPE, json)], body).into_response())
    }
}

/// The items as one JSON object, a piece for each.
fn joined(
    first: Option<Vec<u8>>,
    rest: impl Stream<Item = Result<Vec<u8>, ApiError>> + Send,
    end: String,
) -> impl Stream<Item = Result<Bytes, BrokenOff>> + Send {
    let mut begin = b"{\"data\":[".to_vec();
    begin.extend(first.unwrap_or_default());
    let rest = rest.map(|item| {
        let item = item.map_err(|_| BrokenOff)?;
        let mut piece = Vec::with_capacity(item.len() + 1);
        piece.push(b',');
        piece.extend(item);
        Ok(Bytes::from(piece))
    });
    futures::stream::once(async move { Ok(Bytes::from(begin)) })
        .chain(rest)
        .chain(futures::stream::once(async move { Ok(Bytes::from(end)) }))
}

fn write(item: &impl Serialize) -> Result<Vec<u8>, ApiError> {
    serde_json::to_vec(item).map_err(|error| {
        tracing::error!(%error, "an item of a list cannot be written");
        ApiError::internal()
    })
}

/// Why a list ends before its end: an item could not be made. The client sees the connection
/// break off, and no list that looks whole.
#[derive(Debug, thiserror::Error)]
#[error("an item of the list cannot be made")]
struct BrokenOff;

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn page<T>(items: Vec<T>) -> Page<T> {
        Page {
            items,
            next_cursor: None,
        }
    }

    /// A page of `count` items, and how many of them were made.
    async fn answer(count: usize, size: usize) -> (Response, Arc<AtomicUsize>) {
        let made = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&made);
        let response = page((0..count).collect())
            .respond(
                || true,
                move |_| {
                    counted.fetch_add(1, Ordering::SeqCst);
                    async move { Ok(Some("x".repeat(size))) }
                },
            )
            .await
            .expect("items can be made");
        (response, made)
    }

    #[tokio::test]
    async fn items_are_made_as_they_are_read() {
        let (response, made) = answer(100, 1 << 20).await;
        assert!(made.load(Ordering::SeqCst) <= AHEAD + 1);
        let mut body = response.into_body().into_data_stream();
        for read in 1..5 {
            body.next().await.expect("a piece").expect("no failure");
            let made = made.load(Ordering::SeqCst);
            assert!(made <= read + AHEAD + 1, "{made} made, {read} read");
        }
    }

    #[tokio::test]
    async fn a_list_of_any_length_is_one_object() {
        for count in [0, 1, 2, 7] {
            let (response, _) = answer(count, 1).await;
            let body = axum::body::to_bytes(response.into_body(), usize::MAX).await;
            let body: serde_json::Value =
                serde_json::from_slice(&body.expect("a body")).expect("JSON");
            assert_eq!(body["data"], serde_json::json!(vec!["x"; count]));
            assert_eq!(body["has_more"], false);
            assert!(body["next_cursor"].is_null());
        }
    }

    #[tokio::test]
    async fn what_fails_at_once_is_an_error_and_what_fails_later_breaks_the_answer() {
        let failing = |at: usize| {
            page(vec![0, 1, 2]).respond(
                || true,
                move |item| async move {
                    match item {
                        item if item == at => Err(ApiError::internal()),
                        // Gone since the page was chosen.
                        0 => Ok(None),
                        item => Ok(Some(item)),
                    }
                },
            )
        };
        assert!(failing(0).await.is_err());
        let response = failing(2).await.expect("the first can be made");
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await;
        assert!(body.is_err(), "{body:?}");
    }
}
