//! The name a client probably meant.

/// Slips that every client makes sooner or later, whatever their distance.
const SLIPS: &[(&str, &str)] = &[
    ("color", "text_color"),
    ("start", "time"),
    ("length", "duration"),
    ("lenght", "duration"),
    ("src", "source_url"),
    ("url", "source_url"),
    ("fontsize", "font_size"),
    ("fps", "frame_rate"),
];

/// No longer name is compared with anything.
const LONGEST: usize = 64;

/// The one of `names` that `given` probably stands for.
pub(super) fn nearest(
    given: &str,
    names: impl Iterator<Item = &'static str> + Clone,
) -> Option<&'static str> {
    if given.len() > LONGEST {
        return None;
    }
    let given = given.to_ascii_lowercase().replace(['-', ' '], "_");
    let slip = SLIPS.iter().find(|(slip, _)| *slip == given);
    if let Some((_, meant)) = slip
        && names.clone().any(|name| name == *meant)
    {
        return Some(meant);
    }
    let allowed = (given.chars().count() / 3).max(1);
    names
        .map(|name| (strsim::osa_distance(&given, name), name))
        .filter(|&(distance, _)| distance <= allowed)
        .min_by_key(|&(distance, _)| distance)
        .map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: [&str; 6] = [
        "text_color",
        "time",
        "duration",
        "width",
        "font_size",
        "text",
    ];

    #[test]
    fn slips_and_misspellings_find_their_name() {
        for (given, meant) in [
            ("color", Some("text_color")),
            ("start", Some("time")),
            ("length", Some("duration")),
            ("lenght", Some("duration")),
            ("fontsize", Some("font_size")),
            ("widht", Some("width")),
            ("Text-Color", Some("text_color")),
            ("durations", Some("duration")),
            ("tetx", Some("text")),
            ("zzzzzz", None),
            ("", None),
        ] {
            assert_eq!(nearest(given, NAMES.into_iter()), meant, "{given}");
        }
        assert_eq!(nearest(&"w".repeat(100_000), NAMES.into_iter()), None);
    }

    #[test]
    fn a_slip_is_not_corrected_to_a_field_the_object_lacks() {
        assert_eq!(nearest("url", ["text", "time"].into_iter()), None);
    }
}
