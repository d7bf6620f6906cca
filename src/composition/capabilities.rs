//! What this build understands and what of it renders, listed from the schema's own tables.

use serde::Serialize;

use super::schema::{self, Support, names};

/// The lists behind `GET /v1/capabilities`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Capabilities {
    /// Kinds of elements.
    pub elements: FeatureList,
    /// Containers.
    pub output_formats: FeatureList,
    /// Picture codecs.
    pub video_codecs: FeatureList,
    /// Named encoder settings.
    pub qualities: FeatureList,
    /// Ways a picture fills its box.
    pub fits: FeatureList,
    /// Ways a layer mixes with what lies under it.
    pub blend_modes: FeatureList,
    /// Movements of elements.
    pub motions: FeatureList,
    /// Looks of pictures.
    pub effects: FeatureList,
    /// Changes from one element to the next.
    pub transitions: FeatureList,
}

/// Names of one kind of feature.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FeatureList {
    /// They render.
    pub supported: Vec<&'static str>,
    /// The contract has them; this build answers `unsupported_feature`.
    pub unsupported: Vec<&'static str>,
}

impl FeatureList {
    fn of(names: &[&'static str], support: Support) -> Self {
        let (supported, unsupported) = names.iter().copied().partition(|name| match support {
            Support::Rendered => true,
            Support::Unsupported => false,
            Support::Only(rendered) => rendered.contains(name),
        });
        Self {
            supported,
            unsupported,
        }
    }

    /// The names that `field` of `object` takes.
    fn of_field(object: &schema::Object, field: &str) -> Self {
        let Some(field) = object.field(field) else {
            return Self::of(&[], Support::Rendered);
        };
        match field.kind {
            schema::Kind::Choice(names) => Self::of(names, field.support),
            _ => Self::of(&[], field.support),
        }
    }
}

/// What this build can do.
pub fn capabilities() -> Capabilities {
    let effects = schema::IMAGE.support("effects");
    let motions = schema::IMAGE.support("motion");
    let transitions = schema::COMPOSITION.support("transitions");
    Capabilities {
        elements: FeatureList::of(names::ELEMENTS, Support::Rendered),
        output_formats: FeatureList::of_field(&schema::COMPOSITION, "output_format"),
        video_codecs: FeatureList::of_field(&schema::ENCODING, "video_codec"),
        qualities: FeatureList::of_field(&schema::ENCODING, "quality"),
        fits: FeatureList::of_field(&schema::IMAGE, "fit"),
        blend_modes: FeatureList::of_field(&schema::IMAGE, "blend_mode"),
        motions: FeatureList::of(names::MOTIONS, motions),
        effects: FeatureList::of(names::EFFECTS, effects),
        transitions: FeatureList::of(names::TRANSITIONS, transitions),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_tell_what_renders_from_what_the_contract_has() {
        let capabilities = capabilities();
        assert_eq!(capabilities.output_formats.supported, ["mp4"]);
        assert_eq!(
            capabilities.output_formats.unsupported,
            ["webm", "mov", "gif", "png", "jpg"]
        );
        assert_eq!(capabilities.blend_modes.supported, ["none"]);
        assert_eq!(capabilities.fits.supported, ["cover", "contain", "fill"]);
        assert!(capabilities.motions.supported.is_empty());
        assert!(capabilities.motions.unsupported.contains(&"ken_burns_in"));
    }
}
