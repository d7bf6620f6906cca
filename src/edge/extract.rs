//! What handlers take from a request, each refusing with the API's own errors.

use std::str::FromStr;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts, Path, Request};
use axum::http::header::{self, HeaderName};
use axum::http::request::Parts;
use cluster::model::JobId;
use futures::StreamExt;

use super::access;
use super::arrivals::Room;
use super::context::Edge;
use super::error::{ApiError, Code};
use crate::composition::Json;

/// How long a client may take to send a whole body.
const BODY_DEADLINE: Duration = Duration::from_secs(60);

/// Whose the bodies of operators are, where those of clients are a workspace's. No workspace
/// can be called so.
pub(super) const OPERATORS: &str = "/admin";

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
const MAX_IDEMPOTENCY_KEY: usize = 255;

/// Who sent the request, and was charged for it. For answers that take long: they end once
/// their client is let in no more.
#[derive(Debug, Clone)]
pub(super) struct Caller(pub(super) access::Client);

impl FromRequestParts<Edge> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, edge: &Edge) -> Result<Self, ApiError> {
        let client = access::client(edge, parts)?;
        access::charge(edge, parts, &client)?;
        Ok(Self(client))
    }
}

/// The workspace of the request: its sender is authenticated, and was charged for it.
#[derive(Debug, Clone)]
pub(super) struct Workspace(pub(super) String);

impl FromRequestParts<Edge> for Workspace {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, edge: &Edge) -> Result<Self, ApiError> {
        let Caller(client) = Caller::from_request_parts(parts, edge).await?;
        Ok(Self(client.workspace))
    }
}

/// The render id of a path. Text that is not an id is a 404.
#[derive(Debug, Clone, Copy)]
pub(super) struct RenderId(pub(super) JobId);

impl FromRequestParts<Edge> for RenderId {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, edge: &Edge) -> Result<Self, ApiError> {
        Path::<String>::from_request_parts(parts, edge)
            .await
            .ok()
            .and_then(|Path(text)| JobId::from_str(&text).ok())
            .map(Self)
            .ok_or_else(|| ApiError::not_found("render"))
    }
}

/// A body that is declared as JSON and not too large. Its syntax and meaning are checked by
/// [`JsonBody::judge`].
#[derive(Debug)]
pub(super) struct JsonBody {
    bytes: Vec<u8>,
    /// The memory it takes, if it is large.
    room: Option<Room>,
}

impl JsonBody {
    /// What `judge` makes of the body: off the async threads if it is large, in its turn among
    /// the bodies of `workspace`.
    ///
    /// # Errors
    /// 400 when the body is no JSON, and what `judge` refuses.
    pub(super) async fn judge<T: Send + 'static>(
        self,
        edge: &Edge,
        workspace: &str,
        judge: impl FnOnce(Json) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let Self { bytes, room } = self;
        let length = bytes.len();
        let read = move || {
            let json = Json::parse(&bytes).map_err(|error| {
                let message = format!("The body is not valid JSON: {error}.");
                ApiError::new(Code::InvalidJson, message)
            })?;
            // The text is not needed beside its tree.
            drop((bytes, room));
            judge(json)
        };
        edge.pool.run(workspace, length, read).await?
    }
}

impl FromRequest<Edge> for JsonBody {
    type Rejection = ApiError;

    async fn from_request(request: Request, edge: &Edge) -> Result<Self, ApiError> {
        let limit = edge.config().limits.body_bytes;
        let is_json = is_json(request.headers().get(header::CONTENT_TYPE));
        let declared = request
            .headers()
            .get(header::CONTENT_LENGTH)
            .and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        if declared.is_some_and(|length| length > limit) {
            return Err(too_large(limit));
        }
        // A body that is not JSON is refused without being read, unless its size alone is
        // reason enough.
        if declared.is_some() && !is_json {
            return Err(not_json());
        }
        let (parts, body) = request.into_parts();
        let workspace = match access::client(edge, &parts) {
            Ok(client) => client.workspace,
            Err(_) => OPERATORS.to_owned(),
        };
        let arrival = async {
            let room = edge
                .arrivals
                .take(&workspace, declared.unwrap_or(limit))
                .await;
            Ok::<_, ApiError>((read(body, limit).await?, room))
        };
        let arrived = tokio::time::timeout(BODY_DEADLINE, arrival).await;
        let (bytes, room) = arrived.map_err(|_| {
            ApiError::new(Code::RequestTimeout, "The body did not arrive in time.")
        })??;
        if !is_json {
            return Err(not_json());
        }
        Ok(Self { bytes, room })
    }
}

async fn read(body: Body, limit: usize) -> Result<Vec<u8>, ApiError> {
    let mut stream = body.into_data_stream();
    let mut bytes = Vec::new();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk
            .map_err(|_| ApiError::new(Code::InvalidJson, "The body ended before its end."))?;
        if bytes.len() + chunk.len() > limit {
            return Err(too_large(limit));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

fn too_large(limit: usize) -> ApiError {
    ApiError::new(
        Code::BodyTooLarge,
        format!("The body is larger than {limit} bytes."),
    )
}

fn not_json() -> ApiError {
    ApiError::new(
        Code::UnsupportedMediaType,
        "The body must be declared as `Content-Type: application/json`.",
    )
}

/// `application/json`, with whatever parameters, or a type built on it.
fn is_json(content_type: Option<&axum::http::HeaderValue>) -> bool {
    let Some(Ok(text)) = content_type.map(|value| value.to_str()) else {
        return false;
    };
    let essence = text.split(';').next().unwrap_or_default().trim();
    let essence = essence.to_ascii_lowercase();
    essence == "application/json"
        || (essence.starts_with("application/") && essence.ends_with("+json"))
}

/// The `Idempotency-Key` header as sent, its format checked.
///
/// # Errors
/// A 400 for anything but one header of 1–255 printable ASCII characters.
pub(super) fn idempotency_key(headers: &axum::http::HeaderMap) -> Result<Option<String>, ApiError> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let is_printable = |bytes: &[u8]| bytes.iter().all(|byte| (0x20..=0x7e).contains(byte));
    let bytes = value.as_bytes();
    if values.next().is_some()
        || !(1..=MAX_IDEMPOTENCY_KEY).contains(&bytes.len())
        || !is_printable(bytes)
    {
        return Err(ApiError::new(
            Code::InvalidIdempotencyKey,
            "`Idempotency-Key` must be given once, as 1 to 255 printable ASCII characters.",
        ));
    }
    Ok(Some(String::from_utf8_lossy(bytes).into_owned()))
}
