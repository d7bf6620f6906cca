//! What is open while no API key exists, and to whom. Loopback is open to this machine only: web
//! pages that a browser here shows are not this machine, so the host they address, and the origin
//! they come from, must be this server's.

use std::net::{IpAddr, SocketAddr};

use axum::http::header::{self, HeaderName};
use axum::http::{HeaderMap, Uri, uri};

use crate::edge::config::{Access, EdgeConfig};
use crate::edge::error::{ApiError, Code};

impl Access {
    /// Whether a server may begin to serve. A listener that others reach needs a key, or a
    /// setting that it is meant to be open.
    pub fn may_start(self, has_keys: bool) -> bool {
        has_keys || self.is_on_loopback || self.required.is_some()
    }

    /// Whether /v1 asks for no key now. The first key closes every listener, one that
    /// `auth.required = false` had opened too.
    pub fn is_open(self, has_keys: bool) -> bool {
        !has_keys && !self.required.unwrap_or(!self.is_on_loopback)
    }
}

/// Refuses what reaches an open listener on loopback by way of a browser that was misled: a
/// name that resolves to loopback for a moment, or another site's script.
pub(super) fn check_names(
    config: &EdgeConfig,
    headers: &HeaderMap,
    uri: &Uri,
) -> Result<(), ApiError> {
    if !config.access.is_on_loopback {
        // The names under which such a listener is reached are not configured.
        return Ok(());
    }
    let own_host = config.public_url.as_deref().and_then(url_host);
    let is_own = |host: &str| is_loopback_name(host) || own_host.as_deref() == Some(&plain(host));
    let mut hosts = headers
        .get_all(header::HOST)
        .iter()
        .map(|value| value.to_str().ok()?.parse::<uri::Authority>().ok())
        .chain(uri.authority().map(|authority| Some(authority.clone())))
        .peekable();
    let has_host = hosts.peek().is_some();
    let hosts_are_ours =
        hosts.all(|authority| authority.is_some_and(|authority| is_own(authority.host())));
    if !has_host || !hosts_are_ours {
        return Err(ApiError::new(
            Code::Forbidden,
            "While no API key exists, this server answers to localhost, loopback addresses and \
             the host of `edge.public_url` only.",
        ));
    }
    let origins_are_ours = headers.get_all(header::ORIGIN).iter().all(|value| {
        let host = value.to_str().ok().and_then(url_host);
        host.is_some_and(|host| is_own(&host))
    });
    if !origins_are_ours {
        return Err(ApiError::new(
            Code::Forbidden,
            "While no API key exists, this server answers no scripts of other sites.",
        ));
    }
    Ok(())
}

/// Whether a peer speaks for itself, from this machine: a request that a proxy passed on does
/// not, whatever its address.
pub(super) fn is_direct(peer: Option<SocketAddr>, headers: &HeaderMap) -> bool {
    peer.is_some_and(|peer| peer.ip().to_canonical().is_loopback())
        && !headers
            .keys()
            .map(HeaderName::as_str)
            .any(|name| name == "forwarded" || name.starts_with("x-forwarded-"))
}

fn is_loopback_name(host: &str) -> bool {
    let host = plain(host);
    host == "localhost"
        || host
            .parse::<IpAddr>()
            .is_ok_and(|address| address.to_canonical().is_loopback())
}

fn url_host(url: &str) -> Option<String> {
    let url = url::Url::parse(url).ok()?;
    url.host_str().map(plain)
}

/// A host in lower case, without the brackets of an address and the dot at a name's end.
fn plain(host: &str) -> String {
    let host = host.strip_suffix('.').unwrap_or(host);
    let inner = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'));
    inner.unwrap_or(host).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_open_follows_from_setting_listener_and_keys() {
        // required, on loopback, has keys: may start, is open
        for (required, is_on_loopback, has_keys, starts, open) in [
            (None, true, false, true, true),
            (None, true, true, true, false),
            (None, false, false, false, false),
            (None, false, true, true, false),
            (Some(true), true, false, true, false),
            (Some(true), false, false, true, false),
            (Some(true), false, true, true, false),
            (Some(false), true, false, true, true),
            (Some(false), false, false, true, true),
            (Some(false), false, true, true, false),
        ] {
            let access = Access {
                required,
                is_on_loopback,
            };
            assert_eq!(access.may_start(has_keys), starts, "{access:?} {has_keys}");
            assert_eq!(access.is_open(has_keys), open, "{access:?} {has_keys}");
        }
    }

    #[test]
    fn loopback_has_these_names_only() {
        for host in [
            "localhost",
            "LocalHost",
            "localhost.",
            "127.0.0.1",
            "127.9.9.9",
            "[::1]",
        ] {
            assert!(is_loopback_name(host), "{host}");
        }
        for host in [
            "localhost.example.com",
            "example.com",
            "127.0.0.1.example.com",
            "0.0.0.0",
            "[::]",
            "10.0.0.1",
            "2130706433",
            "",
        ] {
            assert!(!is_loopback_name(host), "{host}");
        }
    }
}
