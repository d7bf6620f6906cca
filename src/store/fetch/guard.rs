//! The network guard: which addresses a URL from outside may lead to.
//!
//! It is asked three times: for the URL as given (and each redirect), for an address written
//! in place of a name, and for every address a name resolves to, at the moment the
//! connection is made, so that a name cannot answer differently the second time.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// Why a URL is not followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Forbidden {
    /// Only http and https are.
    #[error("only http and https urls are fetched")]
    Scheme,
    /// Not a URL, or one without a host.
    #[error("not a url with a host")]
    NotAUrl,
    /// A name or number that leads into a private or special network.
    #[error("`{0}` leads to an address that is not public")]
    Address(String),
}

/// Which networks may be reached.
#[derive(Debug, Clone, Copy)]
pub struct Guard {
    allow_private: bool,
}

impl Guard {
    /// A guard; `allow_private` switches the address check off, never the scheme check.
    pub fn new(allow_private: bool) -> Self {
        Self { allow_private }
    }

    /// Parses a URL and checks what can be checked before resolving.
    ///
    /// # Errors
    /// [`Forbidden`] when it is not to be followed.
    pub fn admit(self, url: &str) -> Result<Url, Forbidden> {
        let url = Url::parse(url).map_err(|_| Forbidden::NotAUrl)?;
        self.admit_url(&url)?;
        Ok(url)
    }

    /// As [`Guard::admit`], for a URL already parsed (a redirect's target).
    ///
    /// # Errors
    /// [`Forbidden`] when it is not to be followed.
    pub fn admit_url(self, url: &Url) -> Result<(), Forbidden> {
        if !matches!(url.scheme(), "http" | "https") {
            return Err(Forbidden::Scheme);
        }
        // The url crate has already turned decimal, octal and hexadecimal spellings of
        // addresses into addresses.
        match url.host() {
            None => Err(Forbidden::NotAUrl),
            Some(Host::Domain(_)) => Ok(()),
            Some(Host::Ipv4(address)) => self.admit_address(IpAddr::V4(address), url.host_str()),
            Some(Host::Ipv6(address)) => self.admit_address(IpAddr::V6(address), url.host_str()),
        }
    }

    fn admit_address(self, address: IpAddr, name: Option<&str>) -> Result<(), Forbidden> {
        if self.allow_private || is_public(address) {
            return Ok(());
        }
        Err(Forbidden::Address(name.unwrap_or_default().to_owned()))
    }
}

/// Resolves names for the client and refuses those that lead anywhere not public.
#[derive(Debug)]
pub(super) struct GuardedResolver(pub(super) Guard);

impl GuardedResolver {
    pub(super) fn shared(guard: Guard) -> Arc<Self> {
        Arc::new(Self(guard))
    }
}

impl Resolve for GuardedResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = self.0;
        Box::pin(async move {
            let found: Vec<SocketAddr> =
                tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            for address in &found {
                guard.admit_address(address.ip(), Some(name.as_str()))?;
            }
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}

/// Whether an address belongs to the public internet.
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = match a {
        // This network, private, loopback; multicast, reserved, broadcast.
        0 | 10 | 127 | 224.. => true,
        100 => b & 0b1100_0000 == 64,
        169 => b == 254,
        172 => b & 0b1111_0000 == 16,
        192 => matches!((b, c), (0, 0 | 2) | (88, 99) | (168, _)),
        198 => matches!((b, c), (18 | 19, _) | (51, 100)),
        203 => (b, c) == (0, 113),
        _ => false,
    };
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(mapped) = address.to_ipv4_mapped() {
        return is_public_v4(mapped);
    }
    let [a, b, ..] = address.segments();
    // Only 2000::/3 is handed out at all; within it, the ranges that embed another address
    // or are kept for documents and protocols are not destinations.
    a & 0xe000 == 0x2000
        && !(a == 0x2001 && b < 0x0200)
        && !(a == 0x2001 && b == 0x0db8)
        && a != 0x2002
        && !(a == 0x3fff && b < 0x1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_inside_are_not_public() {
        for inside in [
            "0.0.0.0",
            "10.1.2.3",
            "100.64.0.1",
            "127.0.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.168.1.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "2001:db8::1",
            "2001::1",
            "2002:7f00:1::",
            "3fff::1",
        ] {
            assert!(!is_public(inside.parse().unwrap()), "{inside}");
        }
    }

    #[test]
    fn addresses_outside_are_public() {
        for outside in [
            "1.1.1.1",
            "8.8.8.8",
            "100.63.0.1",
            "100.128.0.1",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "198.20.0.1",
            "2606:4700::1111",
            "2a00:1450::1",
            "::ffff:8.8.8.8",
        ] {
            assert!(is_public(outside.parse().unwrap()), "{outside}");
        }
    }

    #[test]
    fn every_spelling_of_a_private_address_is_refused() {
        let guard = Guard::new(false);
        for url in [
            "http://127.0.0.1/a",
            "http://2130706433/a",
            "http://0x7f.1/a",
            "http://0177.0.0.1/a",
            "http://[::1]/a",
            "http://[::ffff:127.0.0.1]/a",
            "http://169.254.169.254/latest",
        ] {
            assert!(
                matches!(guard.admit(url), Err(Forbidden::Address(_))),
                "{url}"
            );
        }
    }

    #[test]
    fn other_schemes_are_refused_even_where_private_networks_are_open() {
        for url in [
            "file:///etc/passwd",
            "ftp://host/a",
            "gopher://host/",
            "data:,x",
        ] {
            assert_eq!(Guard::new(true).admit(url), Err(Forbidden::Scheme), "{url}");
        }
        assert_eq!(Guard::new(true).admit("no url"), Err(Forbidden::NotAUrl));
    }
}
