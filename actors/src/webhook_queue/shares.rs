//! How many webhook tries may be under way at one time: in all, of a workspace, to a host.
//! Pure counting.

use std::collections::BTreeMap;

use cluster::model::RanTime;

use super::receivers::Pace;

/// Limits of tries under way at one time. Each is at least 1 in effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shares {
    /// Of the whole cluster.
    pub all: usize,
    /// Of one workspace. It also never gets more than are left free for the others.
    pub per_workspace: usize,
    /// To one host and port. One workspace gets half of them.
    pub per_host: usize,
}

impl Default for Shares {
    fn default() -> Self {
        Self {
            all: 32,
            per_workspace: 8,
            per_host: 8,
        }
    }
}

impl Shares {
    /// Whether a workspace that has `own` of `total` tries under way may begin another.
    ///
    /// A try cannot be taken back, so room for later workspaces must be left beforehand:
    /// as long as no workspace has more than are free, `n` busy workspaces leave one part in
    /// `n + 1`.
    pub(super) fn admit(self, own: usize, total: usize) -> bool {
        let free = self.all.max(1).saturating_sub(total);
        own < self.per_workspace.max(1).min(free)
    }

    /// Most tries under way, of all and of one workspace, to receivers of this pace or worse:
    /// any number of receivers that hang leaves room for those that are known to answer.
    fn at(self, pace: Pace) -> (usize, usize) {
        let (all, own) = (self.all, self.per_workspace);
        let (all, own) = match pace {
            Pace::Fast => (all, own),
            Pace::Unknown => (all - all / 4, own),
            Pace::Slow => (all / 4, own / 2),
        };
        (all.max(1), own.max(1))
    }
}

/// Where a try goes and whose it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Route {
    pub(super) workspace: String,
    /// Host and port, lower case.
    pub(super) host: String,
    /// What was known of the receiver when the try was chosen.
    pub(super) pace: Pace,
}

/// Tries under way, counted.
#[derive(Debug, Default)]
pub(super) struct Load {
    all: Count,
    by_workspace: BTreeMap<String, Count>,
}

#[derive(Debug, Default)]
struct Count {
    total: usize,
    by_pace: BTreeMap<Pace, usize>,
    by_host: BTreeMap<String, usize>,
}

impl Count {
    fn add(&mut self, route: &Route) {
        self.total += 1;
        *self.by_pace.entry(route.pace).or_default() += 1;
        *self.by_host.entry(route.host.clone()).or_default() += 1;
    }

    fn to(&self, host: &str) -> usize {
        self.by_host.get(host).copied().unwrap_or(0)
    }

    /// Tries to receivers of this pace or worse.
    fn at(&self, pace: Pace) -> usize {
        self.by_pace.range(pace..).map(|(_, count)| count).sum()
    }
}

impl Load {
    pub(super) fn of<'a>(routes: impl IntoIterator<Item = &'a Route>) -> Self {
        let mut load = Self::default();
        for route in routes {
            load.add(route);
        }
        load
    }

    pub(super) fn add(&mut self, route: &Route) {
        self.all.add(route);
        let own = self.by_workspace.entry(route.workspace.clone());
        own.or_default().add(route);
    }

    /// Tries of a workspace under way.
    pub(super) fn of_workspace(&self, workspace: &str) -> usize {
        self.by_workspace.get(workspace).map_or(0, |own| own.total)
    }

    /// Whether another try on `route` fits beside these.
    pub(super) fn admits(&self, route: &Route, shares: Shares) -> bool {
        let none = Count::default();
        let own = self.by_workspace.get(&route.workspace).unwrap_or(&none);
        let per_host = shares.per_host.max(1);
        // A slow one takes of the room of unknown ones too.
        let mut paces = [Pace::Fast, Pace::Unknown, Pace::Slow]
            .into_iter()
            .filter(|pace| *pace <= route.pace);
        shares.admit(own.total, self.all.total)
            && self.all.to(&route.host) < per_host
            && own.to(&route.host) < per_host.div_ceil(2)
            && paces.all(|pace| {
                let (all_at, own_at) = shares.at(pace);
                self.all.at(pace) < all_at && own.at(pace) < own_at
            })
    }
}

/// How long tries of each workspace have lately taken, together: of two workspaces with
/// equally many under way, the one that took less goes first.
#[derive(Debug, Default)]
pub(super) struct Spent {
    millis: BTreeMap<String, u64>,
    /// Up to when what is older has been halved.
    halved: RanTime,
}

impl Spent {
    /// What was taken counts half after this long, in milliseconds.
    const HALF_LIFE: u64 = 60_000;

    pub(super) fn add(&mut self, workspace: &str, took: u64, now: RanTime) {
        let halves = now.millis_since(self.halved) / Self::HALF_LIFE;
        if halves > 0 {
            self.halved = now;
            self.millis.retain(|_, millis| {
                *millis >>= halves.min(63);
                *millis > 0
            });
        }
        let millis = self.millis.entry(workspace.to_owned()).or_default();
        *millis = millis.saturating_add(took);
    }

    pub(super) fn of(&self, workspace: &str) -> u64 {
        self.millis.get(workspace).copied().unwrap_or(0)
    }
}
