//! Media files made wrong, the same way for the same seed: what a broken disk, a cut download
//! or somebody with bad intentions makes of them.

use std::ops::Range;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

/// Names of boxes and chunks whose lengths are worth lying about.
const CHUNKS: [&[u8]; 26] = [
    b"ftyp", b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd", b"stts", b"ctts", b"stsc",
    b"stsz", b"stco", b"stss", b"elst", b"mdat", b"avcC", b"esds", b"hdlr", b"RIFF", b"LIST",
    b"fmt ", b"data", b"idx1", b"strf", b"IHDR", b"IDAT",
];
/// Lengths that break sums, products and signs.
const LENGTHS: [u32; 9] = [
    0,
    1,
    7,
    8,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_fff0,
    0xffff_ffff,
    0x0100_0000,
];

/// A file made wrong.
#[derive(Debug, Clone)]
pub struct Mutant {
    /// How, in a few words.
    pub how: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Where a file's packets lie, in order: its payload. All else is the container's.
#[derive(Debug, Clone, Default)]
pub struct Layout(Vec<Range<usize>>);

impl Layout {
    /// From the packets' places: offset and size.
    pub fn new(mut packets: Vec<Range<usize>>) -> Self {
        packets.retain(|packet| !packet.is_empty());
        packets.sort_by_key(|packet| packet.start);
        Self(packets)
    }

    /// What lies between the packets of a file of `length` bytes.
    fn between(&self, length: usize) -> Self {
        let mut at = 0;
        let mut found = Vec::new();
        for packet in &self.0 {
            found.push(at..packet.start.min(length));
            at = at.max(packet.end);
        }
        found.push(at..length);
        Self::new(found)
    }

    /// A range of at most `most` bytes within one part.
    fn pick(&self, most: usize, rng: &mut StdRng) -> Option<Range<usize>> {
        let total: usize = self.0.iter().map(ExactSizeIterator::len).sum();
        let mut at = rng.random_range(0..total.max(1));
        for part in &self.0 {
            if at < part.len() {
                let start = part.start + at;
                let length = rng.random_range(1..=most.max(1));
                return Some(start..(start + length).min(part.end));
            }
            at -= part.len();
        }
        None
    }
}

/// Makes the packets of `good` wrong and leaves its container as it is.
pub fn mutate_payload(good: &[u8], layout: &Layout, seed: u64) -> Mutant {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut bytes = good.to_vec();
    let changes = match rng.random_range(0..4) {
        0 => 1,
        1 => rng.random_range(2..=8),
        _ => rng.random_range(8..=64),
    };
    let kind = rng.random_range(0..3);
    for _ in 0..changes {
        let most = if kind == 0 { 1 } else { 64 };
        let Some(range) = layout.pick(most, &mut rng) else {
            break;
        };
        let Some(part) = bytes.get_mut(range) else {
            continue;
        };
        match kind {
            0 => part[0] ^= 1 << rng.random_range(0..8),
            1 => part.fill(0),
            _ => rng.fill(part),
        }
    }
    let how = ["bits flipped", "zeros", "noise"][kind];
    Mutant {
        how: format!("{how} at {changes} places of its packets"),
        bytes,
    }
}

/// Makes the bytes between the packets of `good` wrong.
pub fn mutate_container(good: &[u8], layout: &Layout, seed: u64) -> Mutant {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut bytes = good.to_vec();
    let between = layout.between(good.len());
    let changes = [1, 1, 2, 4, 16][rng.random_range(0..5)];
    for _ in 0..changes {
        let Some(range) = between.pick(4, &mut rng) else {
            break;
        };
        let Some(part) = bytes.get_mut(range) else {
            continue;
        };
        match rng.random_range(0..3) {
            0 => part[0] ^= 1 << rng.random_range(0..8),
            1 => {
                let value = LENGTHS[rng.random_range(0..LENGTHS.len())].to_be_bytes();
                let length = part.len();
                part.copy_from_slice(&value[..length]);
            }
            _ => rng.fill(part),
        }
    }
    Mutant {
        how: format!("{changes} places between its packets"),
        bytes,
    }
}

/// Makes `good` wrong in a way that `seed` alone decides; `other` is what it may be spliced
/// with.
pub fn mutate(good: &[u8], other: &[u8], seed: u64) -> Mutant {
    let mut rng = StdRng::seed_from_u64(seed);
    let mut bytes = good.to_vec();
    let length = bytes.len();
    if length == 0 {
        return Mutant {
            how: "nothing".to_owned(),
            bytes,
        };
    }
    let how = match rng.random_range(0..10) {
        0 => flip(&mut bytes, 0..length, 1, &mut rng),
        1 => flip(&mut bytes, 0..length, 64, &mut rng),
        // Where formats keep what they are made of: at the beginning, or at the end.
        2 => flip(&mut bytes, 0..length.min(512), 8, &mut rng),
        3 => flip(
            &mut bytes,
            length.saturating_sub(2048)..length,
            16,
            &mut rng,
        ),
        4 => {
            bytes.truncate(rng.random_range(0..length));
            format!("cut to {} of {length} bytes", bytes.len())
        }
        5 | 6 => lie(&mut bytes, &mut rng),
        7 => {
            let range = piece(length, &mut rng);
            bytes[range.clone()].fill(0);
            format!("zeros in {range:?}")
        }
        8 => {
            let (head, tail) = (
                rng.random_range(0..length),
                rng.random_range(0..=other.len()),
            );
            bytes.truncate(head);
            bytes.extend_from_slice(&other[tail..]);
            format!("{head} bytes, then another file from {tail} on")
        }
        _ => {
            let range = piece(length, &mut rng);
            let again = bytes[range.clone()].to_vec();
            let at = rng.random_range(0..length);
            bytes.splice(at..at, again);
            format!("{range:?} once more at {at}")
        }
    };
    Mutant { how, bytes }
}

fn piece(length: usize, rng: &mut StdRng) -> Range<usize> {
    let start = rng.random_range(0..length);
    start..(start + rng.random_range(1..=4096)).min(length)
}

fn flip(bytes: &mut [u8], range: Range<usize>, most: u32, rng: &mut StdRng) -> String {
    let count = rng.random_range(1..=most);
    for _ in 0..count {
        let at = rng.random_range(range.clone());
        bytes[at] ^= 1 << rng.random_range(0..8);
    }
    format!("{count} bits flipped in {range:?}")
}

/// Writes a wrong length or count beside the name of a chunk; flips bits where there is none.
fn lie(bytes: &mut [u8], rng: &mut StdRng) -> String {
    let names: Vec<usize> = (0..bytes.len().saturating_sub(4))
        .filter(|&at| CHUNKS.contains(&&bytes[at..at + 4]))
        .collect();
    if names.is_empty() {
        let end = bytes.len().min(256);
        return flip(bytes, 0..end, 24, rng);
    }
    let value = LENGTHS[rng.random_range(0..LENGTHS.len())];
    let name = names[rng.random_range(0..names.len())];
    // Before it in boxes; behind it in RIFF; further behind, counts of tables.
    let at = match rng.random_range(0..3) {
        0 => name.saturating_sub(4),
        1 => name + 4,
        _ => name + 8,
    };
    let Some(field) = bytes.get_mut(at..at + 4) else {
        return "nothing".to_owned();
    };
    field.copy_from_slice(&value.to_be_bytes());
    format!("{value:#x} at {at}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payload_and_container_are_changed_apart() {
        let good = vec![7; 3000];
        let layout = Layout::new(vec![2000..2500, 100..600]);
        let is_payload = |at: usize| (100..600).contains(&at) || (2000..2500).contains(&at);
        let (mut inside, mut outside) = (0, 0);
        for seed in 0..200 {
            let changed = |mutant: Mutant| -> Vec<usize> {
                let pairs = mutant.bytes.iter().zip(&good).enumerate();
                pairs
                    .filter(|(_, (new, old))| new != old)
                    .map(|(at, _)| at)
                    .collect()
            };
            let of_payload = changed(mutate_payload(&good, &layout, seed));
            let of_container = changed(mutate_container(&good, &layout, seed));
            assert!(of_payload.iter().all(|at| is_payload(*at)));
            assert!(of_container.iter().all(|at| !is_payload(*at)));
            inside += usize::from(!of_payload.is_empty());
            outside += usize::from(!of_container.is_empty());
        }
        assert!(inside > 190 && outside > 190, "{inside}, {outside}");
    }

    #[test]
    fn the_same_seed_makes_the_same_mutant_and_seeds_differ() {
        let good: Vec<u8> = (0..=255).cycle().take(5000).collect();
        let other = vec![7; 300];
        let mut changed = 0;
        for seed in 0..200 {
            let (one, two) = (mutate(&good, &other, seed), mutate(&good, &other, seed));
            assert_eq!(one.bytes, two.bytes, "{}", one.how);
            changed += u32::from(one.bytes != good);
        }
        assert!(changed > 190, "{changed}");
        // However little is in them, making them wrong does not fail.
        for good in [&b""[..], b"a", b"moov", b"....moov"] {
            for seed in 0..200 {
                mutate(good, b"", seed);
            }
        }
    }
}
