//! One output frame as a draw list. A pure function of the timeline and the frame's index.

use std::cmp::Reverse;

use cluster::model::FrameIndex;

use super::layout::{self, Natural};
use super::{Content, DrawList, Layer, Rect, Timeline};
use crate::composition::time::MediaTime;
use crate::composition::{Element, ElementKind, Visual};

impl Timeline {
    /// What is drawn in output frame `frame`. Layers that cannot touch a pixel (invisible,
    /// empty or wholly off the canvas) are left out.
    pub fn evaluate(&self, frame: FrameIndex) -> DrawList {
        let at = MediaTime::of_frame(frame, self.composition.frame_rate);
        let mut stack: Vec<(i32, Reverse<usize>, Layer)> = self
            .composition
            .elements
            .iter()
            .filter_map(|element| {
                let visual = element.kind.visual()?;
                let layer = self.layer(element, visual, at)?;
                // Of equal z_index the earlier element lies on top, so it is drawn later.
                Some((visual.z_index, Reverse(element.index), layer))
            })
            .collect();
        stack.sort_by_key(|&(z_index, index, _)| (z_index, index));
        DrawList {
            width: self.composition.width,
            height: self.composition.height,
            background: self.composition.background,
            layers: stack.into_iter().map(|(_, _, layer)| layer).collect(),
        }
    }

    fn layer(&self, element: &Element, visual: &Visual, at: MediaTime) -> Option<Layer> {
        if visual.opacity <= 0.0 || !self.shows(element, at) {
            return None;
        }
        let canvas = (
            f64::from(self.composition.width),
            f64::from(self.composition.height),
        );
        let (content, natural) = self.content(element, at)?;
        let placement = layout::place(visual, canvas, natural);
        let (width, height) = placement.size;
        let content_rect = match natural {
            Natural::Picture(across, down) => {
                if width <= 0.0 || height <= 0.0 || layout::is_off_canvas(&placement, canvas) {
                    return None;
                }
                layout::content_rect(visual.fit, placement.size, (across, down))
            }
            // Text may reach out of its box, so the box alone cannot rule it out.
            Natural::Lines(_) => Rect {
                x: 0.0,
                y: 0.0,
                width,
                height,
            },
        };
        Some(Layer {
            element: element.index,
            content,
            size: placement.size,
            content_rect,
            clipped: matches!(natural, Natural::Picture(..)),
            transform: placement.transform,
            opacity: visual.opacity,
        })
    }

    fn content(&self, element: &Element, at: MediaTime) -> Option<(Content, Natural)> {
        let picture = || {
            let (source, info) = self.source_of(element.index)?;
            let video = info.video.as_ref()?;
            let natural = Natural::Picture(f64::from(video.width), f64::from(video.height));
            Some((source, natural))
        };
        match &element.kind {
            ElementKind::Video { clip, .. } => {
                let (source, natural) = picture()?;
                let frame = self.source_frame(element, clip, at)?;
                Some((Content::Video { source, frame }, natural))
            }
            ElementKind::Image { .. } => {
                let (source, natural) = picture()?;
                Some((Content::Image { source }, natural))
            }
            ElementKind::Text { .. } => {
                let lines = self.text_heights.get(element.index).copied().flatten();
                let content = Content::Text {
                    element: element.index,
                };
                Some((content, Natural::Lines(lines.unwrap_or(0.0))))
            }
            ElementKind::Audio { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests;
