//! Identifies the caller. A key that is sent is always checked, in open mode too: a client
//! with a wrong key must not be served as the anonymous one.

use std::net::SocketAddr;

use axum::extract::ConnectInfo;
use axum::http::header;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use cluster::model::{ApiKey, KeyId};

use super::open::{check_names, is_direct};
use super::standing::Standing;
use super::token::digest;
use crate::edge::context::Edge;
use crate::edge::error::{ApiError, Code};

/// The workspace of those who need no key.
const OPEN_WORKSPACE: &str = "default";

/// A client of /v1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Client {
    /// Whose things it reaches.
    pub(crate) workspace: String,
    /// The key it showed; none in open mode.
    pub(crate) key: Option<KeyId>,
}

impl Client {
    /// By what it was let in.
    pub(crate) fn standing(&self) -> Standing {
        Standing { key: self.key }
    }
}

/// The client that sent a request to /v1.
///
/// # Errors
/// 401 without a good key where one is needed, 403 for an admin key and for a stranger on an
/// open listener.
pub(crate) fn client(edge: &Edge, parts: &Parts) -> Result<Client, ApiError> {
    if let Some(key) = shown(edge, &parts.headers)? {
        if key.is_admin {
            return Err(ApiError::new(
                Code::Forbidden,
                "An admin key reaches /admin only; /v1 needs a key of a workspace (`fl_…`).",
            ));
        }
        return Ok(Client {
            workspace: key.workspace,
            key: Some(key.id),
        });
    }
    if !is_open(edge) {
        return Err(ApiError::new(
            Code::Unauthorized,
            "This server needs an API key: `Authorization: Bearer fl_…`.",
        ));
    }
    check_names(edge.config(), &parts.headers, &parts.uri)?;
    Ok(Client {
        workspace: OPEN_WORKSPACE.to_owned(),
        key: None,
    })
}

/// By what an operator may pass: an admin key, or a direct connection from this machine while
/// the server is open and on loopback.
///
/// # Errors
/// 401 without a good key, 403 for a workspace's key and for strangers.
pub(crate) fn operator(edge: &Edge, parts: &Parts) -> Result<Standing, ApiError> {
    if let Some(key) = shown(edge, &parts.headers)? {
        if key.is_admin {
            return Ok(Standing { key: Some(key.id) });
        }
        return Err(ApiError::new(
            Code::Forbidden,
            "A workspace's key reaches /v1 only; /admin needs an admin key (`fla_…`).",
        ));
    }
    let peer = parts
        .extensions
        .get::<ConnectInfo<SocketAddr>>()
        .map(|ConnectInfo(peer)| *peer);
    let is_here = edge.config().access.is_on_loopback && is_direct(peer, &parts.headers);
    if !is_here || !is_open(edge) {
        return Err(ApiError::new(
            Code::Unauthorized,
            "The admin API needs an admin key (`Authorization: Bearer fla_…`) or, while no key \
             exists, a direct connection from this machine.",
        ));
    }
    check_names(edge.config(), &parts.headers, &parts.uri)?;
    Ok(Standing { key: None })
}

/// Whether /v1 asks for no key now.
pub(super) fn is_open(edge: &Edge) -> bool {
    let has_keys = !edge.state().keys.is_empty();
    edge.config().access.is_open(has_keys)
}

/// The key that was sent, if one was.
fn shown(edge: &Edge, headers: &HeaderMap) -> Result<Option<ApiKey>, ApiError> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let refused = |message: &str| Err(ApiError::new(Code::Unauthorized, message));
    let (Some(token), None) = (bearer(value), values.next()) else {
        return refused("`Authorization` must be given once, as `Bearer` and an API key.");
    };
    match edge.state().key_of(&digest(token)) {
        Some(key) => Ok(Some(key.clone())),
        None => Err(ApiError::revoked()),
    }
}

fn bearer(value: &HeaderValue) -> Option<&str> {
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}
