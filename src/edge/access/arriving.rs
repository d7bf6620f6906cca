//! Bytes of uploads that arrive without a declared length. Applied state counts them once they
//! are there; until then they are counted here, so that many at once do not pass a quota that
//! each alone would keep.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Bytes that may still arrive, by workspace.
#[derive(Debug, Clone, Default)]
pub(crate) struct Arriving(Arc<Mutex<BTreeMap<String, u64>>>);

/// Bytes that are expected, until this is dropped.
#[derive(Debug)]
pub(crate) struct Expected {
    arriving: Arriving,
    workspace: String,
    bytes: u64,
}

impl Arriving {
    /// Bytes that are expected of a workspace.
    pub(super) fn of(&self, workspace: &str) -> u64 {
        self.lock().get(workspace).copied().unwrap_or(0)
    }

    /// Expects `bytes` more of a workspace, if `admit` has nothing against it, which is given
    /// the bytes expected so far.
    pub(super) fn expect<E>(
        &self,
        workspace: &str,
        bytes: u64,
        admit: impl FnOnce(u64) -> Result<(), E>,
    ) -> Result<Expected, E> {
        let mut all = self.lock();
        let own = all.get(workspace).copied().unwrap_or(0);
        admit(own)?;
        all.insert(workspace.to_owned(), own.saturating_add(bytes));
        drop(all);
        Ok(Expected {
            arriving: self.clone(),
            workspace: workspace.to_owned(),
            bytes,
        })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Expected {
    fn drop(&mut self) {
        let mut all = self.arriving.lock();
        if let Some(own) = all.get_mut(&self.workspace) {
            *own = own.saturating_sub(self.bytes);
            if *own == 0 {
                all.remove(&self.workspace);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_expected_counts_until_it_is_there() {
        let arriving = Arriving::default();
        let under = |most: u64| move |so_far: u64| if so_far < most { Ok(()) } else { Err(so_far) };
        let first = arriving.expect("acme", 70, under(100)).unwrap();
        let second = arriving.expect("acme", 40, under(100)).unwrap();
        assert_eq!(arriving.of("acme"), 110);
        assert_eq!(arriving.expect("acme", 1, under(100)).unwrap_err(), 110);
        assert_eq!(arriving.of("other"), 0);
        drop(first);
        assert_eq!(arriving.of("acme"), 40);
        drop(second);
        assert!(arriving.lock().is_empty());
    }
}
