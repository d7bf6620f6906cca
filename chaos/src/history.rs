//! What was attempted, what was acknowledged and what failed: all a checker may reason from.

use std::collections::BTreeMap;

/// What a client saw of one idempotency key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// Posts sent.
    pub attempts: u32,
    /// Every id answered, in order, repetitions included.
    pub acknowledged: Vec<String>,
    /// Posts without an answer, or with one that promises nothing.
    pub failures: u32,
}

/// Everything the workload's clients saw, by idempotency key.
#[derive(Debug, Clone, Default)]
pub struct History {
    seen: BTreeMap<String, Seen>,
}

impl History {
    /// A post is about to be sent.
    pub fn attempted(&mut self, key: &str) {
        self.seen.entry(key.to_owned()).or_default().attempts += 1;
    }

    /// A post was answered with a render.
    pub fn acknowledged(&mut self, key: &str, id: String) {
        let seen = self.seen.entry(key.to_owned()).or_default();
        seen.acknowledged.push(id);
    }

    /// A post came to nothing.
    pub fn failed(&mut self, key: &str) {
        self.seen.entry(key.to_owned()).or_default().failures += 1;
    }

    /// Keys and what was seen of them.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Seen)> {
        self.seen.iter().map(|(key, seen)| (key.as_str(), seen))
    }

    /// Every acknowledged id, once each.
    pub fn acknowledged_ids(&self) -> Vec<String> {
        let mut ids: Vec<String> = self
            .seen
            .values()
            .flat_map(|seen| seen.acknowledged.iter().cloned())
            .collect();
        ids.sort();
        ids.dedup();
        ids
    }
}
