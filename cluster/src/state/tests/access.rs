//! Keys and usage.

use super::world::*;
use crate::command::{Command, Outcome, Rejection};
use crate::model::*;

fn key(id: u128) -> ApiKey {
    ApiKey {
        id: KeyId(id),
        workspace: "acme".to_owned(),
        name: "ci".to_owned(),
        is_admin: false,
        digest: Digest([u8::try_from(id).unwrap(); 32]),
        hint: "9f3a".to_owned(),
        created_at: LogTime(0),
    }
}

#[test]
fn a_key_is_found_by_its_digest_until_it_is_revoked() {
    let mut world = World::new();
    world.time = 7_000;
    assert_eq!(world.apply(Command::CreateKey(key(3))), Outcome::Accepted);
    assert_eq!(world.apply(Command::CreateKey(key(3))), Outcome::Accepted);
    let found = world.state.key_of(&Digest([3; 32])).unwrap();
    assert_eq!(
        (found.id, found.created_at),
        (KeyId(3), LogTime(7_000)),
        "stamped by the log"
    );
    assert_eq!(world.state.key_of(&Digest([4; 32])), None);
    let revoke = Command::RevokeKey { key: KeyId(3) };
    assert_eq!(world.apply(revoke.clone()), Outcome::Accepted);
    assert_eq!(world.state.key_of(&Digest([3; 32])), None);
    assert_eq!(
        world.apply(revoke),
        Outcome::Rejected(Rejection::UnknownKey)
    );
}

#[test]
fn completed_renders_are_counted_on_their_day_for_their_workspace() {
    let mut world = World::rendered();
    world.time = 3 * 86_400_000 + 5;
    world.do_task(TaskKind::Join);
    let used = world.state.usage_since("acme", Day(3));
    assert_eq!(
        used,
        DayUsage {
            renders: 1,
            // 180 frames at 30000/1001.
            output_millis: 6_006,
            output_bytes: 1_234_567,
        }
    );
    assert_eq!(world.state.usage_since("acme", Day(4)), DayUsage::default());
    assert_eq!(
        world.state.usage_since("other", Day(0)),
        DayUsage::default()
    );
}
