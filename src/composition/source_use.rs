//! Which files a composition needs, and the fields that name them.

use serde::{Deserialize, Serialize};

use super::{ElementKind, ValidComposition};

/// One distinct file, at the place that names it first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceUse {
    /// Where the file is.
    pub url: String,
    /// The first element that uses it.
    pub element: usize,
    /// The field that names it, like `elements[1].source_url`.
    pub path: String,
    /// What its first use takes it for.
    pub kind: SourceKind,
}

/// What an element takes a file for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum SourceKind {
    /// Moving pictures.
    Video,
    /// A still picture.
    Image,
    /// Sound.
    Audio,
    /// A font file.
    Font,
}

impl ValidComposition {
    /// The distinct files, media in order of first use, then fonts in order of first use.
    /// Invisible elements take no part: their files need not even be there.
    pub fn source_urls(&self) -> Vec<SourceUse> {
        let mut media: Vec<SourceUse> = Vec::new();
        let mut fonts: Vec<SourceUse> = Vec::new();
        for element in self.elements.iter().filter(|element| element.visible) {
            let Some((url, kind)) = element.kind.source() else {
                continue;
            };
            let (list, field) = if kind == SourceKind::Font {
                (&mut fonts, "font_url")
            } else {
                (&mut media, "source_url")
            };
            if list.iter().all(|known| known.url != url) {
                list.push(SourceUse {
                    url: url.to_owned(),
                    element: element.index,
                    path: format!("elements[{}].{field}", element.index),
                    kind,
                });
            }
        }
        media.append(&mut fonts);
        media
    }
}

impl ElementKind {
    /// The file the element needs, if any.
    pub fn source(&self) -> Option<(&str, SourceKind)> {
        match self {
            Self::Video { clip, .. } => Some((&clip.source_url, SourceKind::Video)),
            Self::Image { source_url, .. } => Some((source_url, SourceKind::Image)),
            Self::Audio { clip } => Some((&clip.source_url, SourceKind::Audio)),
            Self::Text { text, .. } => {
                let url = text.font_url.as_deref()?;
                Some((url, SourceKind::Font))
            }
        }
    }
}
