//! The closed lists of names in the contract, whether they render yet or not.

/// Kinds of elements.
pub(crate) const ELEMENTS: &[&str] = &["video", "image", "text", "audio"];

/// Containers.
pub(crate) const OUTPUT_FORMATS: &[&str] = &["mp4", "webm", "mov", "gif", "png", "jpg"];

/// Picture codecs.
pub(crate) const VIDEO_CODECS: &[&str] = &["h264", "h265", "vp9", "av1", "prores"];

/// Named encoder settings.
pub(crate) const QUALITIES: &[&str] = &["draft", "standard", "high"];

/// x264's presets, fastest first.
pub(crate) const SPEEDS: &[&str] = &[
    "ultrafast",
    "superfast",
    "veryfast",
    "faster",
    "fast",
    "medium",
    "slow",
    "slower",
    "veryslow",
    "placebo",
];

/// How a picture fills its box.
pub(crate) const FITS: &[&str] = &["cover", "contain", "fill"];

/// Blend modes.
pub(crate) const BLEND_MODES: &[&str] = &[
    "none",
    "multiply",
    "screen",
    "overlay",
    "darken",
    "lighten",
    "color_dodge",
    "color_burn",
    "hard_light",
    "soft_light",
];

/// File extensions a video's URL may have.
pub(crate) const VIDEO_EXTENSIONS: &[&str] = &[
    "mp4", "mov", "webm", "mkv", "m4v", "avi", "mpeg", "mpg", "ts", "m2ts", "mts",
];

/// Font styles.
pub(crate) const FONT_STYLES: &[&str] = &["normal", "italic", "bold", "bolditalic"];
/// Alignment across.
pub(crate) const TEXT_ALIGNS: &[&str] = &["left", "center", "right"];
/// Alignment down.
pub(crate) const VERTICAL_ALIGNS: &[&str] = &["top", "middle", "bottom"];
/// Lines along text.
pub(crate) const TEXT_DECORATIONS: &[&str] = &["none", "underline", "strikethrough"];
/// Whether lines are broken.
pub(crate) const TEXT_WRAPS: &[&str] = &["wrap", "nowrap"];
/// Looks of spoken words.
pub(crate) const WORD_STYLES: &[&str] =
    &["glow", "box", "scale_pop", "slide_up", "fly_in", "color"];

/// Courses of a motion.
pub(crate) const EASINGS: &[&str] = &["linear", "ease_in", "ease_out", "ease_in_out"];
/// What a motion moves.
pub(crate) const MOTION_SCOPES: &[&str] = &["element", "character"];

/// Motions.
pub(crate) const MOTIONS: &[&str] = &[
    "fade",
    "slide_up",
    "slide_down",
    "slide_left",
    "slide_right",
    "zoom_in",
    "zoom_out",
    "rotate_cw",
    "rotate_ccw",
    "bounce",
    "wipe_left",
    "wipe_right",
    "wipe_up",
    "wipe_down",
    "ken_burns_in",
    "ken_burns_out",
    "ken_burns_in_out",
    "loop_wiggle",
    "loop_rotate",
    "loop_rotate_smooth",
    "loop_3d_spin",
    "loop_3d_sway",
    "blur",
    "bounce_motion",
    "explode",
    "evaporate",
    "overlay",
    "difference",
    "rubber_in",
    "whip_up",
    "whip_down",
    "glitch_pop",
    "drift_in",
    "drift_out",
    "loop_breathe",
    "loop_shimmer",
    "swing_in",
    "swing_out",
    "elastic_rise",
    "elastic_drop",
    "tilt_zoom",
    "loop_orbit",
    "smooth_pop",
];

/// Motions that cannot run backwards as an exit; `zoom_in` only cannot at element scope.
pub(crate) const MOTIONS_WITHOUT_EXIT: &[&str] = &[
    "zoom_in",
    "ken_burns_in",
    "ken_burns_out",
    "ken_burns_in_out",
    "loop_wiggle",
    "loop_rotate",
    "loop_rotate_smooth",
    "loop_3d_spin",
    "loop_3d_sway",
    "loop_breathe",
    "loop_shimmer",
    "loop_orbit",
    "blur",
    "bounce_motion",
    "explode",
    "overlay",
    "difference",
    "rubber_in",
    "whip_up",
    "glitch_pop",
    "drift_in",
    "swing_in",
    "elastic_rise",
    "tilt_zoom",
    "smooth_pop",
];

/// Motions that can move a text character by character.
pub(crate) const CHARACTER_MOTIONS: &[&str] = &[
    "fade",
    "slide_up",
    "slide_down",
    "slide_left",
    "slide_right",
    "zoom_in",
    "bounce",
    "blur",
    "bounce_motion",
    "explode",
    "evaporate",
    "rubber_in",
    "whip_up",
    "whip_down",
    "glitch_pop",
    "drift_in",
    "drift_out",
    "loop_breathe",
    "loop_shimmer",
];

/// Effects.
pub(crate) const EFFECTS: &[&str] = &[
    "vintage",
    "polaroid",
    "portra",
    "super8",
    "filmic",
    "add_grain",
    "rgb_split",
    "ghosting",
    "displacement_map",
    "posterize",
    "mosaic",
    "mosaic_blur",
    "mosaic_posterize",
    "cc_halftone",
    "cc_halftone_blue",
    "cc_halftone_green",
    "cc_halftone_red",
    "invert",
    "optics_compensation",
    "viewfinder",
    "night_vision",
    "thermal",
    "camera_lens_blur",
    "camera_lens_blur_bg",
    "box_blur",
    "lens_flare",
    "strobe_light",
    "snow",
    "glow",
    "sepia",
    "echo",
    "chromatic_aberration",
    "vhs",
    "vhs_overlay",
    "crt",
    "television",
    "glitch",
    "compression_glitch",
    "scanlines",
    "prism",
    "light_leaks",
    "film_burn",
    "duotone",
    "cross_process",
    "bleach_bypass",
    "chroma_key",
];

/// Transitions.
pub(crate) const TRANSITIONS: &[&str] = &[
    "cross_dissolve",
    "dip_to_black",
    "dip_to_white",
    "wipe_left",
    "wipe_right",
    "wipe_up",
    "wipe_down",
    "diagonal_wipe",
    "barn_doors_horizontal",
    "barn_doors_vertical",
    "iris",
    "page_turn",
    "cross_zoom",
    "gradient_wipe",
    "band_wipe",
    "box_wipe",
    "swirl",
    "glitch_memories",
    "window_slice",
    "cube",
    "doorway",
    "pinwheel",
    "water_drop",
    "crosshatch",
    "dreamy",
    "angular",
    "burn",
    "heart",
    "circle_open",
    "color_phase",
    "squares_wire",
];
