//! Answers to requests whose body was not read to its end: a refused upload, a body that is too
//! long. The connection cannot carry another request then, and the server ends it; a client that
//! is not told so sends its next request there, and that is lost.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use axum::body::{Body, Bytes, HttpBody};
use axum::extract::Request;
use axum::http::{HeaderValue, Version, header};
use axum::middleware::Next;
use axum::response::Response;
use hyper::body::{Frame, SizeHint};

/// Says `Connection: close` where the body was not read to its end.
pub(super) async fn close(request: Request, next: Next) -> Response {
    let has_connection = request.version() < Version::HTTP_2;
    let is_read = Arc::new(AtomicBool::new(request.body().is_end_stream()));
    let request = request.map(|body| {
        Body::new(Watched {
            body,
            is_read: Arc::clone(&is_read),
        })
    });
    let mut response = next.run(request).await;
    if has_connection && !is_read.load(Ordering::Relaxed) {
        let close = HeaderValue::from_static("close");
        response.headers_mut().insert(header::CONNECTION, close);
    }
    response
}

/// A body that notes its end.
struct Watched {
    body: Body,
    is_read: Arc<AtomicBool>,
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let polled = Pin::new(&mut self.body).poll_frame(context);
        if matches!(polled, Poll::Ready(None)) || self.body.is_end_stream() {
            self.is_read.store(true, Ordering::Relaxed);
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::middleware::from_fn;
    use axum::routing::post;
    use tower::ServiceExt as _;

    use super::*;

    async fn said(path: &str, body: Body, version: Version) -> Option<String> {
        let router = Router::new()
            .route(
                "/reads",
                post(|body: Bytes| async move { body.len().to_string() }),
            )
            .route("/refuses", post(|| async { "no" }))
            .layer(from_fn(close));
        let mut request = Request::post(path).body(body).unwrap();
        *request.version_mut() = version;
        let response = router.oneshot(request).await.unwrap();
        let said = response.headers().get(header::CONNECTION)?;
        Some(said.to_str().unwrap().to_owned())
    }

    #[tokio::test]
    async fn only_a_body_that_was_not_read_ends_its_connection() {
        let long = || {
            Body::from_stream(futures::stream::iter(
                ["x"; 9].map(Ok::<_, std::convert::Infallible>),
            ))
        };
        let closed = Some("close".to_owned());
        assert_eq!(said("/refuses", long(), Version::HTTP_11).await, closed);
        assert_eq!(said("/reads", long(), Version::HTTP_11).await, None);
        assert_eq!(
            said("/refuses", Body::empty(), Version::HTTP_11).await,
            None
        );
        // There it is the stream that ends.
        assert_eq!(said("/refuses", long(), Version::HTTP_2).await, None);
    }
}
