//! A file on its way in: written from bytes in memory or from a stream, hashed as it grows,
//! off the async threads. It becomes an object only when its owner commits it.

use std::io;
use std::path::Path;

use bytes::Bytes;
use cluster::model::Digest;
use futures::StreamExt;
use futures::stream::BoxStream;
use tempfile::NamedTempFile;

use super::bulk::{self, Written};
use super::{StoreError, from_io};

/// Streamed bytes gathered before they are written: a task for each small chunk costs more
/// than the write.
const GATHERED: usize = 1024 * 1024;

/// A file that is not an object yet; dropped, it is gone.
pub(super) struct Landing {
    file: NamedTempFile,
    written: Written,
}

/// A file with everything in it.
pub(super) struct Landed {
    pub(super) file: NamedTempFile,
    pub(super) sha256: Digest,
    pub(super) size: u64,
}

impl Landing {
    /// An empty file in `directory`.
    pub(super) fn within(directory: &Path) -> Result<Self, StoreError> {
        let file = tempfile::Builder::new()
            .prefix("put-")
            .tempfile_in(directory)
            .map_err(from_io)?;
        // While it is locked, the sweep of files that a crash left skips it.
        file.as_file().lock().map_err(from_io)?;
        Ok(Self {
            file,
            written: Written::default(),
        })
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let written = self.written.append(self.file.as_file_mut(), bytes);
        written.map_err(from_io)
    }

    /// Writes all that comes, holding about a mebibyte of it.
    pub(super) async fn receive(
        mut self,
        mut bytes: BoxStream<'_, Result<Bytes, StoreError>>,
    ) -> Result<Self, StoreError> {
        let mut gathered = Vec::new();
        let mut length = 0;
        loop {
            let chunk = bytes.next().await.transpose()?;
            let is_last = chunk.is_none();
            if let Some(chunk) = chunk {
                length += chunk.len();
                gathered.push(chunk);
            }
            if is_last || length >= GATHERED {
                let write = std::mem::take(&mut gathered);
                length = 0;
                self = bulk::run(move || {
                    write.iter().try_for_each(|chunk| self.write(chunk))?;
                    Ok::<_, StoreError>(self)
                })
                .await?;
            }
            if is_last {
                return Ok(self);
            }
        }
    }

    pub(super) fn finish(self) -> Landed {
        let (sha256, size) = self.written.digest();
        Landed {
            file: self.file,
            sha256,
            size,
        }
    }
}

/// Runs work that waits for the disk where that delays no other task.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(StoreError::Io(io::Error::other(error))))
}
