//! `GET /v1/capabilities`: what this build renders, listed by the code that renders it, and
//! what this server allows.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::context::Edge;
use super::error::{ApiError, ErrorBody};
use super::params::Params;
use crate::composition::{self, FeatureList};

/// What the server can do.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Capabilities)]
pub(crate) struct CapabilitiesBody {
    /// Build version.
    version: String,
    /// Kinds of elements.
    elements: Features,
    /// Containers.
    formats: Features,
    /// Codecs.
    codecs: CodecsBody,
    /// Named encoder settings.
    qualities: Features,
    /// Ways a picture fills its box.
    fits: Features,
    /// Ways a layer mixes with what lies under it.
    blend_modes: Features,
    /// Movements of elements.
    motions: Features,
    /// Looks of pictures.
    effects: Features,
    /// Changes from one element to the next.
    transitions: Features,
    /// Font families that need no `font_url`.
    fonts: Vec<String>,
    /// What one request may ask for.
    limits: LimitsBody,
}

/// Names of one kind of feature.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = FeatureList)]
struct Features {
    /// They render.
    supported: Vec<&'static str>,
    /// The contract has them; this build answers `unsupported_feature`.
    unsupported: Vec<&'static str>,
}

/// Codecs of finished files.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Codecs)]
struct CodecsBody {
    /// Of the picture.
    video: Features,
    /// Of the sound.
    audio: Features,
}

/// What one request may ask for.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Limits)]
struct LimitsBody {
    /// Largest request body.
    body_bytes: usize,
    /// Elements of a composition.
    elements: usize,
    /// Longest output, in seconds.
    duration_seconds: f64,
    /// Largest canvas, width times height.
    pixels: u64,
    /// Largest render, frames times width times height.
    render_pixels: u64,
    /// Longest text.
    text_chars: usize,
    /// Largest upload.
    source_bytes: u64,
    /// Renders of one workspace that may be queued.
    queued_renders: usize,
}

/// List what this server renders and allows. Needs no key.
#[utoipa::path(get, path = "/v1/capabilities", tag = "capabilities", security(()),
    responses(
        (status = 200, body = CapabilitiesBody, description = "What it can do"),
        (status = 400, body = ErrorBody, description = "`invalid_parameter`"),
    ))]
pub(crate) async fn capabilities(
    State(edge): State<Edge>,
    params: Params,
) -> Result<Json<CapabilitiesBody>, ApiError> {
    params.only(&[])?;
    let config = edge.config();
    let limits = &config.limits;
    let features = composition::capabilities();
    Ok(Json(CapabilitiesBody {
        version: config.version.clone(),
        elements: features.elements.into(),
        formats: features.output_formats.into(),
        codecs: CodecsBody {
            video: features.video_codecs.into(),
            // Sound is always AAC: requests have no field to choose another.
            audio: Features {
                supported: vec!["aac"],
                unsupported: Vec::new(),
            },
        },
        qualities: features.qualities.into(),
        fits: features.fits.into(),
        blend_modes: features.blend_modes.into(),
        motions: features.motions.into(),
        effects: features.effects.into(),
        transitions: features.transitions.into(),
        fonts: config.fonts.clone(),
        limits: LimitsBody {
            body_bytes: limits.body_bytes,
            elements: limits.composition.elements,
            duration_seconds: limits.composition.duration.as_f64(),
            pixels: limits.composition.pixels,
            render_pixels: limits.composition.render_pixels,
            text_chars: limits.composition.text_chars,
            source_bytes: limits.source_bytes,
            queued_renders: limits.queued_per_workspace,
        },
    }))
}

impl From<FeatureList> for Features {
    fn from(list: FeatureList) -> Self {
        Self {
            supported: list.supported,
            unsupported: list.unsupported,
        }
    }
}
