//! The claims of the acceptance list, each as one function that tries it on a real node and
//! either returns the figures it saw or says what did not hold.

pub mod av_sync;
pub mod cancel;
pub mod clock;
pub mod corpus;
pub mod crash;
pub mod destination;
pub mod determinism;
pub mod disk;
pub mod edge;
pub mod events;
pub mod frame_exactness;
pub mod hostile;
pub mod idempotency;
pub mod imports;
pub mod kills;
pub mod minimal;
pub mod mutants;
pub mod queue;
pub mod speed;
pub mod uploads;
pub mod webhooks;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use crate::api::Api;
use crate::node::NodeOptions;
use crate::origin::Origin;

/// No render of a claim takes longer than this, on the slowest machine that is of use.
pub const RENDER_LIMIT: Duration = Duration::from_secs(420);

/// How much is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// Short and small, for the test run.
    Small,
    /// As the acceptance list has it.
    Full,
}

impl Scale {
    /// One of two values.
    pub fn pick<T>(self, small: T, full: T) -> T {
        match self {
            Self::Small => small,
            Self::Full => full,
        }
    }
}

/// Something measured, for the table.
#[derive(Debug, Clone)]
pub struct Figure {
    /// What was measured.
    pub what: String,
    /// What came out.
    pub value: String,
}

impl Figure {
    /// A figure.
    pub fn new(what: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            value: value.into(),
        }
    }

    /// Figures in one line, for a claim that does not hold.
    pub fn told(figures: &[Self]) -> String {
        let each = figures
            .iter()
            .map(|it| format!("{}: {}", it.what, it.value));
        each.collect::<Vec<_>>().join("; ")
    }
}

/// What came of a claim that held.
pub type Figures = Vec<Figure>;

/// Where claims are tried: the binary, and a directory whose files an origin serves.
#[derive(Debug)]
pub struct Bench {
    binary: PathBuf,
    scratch: PathBuf,
}

impl Bench {
    /// A bench for `binary` that keeps its files in `scratch`.
    pub fn new(binary: impl Into<PathBuf>, scratch: impl Into<PathBuf>) -> Self {
        Self {
            binary: binary.into(),
            scratch: scratch.into(),
        }
    }

    /// Options for a node of the binary.
    pub fn node(&self) -> NodeOptions {
        NodeOptions::new(&self.binary)
    }

    /// The binary under test.
    pub fn binary(&self) -> &Path {
        &self.binary
    }

    /// Serves the scratch directory.
    ///
    /// # Errors
    /// When no port can be had.
    pub async fn origin(&self) -> Result<Origin> {
        Origin::start(&self.scratch).await
    }

    /// The path of a scratch file.
    pub fn file(&self, name: &str) -> PathBuf {
        self.scratch.join(name)
    }

    /// The directory of the scratch files.
    pub fn scratch(&self) -> &Path {
        &self.scratch
    }

    /// A file of the repository.
    ///
    /// # Errors
    /// When it is not there.
    pub fn repository_file(&self, name: &str) -> Result<PathBuf> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent();
        let file = root
            .context("the crate has no parent directory")?
            .join(name);
        ensure!(file.is_file(), "{} is not there", file.display());
        Ok(file)
    }

    /// Renders a composition and downloads what it made.
    ///
    /// # Errors
    /// When it does not complete.
    pub async fn rendered(&self, api: &Api, composition: &Value) -> Result<Rendered> {
        let id = api.submit(composition).await?;
        self.collected(api, &id).await
    }

    /// Waits for a render and downloads what it made.
    ///
    /// # Errors
    /// When it does not complete.
    pub async fn collected(&self, api: &Api, id: &str) -> Result<Rendered> {
        let render = api.completed(id, RENDER_LIMIT).await?;
        let file = self.file(&format!("{id}.mp4"));
        api.download(id, &file).await?;
        Ok(Rendered { render, file })
    }
}

/// A completed render and its file.
#[derive(Debug)]
pub struct Rendered {
    /// The render object.
    pub render: Value,
    /// The downloaded artifact; it is removed when this is dropped.
    pub file: PathBuf,
}

impl Drop for Rendered {
    fn drop(&mut self) {
        // A file that stays behind harms nobody: the scratch directory is temporary.
        drop(std::fs::remove_file(&self.file));
    }
}
