//! What the output of a node depends on: its render fingerprint. A worker process finds it
//! out, so that the server itself never opens a driver.
//!
//! Nobody has to remember to raise a number: the fingerprint holds the identity of every file
//! whose code ran while the golden render (`worker::golden`) was made, and that render's bytes, which
//! differ where a library takes another way on another processor.

mod libraries;
mod plugins;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use cluster::model::{Digest, Failure, Fingerprint};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::golden;
use super::program::{self, AskError};
use super::settings::WorkerSettings;
use super::tools::Tools;
use crate::render::text::fonts_digest;

pub use libraries::Library;
use plugins::PluginList;

/// Longest that finding out may take: drivers are slow to start on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Longest that the golden render may take. It takes a fraction of a second; a device that hangs is
/// then a reason in words, and not the end of a node that has other work.
const GOLDEN_LIMIT: Duration = Duration::from_secs(30);

/// What a node can do and what its output depends on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenderFacts {
    /// Digest of everything below but `reserved` and the words of a failure.
    #[serde(with = "as_hex")]
    pub fingerprint: Fingerprint,
    /// The adapter in words, or why there is none.
    pub gpu: String,
    /// The media engine in words, or why there is none.
    pub media: String,
    /// Digest of the bundled fonts.
    pub fonts: String,
    /// SHA-256 of the golden render's file in hexadecimal; none where it failed.
    pub golden: Option<String>,
    /// Why there is no golden render.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub golden_failure: Option<String>,
    /// The program and every library whose code was mapped after the golden render.
    pub libraries: Vec<Library>,
    /// Address space that the libraries and the driver took before anything was drawn, in bytes.
    #[serde(default)]
    pub reserved: u64,
}

/// What the thread that starts drivers found.
struct Found {
    gpu: String,
    media: String,
    reserved: u64,
}

impl RenderFacts {
    /// Asks a worker process of `program` (`framelane worker --fingerprint`).
    ///
    /// # Errors
    /// [`AskError`] when it does not answer.
    pub async fn ask(program: &Path, settings: &WorkerSettings) -> Result<Self, AskError> {
        program::ask(program, "--fingerprint", settings.environment(), PATIENCE).await
    }

    /// SHA-256 over the facts, each with its length before it.
    fn digest(&self) -> Fingerprint {
        let mut hasher = Sha256::new();
        let mut add = |part: &str| {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        };
        add(&self.gpu);
        add(&self.media);
        add(&self.fonts);
        // Of a failure only that it failed: its words may name a moment or a directory.
        add(self.golden.as_deref().unwrap_or("none"));
        for library in &self.libraries {
            add(&library.name);
            add(&library.id);
        }
        Fingerprint(Digest(hasher.finalize().into()))
    }
}

/// Tools that are started, on a thread of their own that makes the golden render and is left
/// behind where it hangs.
struct Look {
    found: Found,
    /// The golden render begins when something is sent here.
    go: Sender<()>,
    golden: Receiver<Result<Digest, Failure>>,
}

impl Look {
    /// Starts the tools; the parent has the patience for drivers that are slow.
    fn begin(settings: &WorkerSettings) -> anyhow::Result<Self> {
        let (to_found, found) = mpsc::channel();
        let (to_golden, golden) = mpsc::channel();
        let (go, wait) = mpsc::channel();
        let settings = settings.clone();
        thread::Builder::new()
            .name("golden".to_owned())
            .spawn(move || start_and_render(&settings, &to_found, &wait, &to_golden))?;
        Ok(Self {
            found: found.recv()?,
            go,
            golden,
        })
    }

    /// Waits for the golden render and gives the facts of this process.
    fn finish(self) -> anyhow::Result<RenderFacts> {
        self.go.send(())?;
        let golden = match self.golden.recv_timeout(GOLDEN_LIMIT) {
            Ok(result) => result.map_err(|failure| failure.message),
            Err(RecvTimeoutError::Timeout) => Err(format!("it did not end in {GOLDEN_LIMIT:?}")),
            Err(RecvTimeoutError::Disconnected) => Err("it panicked".to_owned()),
        };
        let (golden, golden_failure) = match golden {
            Ok(digest) => (Some(digest.to_string()), None),
            Err(why) => (None, Some(why)),
        };
        let mut facts = RenderFacts {
            fingerprint: Fingerprint(Digest([0; 32])),
            gpu: self.found.gpu,
            media: self.found.media,
            fonts: fonts_digest(),
            golden,
            golden_failure,
            libraries: libraries::of_this_process()?,
            reserved: self.found.reserved,
        };
        facts.fingerprint = facts.digest();
        Ok(facts)
    }
}

fn start_and_render(
    settings: &WorkerSettings,
    to_found: &Sender<Found>,
    go: &Receiver<()>,
    to_golden: &Sender<Result<Digest, Failure>>,
) {
    let mut tools = Tools::new(settings);
    let words = |failure: Failure| failure.message;
    let gpu = tools
        .compositor()
        .map(|compositor| compositor.fingerprint());
    let media = tools.engine().map(|engine| engine.fingerprint());
    let found = Found {
        gpu: gpu.unwrap_or_else(words),
        media: media.unwrap_or_else(words),
        reserved: reserved(),
    };
    // A process that starts over instead must leave no directory behind.
    if to_found.send(found).is_ok() && go.recv().is_ok() {
        // The receiver waits for a limited time.
        let _ = to_golden.send(golden::render(&mut tools));
    }
    // Their drivers would leave with them, and be missing from the list. The process ends soon.
    std::mem::forget(tools);
}

/// The most address space this process has had, in bytes; 0 where nobody says.
fn reserved() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmPeak:"));
    let kib = peak.and_then(|value| value.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) << 10
}

/// Prints this process's facts as JSON: `framelane worker --fingerprint`.
///
/// # Errors
/// When stdout cannot be had or written, the kernel does not say which libraries are mapped, or
/// no thread can be started.
pub fn print() -> anyhow::Result<()> {
    use std::io::Write;
    // Libraries that print while they are asked must not spoil the answer.
    let mut output = super::child::take_stdout()?;
    let settings = WorkerSettings::from_environment()?;
    let list = PluginList::now(&settings);
    let look = Look::begin(&settings)?;
    if list.has_changed() {
        plugins::start_over(&output)?;
    }
    let facts = look.finish()?;
    serde_json::to_writer(&mut output, &facts)?;
    writeln!(output)?;
    if facts.golden_failure.is_some() {
        #[expect(unsafe_code, reason = "the standard library has no such call")]
        // SAFETY: it does not return. Exit handlers of libraries are left out, because they may wait
        // for a thread of a golden render that hangs.
        unsafe {
            libc::_exit(0)
        }
    }
    Ok(())
}

/// A fingerprint as lowercase hexadecimal.
mod as_hex {
    use cluster::model::{Digest, Fingerprint};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(
        fingerprint: &Fingerprint,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&fingerprint.0)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Fingerprint, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut bytes = [0_u8; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(D::Error::custom)?;
        Ok(Fingerprint(Digest(bytes)))
    }
}
