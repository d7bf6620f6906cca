//! A snapshot as a file that is being received, sent or built: what openraft moves about
//! instead of bytes in memory.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};

use bincode::error::EncodeError;
use sha2::{Digest as _, Sha256};
use tempfile::TempPath;
use tokio::io::{AsyncRead, AsyncSeek, AsyncWrite, ReadBuf};

use super::StoreError;
use crate::codec::CodecError;
use crate::model::Digest;
use crate::state::State;

/// Bytes read or written at once.
const BUFFER: usize = 64 * 1024;

/// Name of a file that is being written; no snapshot that counts is called so.
const TEMPORARY: &str = ".tmp";

/// An open snapshot file. One that is being received has a temporary name and is removed
/// when it is dropped before it was installed.
#[derive(Debug)]
pub(crate) struct SnapshotFile {
    handle: Handle,
    temporary: Option<TempPath>,
}

#[derive(Debug)]
enum Handle {
    /// Reads and writes on tokio's blocking threads.
    Threaded(tokio::fs::File),
    /// Reads and writes at once, on the thread of the simulation.
    #[cfg(test)]
    Inline(File),
}

impl SnapshotFile {
    /// A new file in `directory` to write to.
    pub(super) fn temporary(directory: &Path) -> Result<Temporary, StoreError> {
        let file = tempfile::Builder::new()
            .suffix(TEMPORARY)
            .tempfile_in(directory)
            .map_err(|error| StoreError::io(directory, error))?;
        let (file, path) = file.into_parts();
        Ok(Temporary { file, path })
    }

    pub(super) fn receiving(temporary: Temporary) -> Self {
        Self {
            handle: Handle::Threaded(tokio::fs::File::from_std(temporary.file)),
            temporary: Some(temporary.path),
        }
    }

    /// A file to send, from its beginning.
    pub(super) fn sending(file: File) -> Self {
        Self {
            handle: Handle::Threaded(tokio::fs::File::from_std(file)),
            temporary: None,
        }
    }

    /// Takes reads and writes off tokio's threads, whose order no seed decides.
    #[cfg(test)]
    pub(super) fn inline(mut self) -> Self {
        self.handle = match self.handle {
            Handle::Threaded(file) => Handle::Inline(file.try_into_std().expect("not in use yet")),
            inline @ Handle::Inline(_) => inline,
        };
        self
    }

    /// The file and, if it was received, its temporary name. Every write to it is complete.
    pub(super) async fn into_parts(self) -> (File, Option<TempPath>) {
        let file = match self.handle {
            Handle::Threaded(file) => file.into_std().await,
            #[cfg(test)]
            Handle::Inline(file) => file,
        };
        (file, self.temporary)
    }
}

/// A file with a temporary name, removed when it is dropped.
#[derive(Debug)]
pub(super) struct Temporary {
    pub(super) file: File,
    pub(super) path: TempPath,
}

/// Writes `state` to `file`, which is at `path`, and makes the bytes durable; gives their
/// digest.
pub(super) fn write_state(state: &State, file: &File, path: &Path) -> Result<Digest, StoreError> {
    let mut writer = BufWriter::with_capacity(
        BUFFER,
        Digesting {
            file,
            sha256: Sha256::new(),
        },
    );
    crate::state::encode_into(state, &mut writer).map_err(|error| match error {
        CodecError::Encode(EncodeError::Io { inner, .. }) => StoreError::io(path, inner),
        other => other.into(),
    })?;
    let written = writer
        .into_inner()
        .map_err(|error| StoreError::io(path, error.into_error()))?;
    file.sync_all()
        .map_err(|error| StoreError::io(path, error))?;
    Ok(Digest(written.sha256.finalize().into()))
}

/// Reads the state in `file`, which is at `path`, from its beginning.
pub(super) fn read_state(mut file: &File, path: &Path) -> Result<State, StoreError> {
    file.rewind().map_err(|error| StoreError::io(path, error))?;
    let mut reader = BufReader::with_capacity(BUFFER, file);
    Ok(crate::state::decode_from(&mut reader)?)
}

/// Digests `file` from its beginning to its end, and goes back to the beginning.
pub(super) fn digest(mut file: &File) -> io::Result<Digest> {
    file.rewind()?;
    let mut sha256 = Sha256::new();
    let mut buffer = vec![0; BUFFER];
    loop {
        let length = file.read(&mut buffer)?;
        if length == 0 {
            break;
        }
        sha256.update(&buffer[..length]);
    }
    file.rewind()?;
    Ok(Digest(sha256.finalize().into()))
}

/// Digests what is written to a file.
struct Digesting<'a> {
    file: &'a File,
    sha256: Sha256,
}

impl Write for Digesting<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.file.write(bytes)?;
        self.sha256.update(&bytes[..written]);
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl AsyncRead for SnapshotFile {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.handle {
            Handle::Threaded(file) => Pin::new(file).poll_read(context, buffer),
            #[cfg(test)]
            Handle::Inline(file) => {
                let length = file.read(buffer.initialize_unfilled())?;
                buffer.advance(length);
                Poll::Ready(Ok(()))
            }
        }
    }
}

impl AsyncWrite for SnapshotFile {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.handle {
            Handle::Threaded(file) => Pin::new(file).poll_write(context, bytes),
            #[cfg(test)]
            Handle::Inline(file) => Poll::Ready(file.write(bytes)),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.handle {
            Handle::Threaded(file) => Pin::new(file).poll_flush(context),
            #[cfg(test)]
            Handle::Inline(file) => Poll::Ready(file.flush()),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.poll_flush(context)
    }
}

impl AsyncSeek for SnapshotFile {
    fn start_seek(mut self: Pin<&mut Self>, position: SeekFrom) -> io::Result<()> {
        match &mut self.handle {
            Handle::Threaded(file) => Pin::new(file).start_seek(position),
            #[cfg(test)]
            Handle::Inline(file) => file.seek(position).map(drop),
        }
    }

    fn poll_complete(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<u64>> {
        match &mut self.handle {
            Handle::Threaded(file) => Pin::new(file).poll_complete(context),
            #[cfg(test)]
            Handle::Inline(file) => Poll::Ready(file.stream_position()),
        }
    }
}
