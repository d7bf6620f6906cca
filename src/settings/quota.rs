//! How much workspaces may have rendered and may keep, and what a workspace may be called.

use std::collections::BTreeMap;

use bytesize::ByteSize;
use serde::{Deserialize, Serialize};

/// What workspaces may have rendered and may keep.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quota {
    /// Minutes of video that any workspace may have in thirty days, finished or under way; 0: no
    /// limit.
    pub render_minutes: u64,
    /// Bytes of uploads, imports and finished videos that any workspace may keep; 0: no limit.
    pub bytes: ByteSize,
    /// Those of particular workspaces, by name.
    pub workspaces: BTreeMap<String, WorkspaceQuota>,
}

/// What one workspace may have rendered and may keep. Unset: what any may.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct WorkspaceQuota {
    /// Minutes of finished video in thirty days; 0: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub render_minutes: Option<u64>,
    /// Bytes; 0: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<ByteSize>,
}

/// Whether a workspace may be called so: 1 to 63 of a-z, 0-9, _ and -, the first a letter or
/// a digit.
pub fn is_workspace_name(name: &str) -> bool {
    let is_first = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let is_later = |byte: u8| is_first(byte) || byte == b'_' || byte == b'-';
    let bytes = name.as_bytes();
    bytes.len() <= 63
        && bytes.first().is_some_and(|first| is_first(*first))
        && bytes.iter().all(|byte| is_later(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workspaces_have_short_plain_names() {
        let longest = "a".repeat(63);
        for name in ["default", "a", "0", "films-2026_b", longest.as_str()] {
            assert!(is_workspace_name(name), "{name}");
        }
        let too_long = "a".repeat(64);
        for name in [
            "",
            "-a",
            "_a",
            "Films",
            "a b",
            "a/b",
            "ä",
            too_long.as_str(),
        ] {
            assert!(!is_workspace_name(name), "{name}");
        }
    }
}
