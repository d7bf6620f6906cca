//! An upload whose bytes are all there is taken in. Bytes that went through this server are
//! known to be there; those that went straight to the store are looked for.

use std::collections::BTreeMap;

use actors::ports::{Coordinator, ProposeError};
use cluster::command::{Command, Outcome};
use cluster::model::{Arrival, Asset, AssetStatus};

use crate::store::{ObjectStore, Presign, StoreError, keys};

/// Why it is not known whether an upload has arrived.
#[derive(Debug, thiserror::Error)]
pub enum ArrivalError {
    /// The store did not answer.
    #[error("store was not asked")]
    Store(#[from] StoreError),
    /// The log did not take it.
    #[error("arrival was not committed: {0}")]
    Propose(ProposeError),
}

/// Looks whether a pending upload that clients put straight into the store is there, and if
/// so has it taken in. Does nothing for uploads that go through this server.
///
/// # Errors
/// When the store or the log fails; nothing is lost by that.
pub async fn notice_arrival(
    store: &dyn ObjectStore,
    coordinator: &dyn Coordinator,
    asset: &Asset,
) -> Result<bool, ArrivalError> {
    let key = keys::upload_raw(asset.id());
    let request = Presign::Put {
        key: key.clone(),
        ttl: std::time::Duration::from_secs(1),
        content_type: None,
    };
    if asset.status != AssetStatus::Pending || store.presign(&request).is_none() {
        return Ok(false);
    }
    let Some(size) = store.head(&key).await? else {
        return Ok(false);
    };
    let command = Command::AssetArrived {
        asset: asset.id(),
        arrival: Arrival::Whole { key, size },
    };
    match coordinator.propose(command).await {
        Ok(outcome) => Ok(outcome == Outcome::Accepted),
        Err(error) => Err(ArrivalError::Propose(error)),
    }
}

/// The lengths of the parts that are there, by number.
pub(super) async fn parts_there(
    store: &dyn ObjectStore,
    asset: &Asset,
) -> Result<BTreeMap<u32, u64>, StoreError> {
    let prefix = keys::upload_parts(asset.id());
    let listed = store.list(&prefix).await?;
    Ok(listed
        .into_iter()
        .filter_map(|object| {
            let number = object.key.0.strip_prefix(&prefix)?.parse().ok()?;
            Some((number, object.size))
        })
        .collect())
}

/// The length that part `number` must have.
pub(super) fn part_length(asset: &Asset, number: u32) -> Option<u64> {
    let (layout, size) = asset.new.parts.zip(asset.new.size)?;
    if !(1..=layout.count).contains(&number) {
        return None;
    }
    let before = layout.part_size.saturating_mul(u64::from(number) - 1);
    Some(size.saturating_sub(before).min(layout.part_size))
}
