//! What the output of a node depends on: its render fingerprint. A worker process finds it
//! out, so that the server itself never opens a driver.

use std::path::Path;
use std::time::Duration;

use cluster::model::{Digest, Fingerprint};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::settings::WorkerSettings;
use super::tools;
use crate::render::text::fonts_digest;

/// Longest that finding out may take: drivers are slow to start on a loaded machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// Raised when this crate's own drawing or cutting changes what comes out.
const OUTPUT_VERSION: u32 = 1;

/// What a node can do and what its output depends on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenderFacts {
    /// Digest of everything below.
    #[serde(with = "hex")]
    pub fingerprint: Fingerprint,
    /// The adapter in words, or why there is none.
    pub gpu: String,
    /// The media engine in words, or why there is none.
    pub media: String,
    /// Digest of the bundled fonts.
    pub fonts: String,
    /// Address space that the libraries and the driver took before anything was drawn.
    #[serde(default)]
    pub reserved: u64,
}

/// Why a worker did not tell its facts.
#[derive(Debug, thiserror::Error)]
pub enum FactsError {
    /// It could not be started.
    #[error("a worker cannot be started")]
    Start(#[source] std::io::Error),
    /// It did not answer.
    #[error("the worker did not answer in {0:?}")]
    Late(Duration),
    /// It failed, or answered something else.
    #[error("the worker gave no facts: {0}")]
    Failed(String),
}

impl RenderFacts {
    /// Finds out about this process's own machine and libraries.
    pub fn of_this_process(settings: &WorkerSettings) -> Self {
        let gpu = match tools::compositor(&settings.adapter) {
            Ok(compositor) => compositor.fingerprint(),
            Err(error) => error.to_string(),
        };
        let media = match tools::media_engine(settings) {
            Ok(engine) => engine.fingerprint(),
            Err(error) => error.to_string(),
        };
        let fonts = fonts_digest();
        let mut hasher = Sha256::new();
        let version = OUTPUT_VERSION.to_string();
        for part in [env!("CARGO_PKG_VERSION"), &version, &gpu, &media, &fonts] {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
        Self {
            fingerprint: Fingerprint(Digest(hasher.finalize().into())),
            gpu,
            media,
            fonts,
            reserved: reserved(),
        }
    }

    /// Asks a worker process of `program` (`framelane worker --fingerprint`).
    ///
    /// # Errors
    /// [`FactsError`] when it does not answer.
    pub async fn ask(program: &Path, settings: &WorkerSettings) -> Result<Self, FactsError> {
        let answer = tokio::process::Command::new(program)
            .args(["worker", "--fingerprint"])
            .env_clear()
            .envs(settings.environment())
            .stdin(std::process::Stdio::null())
            .kill_on_drop(true)
            .output();
        let answer = tokio::time::timeout(PATIENCE, answer)
            .await
            .map_err(|_| FactsError::Late(PATIENCE))?
            .map_err(FactsError::Start)?;
        if !answer.status.success() {
            let words = String::from_utf8_lossy(&answer.stderr).trim().to_owned();
            return Err(FactsError::Failed(words));
        }
        serde_json::from_slice(&answer.stdout)
            .map_err(|error| FactsError::Failed(error.to_string()))
    }
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
/// When stdout cannot be had or written.
pub fn print() -> anyhow::Result<()> {
    use std::io::Write;
    // Libraries that print while they are asked must not spoil the answer.
    let mut output = super::child::take_stdout()?;
    let facts = RenderFacts::of_this_process(&WorkerSettings::from_environment()?);
    serde_json::to_writer(&mut output, &facts)?;
    writeln!(output)?;
    Ok(())
}

/// A fingerprint as lowercase hexadecimal.
mod hex {
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
        let malformed = || D::Error::custom("not 64 hexadecimal digits");
        if text.len() != 64 || !text.is_ascii() {
            return Err(malformed());
        }
        let mut bytes = [0_u8; 32];
        for (index, byte) in bytes.iter_mut().enumerate() {
            let digits = text.get(index * 2..index * 2 + 2).ok_or_else(malformed)?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| malformed())?;
        }
        Ok(Fingerprint(Digest(bytes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_survive_the_way_through_json() {
        let facts = RenderFacts {
            fingerprint: Fingerprint(Digest(std::array::from_fn(|n| {
                u8::try_from(n * 7).unwrap()
            }))),
            gpu: "llvmpipe".to_owned(),
            media: "gstreamer".to_owned(),
            fonts: "abc".to_owned(),
            reserved: 1 << 40,
        };
        let json = serde_json::to_string(&facts).unwrap();
        assert!(json.contains("\"00070e15"), "{json}");
        assert_eq!(serde_json::from_str::<RenderFacts>(&json).unwrap(), facts);
    }
}
