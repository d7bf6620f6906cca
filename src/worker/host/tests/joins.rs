//! A join whose inputs are gone or damaged names all of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use actors::ports::{Assignment, TaskHost, damaged_inputs};
use cluster::command::Granted;
use cluster::model::{
    Digest, Epoch, Generation, JobId, ObjectKey, ObjectRef, RunNumber, TaskKind, TaskRef,
};

use super::transfers::World;

#[tokio::test]
async fn every_damaged_input_is_blamed_at_once() {
    let world = World::new(BTreeMap::new());
    let mut inputs = Vec::new();
    for index in 0..6 {
        let key = ObjectKey(format!("jobs/{index}"));
        inputs.push(world.put(key, format!("segment {index}").as_bytes()).await);
    }
    let gone = ObjectRef {
        key: ObjectKey("jobs/gone".to_owned()),
        ..inputs[1].clone()
    };
    let damaged = |index: usize| ObjectRef {
        sha256: Digest([7; 32]),
        ..inputs[index].clone()
    };
    let plan = world.put(ObjectKey("jobs/plan".to_owned()), b"plan").await;
    let join = Assignment {
        granted: Granted {
            task: TaskRef {
                job: JobId(1),
                kind: TaskKind::Join,
            },
            epoch: Epoch(9),
            run: RunNumber(9),
            attempt: 1,
            generation: Generation(1),
            frames: None,
        },
        request: plan.clone(),
        plan: Some(plan),
        findings: None,
        fetched: None,
        inputs: vec![
            inputs[0].clone(),
            gone,
            inputs[2].clone(),
            damaged(3),
            inputs[4].clone(),
            damaged(5),
        ],
        has_audio: true,
        no_cache: false,
        assets: Vec::new(),
        ingest: None,
        deliver: None,
    };
    let failure = world
        .host
        .stage(0, vec![join], None, Arc::default())
        .await
        .unwrap_err();
    let path = failure.path.as_deref().unwrap();
    assert_eq!(damaged_inputs(path), Some(vec![1, 3, 5]), "{path}");
    assert!(!failure.permanent);
}
