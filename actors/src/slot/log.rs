//! A child's stderr into the log: lines of bounded length, a bounded number a second. The
//! rest is counted and dropped, so that a child that prints without end costs nothing.

use std::io::{BufRead, BufReader, Read};
use std::time::{Duration, Instant};

use crate::node::slots::SlotIndex;

/// Bytes of a line; a longer one is shown in pieces.
const LINE: u64 = 2048;
/// Lines a second.
const LINES: u32 = 100;
const WINDOW: Duration = Duration::from_secs(1);

/// Reads to the end.
pub(super) fn forward(stderr: impl Read, slot: SlotIndex, pid: u32) {
    let write = |line: &str| {
        tracing::info!(target: "framelane::worker", slot, pid, line, "worker output");
    };
    let dropped = |count: u32| {
        tracing::warn!(target: "framelane::worker", slot, pid, count, "lines of a worker dropped");
    };
    each_line(stderr, write, dropped);
}

fn each_line(input: impl Read, mut write: impl FnMut(&str), mut dropped: impl FnMut(u32)) {
    let mut input = BufReader::new(input);
    let (mut since, mut count) = (Instant::now(), 0_u32);
    let mut line = Vec::new();
    loop {
        line.clear();
        match (&mut input).take(LINE).read_until(b'\n', &mut line) {
            Ok(0) | Err(_) => break,
            Ok(_) => {}
        }
        if since.elapsed() >= WINDOW {
            if count > LINES {
                dropped(count - LINES);
            }
            (since, count) = (Instant::now(), 0);
        }
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end();
        if text.is_empty() {
            continue;
        }
        count = count.saturating_add(1);
        if count <= LINES {
            write(text);
        }
    }
    if count > LINES {
        dropped(count - LINES);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_cut_to_lines_of_bounded_length_and_number() {
        let endless = vec![b'x'; 3 << 20];
        let (mut lines, mut left) = (Vec::new(), 0);
        each_line(
            endless.as_slice(),
            |line| lines.push(line.len()),
            |count| left += count,
        );
        assert!(lines.iter().all(|length| *length == 2048));
        let pieces = (3 << 20) / 2048;
        assert_eq!(lines.len() + usize::try_from(left).unwrap(), pieces);
        assert!(left > 0, "reading 3 MiB takes no second per hundred lines");
    }

    #[test]
    fn ordinary_lines_all_come_through() {
        let mut lines = Vec::new();
        let input = b"one\n\ntwo\r\nthree".as_slice();
        each_line(input, |line| lines.push(line.to_owned()), |_| panic!());
        assert_eq!(lines, ["one", "two", "three"]);
    }
}
