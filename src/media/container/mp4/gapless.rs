//! `iTunSMPB`: the codec's delay and padding as iTunes writes them into a file's metadata.

use super::fields::{boxes, find};

/// Samples of delay, of padding, and of sound between them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Gapless {
    pub(super) lead: u64,
    pub(super) tail: u64,
}

/// Looks through the metadata of a movie (`udta` `meta` `ilst` `----`).
pub(super) fn find_in(moov: &[u8]) -> Option<Gapless> {
    let udta = find(moov, b"udta")?;
    let meta = find(udta, b"meta")?;
    // ISO's `meta` has version and flags, QuickTime's has none.
    let list = find(meta.get(4..)?, b"ilst").or_else(|| find(meta, b"ilst"))?;
    boxes(list)
        .filter(|one| one.kind == *b"----")
        .find_map(|one| {
            let name = find(one.body, b"name")?.get(4..)?;
            if name != b"iTunSMPB" {
                return None;
            }
            parsed(find(one.body, b"data")?.get(8..)?)
        })
}

/// ` 00000000 00000840 000001CA 00000000003F31F6 …`: a zero, delay, padding, length.
fn parsed(text: &[u8]) -> Option<Gapless> {
    let text = std::str::from_utf8(text).ok()?;
    let mut numbers = text
        .split_ascii_whitespace()
        .map(|number| u64::from_str_radix(number, 16));
    numbers.next()?.ok()?;
    let (lead, tail) = (numbers.next()?.ok()?, numbers.next()?.ok()?);
    // More than ten seconds is no codec's.
    (lead < 500_000 && tail < 500_000).then_some(Gapless { lead, tail })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delay_and_padding_are_hexadecimal_words() {
        let text = b" 00000000 00000840 000001CA 00000000003F31F6 00000000";
        let gapless = parsed(text).expect("parsed");
        assert_eq!((gapless.lead, gapless.tail), (0x840, 0x1ca));
        assert_eq!(parsed(b"nothing"), None);
        assert_eq!(parsed(b" 0 FFFFFFFF 0 0"), None);
    }
}
