//! Rows of the log as bytes: an entry in the oldest version that holds all of it, so that a
//! build of an earlier level reads everything that its level has.

use openraft::BasicNode;
use openraft::{Entry, EntryPayload, Membership};
use serde::{Deserialize, Serialize};

use super::{RaftLogId, TypeConfig};
use crate::codec::{self, CodecError};
use crate::command::{Command, WithoutRan};

/// Encoding version of builds before level 1: commands carry log time only.
const WITHOUT_RAN: u8 = 1;

/// Encoding version of entries whose command carries running time.
const WITH_RAN: u8 = 2;

/// The shape of version 1; fields and variants in openraft's order.
#[derive(Serialize, Deserialize)]
struct OldEntry<D> {
    log_id: RaftLogId,
    payload: OldPayload<D>,
}

#[derive(Serialize, Deserialize)]
enum OldPayload<D> {
    Blank,
    Normal(D),
    Membership(Membership<u64, BasicNode>),
}

/// The bytes of a row.
pub(super) fn encode(entry: &Entry<TypeConfig>) -> Result<Vec<u8>, CodecError> {
    let payload = match &entry.payload {
        EntryPayload::Blank => OldPayload::Blank,
        EntryPayload::Membership(membership) => OldPayload::Membership(membership.clone()),
        EntryPayload::Normal(stamped) => match stamped.without_ran() {
            Some(old) => OldPayload::Normal(old),
            None => return codec::encode_version(entry, WITH_RAN),
        },
    };
    let old = OldEntry {
        log_id: entry.log_id,
        payload,
    };
    codec::encode_version(&old, WITHOUT_RAN)
}

/// Reads a row that any build up to this one wrote.
pub(super) fn decode(bytes: &[u8]) -> Result<Entry<TypeConfig>, CodecError> {
    match codec::version_of(bytes)? {
        WITHOUT_RAN => {
            let old: OldEntry<WithoutRan<Command>> = codec::decode_version(bytes, WITHOUT_RAN)?;
            Ok(Entry {
                log_id: old.log_id,
                payload: match old.payload {
                    OldPayload::Blank => EntryPayload::Blank,
                    OldPayload::Normal(stamped) => EntryPayload::Normal(stamped.into()),
                    OldPayload::Membership(membership) => EntryPayload::Membership(membership),
                },
            })
        }
        _ => codec::decode_version(bytes, WITH_RAN),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use openraft::CommittedLeaderId;

    use super::*;
    use crate::command::Stamped;
    use crate::model::{LogTime, RanTime};

    fn entry(payload: EntryPayload<TypeConfig>) -> Entry<TypeConfig> {
        Entry {
            log_id: RaftLogId::new(CommittedLeaderId::new(3, 1), 7),
            payload,
        }
    }

    fn entries(ran: Option<RanTime>) -> [Entry<TypeConfig>; 3] {
        let nodes = BTreeMap::from([(1, BasicNode::new("127.0.0.1:7900"))]);
        let stamped = Stamped {
            at: LogTime(1_700_000_000_000),
            ran,
            command: Command::ExpireUploads,
        };
        [
            entry(EntryPayload::Blank),
            entry(EntryPayload::Membership(Membership::new(
                vec![[1].into()],
                nodes,
            ))),
            entry(EntryPayload::Normal(stamped)),
        ]
    }

    #[test]
    fn rows_of_level_0_are_written_as_they_always_were() {
        // What the builds before levels wrote of these entries.
        let kept = [
            "f10103010700",
            "f1010301070201010101010e3132372e302e302e313a37393030",
            "f10103010701fd0068e5cf8b0100000f",
        ];
        for (entry, kept) in entries(None).iter().zip(kept) {
            let bytes = encode(entry).unwrap();
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(hex, kept);
            assert_eq!(decode(&bytes).unwrap(), *entry);
        }
    }

    #[test]
    fn a_row_with_running_time_reads_back() {
        for entry in entries(Some(RanTime(5))) {
            assert_eq!(decode(&encode(&entry).unwrap()).unwrap(), entry);
        }
    }
}
