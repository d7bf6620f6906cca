//! What a worker process works with, made once and kept warm from run to run: the media
//! engine, the fonts, the compositor. Each is only made when a task needs it: a title over
//! untouched video never asks for an adapter.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use cluster::model::Failure;

use super::child::Run;
use super::order::{self, Order};
use super::settings::WorkerSettings;
use super::{failure, finish, ingest, prepare, segment};
use crate::composition::{ElementKind, ValidComposition, Warning};
use crate::media::{MediaEngine, MediaError, MediaInfo};
use crate::render::reference::ReferenceCompositor;
use crate::render::text::{TextEngine, TextNotice};
use crate::render::{Compositor, RenderError};

/// A worker's tools.
pub(super) struct Tools {
    settings: WorkerSettings,
    engine: Result<Arc<dyn MediaEngine>, MediaError>,
    /// The bundled fonts alone: what a composition brings along must not reach the next one.
    text: Option<Arc<TextEngine>>,
    reference: ReferenceCompositor,
    compositor: Option<Box<dyn Compositor>>,
}

impl std::fmt::Debug for Tools {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tools")
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl Tools {
    /// The tools of this build and machine. What is missing is reported by the tasks that need it.
    pub(super) fn new(settings: &WorkerSettings) -> Self {
        Self::with_engine(settings, media_engine(settings))
    }

    /// Tools round a given engine.
    pub(super) fn with_engine(
        settings: &WorkerSettings,
        engine: Result<Arc<dyn MediaEngine>, MediaError>,
    ) -> Self {
        Self {
            settings: settings.clone(),
            engine,
            text: None,
            reference: ReferenceCompositor::new(),
            compositor: None,
        }
    }

    /// Carries out one order of the node.
    ///
    /// # Errors
    /// The failure to report for the current output of `run`.
    pub(super) fn carry_out(&mut self, order: &[u8], run: &Run) -> Result<(), Failure> {
        let order: Order = order::decode(order)
            .map_err(|error| failure::engine(format!("the order cannot be read: {error}")))?;
        match order {
            Order::Prepare(order) => prepare::prepare(self, order, run),
            Order::Segments(order) => segment::segments(self, &order, run),
            Order::Audio(order) => finish::audio(self, &order, run),
            Order::Join(order) => finish::join(self, &order, run),
            Order::Ingest(order) => ingest::ingest(self, &order, run),
        }
    }

    pub(super) fn settings(&self) -> &WorkerSettings {
        &self.settings
    }

    pub(super) fn engine(&self) -> Result<Arc<dyn MediaEngine>, Failure> {
        match &self.engine {
            Ok(engine) => Ok(Arc::clone(engine)),
            Err(error) => Err(failure::engine(error.to_string())),
        }
    }

    /// Fonts for one composition: the bundled ones, and those it brings along.
    pub(super) fn text(&mut self, brought: &[Font<'_>]) -> Result<Arc<TextEngine>, Failure> {
        if brought.is_empty() {
            let text = self.text.get_or_insert_with(|| Arc::new(TextEngine::new()));
            return Ok(Arc::clone(text));
        }
        let text = TextEngine::new();
        for font in brought {
            let bytes = fs::read(font.file).map_err(|error| failure::of_io(&error))?;
            let family = text
                .load_font(bytes)
                .map_err(|error| failure::of_render(&error, Some(font.path)))?;
            text.bind_font(font.url, &family);
        }
        Ok(Arc::new(text))
    }

    /// The compositor for whole frames and for moving pictures.
    pub(super) fn compositor(&mut self) -> Result<&mut dyn Compositor, Failure> {
        if self.compositor.is_none() {
            let made = compositor(&self.settings.adapter);
            self.compositor = Some(made.map_err(|error| failure::of_render(&error, None))?);
        }
        self.compositor
            .as_deref_mut()
            .map(|compositor| compositor as &mut dyn Compositor)
            .ok_or_else(|| failure::engine("no compositor"))
    }

    /// Lets go of a compositor whose device is lost; the next one is made anew.
    pub(super) fn drop_compositor(&mut self) {
        self.compositor = None;
    }

    pub(super) fn reference(&mut self) -> &mut ReferenceCompositor {
        &mut self.reference
    }

    /// What kind of picture file `file` is; `path` names the element that shows it.
    pub(super) fn probe_image(&self, file: &Path, path: &str) -> Result<MediaInfo, Failure> {
        crate::render::image::probe_image(file, self.settings.pixels)
            .map_err(|error| failure::of_render(&error, Some(path)))
    }
}

/// A font file that a composition brings along.
#[derive(Debug, Clone, Copy)]
pub(super) struct Font<'a> {
    /// What text elements call it.
    pub(super) url: &'a str,
    /// Its bytes.
    pub(super) file: &'a Path,
    /// Who names it, like `elements[1].font_url`.
    pub(super) path: &'a str,
}

/// What a client should know of how its texts are drawn.
pub(super) fn text_warnings(text: &TextEngine, composition: &ValidComposition) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for element in &composition.elements {
        let ElementKind::Text { text: style, .. } = &element.kind else {
            continue;
        };
        for notice in text.notices(style) {
            let (field, code, message) = match notice {
                TextNotice::FontSubstituted { wanted, used } => (
                    "font_family",
                    "font_substituted",
                    format!("the family `{wanted}` is not there; {used} is used"),
                ),
                TextNotice::MissingGlyph(character) => (
                    "text",
                    "missing_glyph",
                    format!("no font has `{character}`; a box is drawn"),
                ),
            };
            let path = format!("elements[{}].{field}", element.index);
            warnings.push(Warning::new(path, code, message));
        }
    }
    warnings
}

/// The media engine of this build.
pub(super) fn media_engine(settings: &WorkerSettings) -> Result<Arc<dyn MediaEngine>, MediaError> {
    #[cfg(feature = "gst")]
    {
        let engine = crate::media::gst::GstEngine::new()?.forget_other_elements()?;
        Ok(Arc::new(engine.with_max_pixels(settings.pixels)))
    }
    #[cfg(not(feature = "gst"))]
    {
        let _ = settings;
        Err(MediaError::Engine(
            "this build has no media engine".to_owned(),
        ))
    }
}

/// The compositor of this build on the wanted adapter.
pub(super) fn compositor(adapter: &str) -> Result<Box<dyn Compositor>, RenderError> {
    #[cfg(feature = "gpu")]
    {
        Ok(Box::new(crate::render::gpu::GpuCompositor::new(adapter)?))
    }
    #[cfg(not(feature = "gpu"))]
    {
        let _ = adapter;
        Err(RenderError::NoAdapter(
            "this build draws without one".to_owned(),
        ))
    }
}
