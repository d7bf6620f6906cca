//! The tables of how an element that can be seen lies, looks and moves.

use super::field::{Field, Kind, Object};
use super::names;

/// The box of a picture.
pub(super) static PICTURE_BOX: &[Field] = &[
    Field::new("width", Kind::Extent, "Width of the box.").or("\"100%\""),
    Field::new("height", Kind::Extent, "Height of the box.").or("\"100%\""),
    Field::new("z_index", Z_INDEX, "Higher lies above.").or("0"),
    Field::new(
        "clip",
        Kind::Bool,
        "Without effect: pictures always end at their box.",
    )
    .or("false"),
];

/// Of every element that can be seen.
pub(super) static VISUAL: &[Field] = &[
    Field::new("x", Kind::Length, "Where the anchor lies, across.").or("\"50%\""),
    Field::new("y", Kind::Length, "Where the anchor lies, down.").or("\"50%\""),
    Field::new(
        "x_anchor",
        Kind::Length,
        "Which point of the box is the anchor, across.",
    )
    .or("\"50%\""),
    Field::new(
        "y_anchor",
        Kind::Length,
        "Which point of the box is the anchor, down.",
    )
    .or("\"50%\""),
    Field::new(
        "aspect_ratio",
        Kind::Number {
            min: 0.0,
            max: 1000.0,
            above: true,
        },
        "Width over height for an automatic axis.",
    ),
    Field::new("x_rotation", Kind::Angle, "Turn about the x axis.")
        .or("0")
        .unsupported(),
    Field::new("y_rotation", Kind::Angle, "Turn about the y axis.")
        .or("0")
        .unsupported(),
    Field::new(
        "z_rotation",
        Kind::Angle,
        "Clockwise turn about the anchor.",
    )
    .or("0"),
    Field::new("x_scale", Kind::Scale, "Factor across.")
        .or("\"100%\"")
        .unsupported(),
    Field::new("y_scale", Kind::Scale, "Factor down.")
        .or("\"100%\"")
        .unsupported(),
    Field::new("flip_horizontal", Kind::Bool, "Mirrored left to right.")
        .or("false")
        .unsupported(),
    Field::new("flip_vertical", Kind::Bool, "Mirrored top to bottom.")
        .or("false")
        .unsupported(),
    Field::new(
        "opacity",
        Kind::Number {
            min: 0.0,
            max: 100.0,
            above: false,
        },
        "Percent.",
    )
    .or("100"),
    Field::new(
        "blend_mode",
        Kind::Choice(names::BLEND_MODES),
        "How it mixes with what lies under it.",
    )
    .or("\"none\"")
    .only(&["none"]),
    Field::new("color_overlay", Kind::Color, "A colour over it.").unsupported(),
    Field::new("border_radius", Kind::Distance, "Rounds the corners.")
        .or("0")
        .unsupported(),
    Field::new("border_color", Kind::Color, "Colour of the border.").unsupported(),
    Field::new(
        "border_width",
        Kind::Distance,
        "Width of the border, inside the box.",
    )
    .or("0")
    .unsupported(),
    Field::new("shadow_color", Kind::Color, "Colour of the shadow.").unsupported(),
    Field::new("shadow_blur", Kind::Distance, "Softness of the shadow.")
        .or("0")
        .unsupported(),
    Field::new("shadow_x", Kind::Length, "Offset of the shadow, across.")
        .or("0")
        .unsupported(),
    Field::new("shadow_y", Kind::Length, "Offset of the shadow, down.")
        .or("0")
        .unsupported(),
    Field::new("motion", Kind::List(&MOTION), "Movements.")
        .or("[]")
        .unsupported(),
];

/// Of video and image.
pub(super) static PICTURE: &[Field] = &[
    Field::new("crop_top", UNIT, "Part cut off.")
        .or("0")
        .unsupported(),
    Field::new("crop_bottom", UNIT, "Part cut off.")
        .or("0")
        .unsupported(),
    Field::new("crop_left", UNIT, "Part cut off.")
        .or("0")
        .unsupported(),
    Field::new("crop_right", UNIT, "Part cut off.")
        .or("0")
        .unsupported(),
    Field::new("lut_url", Kind::Url, "A .cube file or a LUT picture.").unsupported(),
    Field::new("lut_intensity", PERCENT, "How much of the LUT is mixed in.")
        .or("100")
        .unsupported(),
    Field::new("effects", Kind::List(&EFFECT), "Looks.")
        .or("[]")
        .unsupported(),
    Field::new("exposure", BOTH_WAYS, "Colour adjustment.")
        .or("0")
        .unsupported(),
    Field::new("brightness", BOTH_WAYS, "Colour adjustment.")
        .or("0")
        .unsupported(),
    Field::new("contrast", BOTH_WAYS, "Colour adjustment.")
        .or("0")
        .unsupported(),
    Field::new("saturation", BOTH_WAYS, "Colour adjustment.")
        .or("0")
        .unsupported(),
    Field::new("hue_rotate", Kind::Angle, "Degrees about the luma axis.")
        .or("0")
        .unsupported(),
    Field::new("sharpness", ONE_WAY, "Unsharp mask.")
        .or("0")
        .unsupported(),
    Field::new("blur", ONE_WAY, "Gaussian blur.")
        .or("0")
        .unsupported(),
    Field::new("noise", ONE_WAY, "Grain.").or("0").unsupported(),
    Field::new("vignette", ONE_WAY, "Darkened corners.")
        .or("0")
        .unsupported(),
];

static MOTION: Object = Object {
    name: "motion",
    groups: &[&[
        Field::new("type", Kind::Choice(names::MOTIONS), "What it looks like.").required(),
        Field::new(
            "time",
            Kind::Seconds { above: false },
            "When it begins, on the output's timeline.",
        ),
        Field::new(
            "duration",
            Kind::Seconds { above: true },
            "How long it takes.",
        ),
        Field::new("easing", Kind::Choice(names::EASINGS), "Its course.").or("\"ease_in_out\""),
        Field::new("reversed", Kind::Bool, "An exit instead of an entrance.").or("false"),
        Field::new("scope", Kind::Choice(names::MOTION_SCOPES), "What moves.").or("\"element\""),
        Field::new("delay", Kind::Seconds { above: false }, "Shifts time.").or("0"),
        Field::new("loop", Kind::Bool, "Repeats to the element's end.").or("false"),
    ]],
};

static EFFECT: Object = Object {
    name: "effect",
    groups: &[&[
        Field::new("type", Kind::Choice(names::EFFECTS), "What it looks like.").required(),
        Field::new("intensity", PERCENT, "0 leaves the picture as it is.").or("100"),
        Field::new(
            "chroma_settings",
            Kind::Object(&CHROMA_SETTINGS),
            "What chroma_key removes.",
        )
        .or("{}"),
    ]],
};

static CHROMA_SETTINGS: Object = Object {
    name: "chroma_settings",
    groups: &[&[
        Field::new("hue_min", HUE, "Degrees; may exceed hue_max and wraps.").or("90"),
        Field::new("hue_max", HUE, "Degrees.").or("150"),
        Field::new("sat_min", UNIT, "HSL saturation.").or("0.3"),
        Field::new("sat_max", UNIT, "HSL saturation.").or("1"),
        Field::new("lum_min", UNIT, "HSL lightness.").or("0.1"),
        Field::new("lum_max", UNIT, "HSL lightness.").or("0.95"),
    ]],
};

pub(super) const Z_INDEX: Kind = Kind::Integer {
    min: -2_147_483_648,
    max: 2_147_483_647,
};
pub(super) const PERCENT: Kind = Kind::Number {
    min: 0.0,
    max: 100.0,
    above: false,
};
const UNIT: Kind = Kind::Number {
    min: 0.0,
    max: 1.0,
    above: false,
};
const BOTH_WAYS: Kind = Kind::Clamped {
    min: -100.0,
    max: 100.0,
};
const ONE_WAY: Kind = Kind::Clamped {
    min: 0.0,
    max: 100.0,
};
const HUE: Kind = Kind::Number {
    min: 0.0,
    max: 360.0,
    above: false,
};
