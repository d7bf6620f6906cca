//! A file's bytes by offset: a window that moves over it, so that small reads next to one another
//! cost one system call.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

use crate::media::MediaError;

/// Bytes read ahead at a time.
const WINDOW: usize = 256 * 1024;
/// Nothing in a container that is held as a whole (a `moov`, a header) may be larger.
pub(super) const MAX_HELD: u64 = 256 * 1024 * 1024;

/// A readable file of known length.
#[derive(Debug)]
pub struct Input {
    bytes: Source,
    length: u64,
    window: Vec<u8>,
    window_at: u64,
}

#[derive(Debug)]
enum Source {
    File(File),
    Memory(Vec<u8>),
}

impl Input {
    /// Opens a file.
    ///
    /// # Errors
    /// [`MediaError::Io`] when it cannot be opened.
    pub fn open(path: &Path) -> Result<Self, MediaError> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        Ok(Self::new(Source::File(file), length))
    }

    /// Bytes in memory, for tests and fuzzing.
    #[must_use]
    pub fn from_bytes(bytes: Vec<u8>) -> Self {
        let length = bytes.len() as u64;
        Self::new(Source::Memory(bytes), length)
    }

    fn new(bytes: Source, length: u64) -> Self {
        Self {
            bytes,
            length,
            window: Vec::new(),
            window_at: 0,
        }
    }

    /// Length of the file in bytes.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Up to `count` bytes from `offset` on; fewer at the end of the file, none beyond it.
    ///
    /// # Errors
    /// [`MediaError::Io`] when reading fails, [`MediaError::Limit`] beyond what is held at once.
    pub fn available(&mut self, offset: u64, count: u64) -> Result<&[u8], MediaError> {
        if count > MAX_HELD {
            return Err(MediaError::Limit(format!("{count} bytes in one piece")));
        }
        let end = offset.saturating_add(count).min(self.length);
        let count = usize::try_from(end.saturating_sub(offset)).unwrap_or(0);
        if count == 0 {
            return Ok(&[]);
        }
        if let Source::Memory(_) = self.bytes {
            let start = usize::try_from(offset).unwrap_or(usize::MAX);
            let Source::Memory(bytes) = &self.bytes else {
                return Ok(&[]);
            };
            return Ok(bytes.get(start..start + count).unwrap_or_default());
        }
        let window_end = self.window_at + self.window.len() as u64;
        if offset < self.window_at || end > window_end {
            let wanted = usize::try_from(self.length - offset)
                .unwrap_or(usize::MAX)
                .min(WINDOW.max(count));
            self.window.resize(wanted, 0);
            self.window_at = offset;
            if let Source::File(file) = &self.bytes
                && let Err(error) = file.read_exact_at(&mut self.window, offset)
            {
                self.window.clear();
                return Err(error.into());
            }
        }
        let start = usize::try_from(offset - self.window_at).unwrap_or(usize::MAX);
        Ok(self.window.get(start..start + count).unwrap_or_default())
    }

    /// Exactly `count` bytes from `offset` on.
    ///
    /// # Errors
    /// As [`Input::available`]; [`MediaError::Invalid`] where the file ends before.
    pub fn exact(&mut self, offset: u64, count: u64) -> Result<&[u8], MediaError> {
        let length = self.length;
        let bytes = self.available(offset, count)?;
        if bytes.len() as u64 == count {
            return Ok(bytes);
        }
        Err(MediaError::Invalid(format!(
            "it ends at byte {length}, before what it announces"
        )))
    }

    /// Exactly `N` bytes from `offset` on.
    ///
    /// # Errors
    /// As [`Input::exact`].
    pub fn array<const N: usize>(&mut self, offset: u64) -> Result<[u8; N], MediaError> {
        let mut array = [0; N];
        array.copy_from_slice(self.exact(offset, N as u64)?);
        Ok(array)
    }

    /// Appends exactly `count` bytes from `offset` on to `into`, past the window.
    ///
    /// # Errors
    /// As [`Input::exact`].
    pub fn append(
        &mut self,
        offset: u64,
        count: u64,
        into: &mut Vec<u8>,
    ) -> Result<(), MediaError> {
        if count <= WINDOW as u64 / 4 {
            into.extend_from_slice(self.exact(offset, count)?);
            return Ok(());
        }
        let fits = count <= MAX_HELD && offset.saturating_add(count) <= self.length;
        match (&self.bytes, usize::try_from(count)) {
            (Source::File(file), Ok(count)) if fits => {
                let start = into.len();
                into.resize(start + count, 0);
                file.read_exact_at(&mut into[start..], offset)?;
                Ok(())
            }
            _ => {
                into.extend_from_slice(self.exact(offset, count)?);
                Ok(())
            }
        }
    }
}
