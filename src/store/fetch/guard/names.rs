//! Who is asked what a name resolves to, and the resolver that holds the HTTP client to the
//! guard's answer.

use std::io;
use std::net::{IpAddr, SocketAddr};

use futures::future::BoxFuture;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::Host;

use super::Guard;

/// Resolves names. The guard checks the results; an implementation need not.
pub trait Names: std::fmt::Debug + Send + Sync + 'static {
    /// Every address of `name`.
    fn lookup(&self, name: String) -> BoxFuture<'_, io::Result<Vec<IpAddr>>>;
}

/// The system's resolver.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemNames;

impl Names for SystemNames {
    fn lookup(&self, name: String) -> BoxFuture<'_, io::Result<Vec<IpAddr>>> {
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            Ok(found.map(|address| address.ip()).collect())
        })
    }
}

/// What the HTTP client resolves names with: it can connect to nothing but the addresses
/// that were checked in the same moment, so a name has no second chance to answer.
#[derive(Debug)]
pub(super) struct GuardedResolver(pub(super) Guard);

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.0.clone();
        Box::pin(async move {
            let found = guard.reach(&Host::Domain(name.as_str())).await?;
            // The client puts the URL's port in place of 0.
            let found = found.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(found) as Addrs)
        })
    }
}
