//! The one error of the HTTP API: every 4xx and 5xx is an [`ApiError`], and every one is
//! written as the envelope of API.md §4 by [`super::envelope`], which has the request's id.

use actors::ports::ProposeError;
use axum::http::header::{self, HeaderName};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::composition::Violation;
use crate::store::StoreError;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident => $status:ident, $text:literal;)+) => {
        /// Every `error.code` there is.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Code {
            $($(#[$doc])* $name,)+
        }

        impl Code {
            /// The HTTP status it comes with.
            pub(crate) fn status(self) -> StatusCode {
                match self {
                    $(Self::$name => StatusCode::$status,)+
                }
            }

            /// Its spelling in the envelope.
            pub(crate) fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $text,)+
                }
            }
        }
    };
}

codes! {
    /// The body is not JSON, or names a key twice.
    InvalidJson => BAD_REQUEST, "invalid_json";
    /// What was sent is no HTTP request.
    InvalidRequest => BAD_REQUEST, "invalid_request";
    /// A query value is unknown or out of range.
    InvalidParameter => BAD_REQUEST, "invalid_parameter";
    /// The cursor is not one this API handed out.
    InvalidCursor => BAD_REQUEST, "invalid_cursor";
    /// The idempotency key is not 1–255 printable ASCII characters.
    InvalidIdempotencyKey => BAD_REQUEST, "invalid_idempotency_key";
    /// A key is needed.
    Unauthorized => UNAUTHORIZED, "unauthorized";
    /// The workspace has had as much rendered as it may.
    QuotaExceeded => PAYMENT_REQUIRED, "quota_exceeded";
    /// What was presented does not allow this.
    Forbidden => FORBIDDEN, "forbidden";
    /// There is no such thing.
    NotFound => NOT_FOUND, "not_found";
    /// The thing does not take this method.
    MethodNotAllowed => METHOD_NOT_ALLOWED, "method_not_allowed";
    /// The request, or its body, did not arrive in time.
    RequestTimeout => REQUEST_TIMEOUT, "request_timeout";
    /// The key was used with another body.
    IdempotencyConflict => CONFLICT, "idempotency_conflict";
    /// The render's state does not allow this.
    InvalidState => CONFLICT, "invalid_state";
    /// The file is no longer kept.
    ArtifactExpired => GONE, "artifact_expired";
    /// The body is larger than the limit.
    BodyTooLarge => PAYLOAD_TOO_LARGE, "body_too_large";
    /// The path with its query is longer than the limit.
    UriTooLong => URI_TOO_LONG, "uri_too_long";
    /// The head of the request is larger than the limit.
    HeadersTooLarge => REQUEST_HEADER_FIELDS_TOO_LARGE, "headers_too_large";
    /// The body is not declared as JSON.
    UnsupportedMediaType => UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type";
    /// The file has no such bytes.
    RangeNotSatisfiable => RANGE_NOT_SATISFIABLE, "range_not_satisfiable";
    /// The body breaks the contract; every violation is in the details.
    ValidationFailed => UNPROCESSABLE_ENTITY, "validation_failed";
    /// Uploads cannot have the declared type.
    UnsupportedContentType => UNPROCESSABLE_ENTITY, "unsupported_content_type";
    /// The workspace has as many queued renders as it may.
    QueueFull => TOO_MANY_REQUESTS, "queue_full";
    /// The client asks too often.
    RateLimited => TOO_MANY_REQUESTS, "rate_limited";
    /// A fault of this server.
    Internal => INTERNAL_SERVER_ERROR, "internal";
    /// Nothing can be committed now.
    NoLeader => SERVICE_UNAVAILABLE, "no_leader";
    /// It may or may not be committed.
    CommitUnknown => SERVICE_UNAVAILABLE, "commit_unknown";
    /// This process is about to stop.
    Draining => SERVICE_UNAVAILABLE, "draining";
    /// No room is left in the store or on the disk.
    StorageFull => SERVICE_UNAVAILABLE, "storage_full";
    /// Something this process needs is not there; the details name it.
    NotReady => SERVICE_UNAVAILABLE, "not_ready";
}

impl Code {
    /// Seconds after which a retry makes sense, where one does.
    fn retry_after(self) -> Option<u64> {
        match self {
            Self::QueueFull | Self::Draining => Some(5),
            Self::StorageFull => Some(60),
            Self::NoLeader | Self::CommitUnknown | Self::NotReady => Some(2),
            _ => None,
        }
    }
}

/// An error on its way to the client.
#[derive(Debug, Clone)]
pub(crate) struct ApiError {
    code: Code,
    message: String,
    details: Vec<Detail>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// One of possibly many reasons of an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ErrorDetail)]
pub(crate) struct Detail {
    /// Where, like `elements[1].text_color`, or a parameter's name.
    pub(crate) path: String,
    /// Machine-readable code.
    pub(crate) code: String,
    /// A sentence.
    pub(crate) message: String,
    /// The nearest known name or value.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) suggestion: Option<String>,
}

/// The envelope of every 4xx and 5xx.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Error)]
pub(crate) struct ErrorBody {
    /// The error.
    pub(crate) error: ErrorContent,
}

/// What is in the envelope.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct ErrorContent {
    /// Machine-readable code.
    pub(crate) code: String,
    /// A sentence.
    pub(crate) message: String,
    /// Every reason, where there are several.
    pub(crate) details: Vec<Detail>,
    /// The request, as in the `X-Request-Id` header.
    pub(crate) request_id: String,
}

impl ApiError {
    /// An error with `code` and a sentence for the client.
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            details: Vec::new(),
            headers: Vec::new(),
        }
    }

    /// Its code in the envelope.
    pub(crate) fn code(&self) -> Code {
        self.code
    }

    /// A fault of this server; what it was is in the log only.
    pub(crate) fn internal() -> Self {
        Self::new(Code::Internal, "The server failed to handle the request.")
    }

    /// The key that the client was let in by is no more.
    pub(crate) fn revoked() -> Self {
        Self::new(
            Code::Unauthorized,
            "The API key is not known. It may have been revoked.",
        )
    }

    /// There is no such thing, or none this caller may know of.
    pub(crate) fn not_found(what: &str) -> Self {
        Self::new(Code::NotFound, format!("There is no such {what}."))
    }

    /// The path with its query is longer than the limit.
    pub(crate) fn uri_too_long() -> Self {
        Self::new(Code::UriTooLong, "The URI is too long.")
    }

    /// The head of the request is larger than the limit.
    pub(crate) fn headers_too_large() -> Self {
        Self::new(
            Code::HeadersTooLarge,
            "The request has too many header fields, or they are too large.",
        )
    }

    /// A query parameter that cannot be used.
    pub(crate) fn parameter(name: &str, code: &str, message: impl Into<String>) -> Self {
        let message = message.into();
        Self::new(Code::InvalidParameter, message.clone()).with_detail(name, code, message)
    }

    /// A body that breaks the contract.
    pub(crate) fn validation(violations: Vec<Violation>) -> Self {
        let message = match violations.len() {
            1 => "The request has 1 violation.".to_owned(),
            count => format!("The request has {count} violations."),
        };
        Self {
            details: violations.into_iter().map(Detail::from).collect(),
            ..Self::new(Code::ValidationFailed, message)
        }
    }

    /// The same, for a type that uploads cannot have.
    #[must_use]
    pub(crate) fn of_unsupported_type(self, message: &str) -> Self {
        Self {
            code: Code::UnsupportedContentType,
            message: message.to_owned(),
            ..self
        }
    }

    /// The same with one more reason.
    #[must_use]
    pub(crate) fn with_detail(
        mut self,
        path: &str,
        code: &str,
        message: impl Into<String>,
    ) -> Self {
        self.details.push(Detail {
            path: path.to_owned(),
            code: code.to_owned(),
            message: message.into(),
            suggestion: None,
        });
        self
    }

    /// The same with a suggestion on its last reason.
    #[must_use]
    pub(crate) fn with_suggestion(mut self, suggestion: Option<String>) -> Self {
        if let Some(detail) = self.details.last_mut() {
            detail.suggestion = suggestion;
        }
        self
    }

    /// The same with a header.
    #[must_use]
    pub(crate) fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }

    /// The error for a status that a library chose, not one of our handlers.
    pub(super) fn from_status(status: StatusCode) -> Self {
        match status {
            StatusCode::NOT_FOUND => Self::not_found("route"),
            StatusCode::METHOD_NOT_ALLOWED => Self::new(
                Code::MethodNotAllowed,
                "The resource does not take this method.",
            ),
            StatusCode::PAYLOAD_TOO_LARGE => {
                Self::new(Code::BodyTooLarge, "The body is too large.")
            }
            status if status.is_client_error() => {
                Self::new(Code::InvalidParameter, "The request cannot be understood.")
            }
            _ => Self::internal(),
        }
    }

    /// The envelope, for the request called `request_id`.
    pub(super) fn into_envelope(self, request_id: &str) -> Response {
        let status = self.code.status();
        let body = ErrorBody {
            error: ErrorContent {
                code: self.code.as_str().to_owned(),
                message: self.message,
                details: self.details,
                request_id: request_id.to_owned(),
            },
        };
        let mut response = (status, axum::Json(body)).into_response();
        let headers = response.headers_mut();
        if let Some(seconds) = self.code.retry_after() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static("Bearer realm=\"framelane\""),
            );
        }
        headers.extend(self.headers);
        response
    }
}

impl IntoResponse for ApiError {
    /// Carries the error to [`super::envelope`], which writes it.
    fn into_response(self) -> Response {
        let mut response = self.code.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<Violation> for Detail {
    fn from(violation: Violation) -> Self {
        // The code's name is its serialised form: a plain string.
        let code = match serde_json::to_value(violation.code) {
            Ok(serde_json::Value::String(code)) => code,
            _ => "invalid".to_owned(),
        };
        Self {
            path: violation.path,
            code,
            message: violation.message,
            suggestion: violation.suggestion,
        }
    }
}

impl From<ProposeError> for ApiError {
    fn from(error: ProposeError) -> Self {
        match error {
            ProposeError::NoLeader => Self::new(
                Code::NoLeader,
                "No coordinator leads at the moment; nothing was changed.",
            ),
            ProposeError::DiskFull => Self::new(
                Code::StorageFull,
                "The server's disk is full; nothing was changed.",
            ),
            ProposeError::Unknown => Self::new(
                Code::CommitUnknown,
                "The change may or may not have been made; repeat the request with the same \
                 Idempotency-Key to find out.",
            ),
            ProposeError::Stopped => Self::new(
                Code::Draining,
                "This server is stopping; nothing was changed.",
            ),
        }
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        crate::telemetry::metrics::store_error("edge");
        match error {
            StoreError::Full => Self::new(
                Code::StorageFull,
                "The object store has no room for this request.",
            ),
            other => {
                tracing::error!(
                    error = &other as &dyn std::error::Error,
                    "store failed a request"
                );
                Self::internal()
            }
        }
    }
}
