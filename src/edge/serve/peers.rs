//! Who has how many connections open.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::telemetry::metrics::Waiting;

/// The open connections.
#[derive(Debug, Clone)]
pub(super) struct Peers {
    open: Arc<Mutex<Open>>,
    most: usize,
    /// Of one peer; 0: no limit.
    most_of_peer: usize,
}

#[derive(Debug, Default)]
struct Open {
    count: usize,
    by_peer: HashMap<IpAddr, usize>,
}

/// Why a connection is not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// Its peer has as many as one may have.
    Peer,
    /// There are as many as this process serves.
    All,
}

/// A connection's place. Dropping it gives the place back.
#[derive(Debug)]
pub(super) struct Place {
    peer: IpAddr,
    peers: Peers,
    _open: Waiting,
}

impl Peers {
    pub(super) fn new(most: usize, most_of_peer: usize) -> Self {
        Self {
            open: Arc::default(),
            most,
            most_of_peer,
        }
    }

    /// A place for a connection from `address`.
    pub(super) fn admit(&self, address: IpAddr) -> Result<Place, Refused> {
        let peer = peer_of(address);
        let mut open = self.lock();
        if open.count >= self.most {
            return Err(Refused::All);
        }
        let of_peer = open.by_peer.get(&peer).copied().unwrap_or(0);
        if self.most_of_peer > 0 && of_peer >= self.most_of_peer {
            return Err(Refused::Peer);
        }
        open.count += 1;
        open.by_peer.insert(peer, of_peer + 1);
        drop(open);
        Ok(Place {
            peer,
            peers: self.clone(),
            _open: Waiting::on_connection(),
        })
    }

    // A std mutex, never held across an await; a panic cannot leave a count half made.
    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut open = self.peers.lock();
        open.count = open.count.saturating_sub(1);
        if let Some(of_peer) = open.by_peer.get_mut(&self.peer) {
            *of_peer -= 1;
            if *of_peer == 0 {
                open.by_peer.remove(&self.peer);
            }
        }
    }
}

/// The client behind an address: for IPv6 its /64 network, which is what one customer
/// of a provider gets.
fn peer_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn one_peer_cannot_take_the_places_of_others() {
        let peers = Peers::new(3, 2);
        let one = address("192.0.2.1");
        let first = peers.admit(one).expect("a place");
        let _second = peers.admit(address("::ffff:192.0.2.1")).expect("a place");
        assert_eq!(peers.admit(one).err(), Some(Refused::Peer));
        let _other = peers.admit(address("192.0.2.2")).expect("a place");
        assert_eq!(peers.admit(address("192.0.2.3")).err(), Some(Refused::All));
        drop(first);
        assert!(peers.admit(address("192.0.2.3")).is_ok());
        assert_eq!(peers.lock().by_peer.len(), 2);
    }

    #[test]
    fn a_network_of_ipv6_is_one_peer() {
        let peers = Peers::new(9, 1);
        let _held = peers.admit(address("2001:db8::1")).expect("a place");
        let same = peers.admit(address("2001:db8::2:1"));
        assert_eq!(same.err(), Some(Refused::Peer));
        assert!(peers.admit(address("2001:db8:0:1::1")).is_ok());
    }

    #[test]
    fn no_limit_of_a_peer_is_none() {
        let peers = Peers::new(3, 0);
        let one = address("192.0.2.1");
        let places: Vec<_> = (0..3).map_while(|_| peers.admit(one).ok()).collect();
        assert_eq!(places.len(), 3);
    }
}
