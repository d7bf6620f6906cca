//! The fonts text is drawn with: the bundled ones and those loaded by request, never the
//! system's, so that every machine draws the same. Chooses a font for each character.

use std::collections::HashMap;
use std::sync::Arc;

use cosmic_text::FontSystem;
use cosmic_text::fontdb::{self, Database, Source, Style};
use sha2::{Digest, Sha256};

use crate::render::RenderError;

/// What unknown families are replaced by.
pub(super) const DEFAULT_FAMILY: &str = "Inter";
/// Draws pictures, not outlines.
pub(super) const EMOJI_FAMILY: &str = "Noto Color Emoji";
/// Where a character is looked for when the wanted family has no glyph, in this order.
const FALLBACKS: &[&str] = &[
    DEFAULT_FAMILY,
    "Noto Sans",
    "Noto Sans Arabic",
    "Noto Sans Hebrew",
    "Noto Sans Devanagari",
    "Noto Sans Thai",
    "Droid Sans Fallback",
    "Noto Sans Math",
    "Noto Sans Symbols",
    "Noto Sans Symbols2",
    EMOJI_FAMILY,
];

macro_rules! bundled {
    ($($file:literal),* $(,)?) => {
        &[$(include_bytes!(concat!("../../../config/fonts/", $file))),*]
    };
}

/// The bundled files.
static BUNDLED: &[&[u8]] = bundled![
    "inter/Inter-Thin.otf",
    "inter/Inter-ThinItalic.otf",
    "inter/Inter-ExtraLight.otf",
    "inter/Inter-ExtraLightItalic.otf",
    "inter/Inter-Light.otf",
    "inter/Inter-LightItalic.otf",
    "inter/Inter-Regular.otf",
    "inter/Inter-Italic.otf",
    "inter/Inter-Medium.otf",
    "inter/Inter-MediumItalic.otf",
    "inter/Inter-SemiBold.otf",
    "inter/Inter-SemiBoldItalic.otf",
    "inter/Inter-Bold.otf",
    "inter/Inter-BoldItalic.otf",
    "inter/Inter-ExtraBold.otf",
    "inter/Inter-ExtraBoldItalic.otf",
    "inter/Inter-Black.otf",
    "inter/Inter-BlackItalic.otf",
    "noto/NotoSans-Regular.ttf",
    "noto/NotoSans-Bold.ttf",
    "noto/NotoSansArabic-Regular.ttf",
    "noto/NotoSansHebrew-Regular.ttf",
    "noto/NotoSansDevanagari-Regular.ttf",
    "noto/NotoSansThai-Regular.ttf",
    "noto/NotoSansMath-Regular.ttf",
    "noto/NotoSansSymbols-Regular.ttf",
    "noto/NotoSansSymbols2-Regular.ttf",
    "noto/NotoColorEmoji.ttf",
    "droid/DroidSansFallbackFull.ttf",
];

/// SHA-256 over the bundled fonts, in hexadecimal: part of the render fingerprint.
#[must_use]
pub fn fonts_digest() -> String {
    let mut hash = Sha256::new();
    for file in BUNDLED {
        hash.update(Sha256::digest(file));
    }
    hex::encode(hash.finalize())
}

/// One weight and slant of a family.
#[derive(Debug, Clone, Copy)]
pub(super) struct Face {
    pub(super) id: fontdb::ID,
    pub(super) weight: u16,
    pub(super) italic: bool,
}

/// The fonts there are.
pub(super) struct Fonts {
    pub(super) system: FontSystem,
    families: HashMap<String, Vec<Face>>,
    by_url: HashMap<String, String>,
    covered: HashMap<(fontdb::ID, char), bool>,
}

impl Fonts {
    pub(super) fn bundled() -> Self {
        let mut database = Database::new();
        for file in BUNDLED {
            database.load_font_source(Source::Binary(Arc::new(*file)));
        }
        let mut families: HashMap<String, Vec<Face>> = HashMap::new();
        for info in database.faces() {
            if let Some((name, _)) = info.families.first() {
                families.entry(name.clone()).or_default().push(face(info));
            }
        }
        Self {
            // The locale is fixed: text must not look different from machine to machine.
            system: FontSystem::new_with_locale_and_db("en-US".to_owned(), database),
            families,
            by_url: HashMap::new(),
            covered: HashMap::new(),
        }
    }

    /// Families a client may name, sorted.
    pub(super) fn known(&self) -> Vec<String> {
        let mut names: Vec<String> = self
            .families
            .keys()
            .filter(|name| !name.starts_with(LOADED))
            .cloned()
            .collect();
        names.sort();
        names
    }

    /// Makes a font file usable and answers the family name it is used by.
    pub(super) fn load(&mut self, bytes: Vec<u8>) -> Result<String, RenderError> {
        let refuse = |why: &str| Err(RenderError::Font(why.to_owned()));
        let name = format!("{LOADED}{}", hex::encode(Sha256::digest(&bytes)));
        if self.families.contains_key(&name) {
            return Ok(name);
        }
        let Some(font) = swash::FontRef::from_index(&bytes, 0) else {
            return refuse("not a TrueType or OpenType file");
        };
        if font.charmap().map('a') == 0 && font.glyph_metrics(&[]).glyph_count() < 2 {
            return refuse("the file has no glyphs");
        }
        let database = self.system.db_mut();
        let ids = database.load_font_source(Source::Binary(Arc::new(bytes)));
        let Some(info) = ids.first().and_then(|id| database.face(*id)).cloned() else {
            return refuse("the file has no usable face");
        };
        for id in ids {
            database.remove_face(id);
        }
        // Under a name of its own, so that no bundled family is shadowed by it.
        let id = database.push_face_info(fontdb::FaceInfo {
            families: vec![(name.clone(), fontdb::Language::English_UnitedStates)],
            ..info.clone()
        });
        self.families
            .insert(name.clone(), vec![Face { id, ..face(&info) }]);
        Ok(name)
    }

    /// Lets `font_url` mean a loaded family.
    pub(super) fn bind(&mut self, url: &str, family: &str) {
        self.by_url.insert(url.to_owned(), family.to_owned());
    }

    /// The family meant by a style; false when it had to be replaced.
    pub(super) fn resolve(&self, family: &str, url: Option<&str>) -> (String, bool) {
        if let Some(bound) = url.and_then(|url| self.by_url.get(url)) {
            return (bound.clone(), true);
        }
        let wanted = family.trim();
        let known = self
            .families
            .keys()
            .find(|name| name.eq_ignore_ascii_case(wanted));
        match known {
            Some(name) => (name.clone(), url.is_none()),
            None => (DEFAULT_FAMILY.to_owned(), false),
        }
    }

    /// The face of `family` nearest to a weight and slant.
    pub(super) fn face(&self, family: &str, weight: u16, italic: bool) -> Option<Face> {
        self.families
            .get(family)?
            .iter()
            .copied()
            .min_by_key(|face| {
                // Between two equally near weights, the bolder of bold and the lighter of light.
                let off_side = (face.weight > weight) != (weight >= 500);
                (
                    face.italic != italic,
                    face.weight.abs_diff(weight),
                    off_side,
                )
            })
    }

    /// The first family, `wanted` before the fallbacks, that has all of `characters`.
    pub(super) fn family_with(&mut self, wanted: &str, characters: &str) -> Option<String> {
        std::iter::once(wanted)
            .chain(FALLBACKS.iter().copied())
            .find(|family| self.covers(family, characters))
            .map(str::to_owned)
    }

    /// Whether `family` has a glyph for every visible one of `characters`.
    pub(super) fn covers(&mut self, family: &str, characters: &str) -> bool {
        let Some(face) = self.face(family, 400, false) else {
            return false;
        };
        characters
            .chars()
            .filter(|character| !is_ignorable(*character))
            .all(|character| self.has(face, character))
    }

    fn has(&mut self, face: Face, character: char) -> bool {
        let Self {
            system, covered, ..
        } = self;
        *covered.entry((face.id, character)).or_insert_with(|| {
            system
                .get_font(face.id, fontdb::Weight(face.weight))
                .is_some_and(|font| font.as_swash().charmap().map(character) != 0)
        })
    }
}

/// How loaded families' names begin.
const LOADED: &str = "loaded-";

fn face(info: &fontdb::FaceInfo) -> Face {
    Face {
        id: info.id,
        weight: info.weight.0,
        italic: info.style != Style::Normal,
    }
}

/// Characters that shape others but need no glyph of their own.
fn is_ignorable(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{00AD}' | '\u{034F}' | '\u{061C}' | '\u{200B}'..='\u{200F}'
            | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FE00}'..='\u{FE0F}'
            | '\u{FEFF}' | '\u{E0000}'..='\u{E0FFF}')
}
