//! What an operator decides about the edge. Read once at start; nothing here changes later.

use std::path::PathBuf;
use std::time::Duration;

use super::access::Quota;
use crate::composition;

/// The edge's configuration.
#[derive(Debug, Clone)]
pub struct EdgeConfig {
    /// Base of links handed out; none: the host a request was sent to.
    pub public_url: Option<String>,
    /// Base of links for a request that names no host: where this process listens.
    pub listen_url: String,
    /// How long signed links are good for.
    pub url_ttl: Duration,
    /// Keys of signed links: the first signs, all verify.
    pub signing_keys: Vec<SigningKey>,
    /// Who may use what without a key.
    pub access: Access,
    /// Admin routes are on the same listener as /v1.
    pub admin_on_edge: bool,
    /// Origins whose pages may use /v1 from a browser; `*`: all. Signed links need none.
    pub cors_origins: Vec<String>,
    /// The limits of requests.
    pub limits: EdgeLimits,
    /// What workspaces may have rendered.
    pub quota: Quota,
    /// Build version, as shown to clients and operators.
    pub version: String,
    /// Font families that render without a download.
    pub fonts: Vec<String>,
    /// Where this process keeps what must last, if it does.
    pub data_dir: Option<PathBuf>,
    /// How long the file of a completed render is kept, from its end.
    pub artifacts: Duration,
}

/// A secret that signs links, and the name links call it by.
#[derive(Clone)]
pub struct SigningKey {
    /// Short name, in the link.
    pub id: String,
    /// At least 32 random bytes.
    pub secret: Vec<u8>,
}

impl SigningKey {
    /// The bytes of hexadecimal; `None` if it is not that.
    pub fn secret_from_hex(text: &str) -> Option<Vec<u8>> {
        hex::decode(text).ok()
    }

    /// The secret, as it is kept in a file.
    pub fn secret_as_hex(&self) -> String {
        hex::encode(&self.secret)
    }
}

impl std::fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningKey")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// What decides who may come in while no API key exists.
#[derive(Debug, Clone, Copy)]
pub struct Access {
    /// Whether keys are needed, where the operator said so. Unset: not on loopback.
    pub required: Option<bool>,
    /// The listener is reached from this machine only.
    pub is_on_loopback: bool,
}

/// The limits of requests.
#[derive(Debug, Clone)]
pub struct EdgeLimits {
    /// Largest request body.
    pub body_bytes: usize,
    /// Largest upload.
    pub source_bytes: u64,
    /// Renders of one workspace that may be queued.
    pub queued_per_workspace: usize,
    /// Renders of one workspace that may go on at once; 0: no limit. The scheduler keeps it.
    pub concurrent_per_workspace: u32,
    /// Requests a minute of one key, or in open mode of one workspace; 0: no limit.
    pub requests_per_minute: u32,
    /// Requests that may come at once; 0: a minute's.
    pub burst: u32,
    /// What one composition may ask for.
    pub composition: composition::Limits,
}
