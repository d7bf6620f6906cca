//! Every render that was acknowledged is completed in the end.

use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::api::Api;
use crate::history::History;

/// Waits for every acknowledged render; returns how many there are.
///
/// # Errors
/// When one is unknown, ends otherwise or does not end.
pub async fn check(api: &Api, history: &History, limit: Duration) -> Result<usize> {
    let ids = history.acknowledged_ids();
    for id in &ids {
        api.completed(id, limit)
            .await
            .with_context(|| format!("{id} was acknowledged and lost"))?;
    }
    Ok(ids.len())
}
