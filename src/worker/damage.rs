//! What of the sources turned out to be damaged while segments and sound were made. A segment or
//! sound file carries it to the join in a box of its own at its end, which every reader of MP4
//! passes over; the join makes warnings of it.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek as _, SeekFrom, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::composition::Warning;

/// Code of the warnings.
pub(super) const CODE: &str = "source_damaged";
/// Spans of one element; what is beyond is added to the last.
const SPANS: usize = 8;
/// Elements that are reported.
const ELEMENTS: usize = 100;
/// Damage that lies closer together than this, in nanoseconds, is one span.
const TOGETHER: i64 = 200_000_000;
/// Name and extended type of the box.
const NAME: [u8; 20] = *b"uuidframelane damage";
/// Payload of a box that is read.
const LARGEST: u64 = 256 * 1024;

/// Spans of the output, in nanoseconds, in which an element shows or plays damaged media.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Damage(BTreeMap<usize, Vec<(i64, i64)>>);

impl Damage {
    /// Adds a span of an element, which begins no earlier than those before it.
    pub(super) fn add(&mut self, element: usize, from: i64, to: i64) {
        if self.0.len() >= ELEMENTS && !self.0.contains_key(&element) {
            return;
        }
        let spans = self.0.entry(element).or_default();
        let is_full = spans.len() >= SPANS;
        match spans.last_mut() {
            Some(last) if is_full || from <= last.1.saturating_add(TOGETHER) => {
                *last = (last.0.min(from), last.1.max(to));
            }
            _ => spans.push((from, to)),
        }
    }

    /// Adds all of another, which lies later.
    pub(super) fn extend(&mut self, later: &Self) {
        for (element, spans) in &later.0 {
            for &(from, to) in spans {
                self.add(*element, from, to);
            }
        }
    }

    /// Writes it at the end of a file of boxes, unless nothing is damaged.
    pub(super) fn append_to(&self, file: &Path) -> std::io::Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        let payload = serde_json::to_vec(self)?;
        let size = u32::try_from(payload.len() + 4 + NAME.len())
            .map_err(|_| std::io::Error::other("a description of damage is too large"))?;
        let mut file = OpenOptions::new().append(true).open(file)?;
        file.write_all(&[&size.to_be_bytes(), &NAME[..], &payload].concat())
    }

    /// The damage that a file of boxes carries; empty if it carries none.
    pub(super) fn of(file: &Path) -> std::io::Result<Self> {
        let mut file = File::open(file)?;
        let end = file.metadata()?.len();
        let mut at = 0;
        while at + 8 <= end {
            file.seek(SeekFrom::Start(at))?;
            let mut head = [0; 16];
            let read = Read::by_ref(&mut file).take(16).read(&mut head)?;
            let [a, b, c, d, ..] = head;
            let size = match u32::from_be_bytes([a, b, c, d]) {
                // To the end of the file.
                0 => return Ok(Self::default()),
                1 if read == 16 => {
                    let [.., a, b, c, d, e, f, g, h] = head;
                    u64::from_be_bytes([a, b, c, d, e, f, g, h])
                }
                size => u64::from(size),
            };
            let header = 4 + NAME.len() as u64;
            if head[4..8] == NAME[..4] && (header..header + LARGEST).contains(&size) {
                file.seek(SeekFrom::Start(at + 4))?;
                let mut whole = Vec::new();
                Read::by_ref(&mut file)
                    .take(size - 4)
                    .read_to_end(&mut whole)?;
                if let Some(payload) = whole.strip_prefix(&NAME) {
                    return Ok(serde_json::from_slice(payload)?);
                }
            }
            if size < 8 {
                break;
            }
            at = at.saturating_add(size);
        }
        Ok(Self::default())
    }

    /// One warning for each span.
    pub(super) fn warnings(&self) -> Vec<Warning> {
        let spans = self.0.iter().flat_map(|(element, spans)| {
            spans.iter().map(move |&(from, to)| {
                let message = "its source is damaged here; what could be decoded is used";
                Warning::new(format!("elements[{element}]"), CODE, message)
                    .between(seconds(from), seconds(to))
            })
        });
        spans.collect()
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "microseconds of an output are far below 2^52"
)]
fn seconds(nanos: i64) -> f64 {
    nanos.div_euclid(1_000) as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn damage_is_carried_at_the_end_of_a_file_of_boxes() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("segment.mp4");
        let boxes = [
            &8_u32.to_be_bytes()[..],
            b"free",
            &12_u32.to_be_bytes(),
            b"mdat",
            b"abcd",
        ];
        std::fs::write(&file, boxes.concat()).unwrap();
        assert_eq!(Damage::of(&file).unwrap(), Damage::default());
        Damage::default().append_to(&file).unwrap();
        assert_eq!(std::fs::metadata(&file).unwrap().len(), 20);
        let mut damage = Damage::default();
        damage.add(3, 1_000_000_000, 1_040_000_000);
        damage.add(3, 1_040_000_000, 1_080_000_000);
        damage.add(3, 2_000_000_000, 2_040_000_000);
        damage.append_to(&file).unwrap();
        let read = Damage::of(&file).unwrap();
        assert_eq!(read, damage);
        let warnings = read.warnings();
        assert_eq!(warnings.len(), 2);
        assert_eq!(warnings[0].path, "elements[3]");
        assert_eq!((warnings[0].from, warnings[0].to), (Some(1.0), Some(1.08)));
    }

    #[test]
    fn damage_over_and_over_stays_bounded() {
        let mut damage = Damage::default();
        for n in 0..10_000_i64 {
            damage.add(
                usize::try_from(n % 300).unwrap(),
                n * 1_000_000_000,
                n * 1_000_000_000 + 1,
            );
        }
        assert_eq!(damage.warnings().len(), ELEMENTS * SPANS);
    }
}
