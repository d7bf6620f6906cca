//! Signed, expiring links to the files of a render. A link is all the authority it needs, so
//! the signature covers everything it names; checking takes the same time for every guess.

use cluster::model::{JobId, LogTime};
use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::Sha256;

use super::config::SigningKey;
use super::error::{ApiError, Code};

/// Which file of a render.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FilePart {
    /// The finished file.
    Output,
    /// The small picture of it.
    Thumbnail,
}

impl FilePart {
    /// Its name in a link.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Output => "output",
            Self::Thumbnail => "thumbnail",
        }
    }

    /// The part a link calls `name`.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        [Self::Output, Self::Thumbnail]
            .into_iter()
            .find(|part| part.as_str() == name)
    }
}

/// A file as a link names it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct FileName<'a> {
    /// The render.
    pub(crate) job: JobId,
    /// Which of its files.
    pub(crate) part: FilePart,
    /// What it is called when it is saved.
    pub(crate) filename: &'a str,
}

/// What a link claims beside the file's name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Claim<'a> {
    /// Unix seconds after which it is worth nothing.
    pub(crate) expires: u64,
    /// Name of the key that signed it.
    pub(crate) key: &'a str,
    /// The signature in hexadecimal.
    pub(crate) signature: &'a str,
}

/// A link and its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SignedLink {
    /// The link.
    pub(crate) url: String,
    /// When it ends.
    pub(crate) expires_at: LogTime,
}

/// Makes and checks links.
#[derive(Debug)]
pub(crate) struct Signer {
    keys: Vec<SigningKey>,
    ttl_seconds: u64,
}

impl Signer {
    /// Signs with the first of `keys`, accepts all of them.
    pub(crate) fn new(keys: Vec<SigningKey>, ttl: std::time::Duration) -> Self {
        Self {
            keys,
            ttl_seconds: ttl.as_secs().max(1),
        }
    }

    /// A link under `base` to the file, good from `now` for the configured time.
    ///
    /// # Errors
    /// An internal [`ApiError`] if no key is configured.
    pub(crate) fn link(
        &self,
        base: &str,
        file: FileName<'_>,
        now: LogTime,
    ) -> Result<SignedLink, ApiError> {
        let Some(key) = self.keys.first() else {
            tracing::error!("no key for signed links is configured");
            return Err(ApiError::internal());
        };
        let expires = (now.0 / 1000).saturating_add(self.ttl_seconds);
        let signature = hex::encode(mac(key, file, expires).finalize().into_bytes());
        let query = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("expires", &expires.to_string())
            .append_pair("key", &key.id)
            .append_pair("signature", &signature)
            .finish();
        let url = format!(
            "{base}/files/{}/{}/{}?{query}",
            file.job,
            file.part.as_str(),
            percent_encoded(file.filename),
        );
        Ok(SignedLink {
            url,
            expires_at: LogTime(expires.saturating_mul(1000)),
        })
    }

    /// Whether `claim` was made here for `file` and has not ended.
    ///
    /// # Errors
    /// A 403 [`ApiError`] otherwise.
    pub(crate) fn check(
        &self,
        file: FileName<'_>,
        claim: Claim<'_>,
        now: LogTime,
    ) -> Result<(), ApiError> {
        self.check_claim(claim, now, |key| mac(key, file, claim.expires))
    }

    /// Whether `claim` was made by [`signed_query`] for `subject` and has not ended.
    ///
    /// # Errors
    /// A 403 [`ApiError`] otherwise.
    pub(crate) fn check_subject(
        &self,
        subject: &str,
        claim: Claim<'_>,
        now: LogTime,
    ) -> Result<(), ApiError> {
        self.check_claim(claim, now, |key| subject_mac(key, subject, claim.expires))
    }

    fn check_claim(
        &self,
        claim: Claim<'_>,
        now: LogTime,
        mac: impl Fn(&SigningKey) -> Hmac<Sha256>,
    ) -> Result<(), ApiError> {
        // One signature has one spelling: caches between us and a client go by the link's text.
        let is_lower_case = !claim
            .signature
            .bytes()
            .any(|byte| byte.is_ascii_uppercase());
        let genuine = hex::decode(claim.signature).is_ok_and(|signature| {
            is_lower_case
                && self
                    .keys
                    .iter()
                    .filter(|key| key.id == claim.key)
                    .any(|key| mac(key).verify_slice(&signature).is_ok())
        });
        if !genuine {
            return Err(ApiError::new(
                Code::Forbidden,
                "The link's signature is not valid.",
            ));
        }
        if claim.expires <= now.0 / 1000 {
            return Err(ApiError::new(
                Code::Forbidden,
                "The link has expired; ask for a fresh one.",
            ));
        }
        Ok(())
    }
}

/// The query of a link to whatever `subject` describes, good until `expires_at`. A subject
/// begins with a line that no other kind of link begins with.
///
/// # Errors
/// An internal [`ApiError`] if no key is configured.
pub(crate) fn signed_query(
    signer: &Signer,
    subject: &str,
    expires_at: LogTime,
) -> Result<String, ApiError> {
    let Some(key) = signer.keys.first() else {
        tracing::error!("no key for signed links is configured");
        return Err(ApiError::internal());
    };
    let expires = expires_at.0 / 1000;
    let mac = subject_mac(key, subject, expires);
    Ok(url::form_urlencoded::Serializer::new(String::new())
        .append_pair("expires", &expires.to_string())
        .append_pair("key", &key.id)
        .append_pair("signature", &hex::encode(mac.finalize().into_bytes()))
        .finish())
}

fn subject_mac(key: &SigningKey, subject: &str, expires: u64) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(&key.secret).expect("HMAC takes any key length");
    mac.update(format!("{subject}\n{expires}").as_bytes());
    mac
}

fn mac(key: &SigningKey, file: FileName<'_>, expires: u64) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(&key.secret).expect("HMAC takes any key length");
    // The file name comes last: it is the only part that could hold the separator.
    let message = format!(
        "framelane file link v1\n{}\n{}\n{expires}\n{}",
        file.job,
        file.part.as_str(),
        file.filename
    );
    mac.update(message.as_bytes());
    mac
}

/// What stands for itself in a path segment and in RFC 8187's `filename*`.
const PLAIN: AsciiSet = NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// `text` as one path segment, and as the value of RFC 8187's `filename*`.
pub(super) fn percent_encoded(text: &str) -> String {
    utf8_percent_encode(text, &PLAIN).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signer(keys: &[&str]) -> Signer {
        let keys = keys
            .iter()
            .map(|id| SigningKey {
                id: (*id).to_owned(),
                secret: format!("the secret of key {id}, long enough").into_bytes(),
            })
            .collect();
        Signer::new(keys, std::time::Duration::from_secs(60))
    }

    const FILE: FileName<'_> = FileName {
        job: JobId(7),
        part: FilePart::Output,
        filename: "holiday film.mp4",
    };
    const NOW: LogTime = LogTime(1_000_000);

    /// The query of a link, as a claim's parts.
    fn parts(link: &SignedLink) -> (u64, String, String) {
        let url = url::Url::parse(&link.url).expect("a URL");
        let of = |name: &str| {
            let pair = url.query_pairs().find(|(found, _)| found == name);
            pair.expect("a parameter").1.into_owned()
        };
        (
            of("expires").parse().expect("seconds"),
            of("key"),
            of("signature"),
        )
    }

    #[test]
    fn a_link_is_good_for_exactly_the_file_key_and_time_it_names() {
        let signer = signer(&["k1"]);
        let link = signer.link("http://host", FILE, NOW).expect("a key");
        let (expires, key, signature) = parts(&link);
        assert_eq!(expires, 1060);
        assert!(
            link.url.starts_with("http://host/files/render_"),
            "{}",
            link.url
        );
        assert!(
            link.url.contains("/output/holiday%20film.mp4?"),
            "{}",
            link.url
        );
        let check = |file: FileName<'_>, expires: u64, key: &str, signature: &str, now: u64| {
            let claim = Claim {
                expires,
                key,
                signature,
            };
            signer.check(file, claim, LogTime(now)).is_ok()
        };
        assert!(check(FILE, expires, &key, &signature, NOW.0));
        assert!(check(FILE, expires, &key, &signature, 1_059_999));
        assert!(!check(FILE, expires, &key, &signature, 1_060_000));
        assert!(!check(FILE, expires + 1, &key, &signature, NOW.0));
        assert!(!check(FILE, expires, "k2", &signature, NOW.0));
        assert!(!check(FILE, expires, &key, "", NOW.0));
        assert!(!check(FILE, expires, &key, &signature[2..], NOW.0));
        assert!(!check(
            FILE,
            expires,
            &key,
            &signature.to_uppercase(),
            NOW.0
        ));
        let other = FileName {
            job: JobId(8),
            ..FILE
        };
        assert!(!check(other, expires, &key, &signature, NOW.0));
        let other = FileName {
            part: FilePart::Thumbnail,
            ..FILE
        };
        assert!(!check(other, expires, &key, &signature, NOW.0));
        let other = FileName {
            filename: "other.mp4",
            ..FILE
        };
        assert!(!check(other, expires, &key, &signature, NOW.0));
    }

    #[test]
    fn links_of_a_key_that_was_replaced_stay_good_until_it_is_removed() {
        let link = signer(&["old"]).link("", FILE, NOW).expect("a key");
        let (expires, key, signature) = parts(&SignedLink {
            url: format!("http://host{}", link.url),
            ..link
        });
        let claim = Claim {
            expires,
            key: &key,
            signature: &signature,
        };
        assert!(signer(&["new", "old"]).check(FILE, claim, NOW).is_ok());
        assert!(signer(&["new"]).check(FILE, claim, NOW).is_err());
    }
}
