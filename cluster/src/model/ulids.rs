//! Ids that are a prefix and a ULID in text: whose thing it is can be seen in a log line.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use ulid::Ulid;

use super::ids::NotAnId;

macro_rules! ulid_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub u128);

        impl $name {
            /// The id made of `ulid`.
            pub fn from_ulid(ulid: Ulid) -> Self {
                Self(ulid.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "_{}"), Ulid(self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;

            fn from_str(text: &str) -> Result<Self, NotAnId> {
                text.strip_prefix(concat!($prefix, "_"))
                    .and_then(|ulid| Ulid::from_string(ulid).ok())
                    .map(Self::from_ulid)
                    .ok_or(NotAnId)
            }
        }
    };
}

ulid_id! {
    /// One webhook endpoint, `webhook_` and a ULID in text.
    EndpointId, "webhook"
}
ulid_id! {
    /// One event, `evt_` and a ULID in text: the same on every try and at every endpoint.
    EventId, "evt"
}
ulid_id! {
    /// One event on its way to one receiver, `delivery_` and a ULID in text.
    DeliveryId, "delivery"
}
ulid_id! {
    /// One API key, `key_` and a ULID in text; not the key itself.
    KeyId, "key"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_and_another_kind_of_id_does_not() {
        let id = EndpointId(7);
        assert_eq!(id.to_string().parse::<EndpointId>(), Ok(id));
        assert!(id.to_string().parse::<KeyId>().is_err());
        assert!("webhook_x".parse::<EndpointId>().is_err());
    }
}
