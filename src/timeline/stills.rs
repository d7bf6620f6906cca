//! How much memory the decoded still pictures of a frame take.

use std::collections::BTreeMap;

use super::Timeline;
use crate::composition::ElementKind;
use crate::composition::time::MediaTime;

/// Bytes of a decoded pixel.
const PIXEL: u64 = 4;

/// A moment at which the stills shown take more than they may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StillsBeyond {
    /// When, on the output's timeline.
    pub at: MediaTime,
    /// What they take.
    pub bytes: u64,
    /// The images shown then, by index.
    pub elements: Vec<usize>,
}

impl Timeline {
    /// The first moment at which the images shown together take more than `most` bytes decoded, each
    /// source once.
    pub fn stills_beyond(&self, most: u64) -> Option<StillsBeyond> {
        let images: Vec<_> = self
            .composition
            .elements
            .iter()
            .filter(|element| element.visible && matches!(element.kind, ElementKind::Image { .. }))
            .filter_map(|element| {
                let (source, info) = self.source_of(element.index)?;
                let video = info.video.as_ref()?;
                let bytes = u64::from(video.coded_width) * u64::from(video.coded_height) * PIXEL;
                Some((self.span(element)?, element.index, source, bytes))
            })
            .collect();
        // What is shown grows only where an image begins.
        let mut begins: Vec<MediaTime> = images.iter().map(|image| image.0.0).collect();
        begins.sort();
        begins.dedup();
        begins.into_iter().find_map(|at| {
            let shown = images
                .iter()
                .filter(|((start, end), ..)| *start <= at && at < *end);
            let mut sources = BTreeMap::new();
            let mut elements = Vec::new();
            for &(_, element, source, bytes) in shown {
                sources.insert(source, bytes);
                elements.push(element);
            }
            let bytes = sources.values().sum();
            (bytes > most).then_some(StillsBeyond {
                at,
                bytes,
                elements,
            })
        })
    }
}
