//! Room for what a client may hold for long, and who holds it: so much in all, and of one
//! workspace so much of it that others find some.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::{HeaderName, header};

use super::error::{ApiError, Code};

/// Seconds after which a place may be free.
const RETRY_AFTER: u16 = 5;

/// Room for a number of things at one time.
#[derive(Debug)]
pub(super) struct Room {
    all: usize,
    each: usize,
    /// By workspace; none is 0.
    taken: Mutex<BTreeMap<String, usize>>,
}

/// A place, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    room: Arc<Room>,
    workspace: String,
}

impl Room {
    /// Room for `all`, of which one workspace takes `each` at most.
    pub(super) fn new(all: usize, each: usize) -> Arc<Self> {
        Arc::new(Self {
            all,
            each,
            taken: Mutex::default(),
        })
    }

    /// A place for `workspace`, if there is one for it.
    pub(super) fn take(self: &Arc<Self>, workspace: &str) -> Option<Place> {
        let mut taken = self.lock();
        let own = taken.get(workspace).copied().unwrap_or(0);
        if own >= self.each || taken.values().sum::<usize>() >= self.all {
            return None;
        }
        taken.insert(workspace.to_owned(), own + 1);
        drop(taken);
        Some(Place {
            room: Arc::clone(self),
            workspace: workspace.to_owned(),
        })
    }

    /// The refusal of a workspace for which there is no place; `name` is what the places are for.
    pub(super) fn refusal(&self, name: &str, message: &str) -> ApiError {
        let (policy, limit) = (
            format!("\"{name}\";q={}", self.each),
            format!("\"{name}\";r=0;t={RETRY_AFTER}"),
        );
        let (Ok(policy), Ok(limit)) = (policy.try_into(), limit.try_into()) else {
            return ApiError::internal();
        };
        ApiError::new(Code::RateLimited, message)
            .with_header(header::RETRY_AFTER, RETRY_AFTER.into())
            .with_header(HeaderName::from_static("ratelimit-policy"), policy)
            .with_header(HeaderName::from_static("ratelimit"), limit)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.room.lock();
        if let Some(own) = taken.get_mut(&self.workspace) {
            *own = own.saturating_sub(1);
            if *own == 0 {
                taken.remove(&self.workspace);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_workspace_leaves_places_to_others_and_gives_its_own_back() {
        let room = Room::new(3, 2);
        let (first, second) = (room.take("a"), room.take("a").unwrap());
        assert!(room.take("a").is_none(), "its part");
        let other = room.take("b").unwrap();
        assert!(room.take("c").is_none(), "all");
        drop(first);
        let again = room.take("c").unwrap();
        drop((second, other, again));
        assert!(room.lock().is_empty());
    }
}
