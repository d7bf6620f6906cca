//! Holds clients to their rate, and reports their level in each answer. A request pays when its
//! client is known; one whose idempotency key already made something pays afterwards, and only
//! if it was no replay: replays are free, and are never refused for their number.

use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::bucket::{Buckets, Holder, Level};
use super::caller::Client;
use crate::edge::context::Edge;
use crate::edge::creation;
use crate::edge::error::{ApiError, Code};
use crate::edge::extract::idempotency_key;

const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");
const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// What a request was charged, for [`meter`] to settle once it is answered.
#[derive(Debug, Clone, Default)]
struct Slip(Arc<Mutex<Option<Charge>>>);

#[derive(Debug)]
struct Charge {
    holder: Holder,
    is_paid: bool,
}

/// Charges a request that `client` sent.
///
/// # Errors
/// 429 when the client asked too often.
pub(crate) fn charge(edge: &Edge, parts: &Parts, client: &Client) -> Result<(), ApiError> {
    let Some(buckets) = &edge.buckets else {
        return Ok(());
    };
    let holder = client
        .key
        .map_or_else(|| Holder::Workspace(client.workspace.clone()), Holder::Key);
    let is_paid = !is_repeated(edge, parts, &client.workspace);
    if is_paid && let Err(level) = buckets.take(&holder, edge.parts.clock.now()) {
        return Err(rate_limited(buckets, level));
    }
    if let Some(Slip(slip)) = parts.extensions.get::<Slip>() {
        let mut slip = slip.lock().unwrap_or_else(PoisonError::into_inner);
        *slip = Some(Charge { holder, is_paid });
    }
    Ok(())
}

/// Whether the request's idempotency key has made something already.
fn is_repeated(edge: &Edge, parts: &Parts, workspace: &str) -> bool {
    if parts.method != Method::POST {
        return false;
    }
    let Ok(Some(key)) = idempotency_key(&parts.headers) else {
        return false;
    };
    let scope = format!("{} {}", parts.method, parts.uri.path());
    let place = (workspace.to_owned(), scope, key);
    creation::is_replayable(&edge.state(), &place)
}

/// Settles what requests were charged, and reports in each answer what is left.
pub(crate) async fn meter(State(edge): State<Edge>, mut request: Request, next: Next) -> Response {
    let Some(buckets) = &edge.buckets else {
        return next.run(request).await;
    };
    let slip = Slip::default();
    request.extensions_mut().insert(slip.clone());
    let response = next.run(request).await;
    let charge = slip.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(Charge { holder, is_paid }) = charge else {
        return response;
    };
    let is_replay = creation::is_replay(response.headers());
    let now = edge.parts.clock.now();
    let level = match (is_paid, is_replay) {
        (true, true) => buckets.put_back(&holder, now),
        (true, false) | (false, true) => buckets.look(&holder, now),
        (false, false) => match buckets.take(&holder, now) {
            // What was refused anyway may as well be refused for this.
            Err(level) if response.status().is_client_error() => {
                return rate_limited(buckets, level).into_response();
            }
            Ok(level) | Err(level) => level,
        },
    };
    with_level(response, buckets, level)
}

fn rate_limited(buckets: &Buckets, level: Level) -> ApiError {
    let seconds = level.more_in.max(1);
    let message = format!("Too many requests with this key; ask again in {seconds} s.");
    let mut error = ApiError::new(Code::RateLimited, message)
        .with_header(axum::http::header::RETRY_AFTER, HeaderValue::from(seconds));
    for (name, value) in headers(buckets, level) {
        error = error.with_header(name, value);
    }
    error
}

/// The same answer with the client's level in it. Those of errors are written later, from
/// what they carry.
fn with_level(mut response: Response, buckets: &Buckets, level: Level) -> Response {
    let mut error = response.extensions_mut().remove::<ApiError>();
    for (name, value) in headers(buckets, level) {
        error = match error {
            Some(error) => Some(error.with_header(name, value)),
            None => {
                response.headers_mut().append(name, value);
                None
            }
        };
    }
    if let Some(error) = error {
        response.extensions_mut().insert(error);
    }
    response
}

fn headers(buckets: &Buckets, level: Level) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
    let policy = format!(
        "\"requests\";q={};w={}",
        buckets.capacity(),
        buckets.window()
    );
    let now = format!("\"requests\";r={};t={}", level.left, level.more_in);
    [(RATE_LIMIT_POLICY, policy), (RATE_LIMIT, now)]
        .into_iter()
        .filter_map(|(name, text)| Some((name, HeaderValue::from_str(&text).ok()?)))
}
