//! A command with the leader's clocks, and its bytes.

use serde::{Deserialize, Serialize};

use super::Command;
use crate::codec::{self, CodecError};
use crate::model::{LogTime, RanTime};

/// Encoding version without `ran`: all that builds before level 1 can read.
const WITHOUT_RAN: u8 = 1;

/// Encoding version with `ran`.
const WITH_RAN: u8 = 2;

/// One entry of the log: what to do, stamped with the leader's clocks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamped {
    /// Log time; `apply` uses the larger of this and the last one.
    pub at: LogTime,
    /// The cluster's running time, from level 1 on; `apply` uses the larger of this and the
    /// last one. `None`: it stands still, at level 0 it follows log time.
    pub ran: Option<RanTime>,
    /// What to do.
    pub command: Command,
}

/// The shape of version 1.
#[derive(Serialize, Deserialize)]
pub(crate) struct WithoutRan<C> {
    at: LogTime,
    command: C,
}

impl From<WithoutRan<Command>> for Stamped {
    fn from(old: WithoutRan<Command>) -> Self {
        Self {
            at: old.at,
            ran: None,
            command: old.command,
        }
    }
}

impl Stamped {
    /// The shape that builds before level 1 read, if nothing is lost by it.
    pub(crate) fn without_ran(&self) -> Option<WithoutRan<&Command>> {
        self.ran.is_none().then_some(WithoutRan {
            at: self.at,
            command: &self.command,
        })
    }

    /// Its bytes, in the oldest version that holds all of it.
    ///
    /// # Errors
    /// When it is too large.
    pub fn encode(&self) -> Result<Vec<u8>, CodecError> {
        match self.without_ran() {
            Some(old) => codec::encode_version(&old, WITHOUT_RAN),
            None => codec::encode_version(self, WITH_RAN),
        }
    }

    /// Reads what any build up to this one encoded.
    ///
    /// # Errors
    /// When the bytes are something else.
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        match codec::version_of(bytes)? {
            WITHOUT_RAN => {
                codec::decode_version::<WithoutRan<Command>>(bytes, WITHOUT_RAN).map(Self::from)
            }
            _ => codec::decode_version(bytes, WITH_RAN),
        }
    }
}
