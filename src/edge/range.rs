//! The `Range` header of RFC 9110, for one range. Several ranges are answered with the whole
//! file, which the standard allows.

/// What a request wants of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// All of it.
    Whole,
    /// The bytes `start..=last`.
    Part {
        /// The first byte.
        start: u64,
        /// The last byte.
        last: u64,
    },
    /// Bytes that are not there.
    Unsatisfiable,
}

/// What `header` asks of a file of `size` bytes. A header that cannot be read counts as none.
pub(super) fn wanted(header: Option<&str>, size: u64) -> Wanted {
    let Some(range) = header.and_then(|header| header.trim().strip_prefix("bytes=")) else {
        return Wanted::Whole;
    };
    let Some((first, last)) = range.trim().split_once('-') else {
        return Wanted::Whole;
    };
    match (number(first), number(last)) {
        (Number::Is(start), Number::Is(last)) if last < start => Wanted::Whole,
        (Number::Is(start), Number::Is(_) | Number::Absent) if start >= size => {
            Wanted::Unsatisfiable
        }
        (Number::Is(start), Number::Is(last)) => Wanted::Part {
            start,
            last: last.min(size - 1),
        },
        (Number::Is(start), Number::Absent) => Wanted::Part {
            start,
            last: size - 1,
        },
        (Number::Absent, Number::Is(count)) if count == 0 || size == 0 => Wanted::Unsatisfiable,
        (Number::Absent, Number::Is(count)) => Wanted::Part {
            start: size.saturating_sub(count),
            last: size - 1,
        },
        _ => Wanted::Whole,
    }
}

enum Number {
    Is(u64),
    Absent,
    Malformed,
}

fn number(text: &str) -> Number {
    let text = text.trim();
    if text.is_empty() {
        return Number::Absent;
    }
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Number::Malformed;
    }
    // More digits than fit are still a number beyond the end of any file.
    Number::Is(text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_the_standard_says() {
        let part = |start, last| Wanted::Part { start, last };
        for (header, wants) in [
            ("bytes=0-0", part(0, 0)),
            ("bytes=0-9", part(0, 9)),
            ("bytes=2-5", part(2, 5)),
            ("bytes=2-", part(2, 9)),
            ("bytes=2-99999999999999999999999", part(2, 9)),
            ("bytes=-3", part(7, 9)),
            ("bytes=-30", part(0, 9)),
            (" bytes= 2 - 5 ", part(2, 5)),
            ("bytes=10-", Wanted::Unsatisfiable),
            ("bytes=10-12", Wanted::Unsatisfiable),
            ("bytes=-0", Wanted::Unsatisfiable),
            ("bytes=5-2", Wanted::Whole),
            ("bytes=-", Wanted::Whole),
            ("bytes=a-b", Wanted::Whole),
            ("bytes=1-2,4-5", Wanted::Whole),
            ("lines=1-2", Wanted::Whole),
            ("", Wanted::Whole),
        ] {
            assert_eq!(wanted(Some(header), 10), wants, "{header:?}");
        }
        assert_eq!(wanted(None, 10), Wanted::Whole);
        assert_eq!(wanted(Some("bytes=0-"), 0), Wanted::Unsatisfiable);
        assert_eq!(wanted(Some("bytes=-1"), 0), Wanted::Unsatisfiable);
    }
}
