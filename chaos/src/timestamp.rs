//! Timestamps as the API writes them, and the clocks of this machine.

use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Result;

/// Milliseconds since 1970 of a timestamp like `2026-01-31T23:59:59.999Z`.
pub fn unix_millis(text: &str) -> Option<i64> {
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<i64>().ok();
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    let millis = number(20..23)?;
    // Years begin in March here, so that the day that some years have more is their last.
    let (year, month) = if month < 3 {
        (year - 1, month + 9)
    } else {
        (year, month - 3)
    };
    let days = year * 365 + year / 4 - year / 100 + year / 400 + (month * 153 + 2) / 5 + day - 1;
    let days = days - 719_468;
    Some((((days * 24 + hour) * 60 + minute) * 60 + second) * 1000 + millis)
}

/// The wall clock and the clock that counts from boot, in milliseconds.
///
/// # Errors
/// When the wall clock is before 1970.
pub fn clocks() -> Result<(i64, i64)> {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let boot = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Ok((
        i64::try_from(wall.as_millis())?,
        boot.tv_sec * 1000 + boot.tv_nsec / 1_000_000,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timestamp_is_read() {
        for (text, millis) in [
            ("1970-01-01T00:00:00.000Z", 0),
            ("2000-02-29T12:00:00.250Z", 951_825_600_250),
            ("2026-11-27T06:42:34.001Z", 1_795_761_754_001),
        ] {
            assert_eq!(unix_millis(text), Some(millis), "{text}");
        }
        assert_eq!(unix_millis("soon"), None);
    }
}
