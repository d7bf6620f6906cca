//! A small map that forgets what was not used for longest. For immutable things that are
//! cheap to read again; losing an entry costs one read.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// At most `capacity` entries, the most recently used ones.
#[derive(Debug)]
pub(super) struct Recent<K, V> {
    capacity: usize,
    entries: Mutex<Entries<K, V>>,
}

#[derive(Debug)]
struct Entries<K, V> {
    clock: u64,
    by_key: BTreeMap<K, (u64, V)>,
    by_use: BTreeMap<u64, K>,
}

impl<K: Ord + Clone, V: Clone> Recent<K, V> {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            capacity,
            entries: Mutex::new(Entries {
                clock: 0,
                by_key: BTreeMap::new(),
                by_use: BTreeMap::new(),
            }),
        }
    }

    /// The entry, now the most recently used.
    pub(super) fn get(&self, key: &K) -> Option<V> {
        // A panic cannot leave the maps half changed in a way that matters: at worst an
        // entry is forgotten early.
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let value = entries.by_key.get(key)?.1.clone();
        entries.touch(key.clone(), value.clone());
        Some(value)
    }

    /// Remembers the entry, forgetting the least recently used one if there are too many.
    pub(super) fn put(&self, key: K, value: V) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.touch(key, value);
        if entries.by_key.len() > self.capacity
            && let Some((_, oldest)) = entries.by_use.pop_first()
        {
            entries.by_key.remove(&oldest);
        }
    }

    /// Forgets the entry.
    pub(super) fn remove(&self, key: &K) {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((used, _)) = entries.by_key.remove(key) {
            entries.by_use.remove(&used);
        }
    }
}

impl<K: Ord + Clone, V> Entries<K, V> {
    fn touch(&mut self, key: K, value: V) {
        self.clock += 1;
        self.by_use.insert(self.clock, key.clone());
        if let Some((used, _)) = self.by_key.insert(key, (self.clock, value)) {
            self.by_use.remove(&used);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_entry_unused_for_longest_is_forgotten() {
        let recent = Recent::new(2);
        recent.put("a", 1);
        recent.put("b", 2);
        assert_eq!(recent.get(&"a"), Some(1));
        recent.put("c", 3);
        assert_eq!(recent.get(&"b"), None);
        assert_eq!(recent.get(&"a"), Some(1));
        recent.remove(&"a");
        assert_eq!(recent.get(&"a"), None);
        recent.put("d", 4);
        assert_eq!(recent.get(&"c"), Some(3));
    }
}
