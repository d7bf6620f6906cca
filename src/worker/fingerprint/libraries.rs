//! Which files' code a process runs, each by what identifies its content: the program, the
//! libraries it was linked to, and what these loaded since (plugins, drivers, codecs).
//!
//! Only files with code are listed, and only ELF files: fonts, caches and translations are mapped
//! as data, and what libraries compile at run time (Orc, LLVM) may be mapped from a nameless
//! temporary file whose content is never the same twice. Names come without their directories, and
//! nothing says where or in which order files were mapped: neither changes what they compute.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;

use object::Endianness;
use object::elf::{ELF_NOTE_GNU, ELFMAG, FileHeader64, NT_GNU_BUILD_ID};
use object::read::elf::{FileHeader, ProgramHeader};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::worker::program::OWN;

/// Notes lie behind the program headers, at the beginning of a file.
const START: u64 = 64 << 10;

/// What the program is called in the list, whatever its file is called.
const PROGRAM: &str = "framelane";

/// What the kernel adds to the path of a file that is no longer there.
const DELETED: &str = " (deleted)";

/// A file whose code this process runs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Library {
    /// Its name, without directories.
    pub name: String,
    /// `build-id:` and its GNU build-id, or `sha256:` of the whole file where it has none; in
    /// hexadecimal.
    pub id: String,
}

/// The libraries of this process and its program, in order of name and id, each once.
///
/// # Errors
/// When the kernel does not say what is mapped, or a file without a build-id is replaced while
/// it is read.
pub(super) fn of_this_process() -> io::Result<Vec<Library>> {
    let memory = File::open("/proc/self/mem")?;
    let read = |file: &Mapped| {
        let mut start = vec![0; usize::try_from(file.length.min(START)).unwrap_or_default()];
        memory
            .read_exact_at(&mut start, file.address)
            .map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", file.path)))?;
        Ok(start)
    };
    let program = fs::read_link(OWN)?;
    let mapped = parse(&fs::read_to_string("/proc/self/maps")?);
    let found = list(&mapped, &program, read, |file| {
        digest(&mapped_path(file, &program))
    })?;
    // What was read by its path was what is mapped, if that is still there.
    if parse(&fs::read_to_string("/proc/self/maps")?) != mapped {
        return Err(io::Error::other(
            "libraries changed while they were looked at",
        ));
    }
    Ok(found)
}

/// A file that is mapped from its beginning and somewhere as code.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Mapped {
    /// As the kernel gives it.
    path: String,
    /// Where its beginning is.
    address: u64,
    /// Bytes mapped there.
    length: u64,
}

/// The files with code in the text of a `/proc/<pid>/maps`.
fn parse(maps: &str) -> Vec<Mapped> {
    let lines: Vec<_> = maps.lines().filter_map(Line::parse).collect();
    let code = lines.iter().filter(|line| line.access.contains('x'));
    let with_code: BTreeSet<_> = code.map(|line| line.file).collect();
    let mut starts = BTreeMap::new();
    for line in lines.iter().filter(|line| line.offset == 0) {
        starts.entry(line.file).or_insert((line.from, line.to));
    }
    let files = starts
        .into_iter()
        .filter(|(file, _)| with_code.contains(file));
    files
        .map(|(file, (from, to))| Mapped {
            path: file.path.to_owned(),
            address: from,
            length: to.saturating_sub(from),
        })
        .collect()
}

/// A line that maps a part of a file.
struct Line<'a> {
    from: u64,
    to: u64,
    /// Like `r-xp`.
    access: &'a str,
    /// Where in the file the part begins, in bytes.
    offset: u64,
    file: FileId<'a>,
}

/// Two files of one path are two files: the older one was replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct FileId<'a> {
    device: &'a str,
    inode: &'a str,
    path: &'a str,
}

impl<'a> Line<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let mut rest = line;
        let mut next = || {
            let (field, after) = rest.trim_start().split_once(' ')?;
            rest = after;
            Some(field)
        };
        let (range, access, offset) = (next()?, next()?, next()?);
        let (device, inode) = (next()?, next()?);
        let path = rest.trim_start();
        // Devices hold no libraries, and the memory of some cannot be read.
        (path.starts_with('/') && !path.starts_with("/dev/")).then_some(())?;
        let number = |digits| u64::from_str_radix(digits, 16).ok();
        let (from, to) = range.split_once('-')?;
        Some(Self {
            from: number(from)?,
            to: number(to)?,
            access,
            offset: number(offset)?,
            file: FileId {
                device,
                inode,
                path,
            },
        })
    }
}

/// Identifies each file: `start` reads its beginning as it is mapped, `digest` the whole of one
/// that has no build-id.
fn list(
    mapped: &[Mapped],
    program: &Path,
    start: impl Fn(&Mapped) -> io::Result<Vec<u8>>,
    digest: impl Fn(&Mapped) -> io::Result<String>,
) -> io::Result<Vec<Library>> {
    let mut libraries = Vec::new();
    for file in mapped {
        let start = start(file)?;
        if !start.starts_with(&ELFMAG) {
            continue;
        }
        let id = match build_id(&start) {
            Some(id) => format!("build-id:{}", hex::encode(id)),
            None => format!("sha256:{}", digest(file)?),
        };
        let path = file.path.strip_suffix(DELETED).unwrap_or(&file.path);
        let name = if is_program(file, program) {
            PROGRAM
        } else {
            path.rsplit('/').next().unwrap_or(path)
        };
        libraries.push(Library {
            name: name.to_owned(),
            id,
        });
    }
    libraries.sort();
    libraries.dedup();
    Ok(libraries)
}

fn is_program(file: &Mapped, program: &Path) -> bool {
    Path::new(&file.path) == program
}

/// Where the file can be read from the file system: the program always, another only while it
/// is where it was mapped from.
fn mapped_path(file: &Mapped, program: &Path) -> String {
    if is_program(file, program) {
        OWN.to_owned()
    } else {
        file.path.clone()
    }
}

/// The GNU build-id in the notes of a 64-bit ELF file that begins with `start`.
fn build_id(start: &[u8]) -> Option<&[u8]> {
    let header = FileHeader64::<Endianness>::parse(start).ok()?;
    let endian = header.endian().ok()?;
    for segment in header.program_headers(endian, start).ok()? {
        let Ok(Some(mut notes)) = segment.notes(endian, start) else {
            continue;
        };
        while let Ok(Some(note)) = notes.next() {
            if note.name() == ELF_NOTE_GNU && note.n_type(endian) == NT_GNU_BUILD_ID {
                return Some(note.desc());
            }
        }
    }
    None
}

/// SHA-256 of a whole file in hexadecimal. One that was replaced has [`DELETED`] behind its path,
/// and so is not found.
fn digest(path: &str) -> io::Result<String> {
    let mut hasher = Sha256::new();
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{path}: {error}"));
    let mut file = File::open(path).map_err(named)?;
    let mut piece = vec![0; 1 << 20];
    loop {
        match io::Read::read(&mut file, &mut piece).map_err(named)? {
            0 => return Ok(hex::encode(hasher.finalize())),
            read => hasher.update(piece.get(..read).unwrap_or_default()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAPS: &str = "\
55d0c0000000-55d0c0100000 r--p 00000000 fe:00 11                         /usr/bin/other name (deleted)
55d0c0100000-55d0c0400000 r-xp 00100000 fe:00 11                         /usr/bin/other name (deleted)
55d0c1000000-55d0c1021000 rw-p 00000000 00:00 0                          [heap]
7f0000000000-7f0000028000 r--p 00000000 fe:00 22                         /usr/lib/libb.so.1
7f0000028000-7f00001b0000 r-xp 00028000 fe:00 22                         /usr/lib/libb.so.1
7f0000200000-7f0000210000 r-xp 00000000 fe:00 33                         /opt/liba.so
7f0000300000-7f0000500000 r--p 00000000 fe:00 44                         /usr/lib/locale/locale-archive
7f0000600000-7f0000610000 r-xs 00000000 00:01 55                         /tmp/orcexec.x (deleted)
7f0000700000-7f0000702000 r-xp 00000000 00:00 0                          [vdso]
7f0000710000-7f0000712000 r-xs 00000000 00:05 66                         /dev/nvidia0
7f0000800000-7f0000801000 r-xp 00000000 00:00 0 
";

    /// The start of this test program: an ELF file with a build-id, or without one.
    fn elf(with_build_id: bool) -> Vec<u8> {
        let mut start = vec![0; usize::try_from(START).unwrap()];
        File::open(OWN)
            .unwrap()
            .read_exact_at(&mut start, 0)
            .unwrap();
        if !with_build_id {
            let id = build_id(&start)
                .expect("linkers here give a build-id")
                .to_vec();
            let place = start
                .windows(id.len())
                .position(|bytes| bytes == id)
                .unwrap();
            // The note's type lies before its name, `GNU` and a zero byte.
            start[place - 8..place - 4].copy_from_slice(&99_u32.to_ne_bytes());
        }
        start
    }

    fn listed(maps: &str, with_build_id: bool) -> Vec<Library> {
        let start = |file: &Mapped| {
            let code = file.path.contains("orcexec");
            Ok(if code {
                vec![0x90; 64]
            } else {
                elf(with_build_id)
            })
        };
        let digest = |file: &Mapped| Ok(format!("of {}", file.path));
        let program = Path::new("/usr/bin/other name (deleted)");
        list(&parse(maps), program, start, digest).unwrap()
    }

    fn names(libraries: &[Library]) -> Vec<&str> {
        libraries
            .iter()
            .map(|library| library.name.as_str())
            .collect()
    }

    #[test]
    fn only_elf_files_with_code_are_listed_and_the_program_by_a_name_of_its_own() {
        let libraries = listed(MAPS, true);
        assert_eq!(names(&libraries), ["framelane", "liba.so", "libb.so.1"]);
        assert!(
            libraries
                .iter()
                .all(|library| library.id.starts_with("build-id:"))
        );
    }

    #[test]
    fn order_addresses_and_directories_change_nothing() {
        let mut lines: Vec<_> = MAPS.lines().collect();
        lines.reverse();
        let moved = lines
            .join("\n")
            .replace("7f00", "7e11")
            .replace("/usr/lib/libb", "/opt/libb");
        assert_eq!(listed(&moved, true), listed(MAPS, true));
    }

    #[test]
    fn a_file_without_a_build_id_is_known_by_its_content() {
        let libraries = listed(MAPS, false);
        let ids: Vec<_> = libraries
            .iter()
            .map(|library| library.id.as_str())
            .collect();
        let program = "sha256:of /usr/bin/other name (deleted)";
        assert_eq!(
            ids,
            [
                program,
                "sha256:of /opt/liba.so",
                "sha256:of /usr/lib/libb.so.1"
            ]
        );
    }

    #[test]
    fn the_whole_content_counts_where_there_is_no_build_id() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("lib.so");
        let digests = [vec![1; 3 << 20], vec![2; 3 << 20]].map(|bytes| {
            fs::write(&file, bytes).unwrap();
            digest(file.to_str().unwrap()).unwrap()
        });
        assert_ne!(digests[0], digests[1]);
        fs::remove_file(&file).unwrap();
        let error = digest(file.to_str().unwrap()).unwrap_err().to_string();
        assert!(error.contains("lib.so"), "{error}");
    }

    #[test]
    fn this_process_has_its_program_and_the_c_library() {
        let libraries = of_this_process().unwrap();
        assert!(names(&libraries).contains(&PROGRAM), "{libraries:?}");
        assert!(
            names(&libraries)
                .iter()
                .any(|name| name.starts_with("libc.so")),
            "{libraries:?}"
        );
        assert_eq!(of_this_process().unwrap(), libraries);
    }
}
