//! Secrets this installation draws for itself, kept in its data directory.
//!
//! `signing.keys` holds the keys of signed links, one a line as `id:hex`. The first signs, all
//! verify: a new line on top is a rotation, and removing an old one ends its links. What a
//! release before wrote, one key as 32 raw bytes in `signing.key`, is read where there is no
//! such file. `sealing.key` seals the secrets of webhooks where the settings have no
//! `cluster.secret`.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::Context;

use crate::edge::SigningKey;
use crate::settings::Settings;

const KEYS_FILE: &str = "signing.keys";
const LEGACY_KEY_FILE: &str = "signing.key";
const SEALING_KEY_FILE: &str = "sealing.key";

/// Bytes of a key that is drawn here, and the least of one that an operator writes.
const KEY_BYTES: usize = 32;

/// What webhooks' secrets are sealed with: the cluster's secret, or where there is none, one
/// that is drawn at the first start.
pub(super) fn sealing_secret(settings: &Settings, data_dir: &Path) -> anyhow::Result<Vec<u8>> {
    if !settings.cluster.secret.is_empty() {
        return Ok(settings.cluster.secret.clone().into_bytes());
    }
    let path = data_dir.join(SEALING_KEY_FILE);
    if let Some(secret) = present(fs::read(&path), &path)? {
        anyhow::ensure!(
            secret.len() == KEY_BYTES,
            "`{}` is damaged; restore it, or remove it and give webhooks new secrets",
            path.display()
        );
        return Ok(secret);
    }
    let secret: [u8; KEY_BYTES] = rand::random();
    write_secret(&path, &secret).context("the sealing key cannot be kept")?;
    Ok(secret.to_vec())
}

/// The keys that sign links: read from the data directory, the first one drawn at the first
/// start. Links handed out before a restart go on working.
pub(super) fn signing_keys(data_dir: &Path) -> anyhow::Result<Vec<SigningKey>> {
    if let Some(keys) = kept_keys(data_dir)? {
        return Ok(keys);
    }
    let keys = vec![drawn_key(&[])];
    write_keys(data_dir, &keys)?;
    Ok(keys)
}

/// Puts a fresh key on top. Links of the keys before it stay good, unless these are to be
/// `forgotten`. A server takes it up when it starts.
pub(super) fn rotate_signing_key(data_dir: &Path, forget: bool) -> anyhow::Result<String> {
    let kept = kept_keys(data_dir)?.unwrap_or_default();
    let key = drawn_key(&kept);
    let id = key.id.clone();
    let mut keys = vec![key];
    if !forget {
        keys.extend(kept);
    }
    write_keys(data_dir, &keys)?;
    Ok(id)
}

fn kept_keys(data_dir: &Path) -> anyhow::Result<Option<Vec<SigningKey>>> {
    let path = data_dir.join(KEYS_FILE);
    if let Some(text) = present(fs::read_to_string(&path), &path)? {
        let keys = parse(&text).with_context(|| format!("`{}` is not usable", path.display()))?;
        return Ok(Some(keys));
    }
    let path = data_dir.join(LEGACY_KEY_FILE);
    let Some(secret) = present(fs::read(&path), &path)? else {
        return Ok(None);
    };
    anyhow::ensure!(
        secret.len() == KEY_BYTES,
        "`{}` is not a signing key; remove it to draw another",
        path.display()
    );
    let id = "1".to_owned();
    Ok(Some(vec![SigningKey { id, secret }]))
}

fn present<T>(read: io::Result<T>, path: &Path) -> anyhow::Result<Option<T>> {
    match read {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        read => read
            .map(Some)
            .with_context(|| format!("`{}` cannot be read", path.display())),
    }
}

/// The keys of lines `id:hex`. Empty lines and those that begin with `#` are ignored.
fn parse(text: &str) -> anyhow::Result<Vec<SigningKey>> {
    let mut keys: Vec<SigningKey> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        // A message never quotes the line: it is a secret.
        let (id, hex) = line
            .split_once(':')
            .with_context(|| format!("line {number} is not `id:hex`"))?;
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
        anyhow::ensure!(
            (1..=64).contains(&id.len()) && id.bytes().all(is_name),
            "the id in line {number} is not 1 to 64 alphanumerics, dots, dashes and underscores"
        );
        anyhow::ensure!(
            keys.iter().all(|key| key.id != id),
            "the id in line {number} is that of a line before it"
        );
        let secret = SigningKey::secret_from_hex(hex.trim())
            .filter(|secret| secret.len() >= KEY_BYTES)
            .with_context(|| {
                format!("the key in line {number} is not {KEY_BYTES} or more bytes in hexadecimal")
            })?;
        let id = id.to_owned();
        keys.push(SigningKey { id, secret });
    }
    anyhow::ensure!(!keys.is_empty(), "there is no key in it");
    Ok(keys)
}

/// A fresh key with an id that none of `others` has.
fn drawn_key(others: &[SigningKey]) -> SigningKey {
    let secret: [u8; KEY_BYTES] = rand::random();
    let largest = others
        .iter()
        .filter_map(|key| key.id.parse::<u64>().ok())
        .max();
    SigningKey {
        id: largest.unwrap_or(0).saturating_add(1).to_string(),
        secret: secret.to_vec(),
    }
}

fn write_keys(data_dir: &Path, keys: &[SigningKey]) -> anyhow::Result<()> {
    let mut text =
        String::from("# Keys of signed links, as id:hex. The first signs, all verify.\n");
    for key in keys {
        text.push_str(&format!("{}:{}\n", key.id, key.secret_as_hex()));
    }
    write_secret(&data_dir.join(KEYS_FILE), text.as_bytes())
        .context("the signing keys cannot be kept")
}

fn write_secret(path: &Path, secret: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("new");
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)?;
    file.write_all(secret)?;
    file.sync_all()?;
    fs::rename(beside, path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn ids(data_dir: &Path) -> Vec<String> {
        let keys = signing_keys(data_dir).unwrap();
        keys.into_iter().map(|key| key.id).collect()
    }

    #[test]
    fn a_key_outlives_a_restart_and_is_its_owners_alone() {
        let directory = tempfile::tempdir().unwrap();
        let first = signing_keys(directory.path()).unwrap();
        assert_eq!(first[0].secret.len(), KEY_BYTES);
        let again = signing_keys(directory.path()).unwrap();
        assert_eq!((again.len(), &again[0].secret), (1, &first[0].secret));
        let about = fs::metadata(directory.path().join(KEYS_FILE)).unwrap();
        assert_eq!(about.permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_rotation_puts_a_key_on_top_and_keeps_the_others_unless_told_not_to() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(ids(directory.path()), ["1"]);
        assert_eq!(rotate_signing_key(directory.path(), false).unwrap(), "2");
        assert_eq!(rotate_signing_key(directory.path(), false).unwrap(), "3");
        assert_eq!(ids(directory.path()), ["3", "2", "1"]);
        assert_eq!(rotate_signing_key(directory.path(), true).unwrap(), "4");
        assert_eq!(ids(directory.path()), ["4"]);
    }

    #[test]
    fn the_key_of_a_release_before_goes_on_and_is_rotated_like_any() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(LEGACY_KEY_FILE), [7; KEY_BYTES]).unwrap();
        assert_eq!(
            signing_keys(directory.path()).unwrap()[0].secret,
            [7; KEY_BYTES]
        );
        rotate_signing_key(directory.path(), false).unwrap();
        let keys = signing_keys(directory.path()).unwrap();
        assert_eq!((keys.len(), &keys[1].secret[..]), (2, &[7; KEY_BYTES][..]));
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(LEGACY_KEY_FILE), "short").unwrap();
        assert!(signing_keys(directory.path()).is_err());
    }

    #[test]
    fn a_file_that_an_operator_wrote_wrong_is_refused_without_quoting_it() {
        let good = "ab".repeat(KEY_BYTES);
        for (text, problem) in [
            (String::new(), "no key"),
            ("# nothing".to_owned(), "no key"),
            (good.clone(), "line 1"),
            (format!("# a\n\nk 1:{good}"), "line 3"),
            (format!(":{good}"), "line 1"),
            (format!("1:{}", &good[2..]), "line 1"),
            (format!("1:{good}\n2:zz{good}"), "line 2"),
            (format!("1:{good}\n1:{good}"), "line 2"),
        ] {
            let error = format!("{:#}", parse(&text).unwrap_err());
            assert!(error.contains(problem), "{text:?}: {error}");
            assert!(!error.contains(&good[..8]), "{error}");
        }
        assert_eq!(
            parse(&format!("new:{good}\n old:{good} ")).unwrap().len(),
            2
        );
    }
}
