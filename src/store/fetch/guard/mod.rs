//! The network guard: where a URL from outside may lead. Every connection to a host that a
//! client named, be it for a source, an import or a webhook, is made past it.
//!
//! It is asked three times: for the URL as given (and each redirect), for an address written
//! in place of a name, and for every address a name resolves to, at the moment the
//! connection is made, so that a name cannot answer differently the second time.

mod names;
mod ranges;
#[cfg(test)]
mod tests;

use std::io;
use std::net::IpAddr;
use std::sync::Arc;

use reqwest::{Client, ClientBuilder};
use url::{Host, Url};

pub use names::{Names, SystemNames};
pub use ranges::is_public;

/// Why a URL is not followed. Names the host as it was written and never an address that a
/// name resolved to: that would disclose the internal network to outsiders.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    /// Only http and https are.
    #[error("only http and https urls are fetched")]
    Scheme,
    /// Not a URL, or one without a host.
    #[error("not a url with a host")]
    NotAUrl,
    /// Port 0, which means something else to everyone.
    #[error("port 0 is not a port")]
    Port,
    /// A name or number that leads into a private or special network.
    #[error("`{0}` leads to an address that is not public")]
    Address(String),
}

/// Why a host cannot be reached.
#[derive(Debug, thiserror::Error)]
pub enum NoWay {
    /// The guard forbids it.
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    /// The name does not resolve.
    #[error("the name cannot be resolved: {0}")]
    Unknown(#[from] io::Error),
}

/// Which networks may be reached.
#[derive(Debug, Clone)]
pub struct Guard {
    allow_private: bool,
    names: Arc<dyn Names>,
    /// Where tests really connect to when an address was admitted.
    #[cfg(test)]
    detours: Vec<(IpAddr, IpAddr)>,
}

impl Guard {
    /// A guard; `allow_private` opens private networks, never the addresses of one link
    /// (where cloud metadata is), and never another scheme.
    pub fn new(allow_private: bool) -> Self {
        Self::with_names(allow_private, Arc::new(SystemNames))
    }

    /// A guard with a resolver of its own.
    pub fn with_names(allow_private: bool, names: Arc<dyn Names>) -> Self {
        Self {
            allow_private,
            names,
            #[cfg(test)]
            detours: Vec::new(),
        }
    }

    /// Connects to `really` where `address` was asked for and admitted.
    #[cfg(test)]
    pub(crate) fn detour(mut self, address: IpAddr, really: IpAddr) -> Self {
        self.detours.push((address, really));
        self
    }

    /// Parses a URL and checks what can be checked before resolving.
    ///
    /// # Errors
    /// [`Forbidden`] when it is not to be followed.
    pub fn admit(&self, url: &str) -> Result<Url, Forbidden> {
        let url = Url::parse(url).map_err(|_| Forbidden::NotAUrl)?;
        self.admit_url(&url)?;
        Ok(url)
    }

    /// As [`Guard::admit`], for a URL already parsed (a redirect's target).
    ///
    /// # Errors
    /// [`Forbidden`] when it is not to be followed.
    pub fn admit_url(&self, url: &Url) -> Result<(), Forbidden> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Forbidden::Scheme);
        }
        if url.port() == Some(0) {
            return Err(Forbidden::Port);
        }
        // The url crate has already turned decimal, octal, hexadecimal, percent-encoded and
        // full-width spellings of addresses into addresses.
        match url.host() {
            None => Err(Forbidden::NotAUrl),
            Some(Host::Domain(_)) => Ok(()),
            Some(host @ Host::Ipv4(address)) => self.admit_address(IpAddr::V4(address), &host),
            Some(host @ Host::Ipv6(address)) => self.admit_address(IpAddr::V6(address), &host),
        }
    }

    /// The addresses a host may be reached at: all of its own, and none if one of them is
    /// forbidden. Connections are made to these only, without resolving again.
    ///
    /// # Errors
    /// [`NoWay`] when there are none.
    pub async fn reach(&self, host: &Host<&str>) -> Result<Vec<IpAddr>, NoWay> {
        let found = match host {
            Host::Ipv4(address) => vec![IpAddr::V4(*address)],
            Host::Ipv6(address) => vec![IpAddr::V6(*address)],
            Host::Domain(name) => self.names.lookup((*name).to_owned()).await?,
        };
        for address in &found {
            self.admit_address(*address, host)?;
        }
        Ok(self.really(found))
    }

    /// The start of an HTTP client that is restricted by this guard: guarded names, no proxy (it
    /// would resolve names where the guard cannot see it), no redirects. Addresses in place
    /// of names are not resolved and so not seen by it: [`Guard::admit_url`] comes before
    /// each request, and before each redirect followed by hand.
    pub fn client(&self) -> ClientBuilder {
        Client::builder()
            .user_agent(concat!("framelane/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .dns_resolver(Arc::new(names::GuardedResolver(self.clone())))
    }

    fn admit_address(&self, address: IpAddr, host: &Host<&str>) -> Result<(), Forbidden> {
        // Link-local addresses are never allowed: clouds serve their machines' credentials there.
        let is_open = self.allow_private && !ranges::is_link_local(address);
        if is_open || is_public(address) {
            return Ok(());
        }
        Err(Forbidden::Address(host.to_string()))
    }

    #[cfg(not(test))]
    fn really(&self, found: Vec<IpAddr>) -> Vec<IpAddr> {
        found
    }

    #[cfg(test)]
    fn really(&self, found: Vec<IpAddr>) -> Vec<IpAddr> {
        let detour = |address| {
            let way = self.detours.iter().find(|(from, _)| *from == address);
            way.map_or(address, |(_, to)| *to)
        };
        found.into_iter().map(detour).collect()
    }
}
