//! A key has one render, and a render has one output: the same description and the same
//! bytes on every look.

use std::path::Path;

use anyhow::{Result, ensure};

use crate::api::Api;
use crate::history::{History, Seen};

/// Looks at every acknowledged render twice.
///
/// # Errors
/// When two looks differ, or a key was answered with two ids.
pub async fn check(api: &Api, history: &History, scratch: &Path) -> Result<()> {
    for (key, seen) in history.iter() {
        ensure!(
            has_one_id(seen),
            "{key} was answered with {:?}",
            seen.acknowledged
        );
    }
    for id in history.acknowledged_ids() {
        let (one, other) = (api.render(&id).await?, api.render(&id).await?);
        for field in ["sha256", "size_bytes", "duration"] {
            ensure!(
                one["output"][field] == other["output"][field] && !one["output"][field].is_null(),
                "{field} of {id} changes: {} and {}",
                one["output"][field],
                other["output"][field]
            );
        }
        let (first, second) = (scratch.join("first"), scratch.join("second"));
        api.download(&id, &first).await?;
        api.download(&id, &second).await?;
        let first = tokio::fs::read(first).await?;
        ensure!(
            first == tokio::fs::read(second).await?,
            "the bytes of {id} change"
        );
        let size = one["output"]["size_bytes"].as_u64();
        ensure!(
            size == Some(u64::try_from(first.len())?),
            "{id} says {size:?} bytes and has {}",
            first.len()
        );
    }
    Ok(())
}

fn has_one_id(seen: &Seen) -> bool {
    seen.acknowledged.windows(2).all(|pair| pair[0] == pair[1])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_ids_for_one_key_are_noticed() {
        let seen = |ids: &[&str]| Seen {
            acknowledged: ids.iter().map(|id| (*id).to_owned()).collect(),
            ..Seen::default()
        };
        assert!(has_one_id(&seen(&[])));
        assert!(has_one_id(&seen(&["a", "a"])));
        assert!(!has_one_id(&seen(&["a", "b"])));
    }
}
