//! API keys without a server: made, listed and revoked on a data directory that no server uses.
//! So the first key can be there before anything listens.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use cluster::command::{Command, Outcome, Rejection};
use cluster::coordinator::Coordinator;
use cluster::model::{ApiKey, KeyId};

use crate::edge::DrawnKey;
use crate::settings::Settings;

/// A data directory held for its keys. Close it.
#[derive(Debug)]
pub struct KeyStore {
    coordinator: Coordinator,
}

impl KeyStore {
    /// Whether a server has the data directory of `settings` now.
    ///
    /// # Errors
    /// When the directory cannot be looked at.
    pub fn is_served(settings: &Settings) -> anyhow::Result<bool> {
        Ok(Coordinator::is_open(&settings.data_dir)?)
    }

    /// Whether there is anything in the data directory of `settings`.
    pub fn exists(settings: &Settings) -> bool {
        Coordinator::is_kept(&settings.data_dir)
    }

    /// Opens the data directory of `settings`, making it if it is not there.
    ///
    /// # Errors
    /// When it is in use, damaged, or cannot be made.
    pub async fn open(settings: &Settings) -> anyhow::Result<Self> {
        let data_dir = made(&settings.data_dir)?;
        let coordinator =
            super::open_coordinator(settings, &data_dir, settings.edge.listen).await?;
        let store = Self { coordinator };
        if let Err(error) = super::wait_for_leader(&store.coordinator).await {
            store.close().await;
            return Err(error);
        }
        Ok(store)
    }

    /// Every key, oldest first.
    pub fn list(&self) -> Vec<ApiKey> {
        self.coordinator.state().keys.values().cloned().collect()
    }

    /// The key called `id`.
    pub fn find(&self, id: KeyId) -> Option<ApiKey> {
        self.coordinator.state().keys.get(&id).cloned()
    }

    /// Keeps `drawn` and gives its text.
    ///
    /// # Errors
    /// When it cannot be committed.
    pub async fn create(&self, drawn: DrawnKey) -> anyhow::Result<String> {
        propose(&self.coordinator, drawn).await
    }

    /// Ends a key. Gives whether there was one.
    ///
    /// # Errors
    /// When it cannot be committed.
    pub async fn revoke(&self, id: KeyId) -> anyhow::Result<bool> {
        let command = Command::RevokeKey { key: id };
        match self.coordinator.propose(command).await? {
            Outcome::Accepted => Ok(true),
            Outcome::Rejected(Rejection::UnknownKey) => Ok(false),
            other => bail!("the key was not revoked: {other:?}"),
        }
    }

    /// Lets go of the data directory.
    pub async fn close(self) {
        self.coordinator.shutdown().await;
    }
}

/// Commits a key that was drawn and gives its text.
pub(super) async fn propose(coordinator: &Coordinator, drawn: DrawnKey) -> anyhow::Result<String> {
    match coordinator.propose(Command::CreateKey(drawn.kept)).await? {
        Outcome::Accepted => Ok(drawn.text),
        other => bail!("the key was not kept: {other:?}"),
    }
}

fn made(data_dir: &Path) -> anyhow::Result<PathBuf> {
    std::fs::create_dir_all(data_dir)
        .and_then(|()| data_dir.canonicalize())
        .with_context(|| format!("data directory `{}` cannot be made", data_dir.display()))
}
