//! One output frame after the other as finished I420, by the cheapest way that gives the
//! right pixels. The way is a function of the frame's draw list and the sources alone, never
//! of what was drawn before: any cut of the timeline gives the same bytes.

use cluster::model::{Failure, FrameIndex};

use super::decoders::Decoders;
use crate::composition::Rgba;
use crate::composition::time::MediaTime;
use crate::media::{Frame, MediaError};
use crate::render::overlay::PreparedOverlay;
use crate::render::{Compositor, Picture, RenderError, Stage, damage};
use crate::timeline::{Content, DrawList, Layer, Timeline};
use crate::worker::damage::Damage;
use crate::worker::failure;
use crate::worker::tools::Tools;

/// Draws the frames of one run.
pub(super) struct Painter<'a> {
    tools: &'a mut Tools,
    stage: Stage,
    timeline: &'a Timeline,
    decoders: Decoders,
    /// The last frame's instructions and what they gave.
    last: Option<(DrawList, Frame)>,
    /// What last lay over a base.
    overlay: Option<Overlay>,
    /// Elements whose pictures in the last frame are damaged.
    damaged: Vec<usize>,
    damage: Damage,
    ways: Ways,
}

/// What lies over a base, ready for blending.
struct Overlay {
    layers: Vec<Layer>,
    pictures: Vec<u64>,
    /// None: nothing of it can be seen.
    prepared: Option<PreparedOverlay>,
}

/// How many frames went each way.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ways {
    /// The finished frame before, again.
    pub(super) same: u64,
    /// The decoded picture as it is.
    pub(super) untouched: u64,
    /// The decoded picture with something blended over a part of it.
    pub(super) blended: u64,
    /// Drawn as a whole.
    pub(super) full: u64,
}

/// The layers that decide a frame's pixels, with their pictures.
struct Scene<'l> {
    /// The topmost layer that stays in its planes and hides all below it.
    base: Option<Frame>,
    /// What lies above the base; without a base, everything.
    layers: &'l [Layer],
    /// One a layer.
    pictures: Vec<Picture>,
}

/// Why a layer has no picture.
enum Unseen {
    Media(MediaError),
    Render(RenderError),
}

impl From<RenderError> for Unseen {
    fn from(error: RenderError) -> Self {
        Self::Render(error)
    }
}

impl<'a> Painter<'a> {
    pub(super) fn new(
        tools: &'a mut Tools,
        stage: Stage,
        timeline: &'a Timeline,
        decoders: Decoders,
    ) -> Self {
        Self {
            tools,
            stage,
            timeline,
            decoders,
            last: None,
            overlay: None,
            damaged: Vec::new(),
            damage: Damage::default(),
            ways: Ways::default(),
        }
    }

    /// What was damaged since this was asked last.
    pub(super) fn take_damage(&mut self) -> Damage {
        std::mem::take(&mut self.damage)
    }

    /// How the frames so far were made.
    #[cfg(test)]
    pub(super) fn ways(&self) -> Ways {
        self.ways
    }

    /// The finished picture of output frame `frame`.
    pub(super) fn frame(&mut self, frame: FrameIndex) -> Result<Frame, Failure> {
        let list = self.timeline.evaluate(frame);
        if let Some((last, finished)) = &self.last
            && *last == list
        {
            self.ways.same += 1;
            let finished = finished.clone();
            self.note_damage(frame);
            return Ok(finished);
        }
        self.decoders.keep(&list);
        self.damaged.clear();
        let scene = self.scene(&list)?;
        self.note_damage(frame);
        let finished = match scene.base {
            Some(base) => self.over(&list, base, scene.layers, &scene.pictures)?,
            None => {
                self.ways.full += 1;
                let drawn = self.tools.compositor()?.draw_i420(&list, &scene.pictures);
                drawn.map_err(|error| self.undrawn(&error))?
            }
        };
        self.last = Some((list, finished.clone()));
        Ok(finished)
    }

    /// Adds the damaged elements of `frame` to what is reported.
    fn note_damage(&mut self, frame: FrameIndex) {
        let rate = self.timeline.composition.frame_rate;
        let nanos = |frame: u64| {
            let time = MediaTime::of_frame(FrameIndex(frame), rate);
            i64::try_from(time.floor_nanos()).unwrap_or(i64::MAX)
        };
        for &element in &self.damaged {
            self.damage.add(element, nanos(frame.0), nanos(frame.0 + 1));
        }
    }

    /// Gathers pictures from the top down, as far as anything can be seen.
    fn scene<'l>(&mut self, list: &'l DrawList) -> Result<Scene<'l>, Failure> {
        let mut pictures = Vec::with_capacity(list.layers.len());
        let mut first = 0;
        let mut base = None;
        for (index, layer) in list.layers.iter().enumerate().rev() {
            let picture = self.picture(list, layer)?;
            if self.is_base(list, layer, &picture) {
                base = Some(picture.frame);
                first = index + 1;
                break;
            }
            pictures.push(picture);
        }
        pictures.reverse();
        Ok(Scene {
            base,
            layers: list.layers.get(first..).unwrap_or_default(),
            pictures,
        })
    }

    /// One layer's picture. The stage is asked layer by layer: what a base hides is never
    /// decoded.
    fn picture(&mut self, list: &DrawList, layer: &Layer) -> Result<Picture, Failure> {
        let (decoders, timeline) = (&mut self.decoders, self.timeline);
        let mut decode = |source: usize, frame: u64| {
            let Some(info) = timeline.sources.get(source) else {
                let message = format!("the plan has no source {source}");
                return Err(Unseen::Media(MediaError::Engine(message)));
            };
            decoders
                .frame(layer.element, source, frame, info)
                .map_err(Unseen::Media)
        };
        let alone = DrawList {
            layers: vec![layer.clone()],
            ..*list
        };
        let path = || format!("elements[{}].source_url", layer.element);
        let drawn = self.stage.pictures(&alone, timeline, &mut decode);
        let is_damaged = match layer.content {
            Content::Video { .. } => self.decoders.is_damaged(layer.element),
            Content::Image { source } => self.stage.is_damaged(source),
            Content::Text { .. } => false,
        };
        if is_damaged {
            self.damaged.push(layer.element);
        }
        match drawn {
            Ok(mut pictures) => pictures
                .pop()
                .ok_or_else(|| failure::engine("a layer without a picture")),
            Err(Unseen::Media(error)) => Err(failure::of_media(&error, Some(&path()))),
            Err(Unseen::Render(error)) => Err(failure::of_render(&error, Some(&path()))),
        }
    }

    /// Whether the layer's decoded planes can be the output's: nothing of them changes but
    /// what lies above.
    fn is_base(&self, list: &DrawList, layer: &Layer, picture: &Picture) -> bool {
        let Content::Video { source, .. } = layer.content else {
            return false;
        };
        let is_plain = self
            .timeline
            .sources
            .get(source)
            .and_then(|info| info.video.as_ref())
            .is_some_and(|video| video.plain);
        is_plain
            && list.width.is_multiple_of(2)
            && list.height.is_multiple_of(2)
            && damage::covers_exactly(layer, picture, list.width, list.height)
    }

    fn over(
        &mut self,
        list: &DrawList,
        base: Frame,
        layers: &[Layer],
        pictures: &[Picture],
    ) -> Result<Frame, Failure> {
        if layers.is_empty() {
            self.ways.untouched += 1;
            return Ok(base);
        }
        let is_same = self.overlay.as_ref().is_some_and(|overlay| {
            overlay.layers == layers
                && overlay
                    .pictures
                    .iter()
                    .eq(pictures.iter().map(|picture| &picture.id))
        });
        if !is_same {
            self.overlay = Some(Overlay {
                layers: layers.to_vec(),
                pictures: pictures.iter().map(|picture| picture.id).collect(),
                prepared: self.prepare(list, layers, pictures)?,
            });
        }
        match self
            .overlay
            .as_ref()
            .and_then(|overlay| overlay.prepared.as_ref())
        {
            Some(prepared) => {
                self.ways.blended += 1;
                prepared.apply(&base).map_err(|error| self.undrawn(&error))
            }
            None => {
                self.ways.untouched += 1;
                Ok(base)
            }
        }
    }

    /// Draws what lies over a base on nothing, in the rectangle it touches. Moving pictures
    /// need the compositor's speed; text and stills are drawn once by the reference, which
    /// every machine has.
    fn prepare(
        &mut self,
        list: &DrawList,
        layers: &[Layer],
        pictures: &[Picture],
    ) -> Result<Option<PreparedOverlay>, Failure> {
        let Some(region) = damage::touched(layers, pictures, list.width, list.height) else {
            return Ok(None);
        };
        let over_nothing = DrawList {
            background: Rgba {
                r: 0,
                g: 0,
                b: 0,
                a: 0,
            },
            layers: layers.to_vec(),
            ..*list
        };
        let moves = layers
            .iter()
            .any(|layer| matches!(layer.content, Content::Video { .. }));
        let drawn = if moves {
            self.tools
                .compositor()?
                .draw(&over_nothing, pictures, region)
        } else {
            self.tools.reference().draw(&over_nothing, pictures, region)
        };
        drawn
            .and_then(|drawn| PreparedOverlay::new(&drawn, region))
            .map(Some)
            .map_err(|error| self.undrawn(&error))
    }

    /// A drawing that failed; a lost device is dropped, so that the next try makes another.
    fn undrawn(&mut self, error: &RenderError) -> Failure {
        if matches!(error, RenderError::DeviceLost(_)) {
            self.tools.drop_compositor();
        }
        failure::of_render(error, None)
    }
}
