//! Answers to what never becomes a request: the same envelope that the router's errors have,
//! with an id of its own, written straight to the connection.

use std::io::Write;
use std::time::SystemTime;

use axum::body::Bytes;
use axum::http::{HeaderValue, StatusCode, header};
use futures::FutureExt;
use tokio::net::TcpStream;

use super::peers::Refused;
use crate::edge::envelope::{MAX_URI, REQUEST_ID, fresh_request_id};
use crate::edge::error::{ApiError, Code};
use crate::telemetry::metrics;

/// Why a request cannot be read, known from the status that hyper would answer with.
/// The first line of its head has `line` bytes, as far as it was read.
pub(super) fn unreadable(status: StatusCode, line: usize) -> Option<ApiError> {
    match status {
        StatusCode::BAD_REQUEST => Some(ApiError::new(
            Code::InvalidRequest,
            "The request cannot be read: it is not HTTP/1.1.",
        )),
        StatusCode::URI_TOO_LONG => Some(ApiError::uri_too_long()),
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE if line > MAX_URI => {
            Some(ApiError::uri_too_long())
        }
        StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE => Some(ApiError::headers_too_large()),
        _ => None,
    }
}

/// A request's head did not arrive in time.
pub(super) fn slow_head() -> ApiError {
    ApiError::new(
        Code::RequestTimeout,
        "The head of the request did not arrive in time.",
    )
}

/// Answers a client whose connection is not served, as far as that is possible without
/// waiting for it.
pub(super) fn turn_away(stream: &TcpStream, refused: Refused) {
    let error = match refused {
        Refused::Peer => ApiError::new(
            Code::RateLimited,
            "Too many connections are open from this address.",
        )
        .with_header(header::RETRY_AFTER, HeaderValue::from_static("1")),
        Refused::All => ApiError::new(Code::NotReady, "This server has too many connections open."),
    };
    metrics::connection_refused();
    let _ = stream.try_write(&written(error));
}

/// The bytes of an answer that ends its connection.
pub(super) fn written(error: ApiError) -> Bytes {
    let request_id = fresh_request_id();
    let mut response = error.into_envelope(&request_id);
    let headers = response.headers_mut();
    headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    for (name, text) in [
        (REQUEST_ID, request_id),
        (header::DATE, httpdate::fmt_http_date(SystemTime::now())),
    ] {
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(name, value);
        }
    }
    let (parts, body) = response.into_parts();
    // The envelope is a body of one piece, which is there at once.
    let body = axum::body::to_bytes(body, usize::MAX).now_or_never();
    let body = body.and_then(Result::ok).unwrap_or_default();
    metrics::unread_request(parts.status);
    let mut bytes = Vec::with_capacity(512 + body.len());
    let reason = parts.status.canonical_reason().unwrap_or_default();
    // Writing to memory does not fail.
    let _ = write!(bytes, "HTTP/1.1 {} {reason}\r\n", parts.status.as_str());
    for (name, value) in &parts.headers {
        if *name != header::CONTENT_LENGTH {
            let _ = write!(bytes, "{name}: ");
            bytes.extend_from_slice(value.as_bytes());
            bytes.extend_from_slice(b"\r\n");
        }
    }
    let _ = write!(bytes, "content-length: {}\r\n\r\n", body.len());
    bytes.extend_from_slice(&body);
    bytes.into()
}
