//! Which transfers begin: they take no slot, workspaces share their room, and a render is
//! prepared where its sources are.

use cluster::model::{Admission, NewRender, TaskOutput};

use super::*;

/// Submits a render with remote sources.
fn submit(bench: &mut Bench, id: u128, workspace: &str) {
    let mut submission = submission(JobId(id));
    submission.workspace = workspace.to_owned();
    let outcome = bench.apply(Command::AdmitRender(NewRender {
        admission: Admission {
            submission,
            assets: Vec::new(),
            webhook_url: None,
            has_destination: false,
        },
        has_remote_sources: true,
    }));
    assert_eq!(outcome, Outcome::Submitted(JobId(id)));
}

fn bench(nodes: u64) -> Bench {
    let mut bench = Bench::new(newest());
    for id in 1..=nodes {
        bench.apply(Command::RegisterNode(node(id, 1, 1)));
    }
    bench
}

fn poll_for(id: u64, free_slots: u32, free_transfers: u32) -> Poll {
    Poll {
        free_transfers,
        ..poll(id, free_slots, &[])
    }
}

/// The workspace of each grant, in order.
fn order(bench: &Bench, round: &Round) -> Vec<String> {
    let jobs = &bench.state.jobs;
    let grants = round.grants.iter();
    grants
        .map(|grant| jobs[&grant.job].workspace.clone())
        .collect()
}

#[test]
fn a_fetch_needs_no_slot_and_makes_the_render_go_on() {
    let mut bench = bench(1);
    submit(&mut bench, 1, "a");
    assert_eq!(bench.ask(&poll_for(1, 1, 0)), None, "no room to fetch");
    let reply = bench.ask(&poll_for(1, 0, 1)).unwrap();
    assert_eq!(runs(&reply), [[TaskKind::Fetch]]);
    let status = bench.state.jobs[&JobId(1)].status;
    assert_eq!(status, cluster::model::JobStatus::Processing);
    // The node does not know of it yet: its room is not given away twice.
    submit(&mut bench, 2, "b");
    assert_eq!(bench.ask(&poll_for(1, 0, 1)), None);
}

#[test]
fn a_workspace_leaves_as_much_room_as_it_takes() {
    // Transfers of `a` and `b` that wait, the room there is, and whose begin.
    let cases = [
        ((9, 0), 8, "aaaa"),
        ((9, 9), 8, "ababab"),
        ((1, 9), 8, "abbbb"),
        ((9, 0), 1, "a"),
        ((2, 2), 1, "a"),
        ((9, 0), 2, "a"),
    ];
    for ((a, b), room, want) in cases {
        let mut bench = bench(1);
        for id in 1..=a {
            submit(&mut bench, id, "a");
        }
        for id in 1..=b {
            submit(&mut bench, 100 + id, "b");
        }
        bench.send(&poll_for(1, 0, room));
        let round = bench.round().unwrap();
        let got = order(&bench, &round).concat();
        assert_eq!(got, want, "{a} of a, {b} of b, room for {room}");
    }
}

#[test]
fn a_workspace_that_comes_later_finds_room() {
    let mut bench = bench(1);
    for id in 1..=20 {
        submit(&mut bench, id, "many");
    }
    bench.send(&poll_for(1, 0, 16));
    assert_eq!(bench.round().unwrap().grants.len(), 8);
    let held: Vec<Held> = bench
        .state
        .jobs
        .values()
        .flat_map(|job| {
            let fetch = &job.tasks[&TaskKind::Fetch];
            fetch.live.iter().map(|attempt| Held {
                task: TaskRef {
                    job: job.id,
                    kind: TaskKind::Fetch,
                },
                epoch: attempt.epoch,
                units: 0,
            })
        })
        .collect();
    let mut later = poll_for(1, 0, 8);
    later.held = held;
    bench.send(&later);
    assert_eq!(bench.round(), None, "as many as there is room left");
    submit(&mut bench, 99, "one");
    bench.send(&later);
    let round = bench.round().unwrap();
    assert_eq!(order(&bench, &round), ["one"]);
}

#[test]
fn a_workspaces_limit_of_renders_counts_those_being_fetched() {
    let mut bench = bench(1);
    bench.core = SchedulerCore::new(Timings::default(), 2, bench.now);
    for id in 1..=4 {
        submit(&mut bench, id, "a");
    }
    bench.apply(Command::SubmitJob(submission(JobId(9))));
    bench.send(&poll_for(1, 4, 16));
    let round = bench.round().unwrap();
    let got: Vec<(u128, TaskKind)> = round
        .grants
        .iter()
        .map(|grant| (grant.job.0, grant.tasks[0]))
        .collect();
    let fetch = TaskKind::Fetch;
    assert_eq!(got, [(1, fetch), (2, fetch), (9, TaskKind::Prepare)]);
}

#[test]
fn a_render_is_prepared_where_its_sources_are() {
    let mut bench = bench(2);
    submit(&mut bench, 1, "a");
    let reply = bench.ask(&poll_for(2, 0, 1)).unwrap();
    let granted = &reply.assign[0][0].granted;
    let report = Report {
        task: granted.task,
        epoch: granted.epoch,
        generation: granted.generation,
        result: Ok(TaskOutput::Fetched),
        retry_after_millis: 0,
    };
    bench.send(&poll_for(1, 4, 4));
    let mut reporting = poll_for(2, 0, 1);
    reporting.reports = vec![report.clone()];
    let reply = bench.ask(&reporting).unwrap();
    assert_eq!(reply.reported, [(report.task, report.epoch, Ok(()))]);
    assert!(bench.answers().is_empty(), "not on the other node");
    let reply = bench.ask(&poll_for(2, 1, 1)).unwrap();
    assert_eq!(runs(&reply), [[TaskKind::Prepare]]);
    assert_eq!(reply.assign[0][0].fetched, Some(report.epoch));
}
