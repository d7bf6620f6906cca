//! A body of any length on its way into the store: read no faster than the store takes it,
//! held to what was declared, and cut when its client falls silent. Of a body that is not
//! right no byte is kept.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, header};
use bytes::Bytes;
use cluster::model::ObjectKey;
use futures::StreamExt;
use futures::stream::{self, BoxStream};

use crate::composition::{Violation, ViolationCode};
use crate::edge::context::Edge;
use crate::edge::error::{ApiError, Code};
use crate::store::StoreError;

/// Longest silence of a client that is sending.
const IDLE: Duration = Duration::from_secs(30);

/// What a body must be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expected {
    /// Its length, where that is known.
    pub(super) exactly: Option<u64>,
    /// Its length at most.
    pub(super) at_most: u64,
}

impl Expected {
    /// Whether `so_far` bytes may be.
    fn allow(self, so_far: u64) -> Result<(), ApiError> {
        let most = self.exactly.unwrap_or(self.at_most).min(self.at_most);
        if so_far <= most {
            return Ok(());
        }
        Err(ApiError::new(
            Code::BodyTooLarge,
            format!("The body is longer than {most} bytes, which is all it may be."),
        ))
    }

    /// Whether `total` bytes are all there should be.
    fn end(self, total: u64) -> Result<(), ApiError> {
        let wanted = match self.exactly {
            Some(size) if size != total => format!("must be the {size} bytes declared"),
            None if total == 0 => "must not be empty".to_owned(),
            _ => return Ok(()),
        };
        Err(ApiError::validation(vec![Violation {
            path: "size_bytes".to_owned(),
            code: ViolationCode::Conflict,
            message: format!("the body {wanted}, not {total}"),
            suggestion: None,
        }]))
    }
}

/// The body's length, where the request says it.
pub(super) fn announced(headers: &HeaderMap) -> Option<u64> {
    let length = headers.get(header::CONTENT_LENGTH)?;
    length.to_str().ok()?.parse().ok()
}

/// Stores the body and gives its length.
pub(super) async fn receive(
    edge: &Edge,
    key: ObjectKey,
    expected: Expected,
    headers: &HeaderMap,
    body: Body,
) -> Result<u64, ApiError> {
    // What is wrong from the start is not waited for.
    if let Some(length) = announced(headers) {
        expected.allow(length)?;
        expected.end(length)?;
    }
    let fault = Arc::new(Mutex::new(None));
    let bytes = checked(body, expected, IDLE, Arc::clone(&fault));
    match edge.parts.store.put_stream(key, bytes).await {
        Ok(object) => Ok(object.size),
        Err(error) => {
            let fault = fault.lock().unwrap_or_else(PoisonError::into_inner).take();
            Err(fault.unwrap_or_else(|| error.into()))
        }
    }
}

/// The body's bytes; an error in their place, with its reason in `fault`, once the body is
/// not what is expected.
fn checked(
    body: Body,
    expected: Expected,
    idle: Duration,
    fault: Arc<Mutex<Option<ApiError>>>,
) -> BoxStream<'static, Result<Bytes, StoreError>> {
    let start = Some((body.into_data_stream(), 0_u64));
    stream::unfold(start, move |state| {
        let fault = Arc::clone(&fault);
        async move {
            let (mut body, so_far) = state?;
            match next(&mut body, so_far, expected, idle).await {
                Ok(Some(chunk)) => {
                    let so_far = so_far + chunk.len() as u64;
                    Some((Ok(chunk), Some((body, so_far))))
                }
                Ok(None) => None,
                Err(error) => {
                    *fault.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                    let stopped = std::io::Error::other("the body is not as declared");
                    Some((Err(StoreError::Io(stopped)), None))
                }
            }
        }
    })
    .boxed()
}

async fn next(
    body: &mut axum::body::BodyDataStream,
    so_far: u64,
    expected: Expected,
    idle: Duration,
) -> Result<Option<Bytes>, ApiError> {
    let chunk = tokio::time::timeout(idle, body.next()).await.map_err(|_| {
        ApiError::new(
            Code::RequestTimeout,
            format!("Nothing came for {} seconds.", idle.as_secs()),
        )
    })?;
    match chunk {
        Some(Ok(chunk)) => {
            expected.allow(so_far + chunk.len() as u64)?;
            Ok(Some(chunk))
        }
        Some(Err(_)) => Err(ApiError::new(
            Code::InvalidParameter,
            "The body ended before its end.",
        )),
        None => {
            expected.end(so_far)?;
            Ok(None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_client_that_falls_silent_is_cut() {
        let idle = Duration::from_millis(50);
        let sent = stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(b"ab"))]);
        let body = Body::from_stream(sent.chain(stream::pending()));
        let expected = Expected {
            exactly: Some(4),
            at_most: 10,
        };
        let fault = Arc::new(Mutex::new(None));
        let begun = tokio::time::Instant::now();
        let chunks: Vec<_> = checked(body, expected, idle, Arc::clone(&fault))
            .collect()
            .await;
        assert!(begun.elapsed() >= idle);
        assert!(chunks[0].is_ok() && chunks[1].is_err() && chunks.len() == 2);
        assert!(fault.lock().unwrap().is_some());
    }
}
