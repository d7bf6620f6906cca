//! Fair shares between workspaces: which of them is next, and which long runs have to give
//! back what they have not begun so that it gets a slot. Pure.

use std::collections::{BTreeMap, BTreeSet};

use cluster::State;
use cluster::model::RunNumber;

use super::facts::{Lease, LeaseFacts};
use super::spread::{self, LeasedRun};

/// When each workspace was last given a slot, as a count of grants.
#[derive(Debug, Default)]
pub(super) struct Served {
    last: BTreeMap<String, u64>,
    grants: u64,
}

impl Served {
    /// Smaller for those who have waited longer; 0 for one that never had a slot.
    pub(super) fn rank(&self, workspace: &str) -> u64 {
        self.last.get(workspace).copied().unwrap_or(0)
    }

    /// A slot went to `workspace`.
    pub(super) fn note(&mut self, workspace: &str) {
        self.grants += 1;
        self.last.insert(workspace.to_owned(), self.grants);
    }

    /// Forgets workspaces that have nothing to do.
    pub(super) fn retain(&mut self, is_active: impl Fn(&str) -> bool) {
        self.last.retain(|workspace, _| is_active(workspace));
    }
}

/// Whether more than one workspace has renders to work on.
pub(super) fn is_shared(state: &State) -> bool {
    let queues = &state.queues;
    let workspaces: BTreeSet<&str> = queues
        .begun()
        .chain(queues.ready(1))
        .filter_map(|id| state.jobs.get(&id))
        .map(|job| job.workspace.as_str())
        .collect();
    workspaces.len() > 1
}

/// Work of one workspace that found no slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Waiting {
    pub(super) workspace: String,
    /// Of its job that is next.
    pub(super) priority: i8,
    /// Slots that could be used at once.
    pub(super) slots: u32,
}

/// The runs that give up their segments that have not begun.
///
/// If a workspace has fewer slots than another one, the longest run of the latter ends at its next
/// segment boundary, also where a run at its last segment ends by itself: nobody knows which comes
/// first, and what is given back is granted anew. Where no workspace has more, the slots that come
/// free by themselves are waited for. Within a workspace only a job of higher priority ends a run.
pub(super) fn wanted_back(
    state: &State,
    waiting: &[Waiting],
    leases: &BTreeMap<Lease, LeaseFacts>,
) -> BTreeSet<RunNumber> {
    let mut wanted = BTreeSet::new();
    if waiting.is_empty() {
        return wanted;
    }
    let runs = spread::runs_of(state, leases);
    let (mut long, ending): (Vec<LeasedRun<'_>>, Vec<LeasedRun<'_>>) =
        runs.into_iter().partition(|run| !run.waiting.is_empty());
    let mut loads: BTreeMap<&str, u32> = BTreeMap::new();
    for run in &long {
        *loads.entry(run.job.workspace.as_str()).or_default() += 1;
    }
    let mut coming = ending.len();
    let mut needs: Vec<(&Waiting, u32)> = waiting.iter().map(|need| (need, need.slots)).collect();
    loop {
        let load = |workspace: &str| loads.get(workspace).copied().unwrap_or(0);
        needs.retain(|(_, slots)| *slots > 0);
        // The first of equals: `waiting` is in order of service.
        let Some(next) = needs
            .iter()
            .enumerate()
            .min_by_key(|(_, (need, _))| load(&need.workspace))
            .map(|(index, _)| index)
        else {
            return wanted;
        };
        let need = needs[next].0;
        let workspace = need.workspace.as_str();
        let own = load(workspace);
        let of_others = long
            .iter()
            .enumerate()
            .filter(|(_, run)| run.job.workspace != workspace)
            .max_by_key(|(_, run)| (load(&run.job.workspace), run.waiting.len()))
            .filter(|(_, run)| load(&run.job.workspace) > own)
            .map(|(index, _)| index);
        let of_lower_priority = || {
            long.iter()
                .enumerate()
                .filter(|(_, run)| run.job.workspace == workspace)
                .filter(|(_, run)| run.job.priority < need.priority)
                .min_by_key(|(_, run)| run.job.priority)
                .map(|(index, _)| index)
        };
        let from = match of_others {
            None if coming == 0 => of_lower_priority(),
            of_others => of_others,
        };
        let is_served = match from {
            Some(index) => {
                let run = long.swap_remove(index);
                wanted.insert(run.number);
                let entry = loads.entry(run.job.workspace.as_str()).or_default();
                *entry = entry.saturating_sub(1);
                true
            }
            None if coming > 0 => {
                coming -= 1;
                true
            }
            None => false,
        };
        if is_served {
            needs[next].1 -= 1;
            *loads.entry(workspace).or_default() += 1;
        } else {
            // Others have more or as much already, but they have nothing to be taken.
            needs.remove(next);
        }
    }
}
