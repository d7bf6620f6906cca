//! Listing: the files below a directory as objects.

use std::fs;
use std::io;
use std::path::Path;
use std::time::SystemTime;

use cluster::model::{LogTime, ObjectKey};

use super::Shared;
use crate::store::{Listed, StoreError, from_io};

impl Shared {
    pub(super) fn list(&self, prefix: &str) -> Result<Vec<Listed>, StoreError> {
        let directory = ObjectKey(prefix.trim_end_matches('/').to_owned());
        let mut found = Vec::new();
        self.walk(&self.path(&directory)?, &mut found)
            .map_err(from_io)?;
        Ok(found)
    }

    pub(super) fn children(&self, prefix: &str) -> Result<Vec<String>, StoreError> {
        let directory = ObjectKey(prefix.trim_end_matches('/').to_owned());
        let entries = unless_gone(fs::read_dir(self.path(&directory)?)).map_err(from_io)?;
        let mut names = Vec::new();
        for entry in entries.into_iter().flatten() {
            let entry = entry.map_err(from_io)?;
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                names.extend(entry.file_name().into_string());
            }
        }
        Ok(names)
    }

    fn walk(&self, directory: &Path, found: &mut Vec<Listed>) -> io::Result<()> {
        let Some(entries) = unless_gone(fs::read_dir(directory))? else {
            return Ok(());
        };
        for entry in entries {
            let entry = entry?;
            let path = entry.path();
            let Some(about) = unless_gone(entry.metadata())? else {
                continue;
            };
            if about.is_dir() {
                self.walk(&path, found)?;
                continue;
            }
            let Some(key) = path.strip_prefix(&self.root).ok().and_then(Path::to_str) else {
                continue;
            };
            let since = about.modified()?.duration_since(SystemTime::UNIX_EPOCH);
            let millis = since.unwrap_or_default().as_millis();
            found.push(Listed {
                key: ObjectKey(key.to_owned()),
                size: about.len(),
                used_at: LogTime(u64::try_from(millis).unwrap_or(u64::MAX)),
            });
        }
        Ok(())
    }
}

/// Objects come and go while others are listed.
fn unless_gone<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        result => result.map(Some),
    }
}
