//! Secrets this installation draws for itself, kept in its data directory.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use anyhow::Context;

use crate::edge::SigningKey;

const KEY_BYTES: usize = 32;

/// The key that signs links: read from the data directory, drawn at the first start. Links
/// handed out before a restart go on working.
pub(super) fn signing_key(data_dir: &Path) -> anyhow::Result<SigningKey> {
    let path = data_dir.join("signing.key");
    let secret = match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let secret: [u8; KEY_BYTES] = rand::random();
            write_once(&path, &secret).context("the signing key cannot be kept")?;
            secret.to_vec()
        }
        read => read.context("the signing key cannot be read")?,
    };
    anyhow::ensure!(
        secret.len() == KEY_BYTES,
        "`{}` is not a signing key; remove it to draw another",
        path.display()
    );
    Ok(SigningKey {
        id: "1".to_owned(),
        secret,
    })
}

fn write_once(path: &Path, secret: &[u8]) -> io::Result<()> {
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
    use super::*;

    #[test]
    fn a_key_outlives_a_restart_and_a_damaged_one_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let first = signing_key(directory.path()).unwrap().secret;
        assert_eq!(first.len(), KEY_BYTES);
        assert_eq!(signing_key(directory.path()).unwrap().secret, first);
        fs::write(directory.path().join("signing.key"), "short").unwrap();
        assert!(signing_key(directory.path()).is_err());
    }
}
