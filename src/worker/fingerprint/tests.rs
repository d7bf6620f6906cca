//! What changes a fingerprint and what does not.

use super::*;

fn facts() -> RenderFacts {
    let library = |name: &str, id: &str| Library {
        name: name.to_owned(),
        id: id.to_owned(),
    };
    let mut facts = RenderFacts {
        fingerprint: Fingerprint(Digest([0; 32])),
        gpu: "llvmpipe".to_owned(),
        media: "gstreamer".to_owned(),
        fonts: "abc".to_owned(),
        golden: Some("0123".to_owned()),
        golden_failure: None,
        libraries: vec![
            library("framelane", "build-id:01"),
            library("libc.so.6", "build-id:02"),
        ],
        reserved: 1 << 40,
    };
    facts.fingerprint = facts.digest();
    facts
}

#[test]
fn facts_survive_the_way_through_json() {
    let facts = facts();
    let json = serde_json::to_string(&facts).unwrap();
    assert!(
        json.contains(&format!("\"{}\"", facts.fingerprint.0)),
        "{json}"
    );
    assert_eq!(serde_json::from_str::<RenderFacts>(&json).unwrap(), facts);
}

#[test]
fn any_part_changes_the_fingerprint() {
    type Change = fn(&mut RenderFacts);
    let changes: [(&str, Change); 9] = [
        ("adapter", |facts| facts.gpu.push('2')),
        ("media engine", |facts| facts.media.push('2')),
        ("fonts", |facts| facts.fonts.push('2')),
        ("golden render", |facts| {
            facts.golden = Some("4567".to_owned());
        }),
        ("no golden render", |facts| facts.golden = None),
        ("program", |facts| facts.libraries[0].id.push('2')),
        ("library", |facts| facts.libraries[1].id.push('2')),
        ("name of a library", |facts| {
            facts.libraries[1].name.push('2');
        }),
        ("number of libraries", |facts| drop(facts.libraries.pop())),
    ];
    let mut seen = vec![facts().fingerprint];
    for (part, change) in changes {
        let mut facts = facts();
        change(&mut facts);
        assert!(!seen.contains(&facts.digest()), "{part}");
        seen.push(facts.digest());
    }
}

#[test]
fn what_does_not_change_output_does_not_change_the_fingerprint() {
    let mut other = facts();
    other.reserved = 0;
    assert_eq!(other.digest(), facts().digest());
    let failed = |why: &str| {
        let mut facts = facts();
        facts.golden = None;
        facts.golden_failure = Some(why.to_owned());
        facts.digest()
    };
    assert_eq!(
        failed("no adapter in /tmp/1"),
        failed("no adapter in /tmp/2")
    );
}
