//! What uploads and imports have in common at the edge: their ids in paths, their rows in
//! applied state, their idempotency keys, and how they are described.

use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequestParts, Path};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use cluster::command::{Command, Outcome, Rejection};
use cluster::model::{Asset, AssetId, AssetKind, AssetStatus, NewAsset};
use serde::Serialize;
use utoipa::ToSchema;

use super::access::within_bytes;
use super::context::{Edge, Shared};
use super::creation::{conflict, replayed};
use super::error::{ApiError, Code};
use crate::plan::Probe;
use crate::plan::asset_url;
use crate::store::Purpose;

/// Name of a status in the API.
pub(super) fn status_name(status: AssetStatus) -> &'static str {
    match status {
        AssetStatus::Pending => "pending",
        AssetStatus::Processing => "processing",
        AssetStatus::Ready => "ready",
        AssetStatus::Failed => "failed",
    }
}

/// What is in a file.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Probe)]
pub(crate) struct ProbeBody {
    /// Name of the container format.
    container: String,
    /// Codecs, pictures first.
    codecs: Vec<String>,
    /// Seconds.
    duration: Option<f64>,
    /// Pixels as shown.
    width: Option<u32>,
    /// Pixels as shown.
    height: Option<u32>,
    /// Frames a second, on the average.
    frame_rate: Option<f64>,
    /// Clockwise degrees that players turn it by.
    rotation: Option<u16>,
    /// What its pictures' numbers mean.
    color: Option<ProbeColorBody>,
    /// Its sound.
    audio: Option<ProbeAudioBody>,
}

/// What the numbers of pictures mean.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = ProbeColor)]
struct ProbeColorBody {
    /// `bt601`, `bt709` or `bt2020`.
    matrix: String,
    /// `limited` or `full`.
    range: String,
}

/// A sound track.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = ProbeAudio)]
struct ProbeAudioBody {
    /// Name of the codec.
    codec: String,
    /// Samples a second.
    sample_rate: u32,
    /// Channels.
    channels: u16,
    /// Seconds.
    duration: f64,
}

impl ProbeBody {
    /// What probing a ready asset found.
    pub(super) fn of(asset: &Asset) -> Option<Self> {
        let ingested = asset.ingested.as_ref()?;
        let probe: Probe = match serde_json::from_str(&ingested.probe) {
            Ok(probe) => probe,
            Err(error) => {
                tracing::warn!(id = %asset.id(), %error, "a probe is unreadable");
                return None;
            }
        };
        Some(Self {
            container: probe.container,
            codecs: probe.codecs,
            duration: probe.duration,
            width: probe.width,
            height: probe.height,
            frame_rate: probe.frame_rate,
            rotation: probe.rotation,
            color: probe.color.map(|color| ProbeColorBody {
                matrix: color.matrix,
                range: color.range,
            }),
            audio: probe.audio.map(|audio| ProbeAudioBody {
                codec: audio.codec,
                sample_rate: audio.sample_rate,
                channels: audio.channels,
                duration: audio.duration,
            }),
        })
    }
}

/// Why an upload or import failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = AssetError)]
pub(crate) struct AssetErrorBody {
    /// Machine-readable code, such as `invalid_source`.
    code: String,
    /// A sentence.
    message: String,
}

impl AssetErrorBody {
    /// Why `asset` failed, if it did.
    pub(super) fn of(asset: &Asset) -> Option<Self> {
        asset.error.as_ref().map(|error| Self {
            code: error.code.clone(),
            message: error.message.clone(),
        })
    }
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident: $kind:ident, $what:literal;)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy)]
        pub(super) struct $name(pub(super) AssetId);

        impl FromRequestParts<Edge> for $name {
            type Rejection = ApiError;

            async fn from_request_parts(parts: &mut Parts, edge: &Edge) -> Result<Self, ApiError> {
                id_of_path(parts, edge)
                    .await
                    .filter(|id| id.kind == AssetKind::$kind)
                    .map(Self)
                    .ok_or_else(|| ApiError::not_found($what))
            }
        }
    )+};
}

ids! {
    /// The upload of a path. Text that is not an id is a 404.
    UploadId: Upload, "upload";
    /// The import of a path. Text that is not an id is a 404.
    ImportId: Import, "import";
    /// The probe of a path. Text that is not an id is a 404.
    ProbeId: Probe, "probe";
}

async fn id_of_path(parts: &mut Parts, edge: &Edge) -> Option<AssetId> {
    let Path(text) = Path::<String>::from_request_parts(parts, edge).await.ok()?;
    text.parse().ok()
}

/// Result of a request to make an asset.
#[derive(Debug)]
pub(super) enum Created {
    /// It is new.
    New(Arc<Asset>),
    /// Its idempotency key made it before.
    Replayed(Arc<Asset>),
}

impl Created {
    /// The asset.
    pub(super) fn asset(&self) -> &Asset {
        match self {
            Self::New(asset) | Self::Replayed(asset) => asset,
        }
    }

    /// The answer: `status` for a new one, 200 and a header for a replay.
    pub(super) fn respond(&self, status: StatusCode, body: impl Serialize) -> Response {
        match self {
            Self::New(_) => (status, Json(body)).into_response(),
            Self::Replayed(_) => (StatusCode::OK, replayed(), Json(body)).into_response(),
        }
    }
}

impl Shared {
    /// A fresh id, larger than every one this process made before.
    pub(super) fn fresh_asset_id(&self, kind: AssetKind) -> AssetId {
        AssetId {
            kind,
            ulid: self.fresh_job_id().0,
        }
    }

    /// The workspace's asset, or a 404.
    pub(super) fn asset(&self, workspace: &str, id: AssetId) -> Result<Arc<Asset>, ApiError> {
        self.state()
            .assets
            .get(&id)
            .filter(|asset| asset.new.workspace == workspace)
            .cloned()
            .ok_or_else(|| ApiError::not_found(kind_name(id)))
    }

    /// The asset once applied state here satisfies `is_there`.
    pub(super) async fn asset_caught_up(
        &self,
        id: AssetId,
        is_there: impl Fn(&Asset) -> bool,
    ) -> Result<Arc<Asset>, ApiError> {
        self.once(|state| {
            state
                .assets
                .get(&id)
                .filter(|asset| is_there(asset))
                .cloned()
        })
        .await
    }

    /// Commits a new asset.
    pub(super) async fn create_asset(&self, new: NewAsset) -> Result<Created, ApiError> {
        self.refuse_if_draining()?;
        if new.asset.kind != AssetKind::Probe {
            let size = new.size.unwrap_or(0);
            within_bytes(self, &new.workspace, size)?;
            self.parts.store.admit(Purpose::Source, size)?;
        }
        let id = new.asset;
        match self.propose(Command::CreateAsset(new)).await? {
            Outcome::AssetCreated(id) => {
                Ok(Created::New(self.asset_caught_up(id, |_| true).await?))
            }
            Outcome::AssetReplayed(id) => {
                Ok(Created::Replayed(self.asset_caught_up(id, |_| true).await?))
            }
            Outcome::Rejected(Rejection::IdempotencyConflict) => Err(conflict()),
            other => {
                tracing::error!(%id, outcome = ?other, "a new asset had an outcome it cannot have");
                Err(ApiError::internal())
            }
        }
    }

    /// Ends an asset that is not settled, for its client.
    pub(super) async fn abandon(
        &self,
        workspace: &str,
        id: AssetId,
    ) -> Result<Arc<Asset>, ApiError> {
        self.asset(workspace, id)?;
        let command = Command::AbandonAsset {
            asset: id,
            workspace: workspace.to_owned(),
        };
        match self.propose(command).await? {
            Outcome::Accepted => {
                let is_settled = |asset: &Asset| asset.status.is_settled();
                self.asset_caught_up(id, is_settled).await
            }
            Outcome::Rejected(Rejection::UnknownAsset) => Err(ApiError::not_found(kind_name(id))),
            Outcome::Rejected(Rejection::AssetNotPending) => {
                let is_settled = |asset: &Asset| asset.status.is_settled();
                let asset = self.asset_caught_up(id, is_settled).await?;
                let (kind, status) = (kind_name(id), status_name(asset.status));
                let message = format!("The {kind} is {status} and cannot be abandoned.");
                Err(ApiError::new(Code::InvalidState, message))
            }
            other => {
                tracing::error!(%id, outcome = ?other, "an abandon had an outcome it cannot have");
                Err(ApiError::internal())
            }
        }
    }

    /// Nothing new is begun by a process that is about to stop.
    pub(super) fn refuse_if_draining(&self) -> Result<(), ApiError> {
        if self.parts.draining.is_cancelled() {
            return Err(ApiError::new(
                Code::Draining,
                "This server is stopping and takes nothing new.",
            ));
        }
        Ok(())
    }

    /// Base of the links that the asset's client is given.
    pub(super) fn base_of<'a>(&'a self, asset: &'a Asset) -> &'a str {
        match &self.config().public_url {
            Some(url) => url.trim_end_matches('/'),
            None if !asset.new.base.is_empty() => &asset.new.base,
            None => self.config().listen_url.trim_end_matches('/'),
        }
    }

    /// What compositions name the asset by.
    pub(super) fn source_url(&self, asset: &Asset) -> String {
        asset_url(self.base_of(asset), asset.id())
    }
}

fn kind_name(id: AssetId) -> &'static str {
    match id.kind {
        AssetKind::Upload => "upload",
        AssetKind::Import => "import",
        AssetKind::Probe => "probe",
    }
}
