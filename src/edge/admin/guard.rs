//! Stands before every admin route, so that none can be added without it.

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::edge::access;
use crate::edge::context::Edge;

/// Passes operators on, answers others with 401 or 403.
pub(crate) async fn guard(State(edge): State<Edge>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    match access::operator(&edge, &parts) {
        Ok(standing) => {
            parts.extensions.insert(standing);
            next.run(Request::from_parts(parts, body)).await
        }
        Err(error) => error.into_response(),
    }
}
