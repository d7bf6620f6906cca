//! What operators see of the actors: plain values for the admin API.

use std::collections::BTreeMap;

use serde::Serialize;

/// One actor with those it supervises.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ActorNode {
    /// Its name within its supervisor.
    pub name: String,
    /// What kind of actor.
    pub kind: String,
    /// Its state, as names and values.
    pub state: BTreeMap<String, String>,
    /// How often its supervisor restarted it.
    pub restarts: u64,
    /// Messages that wait; `None` where the runtime does not report it.
    pub mailbox: Option<u64>,
    /// Those it supervises.
    pub children: Vec<Self>,
}

impl ActorNode {
    pub(crate) fn new(kind: &str, name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            kind: kind.to_owned(),
            state: BTreeMap::new(),
            restarts: 0,
            mailbox: None,
            children: Vec::new(),
        }
    }

    pub(crate) fn with(mut self, key: &str, value: impl std::fmt::Display) -> Self {
        self.state.insert(key.to_owned(), value.to_string());
        self
    }

    pub(crate) fn restarted(mut self, restarts: u64) -> Self {
        self.restarts = restarts;
        self
    }
}
