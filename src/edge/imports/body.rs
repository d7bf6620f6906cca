//! An import as its client reads it.

use cluster::model::{Asset, AssetStatus};
use serde::Serialize;
use utoipa::ToSchema;

use crate::edge::assets::{AssetErrorBody, ProbeBody, status_name};
use crate::edge::context::Shared;
use crate::edge::timestamp::rfc3339;

/// An import.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Import)]
pub(crate) struct ImportBody {
    /// Its id, `import_` and a ULID.
    #[schema(example = "import_01JABCDEFGHJKMNPQRSTVWXYZ0")]
    pub(crate) id: String,
    /// Always `import`.
    pub(crate) object: &'static str,
    /// `processing`, `ready` or `failed`; the last two are final.
    pub(crate) status: &'static str,
    /// From 0 to 1, where it is known.
    #[schema(minimum = 0, maximum = 1)]
    pub(crate) progress: Option<f64>,
    /// Where it comes from.
    #[schema(format = "uri")]
    pub(crate) url: Option<String>,
    /// Its name, once known.
    pub(crate) filename: Option<String>,
    /// What the bytes are, once ready.
    pub(crate) content_type: Option<String>,
    /// Its length, once ready.
    pub(crate) size_bytes: Option<u64>,
    /// What compositions name it by, once ready.
    #[schema(format = "uri")]
    pub(crate) source_url: Option<String>,
    /// When it was asked for.
    #[schema(format = DateTime)]
    pub(crate) created_at: String,
    /// When it was ready or failed.
    #[schema(format = DateTime)]
    pub(crate) finished_at: Option<String>,
    /// What is in it, once ready.
    pub(crate) probe: Option<ProbeBody>,
    /// Why it failed.
    pub(crate) error: Option<AssetErrorBody>,
}

/// A page of imports, newest first.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ImportList)]
pub(crate) struct ImportListBody {
    /// The imports.
    pub(crate) data: Vec<ImportBody>,
    /// Hand this back as `cursor` for the next page.
    pub(crate) next_cursor: Option<String>,
    /// Whether there is a next page.
    pub(crate) has_more: bool,
}

impl Shared {
    /// The import as its client reads it.
    pub(in crate::edge) fn describe_import(&self, asset: &Asset) -> ImportBody {
        let taken = asset.ingested.as_ref();
        let progress = match asset.status {
            AssetStatus::Ready => Some(1.0),
            AssetStatus::Pending | AssetStatus::Processing => asset
                .job
                .and_then(|job| self.parts.observer.progress(job))
                .map(|progress| progress.fraction.clamp(0.0, 1.0)),
            AssetStatus::Failed => None,
        };
        ImportBody {
            id: asset.id().to_string(),
            object: "import",
            status: status_name(asset.status),
            progress,
            url: asset.new.url.clone(),
            filename: asset
                .new
                .filename
                .clone()
                .or_else(|| taken?.filename.clone()),
            content_type: taken.map(|taken| taken.content_type.clone()),
            size_bytes: taken.map(|taken| taken.object.size),
            source_url: taken.map(|_| self.source_url(asset)),
            created_at: rfc3339(asset.created_at),
            finished_at: asset.settled_at.map(rfc3339),
            probe: ProbeBody::of(asset),
            error: AssetErrorBody::of(asset),
        }
    }
}
