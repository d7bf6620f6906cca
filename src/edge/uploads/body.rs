//! An upload as its client reads it.

use std::collections::BTreeMap;

use cluster::model::{Asset, AssetStatus};
use serde::Serialize;
use utoipa::ToSchema;

use super::arrival::{part_length, parts_there};
use super::links::Piece;
use crate::edge::assets::{AssetErrorBody, ProbeBody, status_name};
use crate::edge::context::Shared;
use crate::edge::error::ApiError;
use crate::edge::timestamp::rfc3339;

/// An upload.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Upload)]
pub(crate) struct UploadBody {
    /// Its id, `upload_` and a ULID.
    #[schema(example = "upload_01JABCDEFGHJKMNPQRSTVWXYZ0")]
    pub(crate) id: String,
    /// Always `upload`.
    pub(crate) object: &'static str,
    /// `pending`, `processing`, `ready` or `failed`; the last two are final.
    pub(crate) status: &'static str,
    /// Its name.
    pub(crate) filename: Option<String>,
    /// As declared; once ready, what the bytes are.
    pub(crate) content_type: Option<String>,
    /// As declared; once ready, as it is.
    pub(crate) size_bytes: Option<u64>,
    /// What compositions name it by, at once.
    #[schema(format = "uri")]
    pub(crate) source_url: String,
    /// Where the whole file is sent to while it is pending.
    #[schema(format = "uri")]
    pub(crate) upload_url: Option<String>,
    /// How: always `PUT`.
    pub(crate) method: &'static str,
    /// What must be sent with it.
    pub(crate) headers: BTreeMap<&'static str, String>,
    /// Bytes of every part but the last, for uploads that may come in parts.
    pub(crate) part_size: Option<u64>,
    /// The parts, while it is pending: instead of `upload_url`.
    pub(crate) parts: Option<Vec<PartBody>>,
    /// When it fails if it has not arrived.
    #[schema(format = DateTime)]
    pub(crate) expires_at: String,
    /// When it was made.
    #[schema(format = DateTime)]
    pub(crate) created_at: String,
    /// What is in it, once ready.
    pub(crate) probe: Option<ProbeBody>,
    /// Why it failed.
    pub(crate) error: Option<AssetErrorBody>,
}

/// A part of an upload.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UploadPart)]
pub(crate) struct PartBody {
    /// From 1.
    pub(crate) number: u32,
    /// Where it is put.
    #[schema(format = "uri")]
    pub(crate) url: String,
    /// Bytes it must have.
    pub(crate) size_bytes: u64,
    /// Whether it is there.
    pub(crate) received: bool,
}

impl Shared {
    /// The upload as its client reads it, with fresh links.
    pub(in crate::edge) async fn describe_upload(
        &self,
        asset: &Asset,
    ) -> Result<UploadBody, ApiError> {
        let new = &asset.new;
        let is_pending = asset.status == AssetStatus::Pending;
        let taken = asset.ingested.as_ref();
        let upload_url = if is_pending {
            self.put_link(asset, Piece::Whole).await?
        } else {
            None
        };
        let parts = match new.parts {
            Some(layout) if is_pending => Some(self.describe_parts(asset, layout.count).await?),
            _ => None,
        };
        let content_type = new.content_type.clone().unwrap_or_default();
        Ok(UploadBody {
            id: asset.id().to_string(),
            object: "upload",
            status: status_name(asset.status),
            filename: new.filename.clone(),
            content_type: taken
                .map(|taken| taken.content_type.clone())
                .or_else(|| new.content_type.clone()),
            size_bytes: taken.map(|taken| taken.object.size).or(new.size),
            source_url: self.source_url(asset),
            upload_url,
            method: "PUT",
            headers: BTreeMap::from([("Content-Type", content_type)]),
            part_size: new.parts.map(|layout| layout.part_size),
            parts,
            expires_at: rfc3339(asset.expires_at),
            created_at: rfc3339(asset.created_at),
            probe: ProbeBody::of(asset),
            error: AssetErrorBody::of(asset),
        })
    }

    async fn describe_parts(&self, asset: &Asset, count: u32) -> Result<Vec<PartBody>, ApiError> {
        let there = parts_there(self.parts.store.as_ref(), asset).await?;
        let mut parts = Vec::new();
        for number in 1..=count {
            let size = part_length(asset, number).unwrap_or_default();
            if let Some(url) = self.put_link(asset, Piece::Part(number)).await? {
                parts.push(PartBody {
                    number,
                    url,
                    size_bytes: size,
                    received: there.get(&number) == Some(&size),
                });
            }
        }
        Ok(parts)
    }
}
