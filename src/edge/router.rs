//! Every route there is, once: the router and the `OpenAPI` document are made from the same
//! list, so neither can name a route that the other does not have.

use axum::extract::Request;
use axum::middleware::{from_fn, from_fn_with_state};
use axum::response::IntoResponse;
use axum::{Extension, Router};
use tower_http::catch_panic::CatchPanicLayer;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::context::Edge;
use super::error::ApiError;
use super::openapi::Document;
use super::{
    access, admin, capabilities, cors, envelope, files, imports, openapi, ops, preview, probes,
    renders, sources, unread, uploads, webhooks,
};

/// The client API and, if it is configured so, the admin API.
///
/// Serve it with connect info of `SocketAddr`, or the admin API stays closed.
pub fn router(edge: Edge) -> Router {
    let mut routes = client_routes(&edge).merge(operations_routes());
    if edge.config().admin_on_edge {
        routes = routes.merge(guarded_admin_routes(&edge));
    }
    finished(routes, edge)
}

/// The admin API alone, for a listener of its own.
pub fn admin_router(edge: Edge) -> Router {
    let routes = operations_routes().merge(guarded_admin_routes(&edge));
    finished(routes, edge)
}

fn client_routes(edge: &Edge) -> OpenApiRouter<Edge> {
    let signed = OpenApiRouter::new()
        .routes(routes!(uploads::content))
        .routes(routes!(uploads::part))
        .routes(routes!(files::file))
        .layer(cors::everyone());
    let keyed = OpenApiRouter::new()
        .routes(routes!(renders::submit, renders::list))
        .routes(routes!(renders::read, renders::cancel))
        .routes(routes!(renders::events))
        .routes(routes!(renders::download))
        .routes(routes!(preview::preview))
        .routes(routes!(access::usage))
        .routes(routes!(capabilities::capabilities))
        .routes(routes!(uploads::create))
        .routes(routes!(uploads::read, uploads::remove))
        .routes(routes!(uploads::complete))
        .routes(routes!(imports::create, imports::list))
        .routes(routes!(imports::read, imports::remove))
        .routes(routes!(probes::create))
        .routes(routes!(probes::read))
        .routes(routes!(sources::source))
        .routes(routes!(webhooks::create, webhooks::list))
        .routes(routes!(webhooks::secret))
        .routes(routes!(webhooks::read, webhooks::delete))
        .routes(routes!(webhooks::rotate))
        .routes(routes!(webhooks::test))
        .routes(routes!(webhooks::all_deliveries))
        .routes(routes!(webhooks::retry_any))
        .routes(routes!(webhooks::deliveries))
        .routes(routes!(webhooks::retry))
        .routes(routes!(openapi::schema))
        .route_layer(from_fn_with_state(edge.clone(), access::meter));
    let keyed = match cors::of(&edge.config().cors_origins) {
        Some(layer) => keyed.layer(layer),
        None => keyed,
    };
    keyed.merge(signed)
}

fn operations_routes() -> OpenApiRouter<Edge> {
    OpenApiRouter::new()
        .routes(routes!(openapi::openapi))
        .routes(routes!(openapi::docs))
        .routes(routes!(ops::health))
        .routes(routes!(ops::ready))
        .routes(routes!(ops::scrape))
}

fn guarded_admin_routes(edge: &Edge) -> OpenApiRouter<Edge> {
    OpenApiRouter::new()
        .routes(routes!(admin::raft))
        .routes(routes!(admin::nodes))
        .routes(routes!(admin::jobs))
        .routes(routes!(admin::job, admin::change_job))
        .routes(routes!(admin::cancel_job))
        .routes(routes!(admin::actors))
        .routes(routes!(admin::keys, admin::create_key))
        .routes(routes!(admin::revoke_key))
        .route_layer(from_fn_with_state(edge.clone(), admin::guard))
}

fn finished(routes: OpenApiRouter<Edge>, edge: Edge) -> Router {
    let (router, described) = routes.split_for_parts();
    let document = Document::new(&described, &edge.config().version);
    router
        .fallback(|| async { ApiError::not_found("route") })
        .with_state(edge)
        .layer(Extension(document))
        .layer(CatchPanicLayer::custom(envelope::panicked))
        .layer(from_fn(|request: Request, next| async {
            envelope::finish(request, next).await.into_response()
        }))
        .layer(from_fn(unread::close))
}
