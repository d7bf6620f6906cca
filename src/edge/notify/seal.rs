//! Secrets at rest: encrypted with a key derived from the cluster's secret, so that neither
//! the log nor a snapshot gives them away.

use chacha20poly1305::aead::{Aead, KeyInit as _};
use chacha20poly1305::{ChaCha20Poly1305, Key, Nonce};
use cluster::model::Sealed;
use hkdf::Hkdf;
use sha2::Sha256;

/// What the derived key is for: another use of the same secret derives another key.
const CONTEXT: &[u8] = b"framelane webhook secrets 1";

const NONCE: usize = 12;

/// A sealed secret that this process cannot read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a stored secret was sealed with another cluster secret")]
pub struct SealError;

/// Seals and opens secrets.
#[derive(Clone)]
pub struct Sealer(ChaCha20Poly1305);

impl std::fmt::Debug for Sealer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealer")
    }
}

impl Sealer {
    /// A sealer whose key is derived from `secret`.
    pub fn new(secret: &[u8]) -> Self {
        let mut key = [0; 32];
        Hkdf::<Sha256>::new(None, secret)
            .expand(CONTEXT, &mut key)
            .expect("32 bytes are far below what HKDF can give");
        Self(ChaCha20Poly1305::new(&Key::from(key)))
    }

    /// Seals `secret`: a nonce, then the encrypted bytes.
    pub(in crate::edge) fn seal(&self, secret: &[u8]) -> Sealed {
        let nonce: [u8; NONCE] = rand::random();
        let sealed = self
            .0
            .encrypt(&Nonce::from(nonce), secret)
            .expect("a secret is far below the cipher's limit");
        Sealed([nonce.as_slice(), &sealed].concat())
    }

    /// Opens what [`Sealer::seal`] made.
    pub(in crate::edge) fn open(&self, sealed: &Sealed) -> Result<Vec<u8>, SealError> {
        let (nonce, bytes) = sealed.0.split_at_checked(NONCE).ok_or(SealError)?;
        let nonce = <[u8; NONCE]>::try_from(nonce).map_err(|_| SealError)?;
        self.0
            .decrypt(&Nonce::from(nonce), bytes)
            .map_err(|_| SealError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_opens_with_its_own_key_only() {
        let sealer = Sealer::new(b"one");
        let sealed = sealer.seal(b"whisper");
        assert!(!sealed.0.windows(7).any(|window| window == b"whisper"));
        assert_eq!(sealer.open(&sealed).unwrap(), b"whisper");
        assert_ne!(sealer.seal(b"whisper"), sealed, "never the same twice");
        assert_eq!(Sealer::new(b"two").open(&sealed), Err(SealError));
        assert_eq!(sealer.open(&Sealed(vec![1, 2])), Err(SealError));
        let mut torn = sealed;
        torn.0.pop();
        assert_eq!(sealer.open(&torn), Err(SealError));
    }
}
