//! Clients: they propose what makes sense, ask again when they do not know what came of it,
//! and read through the barrier.

use std::time::Duration;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::group::{Group, MEMBERS, Running};
use super::history::{Step, any_history};
use super::time_rules::Reading;
use crate::command::{Command, Outcome};
use crate::coordinator::{ProposeError, stamp};
use crate::model::Level;

/// A client gives up on a command after so many tries.
const TRIES: u32 = 6;

/// One client.
pub(super) struct Client {
    group: Group,
    runner: TestRunner,
    steps: std::vec::IntoIter<Step>,
    /// Whom it believes to lead.
    leader: u64,
}

impl Client {
    pub(super) fn new(group: Group, seed: u64) -> Self {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        let random = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
        Self {
            group,
            runner: TestRunner::new_with_rng(Config::default(), random),
            steps: Vec::new().into_iter(),
            leader: 1,
        }
    }

    /// Proposes and reads until it is aborted.
    pub(super) async fn run(mut self) {
        loop {
            self.group.world.pause(10..250).await;
            if self.group.world.chance(15) {
                drop(self.read().await);
            } else {
                self.propose().await;
            }
        }
    }

    fn step(&mut self) -> Step {
        loop {
            if let Some(step) = self.steps.next() {
                return step;
            }
            let history = any_history().new_tree(&mut self.runner).unwrap().current();
            self.steps = history.into_iter();
        }
    }

    /// The member it believes to lead, or another one.
    async fn leader(&mut self) -> Running {
        loop {
            if let Some(running) = self.group.running(self.leader) {
                return running;
            }
            self.leader = self.group.world.draw(*MEMBERS.start()..MEMBERS.end() + 1);
            self.group.world.pause(1..100).await;
        }
    }

    /// Proposes one command until it knows what came of it; then, how the leader stamped it.
    pub(super) async fn propose(&mut self) -> Option<Reading> {
        let step = self.step();
        let running = self.leader().await;
        let state = running.member.state();
        let mut command = step.command(&state).command;
        // A level that the build does not know ends every member, as it should.
        if let Command::RaiseLevel(level) = &mut command {
            *level = (*level).min(Level::NEWEST);
        }
        self.tried(command).await.map(|(_, reading)| reading)
    }

    /// Proposes `command` until it knows what came of it. A try with an unknown end may be
    /// committed beside the one that is answered.
    pub(super) async fn commit(&mut self, command: Command) -> Option<Outcome> {
        self.tried(command).await.map(|(outcome, _)| outcome)
    }

    async fn tried(&mut self, command: Command) -> Option<(Outcome, Reading)> {
        let world = self.group.world.clone();
        for _ in 0..TRIES {
            let running = self.leader().await;
            let stamped = stamp(&running.member, &running.clocks, command.clone());
            let mut reading = Reading {
                elapsed: world.elapsed(),
                leader: running.life.start,
                at: stamped.at,
                ran: None,
            };
            let answer = running.member.propose(stamped.clone()).await;
            // A member that crashed meanwhile has answered nobody.
            match answer {
                Ok(outcome) if running.life.is_current() => {
                    let state = running.member.state();
                    reading.ran = (state.level > Level(0)).then_some(state.ran);
                    world.lock().checker.answered(&stamped, &outcome);
                    return Some((outcome, reading));
                }
                Err(ProposeError::NoLeader | ProposeError::DiskFull) => {}
                Ok(_) | Err(ProposeError::Unknown | ProposeError::Stopped) => {
                    world.lock().checker.counts.unknown += 1;
                }
            }
            self.leader = world.draw(*MEMBERS.start()..MEMBERS.end() + 1);
            world.pause(10..400).await;
        }
        None
    }

    /// Reads through the barrier; then, the member that was read.
    pub(super) async fn read(&mut self) -> Option<Running> {
        let world = self.group.world.clone();
        let floor = world.lock().checker.acknowledged();
        let running = self.leader().await;
        let passed = running.barrier.pass().await;
        if !running.life.is_current() {
            return None;
        }
        if passed.is_ok() {
            let state = running.member.state();
            let mut world = world.lock();
            world.checker.read(running.life.member, floor, &state);
            return Some(running);
        }
        self.leader = world.draw(*MEMBERS.start()..MEMBERS.end() + 1);
        tokio::time::sleep(Duration::from_millis(20)).await;
        None
    }
}
