//! The outermost layer: names the request, measures it, and writes every error as the one
//! envelope, whatever layer made it.

use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::http::header::{self, HeaderName};
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use tracing::Instrument;
use ulid::Ulid;

use super::error::ApiError;
use crate::telemetry::metrics;

/// The header that names a request.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longest path with its query: longer than every link this server makes.
pub(super) const MAX_URI: usize = 8 * 1024;

/// Longest request id taken over from a client.
const MAX_REQUEST_ID: usize = 128;

/// Names the request, runs it and finishes its response.
pub(super) async fn finish(request: Request, next: Next) -> Response {
    let request_id = request_id(request.headers());
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map_or_else(|| "unmatched".to_owned(), |path| path.as_str().to_owned());
    let method = metrics::Method::of(request.method());
    let span = tracing::info_span!("request", request_id, %route, method = method.as_str());
    let begun = Instant::now();

    let uri = request.uri().path_and_query();
    let is_too_long = uri.is_some_and(|uri| uri.as_str().len() > MAX_URI);
    let mut response = if is_too_long {
        ApiError::uri_too_long().into_response()
    } else {
        next.run(request).instrument(span).await
    };

    if response.status().is_client_error() || response.status().is_server_error() {
        response = enveloped(response, &request_id);
    }
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    metrics::http_request(&route, method, response.status(), begun.elapsed());
    response
}

/// What a handler's panic becomes.
pub(super) fn panicked(_payload: Box<dyn std::any::Any + Send>) -> Response {
    tracing::error!("a handler panicked");
    ApiError::internal().into_response()
}

fn enveloped(mut response: Response, request_id: &str) -> Response {
    let status = response.status();
    let error = response
        .extensions_mut()
        .remove::<ApiError>()
        .unwrap_or_else(|| ApiError::from_status(status));
    // Nothing of the old response is kept but what lets a page in a browser read it; the
    // router adds `Allow` to a 405 by itself.
    let mut enveloped = error.into_envelope(request_id);
    let kept = response
        .headers()
        .iter()
        .filter(|(name, _)| *name == header::VARY || name.as_str().starts_with("access-control-"));
    for (name, value) in kept {
        enveloped.headers_mut().append(name, value.clone());
    }
    enveloped
}

/// The client's own name for the request if it is a sane one, else a fresh one.
fn request_id(headers: &HeaderMap) -> String {
    headers
        .get(REQUEST_ID)
        .and_then(|value| value.to_str().ok())
        .filter(|id| {
            (1..=MAX_REQUEST_ID).contains(&id.len())
                && id
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        })
        .map_or_else(fresh_request_id, str::to_owned)
}

/// A name for a request whose client gave it none.
pub(super) fn fresh_request_id() -> String {
    format!("req_{}", Ulid::generate())
}
