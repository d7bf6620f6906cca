//! The spellings of lengths, angles, colours, rates, URLs and file names.

use std::f64::consts::PI;

use serde_json::Value;
use url::Url;

use super::value::{Misfit, bounded};
use crate::composition::schema::{MAX_NAME, MAX_OBJECT_KEY, MAX_URL, names};
use crate::composition::time::{FrameRate, MediaTime};
use crate::composition::{Length, Rgba, ViolationCode};

/// A plain decimal such as `-1.5`: no exponent, no infinity.
fn decimal(text: &str) -> Option<f64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = digits.bytes().all(|b| b.is_ascii_digit() || b == b'.')
        && digits.bytes().any(|b| b.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

/// Pixels as a number or `12px`, percent of the axis as `50%`.
pub(super) fn length(value: &Value) -> Result<Length, Misfit> {
    let parsed = match value {
        Value::Number(number) => number.as_f64().map(Length::Px),
        Value::String(text) => {
            if let Some(percent) = text.strip_suffix('%') {
                decimal(percent).map(Length::Percent)
            } else {
                decimal(text.strip_suffix("px").unwrap_or(text)).map(Length::Px)
            }
        }
        _ => None,
    };
    match parsed {
        Some(Length::Px(pixels)) => bounded(pixels).map(Length::Px),
        Some(Length::Percent(percent)) => bounded(percent).map(Length::Percent),
        None => Err(Misfit::of_type(
            "a number of pixels or a string such as \"50%\" or \"12px\"",
            value,
        )),
    }
}

/// Percent, as a number or with a percent sign.
pub(super) fn percent(value: &Value) -> Result<f64, Misfit> {
    let parsed = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => decimal(text.strip_suffix('%').unwrap_or(text)),
        _ => None,
    };
    parsed
        .ok_or_else(|| Misfit::of_type("percent, such as \"120%\" or 120", value))
        .and_then(bounded)
}

/// Degrees, as a number or with a unit: `45deg`, `45°`, `0.5rad`.
pub(super) fn angle(value: &Value) -> Result<f64, Misfit> {
    let parsed = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => {
            if let Some(radians) = text.strip_suffix("rad") {
                decimal(radians).map(|radians| radians * 180.0 / PI)
            } else {
                let degrees = text.strip_suffix("deg").or_else(|| text.strip_suffix('°'));
                decimal(degrees.unwrap_or(text))
            }
        }
        _ => None,
    };
    parsed
        .ok_or_else(|| {
            Misfit::of_type(
                "degrees, or a string such as \"45deg\" or \"0.5rad\"",
                value,
            )
        })
        .and_then(bounded)
}

/// `#RRGGBB` or `#RRGGBBAA`.
pub(super) fn color(value: &Value) -> Result<Rgba, Misfit> {
    let digits = value
        .as_str()
        .and_then(|text| text.strip_prefix('#'))
        .filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
    let channel = |digits: &str, at: usize| {
        let pair = digits.get(at..at + 2)?;
        u8::from_str_radix(pair, 16).ok()
    };
    let parsed = digits.and_then(|digits| {
        let a = match digits.len() {
            6 => 255,
            8 => channel(digits, 6)?,
            _ => return None,
        };
        Some(Rgba {
            r: channel(digits, 0)?,
            g: channel(digits, 2)?,
            b: channel(digits, 4)?,
            a,
        })
    });
    parsed.ok_or_else(|| Misfit::of_type("a colour such as \"#ffcc00\" or \"#ffcc0080\"", value))
}

/// A number, a decimal in a string, or a fraction in a string.
pub(super) fn frame_rate(value: &Value) -> Result<FrameRate, Misfit> {
    let wrong = || Misfit::of_type("a frame rate such as 30, 29.97 or \"30000/1001\"", value);
    let outside = || {
        Misfit::range(
            "must be from 1 to 240 frames a second, with at most 3 decimals or as a fraction",
        )
    };
    let (numerator, denominator) = match value {
        Value::String(text) if text.contains('/') => {
            let (numerator, denominator) = text.split_once('/').ok_or_else(wrong)?;
            let whole = |text: &str| text.bytes().all(|b| b.is_ascii_digit()) && !text.is_empty();
            if !whole(numerator) || !whole(denominator) {
                return Err(wrong());
            }
            (
                numerator.parse().map_err(|_| outside())?,
                denominator.parse().map_err(|_| outside())?,
            )
        }
        _ => {
            let time = match value {
                Value::Number(number) => number.as_f64().and_then(MediaTime::from_json_number),
                Value::String(text) => {
                    let number = decimal(text).ok_or_else(wrong)?;
                    MediaTime::from_json_number(number)
                }
                _ => return Err(wrong()),
            };
            thousandths(time.ok_or_else(outside)?).ok_or_else(outside)?
        }
    };
    // Bounds that keep exact arithmetic on frames and times within its range.
    const MOST: u32 = 1_000_000;
    let within = u64::from(numerator) >= u64::from(denominator)
        && u64::from(numerator) <= 240 * u64::from(denominator)
        && numerator <= MOST;
    FrameRate::new(numerator, denominator)
        .filter(|_| within)
        .ok_or_else(outside)
}

/// A decimal rate as a fraction; the usual roundings of NTSC rates mean the exact rates.
fn thousandths(rate: MediaTime) -> Option<(u32, u32)> {
    let scaled = rate.ratio() * 1000;
    if !scaled.is_integer() {
        return None;
    }
    Some(match u32::try_from(scaled.to_integer()).ok()? {
        23_976 => (24_000, 1001),
        29_970 => (30_000, 1001),
        59_940 => (60_000, 1001),
        119_880 => (120_000, 1001),
        thousandths => (thousandths, 1000),
    })
}

/// An http or https URL; with `video`, its extension must be a video's if it has one.
pub(super) fn url(value: &Value, video: bool) -> Result<String, Misfit> {
    let text = value
        .as_str()
        .ok_or_else(|| Misfit::of_type("a URL", value))?;
    if text.len() > MAX_URL {
        return Err(Misfit::range(format!(
            "must have at most {MAX_URL} characters"
        )));
    }
    let url = Url::parse(text).map_err(|_| Misfit::of_type("an absolute URL", value))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Misfit::range("must be an http or https URL"));
    }
    match extension(&url) {
        Some(extension) if video && !names::VIDEO_EXTENSIONS.contains(&extension.as_str()) => {
            Err(Misfit {
                code: ViolationCode::Enum,
                message: format!(
                    "a video's URL ends in {}, or has no extension; got {extension}",
                    names::VIDEO_EXTENSIONS.join(", ")
                ),
                suggestion: None,
            })
        }
        _ => Ok(text.to_owned()),
    }
}

/// What follows the last dot of the path's last segment, if it looks like an extension.
fn extension(url: &Url) -> Option<String> {
    const LONGEST: usize = 5;
    let (stem, extension) = url.path_segments()?.next_back()?.rsplit_once('.')?;
    let plausible = !stem.is_empty()
        && (1..=LONGEST).contains(&extension.len())
        && extension.bytes().all(|b| b.is_ascii_alphanumeric());
    plausible.then(|| extension.to_ascii_lowercase())
}

/// An http or https URL of at most `most` characters, without user and password.
pub(super) fn plain_url(value: &Value, most: usize) -> Result<String, Misfit> {
    let text = url(value, false)?;
    if text.len() > most {
        return Err(Misfit::range(format!(
            "must have at most {most} characters"
        )));
    }
    let has_user =
        Url::parse(&text).is_ok_and(|url| !url.username().is_empty() || url.password().is_some());
    if has_user {
        return Err(Misfit::range("must not hold a user or a password"));
    }
    Ok(text)
}

/// The key of an object in a client's bucket.
pub(super) fn object_key(value: &Value) -> Result<String, Misfit> {
    let text = value
        .as_str()
        .ok_or_else(|| Misfit::of_type("a string", value))?;
    if text.is_empty() || text.chars().count() > MAX_OBJECT_KEY {
        return Err(Misfit::range(format!(
            "must have from 1 to {MAX_OBJECT_KEY} characters"
        )));
    }
    if text.chars().any(char::is_control) {
        return Err(Misfit::range("must not hold control characters"));
    }
    // Stores resolve such paths, or refuse them.
    if text
        .split('/')
        .any(|segment| matches!(segment, "" | "." | ".."))
    {
        return Err(Misfit::range(
            "must not begin or end with a slash, nor hold empty, `.` or `..` segments",
        ));
    }
    Ok(text.to_owned())
}

/// The name of a file, without directories.
pub(super) fn whole_file_name(value: &Value) -> Result<String, Misfit> {
    let text = value
        .as_str()
        .ok_or_else(|| Misfit::of_type("a string", value))?;
    if text.is_empty() || text.chars().count() > MAX_NAME {
        return Err(Misfit::range(format!(
            "must have from 1 to {MAX_NAME} characters"
        )));
    }
    if text.contains(['/', '\\'])
        || text == "."
        || text == ".."
        || text.chars().any(char::is_control)
    {
        return Err(Misfit::range(
            "must be a file name without path separators and control characters",
        ));
    }
    Ok(text.to_owned())
}

/// The same without the extension that the format adds.
pub(super) fn file_name(value: &Value) -> Result<String, Misfit> {
    let text = whole_file_name(value)?;
    let extension = text
        .rsplit_once('.')
        .map(|(_, extension)| extension.to_ascii_lowercase());
    if extension.is_some_and(|e| names::OUTPUT_FORMATS.contains(&e.as_str())) {
        return Err(Misfit::range(
            "must not have an extension; output_format decides it",
        ));
    }
    Ok(text)
}

#[cfg(test)]
mod tests;
