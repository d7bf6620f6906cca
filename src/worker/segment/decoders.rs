//! The open decoders of a run. Each use of a video has its own, opened at the first frame it
//! shows and read forward from there, over the joints of segments too.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use crate::media::{Frame, FrameSource, MediaEngine, MediaError};
use crate::timeline::{Content, DrawList, MediaInfo};

/// Decoders by element.
pub(super) struct Decoders {
    engine: Arc<dyn MediaEngine>,
    files: Vec<PathBuf>,
    open: BTreeMap<usize, Open>,
}

struct Open {
    source: Box<dyn FrameSource>,
    /// The last frame read: a decoder never goes back.
    at: u64,
}

impl Decoders {
    /// None open yet; `files[n]` is source `n` of the plan.
    pub(super) fn new(engine: Arc<dyn MediaEngine>, files: Vec<PathBuf>) -> Self {
        Self {
            engine,
            files,
            open: BTreeMap::new(),
        }
    }

    /// The picture of frame `index` of `source`, for `element`.
    pub(super) fn frame(
        &mut self,
        element: usize,
        source: usize,
        index: u64,
        info: &MediaInfo,
    ) -> Result<Frame, MediaError> {
        if self.open.get(&element).is_none_or(|open| index < open.at) {
            let file = self.files.get(source);
            let (Some(file), Some(video)) = (file, &info.video) else {
                return Err(MediaError::Invalid("no picture track".to_owned()));
            };
            let source = self.engine.open(file, video, index)?;
            self.open.insert(element, Open { source, at: index });
        }
        let Some(open) = self.open.get_mut(&element) else {
            return Err(MediaError::Engine("a decoder is gone".to_owned()));
        };
        open.at = index;
        open.source.frame(index)
    }

    /// Whether the picture that an element was given last is damaged.
    pub(super) fn is_damaged(&self, element: usize) -> bool {
        let open = self.open.get(&element);
        open.is_some_and(|open| open.source.is_damaged())
    }

    /// Closes the decoders of elements that `list` no longer shows.
    pub(super) fn keep(&mut self, list: &DrawList) {
        self.open.retain(|element, _| {
            list.layers.iter().any(|layer| {
                layer.element == *element && matches!(layer.content, Content::Video { .. })
            })
        });
    }
}
