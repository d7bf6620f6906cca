//! Entries of encrypted tracks: what they were before, and by which scheme they were encrypted.

use super::fields::{Fields, find};
use super::pictures::name;

/// The entry's type without its protection, and the scheme's name if it had one.
pub(super) fn original(kind: [u8; 4], inner: &[u8]) -> ([u8; 4], Option<String>) {
    match &kind {
        b"encv" | b"enca" => {
            let sinf = find(inner, b"sinf").unwrap_or_default();
            let was = find(sinf, b"frma").and_then(|body| body.first_chunk::<4>().copied());
            let scheme = find(sinf, b"schm").and_then(|body| {
                let mut fields = Fields::new(body);
                fields.full()?;
                let kind: [u8; 4] = fields.bytes(4)?.try_into().ok()?;
                Some(name(kind))
            });
            let scheme = scheme.unwrap_or_else(|| "common encryption".to_owned());
            (was.unwrap_or(kind), Some(scheme))
        }
        b"drmi" | b"drms" => {
            let sinf = find(inner, b"sinf").unwrap_or_default();
            let was = find(sinf, b"frma").and_then(|body| body.first_chunk::<4>().copied());
            (was.unwrap_or(kind), Some("FairPlay".to_owned()))
        }
        _ => (kind, None),
    }
}
