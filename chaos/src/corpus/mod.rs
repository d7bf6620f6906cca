//! A corpus of small media files whose content is known because it was put there: pictures that
//! carry their number and eight colours, clicks at known times.
//!
//! Containers × codecs × pixel formats × rates × order of pictures × edits × starts × sound are
//! combined by [`pairs`], so that every pair of values of two dimensions occurs. Files are written
//! by `ffmpeg`, `mkvmerge`, GStreamer's muxers and, for edit lists that none of them writes, by
//! [`boxes`]. What must be seen and heard follows from the recipe ([`truth`]), never from a player.

pub mod boxes;
pub mod canvas;
pub mod films;
pub mod pairs;
pub mod sounds;
pub mod tables;
pub mod truth;
mod write;

use std::path::{Path, PathBuf};

use anyhow::Result;

pub use films::Film;
pub use sounds::Recording;
pub use truth::Truth;

/// Files in the whole corpus, at least.
pub const LEAST: usize = 330;
/// Decides which rows are chosen beyond those that all pairs need.
const SEED: u64 = 7;

/// One file of the corpus.
#[derive(Debug, Clone)]
pub enum Item {
    /// Pictures, with or without sound.
    Film(Film),
    /// Sound alone.
    Recording(Recording),
}

impl Item {
    /// File name, which says what is in it.
    pub fn name(&self) -> String {
        match self {
            Self::Film(film) => film.name(),
            Self::Recording(recording) => recording.name(),
        }
    }

    /// Writes the file into `dir`.
    ///
    /// # Errors
    /// When a tool that makes it fails.
    pub async fn write(&self, stock: &Stock, dir: &Path) -> Result<PathBuf> {
        match self {
            Self::Film(film) => write::film(film, stock, dir).await,
            Self::Recording(recording) => write::recording(recording, stock, dir).await,
        }
    }

    /// What must be seen and heard of it.
    pub fn truth(&self) -> Truth {
        match self {
            Self::Film(film) => truth::of_film(film),
            Self::Recording(recording) => truth::of_recording(recording),
        }
    }
}

/// The whole corpus, always the same.
pub fn items() -> Vec<Item> {
    let sounds = sounds::all(SEED);
    let films = films::all(LEAST.saturating_sub(sounds.len()), SEED);
    let films = films.into_iter().map(Item::Film);
    films
        .chain(sounds.into_iter().map(Item::Recording))
        .collect()
}

/// What all files are encoded from: raw pictures and one sound.
#[derive(Debug)]
pub struct Stock {
    dir: PathBuf,
    /// A WAVE file with the clicks.
    clicks: PathBuf,
}

impl Stock {
    /// Writes the stock into `dir`.
    ///
    /// # Errors
    /// When it cannot be written.
    pub async fn make(dir: &Path) -> Result<Self> {
        let stock = Self {
            dir: dir.to_owned(),
            clicks: dir.join("stock.wav"),
        };
        for rate in tables::RATES {
            let count = truth::count(rate);
            let pictures: Vec<u8> = (0..count).flat_map(canvas::picture).collect();
            tokio::fs::write(stock.pictures(count), pictures).await?;
        }
        tokio::fs::write(&stock.clicks, canvas::click_track()).await?;
        Ok(stock)
    }

    /// The file of so many RGB pictures of [`canvas`], one after the other.
    fn pictures(&self, count: u16) -> PathBuf {
        self.dir.join(format!("stock-{count}.rgb"))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_corpus_is_large_and_has_no_file_twice() {
        let items = items();
        let names: BTreeSet<String> = items.iter().map(Item::name).collect();
        assert!(items.len() >= LEAST, "{}", items.len());
        assert_eq!(names.len(), items.len());
    }
}
