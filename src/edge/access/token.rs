//! API keys as text: how one is drawn, and what is kept of it. A key is its prefix and 43
//! alphanumeric characters, which is 256 random bits; only its digest is ever stored.

use cluster::model::{ApiKey, Digest, KeyId, LogTime};
use rand::Rng;
use rand::distr::Alphanumeric;
use sha2::{Digest as _, Sha256};
use ulid::Ulid;

const WORKSPACE_PREFIX: &str = "fl_";
const ADMIN_PREFIX: &str = "fla_";

/// 62 to the power of 43 is just above 2 to the power of 256.
const RANDOM_CHARS: usize = 43;

/// Characters of a key that are shown beside its name, to distinguish keys.
const HINT_CHARS: usize = 4;

/// A key that was just drawn: the only moment its text is known.
pub struct DrawnKey {
    /// What the client sends.
    pub text: String,
    /// What is kept.
    pub kept: ApiKey,
}

impl std::fmt::Debug for DrawnKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DrawnKey")
            .field("kept", &self.kept)
            .finish_non_exhaustive()
    }
}

/// Draws a key of `workspace`, or an admin key when that is none.
pub fn draw_key(workspace: Option<String>, name: String) -> DrawnKey {
    let is_admin = workspace.is_none();
    let prefix = if is_admin {
        ADMIN_PREFIX
    } else {
        WORKSPACE_PREFIX
    };
    let random: String = rand::rng()
        .sample_iter(Alphanumeric)
        .take(RANDOM_CHARS)
        .map(char::from)
        .collect();
    let hint = random[RANDOM_CHARS - HINT_CHARS..].to_owned();
    let text = format!("{prefix}{random}");
    let kept = ApiKey {
        id: KeyId::from_ulid(Ulid::generate()),
        workspace: workspace.unwrap_or_default(),
        name,
        is_admin,
        digest: digest(&text),
        hint: format!("{prefix}…{hint}"),
        // The commit's time takes its place.
        created_at: LogTime(0),
    };
    DrawnKey { text, kept }
}

/// What is kept of a key, and looked up for whatever a client sends.
pub(super) fn digest(text: &str) -> Digest {
    Digest(Sha256::digest(text.as_bytes()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_its_prefix_and_43_characters_and_no_two_are_equal() {
        let client = draw_key(Some("films".to_owned()), String::new());
        let admin = draw_key(None, String::new());
        for (key, prefix) in [(&client, "fl_"), (&admin, "fla_")] {
            let random = key.text.strip_prefix(prefix).unwrap();
            assert_eq!(random.len(), 43);
            assert!(random.bytes().all(|byte| byte.is_ascii_alphanumeric()));
            assert!(key.kept.hint.ends_with(&random[39..]));
            assert_eq!(key.kept.digest, digest(&key.text));
        }
        assert!(!client.kept.is_admin && admin.kept.is_admin);
        let another = draw_key(Some("films".to_owned()), String::new());
        assert_ne!(client.text, another.text);
        assert_ne!(client.kept.id, another.kept.id);
    }

    #[test]
    fn a_key_does_not_print_itself() {
        let key = draw_key(None, String::new());
        assert!(!format!("{key:?}").contains(&key.text));
    }
}
