//! Decoded pictures in the decoder's order. The decoder is the library, or for PNG and raw
//! pictures this process itself. Alpha that comes as a second stream is joined here.

use std::path::Path;
use std::time::Duration;

use super::super::MediaError;
use super::super::container::{Codec, Description};
use super::packets::{Feeding, Part};
use super::pictures::{Decoded, Pictures};
use super::still::Stills;

/// A decoder, and one for alpha where there is a second stream.
#[derive(Debug)]
pub(super) struct Stream {
    pictures: Source,
    alpha: Option<Pictures>,
    /// An alpha plane whose picture has not come yet.
    waiting: Option<Decoded>,
}

#[derive(Debug)]
enum Source {
    Library(Pictures),
    Stills(Box<Stills>),
}

impl Stream {
    /// Starts decoding at the place that `feeding` gives; `is_open`: where a group opens that
    /// others lean across.
    pub(super) fn open(
        file: &Path,
        feeding: Feeding,
        description: &Description,
        is_open: bool,
        stall: Duration,
    ) -> Result<Self, MediaError> {
        if matches!(description.codec, Codec::Png | Codec::RawVideo(_)) {
            return Ok(Self {
                pictures: Source::Stills(Box::new(Stills::open(file, feeding, description)?)),
                alpha: None,
                waiting: None,
            });
        }
        let has_alpha = !feeding.track()?.alpha.is_empty();
        let alpha = has_alpha
            .then(|| {
                let feeding = Feeding {
                    part: Part::Alpha,
                    ..feeding.clone()
                };
                Pictures::open(file, feeding, description, is_open, stall)
            })
            .transpose()?;
        Ok(Self {
            pictures: Source::Library(Pictures::open(file, feeding, description, is_open, stall)?),
            alpha,
            waiting: None,
        })
    }

    /// The next picture, or `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Decoded>, MediaError> {
        let next = match &mut self.pictures {
            Source::Library(pictures) => pictures.next()?,
            Source::Stills(stills) => stills.next()?,
        };
        let Some(mut picture) = next else {
            return Ok(None);
        };
        if let Some(alpha) = &self.alpha {
            // A packet without an addition is opaque: the alpha stream has nothing of its rank.
            while self
                .waiting
                .as_ref()
                .is_none_or(|waiting| waiting.rank < picture.rank)
            {
                self.waiting = alpha.next()?;
                if self.waiting.is_none() {
                    break;
                }
            }
            if self
                .waiting
                .as_ref()
                .is_some_and(|waiting| waiting.rank == picture.rank)
            {
                picture.alpha = self.waiting.take().map(Box::new);
            }
        }
        Ok(Some(picture))
    }
}
