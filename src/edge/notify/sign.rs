//! Signatures of webhooks, both kinds of API.md §7, with one key: the bytes behind `whsec_`.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cluster::model::{LogTime, Secret};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::seal::{SealError, Sealer};

const PREFIX: &str = "whsec_";
const SECRET_BYTES: usize = 32;

/// A secret that was given to no receiver.
pub(in crate::edge) fn fresh_secret() -> [u8; SECRET_BYTES] {
    rand::random()
}

/// A secret as its owner gets it.
pub(in crate::edge) fn text_of(secret: &[u8]) -> String {
    format!("{PREFIX}{}", STANDARD.encode(secret))
}

/// The keys that sign now: the current one, then the one before while it still counts.
pub(in crate::edge) struct Keys(Vec<Vec<u8>>);

impl Keys {
    /// Opens what signs at `now`.
    pub(in crate::edge) fn open(
        secret: &Secret,
        sealer: &Sealer,
        now: LogTime,
    ) -> Result<Self, SealError> {
        let mut keys = vec![sealer.open(&secret.current)?];
        if let Some((previous, until)) = &secret.previous
            && *until > now
        {
            // One that was sealed with another secret must not hold up what replaced it.
            match sealer.open(previous) {
                Ok(key) => keys.push(key),
                Err(error) => tracing::warn!(%error, "a former secret does not sign"),
            }
        }
        Ok(Self(keys))
    }

    /// The headers that prove a body: names and values.
    pub(super) fn headers(
        &self,
        id: &str,
        unix_seconds: u64,
        body: &[u8],
    ) -> [(&'static str, String); 4] {
        let time = unix_seconds.to_string();
        let own = self.each(&[time.as_bytes(), b".", body], |mac| {
            let hex: String = mac.iter().map(|byte| format!("{byte:02x}")).collect();
            format!("v1={hex}")
        });
        let standard = self.each(&[id.as_bytes(), b".", time.as_bytes(), b".", body], |mac| {
            format!("v1,{}", STANDARD.encode(mac))
        });
        [
            ("framelane-signature", format!("t={time},{}", own.join(","))),
            ("webhook-id", id.to_owned()),
            ("webhook-timestamp", time),
            ("webhook-signature", standard.join(" ")),
        ]
    }

    fn each(&self, parts: &[&[u8]], write: impl Fn(&[u8]) -> String) -> Vec<String> {
        let sign = |key: &Vec<u8>| {
            let mut mac =
                Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes a key of any length");
            for part in parts {
                mac.update(part);
            }
            write(&mac.finalize().into_bytes())
        };
        self.0.iter().map(sign).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use standardwebhooks::Webhook;

    const BODY: &[u8] = br#"{"id":"evt_1","type":"render.completed"}"#;

    fn keys(secrets: &[&[u8]]) -> Keys {
        Keys(secrets.iter().map(|secret| secret.to_vec()).collect())
    }

    fn now() -> u64 {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        since.unwrap().as_secs()
    }

    fn header_map(headers: &[(&'static str, String)]) -> axum::http::HeaderMap {
        headers
            .iter()
            .map(|(name, value)| {
                let name = axum::http::HeaderName::from_static(name);
                (name, value.parse().unwrap())
            })
            .collect()
    }

    #[test]
    fn the_standard_library_accepts_what_is_signed_and_nothing_else() {
        let secret = fresh_secret();
        let headers = header_map(&keys(&[&secret]).headers("evt_1", now(), BODY));
        let receiver = Webhook::new(&text_of(&secret)).unwrap();
        receiver.verify(BODY, &headers).unwrap();
        assert!(receiver.verify(b"{}", &headers).is_err(), "another body");
        let stranger = Webhook::new(&text_of(&fresh_secret())).unwrap();
        assert!(stranger.verify(BODY, &headers).is_err(), "another secret");
    }

    #[test]
    fn during_an_overlap_either_secret_verifies() {
        let (new, old) = (fresh_secret(), fresh_secret());
        let headers = header_map(&keys(&[&new, &old]).headers("evt_1", now(), BODY));
        for secret in [new, old] {
            let receiver = Webhook::new(&text_of(&secret)).unwrap();
            receiver.verify(BODY, &headers).unwrap();
        }
        let signature = headers["framelane-signature"].to_str().unwrap();
        assert_eq!(signature.matches("v1=").count(), 2);
    }

    /// The check that the documentation gives receivers, in this language.
    fn is_genuine(secret: &str, header: &str, body: &[u8], now: u64) -> bool {
        let key = STANDARD
            .decode(secret.strip_prefix("whsec_").unwrap())
            .unwrap();
        let mut parts = header.split(',');
        let time = parts.next().unwrap().strip_prefix("t=").unwrap();
        if now.abs_diff(time.parse().unwrap()) > 300 {
            return false;
        }
        let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
        mac.update(time.as_bytes());
        mac.update(b".");
        mac.update(body);
        let want: String = mac
            .finalize()
            .into_bytes()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        parts.any(|part| part.strip_prefix("v1=") == Some(&want))
    }

    #[test]
    fn a_plain_check_of_the_own_signature_holds() {
        let secret = fresh_secret();
        let (time, text) = (now(), text_of(&secret));
        let [(_, header), ..] = keys(&[&secret]).headers("evt_1", time, BODY);
        assert!(is_genuine(&text, &header, BODY, time));
        assert!(!is_genuine(&text, &header, b"{}", time));
        assert!(!is_genuine(&text, &header, BODY, time + 301), "too old");
    }

    #[test]
    fn the_former_secret_signs_until_its_time_is_over() {
        let sealer = Sealer::new(b"cluster");
        let secret = Secret {
            current: sealer.seal(b"new"),
            previous: Some((sealer.seal(b"old"), LogTime(100))),
        };
        let count = |now| Keys::open(&secret, &sealer, LogTime(now)).unwrap().0.len();
        assert_eq!((count(99), count(100)), (2, 1));
    }

    #[test]
    fn a_rotation_mends_a_secret_that_cannot_be_read() {
        let sealer = Sealer::new(b"cluster");
        let lost = Sealer::new(b"another").seal(b"old");
        let mut secret = Secret {
            current: lost.clone(),
            previous: None,
        };
        assert!(Keys::open(&secret, &sealer, LogTime(0)).is_err());
        secret.current = sealer.seal(b"new");
        secret.previous = Some((lost, LogTime(100)));
        assert_eq!(Keys::open(&secret, &sealer, LogTime(0)).unwrap().0.len(), 1);
    }
}
