//! What must hold in a run, whatever goes wrong: checked after every entry that any copy
//! applies, every answer to a client and every read.

use std::collections::BTreeMap;

use openraft::Entry;
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::run_rules::RunRules;
use super::time_rules::TimeRules;
use crate::codec;
use crate::command::{Outcome, Stamped};
use crate::model::{Digest, Epoch, RunNumber};
use crate::raft::{Reply, TypeConfig};
use crate::state::{State, encode_into, invariants};

/// What all copies must agree on at one index.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Fact {
    term: u64,
    entry: Digest,
    reply: Digest,
}

/// All that was seen in a run.
#[derive(Debug, Default)]
pub(super) struct Checker {
    entries: BTreeMap<u64, Fact>,
    /// Digest of the applied state by index.
    states: BTreeMap<u64, Digest>,
    /// Where a command, known by its digest with its stamps, was applied, and what came of it
    /// there.
    commands: BTreeMap<Digest, Vec<(u64, Digest)>>,
    /// The highest index that was acknowledged, by the term of its entry.
    acknowledged: BTreeMap<u64, u64>,
    /// How far each running copy has applied.
    applied: BTreeMap<u64, u64>,
    /// Who led in which term.
    leaders: BTreeMap<u64, u64>,
    violation: Option<String>,
    history: Sha256,
    /// What must hold of both clocks.
    pub(super) time: TimeRules,
    /// What must hold of runs.
    runs: RunRules,
    /// Counts of what happened, to see that runs exercise what they should.
    pub(super) counts: Counts,
}

/// How often things happened in a run, or in many.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Counts {
    pub(super) entries: u64,
    pub(super) answers: u64,
    pub(super) unknown: u64,
    pub(super) reads: u64,
    pub(super) crashes: u64,
    pub(super) partitions: u64,
    pub(super) clock_jumps: u64,
    pub(super) builds: u64,
    pub(super) installs: u64,
    /// Installs that ran while the same member built a snapshot.
    pub(super) installs_beside_builds: u64,
    pub(super) terms: u64,
    /// Members that openraft ended because it had a snapshot for a replication that was over.
    pub(super) closed_replications: u64,
    /// Runs at whose end both clocks of one leader were read twice.
    pub(super) settled_clocks: u64,
    /// Runs of several segments that a node was given.
    pub(super) runs: u64,
    /// Such runs that it was given again, because an answer had not reached it.
    pub(super) runs_again: u64,
}

impl Counts {
    pub(super) fn add(&mut self, other: Self) {
        self.entries += other.entries;
        self.answers += other.answers;
        self.unknown += other.unknown;
        self.reads += other.reads;
        self.crashes += other.crashes;
        self.partitions += other.partitions;
        self.clock_jumps += other.clock_jumps;
        self.builds += other.builds;
        self.installs += other.installs;
        self.installs_beside_builds += other.installs_beside_builds;
        self.terms += other.terms;
        self.closed_replications += other.closed_replications;
        self.settled_clocks += other.settled_clocks;
        self.runs += other.runs;
        self.runs_again += other.runs_again;
    }
}

impl Checker {
    /// The first thing that should not have happened.
    pub(super) fn violation(&self) -> Option<&str> {
        self.violation.as_deref()
    }

    pub(super) fn violate(&mut self, what: String) {
        self.note("violation", &what);
        self.violation.get_or_insert(what);
    }

    fn require(&mut self, holds: bool, what: impl FnOnce() -> String) {
        if !holds {
            self.violate(what());
        }
    }

    /// Takes what a rule says.
    pub(super) fn expect(&mut self, kept: Result<(), String>) {
        if let Err(what) = kept {
            self.violate(what);
        }
    }

    /// Adds an event to the history, by whose digest two runs are compared.
    pub(super) fn note(&mut self, event: &str, detail: &impl Serialize) {
        self.history.update(event.as_bytes());
        self.history.update(codec::encode(detail).unwrap());
    }

    /// The digest of all that happened.
    pub(super) fn history(&self) -> Digest {
        Digest(self.history.clone().finalize().into())
    }

    /// A copy begins with what its snapshot holds.
    pub(super) fn started(&mut self, member: u64, index: u64, state: &State) {
        self.note("started", &(member, index));
        self.applied.insert(member, index);
        self.look(member, index, state);
    }

    pub(super) fn crashed(&mut self, member: u64) {
        self.note("crashed", &member);
        self.applied.remove(&member);
        self.counts.crashes += 1;
    }

    /// A copy applied one entry.
    pub(super) fn applied(
        &mut self,
        member: u64,
        entry: &Entry<TypeConfig>,
        reply: &Reply,
        state: &State,
    ) {
        let index = entry.log_id.index;
        self.counts.entries += 1;
        // The log begins with 0.
        let before = self.applied.insert(member, index);
        let follows = before.is_none_or(|before| index == before + 1 || before == 0);
        self.require(follows, || {
            format!("member {member} applied {index} after {before:?}")
        });
        let fact = Fact {
            term: entry.log_id.leader_id.term,
            entry: digest(entry),
            reply: digest(reply),
        };
        let known = self.entries.entry(index).or_insert_with(|| fact.clone());
        if *known != fact {
            let what = format!("member {member} applied another entry at {index} than others");
            self.violate(what);
        }
        if let openraft::EntryPayload::Normal(stamped) = &entry.payload {
            if let Some(outcome) = &reply.0 {
                self.runs.applied(&stamped.command, outcome);
            }
            let places = self.commands.entry(digest(stamped)).or_default();
            if places.iter().all(|(known, _)| *known != index) {
                places.push((index, fact.reply));
            }
        }
        self.note("applied", &(member, index));
        self.look(member, index, state);
    }

    /// A copy took a snapshot for its state.
    pub(super) fn installed(&mut self, member: u64, index: u64, state: &State) {
        self.note("installed", &(member, index));
        self.counts.installs += 1;
        let before = self.applied.insert(member, index).unwrap_or(0);
        self.require(before <= index, || {
            format!("member {member} went back from {before} to {index}")
        });
        self.look(member, index, state);
    }

    fn look(&mut self, member: u64, index: u64, state: &State) {
        if index == 0 {
            return;
        }
        self.require(state.applied.0 == index, || {
            format!("member {member} says {} at {index}", state.applied.0)
        });
        let kept = self.time.look(member, state);
        self.expect(kept);
        if let Err(violation) = invariants::check(state) {
            self.violate(format!("member {member} at {index}: {violation:?}"));
        }
        let mut sha256 = Sha256::new();
        encode_into(state, &mut Digesting(&mut sha256)).unwrap();
        let digest = Digest(sha256.finalize().into());
        let known = *self.states.entry(index).or_insert(digest);
        self.require(known == digest, || {
            format!("member {member} differs from others at {index}")
        });
        self.note("state", &digest);
    }

    /// A client was answered.
    pub(super) fn answered(&mut self, stamped: &Stamped, outcome: &Outcome) {
        self.counts.answers += 1;
        let reply = digest(&Reply(Some(outcome.clone())));
        let command = digest(stamped);
        let places = self.commands.get(&command).cloned().unwrap_or_default();
        let found = places.iter().find(|(_, known)| *known == reply);
        let Some((index, _)) = found else {
            self.violate(format!(
                "an answer that no copy gave: {stamped:?}: {places:?}"
            ));
            return;
        };
        let term = self.entries[index].term;
        let highest = self.acknowledged.entry(term).or_default();
        *highest = (*highest).max(*index);
        self.note("answered", &(stamped.at, *index));
    }

    /// A node was given these attempts as one run, perhaps not for the first time.
    pub(super) fn received(&mut self, run: RunNumber, epochs: &[Epoch], is_again: bool) {
        if epochs.len() > 1 {
            self.counts.runs += 1;
            self.counts.runs_again += u64::from(is_again);
        }
        let kept = self.runs.received(run, epochs);
        self.expect(kept);
        self.note("received", &(run, epochs));
    }

    /// The highest index that any client knows to be committed.
    pub(super) fn acknowledged(&self) -> u64 {
        self.acknowledged.values().copied().max().unwrap_or(0)
    }

    /// A read gave `state`; `floor` was acknowledged before it began.
    pub(super) fn read(&mut self, member: u64, floor: u64, state: &State) {
        self.counts.reads += 1;
        self.note("read", &(member, state.applied));
        self.require(state.applied.0 >= floor, || {
            format!(
                "a read of member {member} saw {} after {floor} was acknowledged",
                state.applied.0
            )
        });
    }

    /// A member says that it leads, with all of the past applied.
    pub(super) fn leads(&mut self, member: u64, term: u64) {
        if !self.leaders.contains_key(&term) {
            self.counts.terms += 1;
            self.note("leads", &(member, term));
        }
        let known = *self.leaders.entry(term).or_insert(member);
        self.require(known == member, || {
            format!("{known} and {member} both lead in term {term}")
        });
        let applied = self.applied.get(&member).copied().unwrap_or(0);
        let floor = self
            .acknowledged
            .range(..term)
            .map(|(_, index)| *index)
            .max();
        self.require(floor.is_none_or(|floor| floor <= applied), || {
            format!("leader {member} of term {term} is at {applied}, {floor:?} was acknowledged")
        });
    }
}

fn digest(value: &impl Serialize) -> Digest {
    Digest(Sha256::digest(codec::encode(value).unwrap()).into())
}

/// Digests what is written.
struct Digesting<'a>(&'a mut Sha256);

impl std::io::Write for Digesting<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
