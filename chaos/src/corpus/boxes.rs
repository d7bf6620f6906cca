//! Edit lists written by hand into an MP4 file.

use anyhow::{Context as _, Result, ensure};

/// One entry of an edit list, in seconds.
#[derive(Debug, Clone, Copy)]
pub enum Entry {
    /// Plays the track from `from` on for `length`.
    Play {
        /// Seconds of the track.
        from: f64,
        /// How long.
        length: f64,
    },
    /// Holds what lies at `at` for `length`: rate 0.
    Hold {
        /// Seconds of the track.
        at: f64,
        /// How long.
        length: f64,
    },
    /// Nothing for `length`.
    Empty {
        /// How long.
        length: f64,
    },
}

/// Replaces the edit lists of a file whose `moov` is its last box: entries by the kind of track
/// (`vide`, `soun`). The first entry that plays in the old list says where the track's time 0 lies.
///
/// # Errors
/// When the file is not laid out that way.
pub fn with_edits(file: &[u8], entries: &dyn Fn(&[u8]) -> Vec<Entry>) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    let mut movie = None;
    for (name, whole) in children(file)? {
        if name == b"moov" {
            movie = Some(&whole[8..]);
        } else {
            ensure!(movie.is_none(), "moov is not the last box");
            out.extend_from_slice(whole);
        }
    }
    let movie = movie.context("there is no moov box")?;
    let movie_scale = timescale(find(movie, b"mvhd")?)?;
    let mut rebuilt = Vec::new();
    for (name, whole) in children(movie)? {
        if name == b"trak" {
            let track = with_entries(&whole[8..], movie_scale, entries)?;
            rebuilt.extend(boxed(b"trak", &track));
        } else {
            rebuilt.extend_from_slice(whole);
        }
    }
    out.extend(boxed(b"moov", &rebuilt));
    Ok(out)
}

fn with_entries(
    track: &[u8],
    movie_scale: f64,
    entries: &dyn Fn(&[u8]) -> Vec<Entry>,
) -> Result<Vec<u8>> {
    let media = find(track, b"mdia")?;
    let scale = timescale(find(media, b"mdhd")?)?;
    let handler = &find(media, b"hdlr")?[8..12];
    let zero = match find(track, b"edts") {
        Ok(edits) => first_media_time(find(edits, b"elst")?)?,
        Err(_) => 0,
    };
    let mut out = Vec::new();
    for (name, whole) in children(track)? {
        if name != b"edts" {
            out.extend_from_slice(whole);
        }
        if name == b"tkhd" {
            let list = list(&entries(handler), zero, scale, movie_scale);
            out.extend(boxed(b"edts", &boxed(b"elst", &list)));
        }
    }
    Ok(out)
}

fn list(entries: &[Entry], zero: i32, scale: f64, movie_scale: f64) -> Vec<u8> {
    let mut out = vec![0; 4];
    out.extend_from_slice(&u32::try_from(entries.len()).unwrap_or(0).to_be_bytes());
    for entry in entries {
        let (length, time, rate) = match *entry {
            Entry::Play { from, length } => (length, zero + ticks(from, scale), 1_u16),
            Entry::Hold { at, length } => (length, zero + ticks(at, scale), 0),
            Entry::Empty { length } => (length, -1, 1),
        };
        out.extend_from_slice(&ticks(length, movie_scale).to_be_bytes());
        out.extend_from_slice(&time.to_be_bytes());
        out.extend_from_slice(&rate.to_be_bytes());
        out.extend_from_slice(&[0; 2]);
    }
    out
}

#[expect(clippy::cast_possible_truncation, reason = "times of a short file")]
fn ticks(seconds: f64, scale: f64) -> i32 {
    (seconds * scale).round() as i32
}

/// Payload of version 0 boxes that hold two times before their time scale.
fn timescale(header: &[u8]) -> Result<f64> {
    let bytes = header.get(12..16).context("a short header")?;
    ensure!(header[0] == 0, "a header of another version");
    Ok(f64::from(u32::from_be_bytes([
        bytes[0], bytes[1], bytes[2], bytes[3],
    ])))
}

fn first_media_time(list: &[u8]) -> Result<i32> {
    let entries = list.get(8..).context("a short edit list")?;
    let times = entries
        .chunks_exact(12)
        .map(|entry| i32::from_be_bytes([entry[4], entry[5], entry[6], entry[7]]));
    times
        .into_iter()
        .find(|time| *time >= 0)
        .context("an edit list that plays nothing")
}

fn find<'a>(parent: &'a [u8], name: &[u8; 4]) -> Result<&'a [u8]> {
    let found = children(parent)?
        .into_iter()
        .find(|(found, _)| *found == name);
    let (_, whole) =
        found.with_context(|| format!("no box `{}`", String::from_utf8_lossy(name)))?;
    Ok(&whole[8..])
}

/// Names of boxes with their bytes, header and all.
fn children(parent: &[u8]) -> Result<Vec<(&[u8], &[u8])>> {
    let mut found = Vec::new();
    let mut rest = parent;
    while rest.len() >= 8 {
        let size = u32::from_be_bytes([rest[0], rest[1], rest[2], rest[3]]);
        let size = usize::try_from(size)?;
        ensure!((8..=rest.len()).contains(&size), "a box of {size} bytes");
        found.push((&rest[4..8], &rest[..size]));
        rest = &rest[size..];
    }
    Ok(found)
}

fn boxed(name: &[u8; 4], payload: &[u8]) -> Vec<u8> {
    let size = u32::try_from(payload.len() + 8).unwrap_or(u32::MAX);
    [&size.to_be_bytes(), &name[..], payload].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(scale: u32) -> Vec<u8> {
        [&[0; 12][..], &scale.to_be_bytes(), &[0; 4]].concat()
    }

    #[test]
    fn an_edit_list_replaces_the_one_before_and_counts_from_its_time_0() {
        let old = [
            &[0, 0, 0, 0, 0, 0, 0, 1][..],
            &[0; 4],
            &1024_i32.to_be_bytes(),
            &[0, 1, 0, 0],
        ]
        .concat();
        let media = [
            boxed(b"mdhd", &header(48_000)),
            boxed(b"hdlr", b"\0\0\0\0\0\0\0\0soun"),
        ]
        .concat();
        let track = [
            boxed(b"tkhd", &[0; 4]),
            boxed(b"edts", &boxed(b"elst", &old)),
            boxed(b"mdia", &media),
        ]
        .concat();
        let movie = [boxed(b"mvhd", &header(1000)), boxed(b"trak", &track)].concat();
        let file = [boxed(b"mdat", b"x"), boxed(b"moov", &movie)].concat();
        let edited = with_edits(&file, &|handler| {
            assert_eq!(handler, b"soun");
            vec![
                Entry::Empty { length: 0.5 },
                Entry::Play {
                    from: 1.0,
                    length: 2.0,
                },
            ]
        })
        .unwrap();
        let movie = find(&edited, b"moov").unwrap();
        let list = find(
            find(find(movie, b"trak").unwrap(), b"edts").unwrap(),
            b"elst",
        )
        .unwrap();
        let numbers: Vec<i32> = list[8..]
            .chunks_exact(4)
            .map(|b| i32::from_be_bytes([b[0], b[1], b[2], b[3]]))
            .collect();
        assert_eq!(numbers, [500, -1, 0x10000, 2000, 49_024, 0x10000]);
    }
}
