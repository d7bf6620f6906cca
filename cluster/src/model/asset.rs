//! Media that clients bring: uploads and imports. Compositions name them by a URL that holds
//! their id; their bytes are objects like any other.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use ulid::Ulid;

use super::ids::NotAnId;
use super::{IdempotencyRow, JobError, JobId, LogIndex, LogTime, ObjectKey, ObjectRef, Seq};

/// How an asset's bytes come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum AssetKind {
    /// The client sends them.
    Upload,
    /// They are fetched from a URL.
    Import,
    /// As an import's or an upload's, only to be looked at: no composition names it.
    Probe,
}

/// One asset, `upload_`, `import_` or `probe_` and a ULID in text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AssetId {
    /// How its bytes come.
    pub kind: AssetKind,
    /// Its number.
    pub ulid: u128,
}

impl AssetId {
    /// The id of this kind made of `ulid`.
    pub fn from_ulid(kind: AssetKind, ulid: Ulid) -> Self {
        Self { kind, ulid: ulid.0 }
    }
}

impl fmt::Display for AssetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = match self.kind {
            AssetKind::Upload => "upload",
            AssetKind::Import => "import",
            AssetKind::Probe => "probe",
        };
        write!(f, "{prefix}_{}", Ulid(self.ulid))
    }
}

impl fmt::Debug for AssetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for AssetId {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        let (prefix, ulid) = text.split_once('_').ok_or(NotAnId)?;
        let kind = match prefix {
            "upload" => AssetKind::Upload,
            "import" => AssetKind::Import,
            "probe" => AssetKind::Probe,
            _ => return Err(NotAnId),
        };
        Ulid::from_string(ulid)
            .map(|ulid| Self::from_ulid(kind, ulid))
            .map_err(|_| NotAnId)
    }
}

/// Where an asset is in its life. The last two never change again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum AssetStatus {
    /// An upload whose bytes have not come.
    Pending,
    /// Its bytes are fetched, copied or looked at.
    Processing,
    /// It can be used.
    Ready,
    /// It never will be.
    Failed,
}

impl AssetStatus {
    /// Whether the status can never change again.
    pub fn is_settled(self) -> bool {
        matches!(self, Self::Ready | Self::Failed)
    }
}

/// How an upload is cut when it comes in parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartLayout {
    /// Bytes in every part but the last.
    pub part_size: u64,
    /// How many parts.
    pub count: u32,
}

/// A new asset, as the edge proposes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewAsset {
    /// Chosen by the edge.
    pub asset: AssetId,
    /// The workspace of the request.
    pub workspace: String,
    /// The declared media type of an upload.
    pub content_type: Option<String>,
    /// The client's name for it.
    pub filename: Option<String>,
    /// The declared length of an upload.
    pub size: Option<u64>,
    /// How an upload in parts is cut; none: it comes whole.
    pub parts: Option<PartLayout>,
    /// Where an import comes from.
    pub url: Option<String>,
    /// Base of the links that clients were given for it; empty: this listener's own.
    pub base: String,
    /// How long an upload may take to arrive, from the commit.
    pub valid_for_millis: u64,
    /// The idempotency row to write with it, if the client sent a key.
    pub idempotency: Option<IdempotencyRow>,
}

/// The bytes of an upload as they arrived, before the copy that renders use.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Arrival {
    /// One object.
    Whole {
        /// Where it is.
        key: ObjectKey,
        /// Its length in bytes.
        size: u64,
    },
    /// One object a part, at the keys that belong to the asset's parts.
    Parts {
        /// The length of all parts in bytes.
        size: u64,
    },
}

/// What became of an asset's bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ingested {
    /// The immutable copy.
    pub object: ObjectRef,
    /// What the bytes are, judged by themselves.
    pub content_type: String,
    /// A name for it, if its origin gave one.
    pub filename: Option<String>,
    /// What probing found, as JSON that the cluster does not read.
    pub probe: String,
}

/// An asset, as applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asset {
    /// What it was created as.
    pub new: NewAsset,
    /// Where it is in its life.
    pub status: AssetStatus,
    /// Rises with every change that a client can see.
    pub sequence: Seq,
    /// The last log index that changed it.
    pub changed_at: LogIndex,
    /// When it was created.
    pub created_at: LogTime,
    /// An upload that has not arrived by then fails.
    pub expires_at: LogTime,
    /// When it became ready or failed.
    pub settled_at: Option<LogTime>,
    /// The bytes as they arrived.
    pub arrival: Option<Arrival>,
    /// The job that takes it in.
    pub job: Option<JobId>,
    /// What became of the bytes.
    pub ingested: Option<Ingested>,
    /// Why it failed.
    pub error: Option<JobError>,
}

impl Asset {
    /// Its id.
    pub fn id(&self) -> AssetId {
        self.new.asset
    }
}

/// A composition's use of an asset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AssetUse {
    /// The asset.
    pub asset: AssetId,
    /// Who names it first, like `elements[1].source_url`.
    pub path: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_reads_back_with_its_kind() {
        for kind in [AssetKind::Upload, AssetKind::Import] {
            let id = AssetId { kind, ulid: 9 };
            assert_eq!(id.to_string().parse::<AssetId>(), Ok(id));
        }
        for wrong in ["", "upload", "upload_", "render_00000000000000000000000009"] {
            assert!(wrong.parse::<AssetId>().is_err(), "{wrong}");
        }
    }
}
