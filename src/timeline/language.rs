//! Languages of sound tracks, which containers write in different ways: MP4 as `deu`
//! (ISO 639-2/T), Matroska as `ger` (ISO 639-2/B) or `de-CH` (BCP 47).

use isolang::Language;

/// How well a track's language is the one that is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Match {
    /// Of the same language and, where both or neither name one, the same region.
    Exact,
    /// Of the same language; only one of them names a region or a script.
    General,
}

/// Compares language tags, whichever standard each is written by; `None`: different languages.
pub(super) fn compare(wanted: &str, found: &str) -> Option<Match> {
    if wanted.eq_ignore_ascii_case(found) {
        return Some(Match::Exact);
    }
    let (wanted, wanted_rest) = split(wanted);
    let (found, found_rest) = split(found);
    if wanted != found {
        return None;
    }
    match (wanted_rest, found_rest) {
        (None, None) => Some(Match::Exact),
        (Some(one), Some(other)) => one.eq_ignore_ascii_case(other).then_some(Match::Exact),
        _ => Some(Match::General),
    }
}

/// The language as ISO 639-3, or as it is written where that has no such code, and what follows.
fn split(tag: &str) -> (String, Option<&str>) {
    let (language, rest) = match tag.split_once('-') {
        Some((language, rest)) => (language, Some(rest)),
        None => (tag, None),
    };
    let language = language.to_ascii_lowercase();
    let known = match language.len() {
        2 => Language::from_639_1(&language),
        _ => Language::from_639_3(bibliographic(&language).unwrap_or(&language)),
    };
    (known.map_or(language, |one| one.to_639_3().into()), rest)
}

/// The languages whose codes of ISO 639-2/B, after their English names, are not those of
/// ISO 639-3.
fn bibliographic(code: &str) -> Option<&'static str> {
    Some(match code {
        "alb" => "sqi",
        "arm" => "hye",
        "baq" => "eus",
        "bur" => "mya",
        "chi" => "zho",
        "cze" => "ces",
        "dut" => "nld",
        "fre" => "fra",
        "geo" => "kat",
        "ger" => "deu",
        "gre" => "ell",
        "ice" => "isl",
        "mac" => "mkd",
        "mao" => "mri",
        "may" => "msa",
        "per" => "fas",
        "rum" => "ron",
        "slo" => "slk",
        "tib" => "bod",
        "wel" => "cym",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_language_is_the_same_in_every_standard() {
        for one in ["de", "deu", "ger", "DE", "Ger"] {
            for other in ["de", "deu", "ger"] {
                assert_eq!(compare(one, other), Some(Match::Exact), "{one} {other}");
            }
        }
        assert_eq!(compare("ger-CH", "de-ch"), Some(Match::Exact));
        assert_eq!(compare("de", "de-CH"), Some(Match::General));
        assert_eq!(compare("de-CH", "deu"), Some(Match::General));
    }

    #[test]
    fn other_languages_and_regions_differ() {
        for (one, other) in [
            ("de", "eng"),
            ("de-CH", "de-AT"),
            ("en", "enm"),
            ("qaa", "qab"),
        ] {
            assert_eq!(compare(one, other), None, "{one} {other}");
        }
    }

    #[test]
    fn codes_without_a_meaning_match_themselves() {
        assert_eq!(compare("qaa", "QAA"), Some(Match::Exact));
    }
}
