//! Signed links that bytes are sent to: this server's own, where the store has none to give.
//! A link is all the authority it needs, so the signature covers everything it names.

use std::time::Duration;

use cluster::model::{Asset, AssetId};

use crate::edge::context::Shared;
use crate::edge::error::ApiError;
use crate::edge::signing::{Claim, signed_query};
use crate::store::{Presign, keys};

/// What is put: the whole file, or one of its parts, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Piece {
    /// The file.
    Whole,
    /// A part of it.
    Part(u32),
}

impl Piece {
    fn path(self) -> String {
        match self {
            Self::Whole => "content".to_owned(),
            Self::Part(number) => format!("parts/{number}"),
        }
    }

    /// What a signature for this piece of `asset` covers beside its end.
    pub(super) fn subject(self, asset: AssetId) -> String {
        format!("framelane upload link v1\n{asset}\n{}", self.path())
    }
}

impl Shared {
    /// A link to put `piece` of a pending upload; `None` once its time is over.
    pub(super) async fn put_link(
        &self,
        asset: &Asset,
        piece: Piece,
    ) -> Result<Option<String>, ApiError> {
        let left = asset.expires_at.millis_since(self.now());
        if left == 0 {
            return Ok(None);
        }
        let id = asset.id();
        let request = Presign::Put {
            key: match piece {
                Piece::Whole => keys::upload_raw(id),
                Piece::Part(number) => keys::upload_part(id, number),
            },
            ttl: Duration::from_millis(left),
            content_type: match piece {
                Piece::Whole => asset.new.content_type.clone(),
                Piece::Part(_) => None,
            },
        };
        if let Some(link) = self.parts.store.presign(&request) {
            return Ok(Some(link.await?));
        }
        let query = signed_query(&self.signer, &piece.subject(id), asset.expires_at)?;
        let base = self.base_of(asset);
        Ok(Some(format!(
            "{base}/v1/uploads/{id}/{}?{query}",
            piece.path()
        )))
    }

    /// Whether `claim` is that of a link to put `piece`.
    pub(super) fn check_put(
        &self,
        asset: AssetId,
        piece: Piece,
        claim: Claim<'_>,
    ) -> Result<(), ApiError> {
        self.signer
            .check_subject(&piece.subject(asset), claim, self.now())
    }
}
