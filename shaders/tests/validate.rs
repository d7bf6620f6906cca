//! Every shader is valid WGSL, begins where the catalogue says, and lays its uniforms out as
//! the host does; no file lies about unused.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use naga::valid::{Capabilities, ValidationFlags, Validator};
use naga::{Module, TypeInner};
use shaders::uniforms::{Layer, RgbToYuv, YuvToRgb};
use shaders::{CATALOGUE, Shader};

fn parsed(shader: &Shader) -> Module {
    naga::front::wgsl::parse_str(&shader.source()).unwrap_or_else(|error| {
        panic!(
            "{}: {}",
            shader.name,
            error.emit_to_string(&shader.source())
        )
    })
}

#[test]
fn every_module_validates_without_extra_capabilities() {
    for shader in CATALOGUE {
        let module = parsed(shader);
        Validator::new(ValidationFlags::all(), Capabilities::empty())
            .validate(&module)
            .unwrap_or_else(|error| panic!("{}: {error:?}", shader.name));
    }
}

#[test]
fn the_catalogue_names_exactly_the_entries_there_are() {
    for shader in CATALOGUE {
        let module = parsed(shader);
        let found: BTreeSet<&str> = module
            .entry_points
            .iter()
            .map(|entry| entry.name.as_str())
            .collect();
        let listed: BTreeSet<&str> = shader.entries.iter().copied().collect();
        assert_eq!(found, listed, "{}", shader.name);
    }
}

#[test]
fn uniforms_lie_in_wgsl_as_they_do_on_the_host() {
    let host = [
        (shaders::COMPOSITE, Layer::NAME, Layer::SIZE, Layer::FIELDS),
        (
            shaders::YUV_TO_RGB,
            YuvToRgb::NAME,
            YuvToRgb::SIZE,
            YuvToRgb::FIELDS,
        ),
        (
            shaders::RGB_TO_YUV,
            RgbToYuv::NAME,
            RgbToYuv::SIZE,
            RgbToYuv::FIELDS,
        ),
    ];
    for (shader, name, size, fields) in host {
        let module = parsed(&shader);
        let (_, kind) = module
            .types
            .iter()
            .find(|(_, kind)| kind.name.as_deref() == Some(name))
            .unwrap_or_else(|| panic!("{} has no struct {name}", shader.name));
        let TypeInner::Struct { members, span } = &kind.inner else {
            panic!("{name} is not a struct");
        };
        let found: Vec<(&str, usize)> = members
            .iter()
            .map(|member| {
                let name = member
                    .name
                    .as_deref()
                    .expect("members of a struct have names");
                (
                    name,
                    usize::try_from(member.offset).expect("offsets are small"),
                )
            })
            .collect();
        assert_eq!(found, fields, "{name}");
        assert_eq!(
            usize::try_from(*span).expect("spans are small"),
            size,
            "{name}"
        );
    }
}

#[test]
fn every_file_is_part_of_a_shader() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let used: BTreeSet<PathBuf> = CATALOGUE
        .iter()
        .flat_map(|shader| shader.parts)
        .map(|(file, _)| root.join(file))
        .collect();
    let mut found = BTreeSet::new();
    for folder in [root.to_path_buf(), root.join("common")] {
        for entry in std::fs::read_dir(&folder).expect("the crate's folders can be read") {
            let path = entry.expect("the crate's folders can be read").path();
            if path.extension().is_some_and(|ending| ending == "wgsl") {
                found.insert(path);
            }
        }
    }
    assert_eq!(found, used);
}
