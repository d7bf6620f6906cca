//! Who may use the admin API while no admin key exists: somebody on this machine, speaking for
//! themselves. A request that a proxy passed on is not that, whatever its peer address.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::HeaderMap;
use axum::http::header::{self, HeaderName};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::edge::context::Edge;
use crate::edge::error::{ApiError, Code};

/// Passes open requests on, answers others with 401 or 403.
pub(crate) async fn guard(State(edge): State<Edge>, request: Request, next: Next) -> Response {
    let peer = request
        .extensions()
        .get::<ConnectInfo<SocketAddr>>()
        .map(|ConnectInfo(peer)| *peer);
    let is_open = edge.config().access.is_admin_open
        && peer.is_some_and(|peer| peer.ip().to_canonical().is_loopback())
        && !is_forwarded(request.headers());
    if is_open {
        return next.run(request).await;
    }
    // No admin key can exist yet, so whatever was presented is not one.
    let error = if request.headers().contains_key(header::AUTHORIZATION) {
        ApiError::new(Code::Forbidden, "The key presented is not an admin key.")
    } else {
        ApiError::new(
            Code::Unauthorized,
            "The admin API needs an admin key, or a direct connection from this machine.",
        )
    };
    error.into_response()
}

fn is_forwarded(headers: &HeaderMap) -> bool {
    headers
        .keys()
        .map(HeaderName::as_str)
        .any(|name| name == "forwarded" || name.starts_with("x-forwarded-"))
}
