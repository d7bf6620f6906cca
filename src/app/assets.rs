//! Looks after uploads and imports: notices those that clients put straight into the store, ends
//! those that never came, removes what arrived once it was taken in, and drops what retention no
//! longer keeps, the log of webhooks among it. Works on the leader; a lost round is made up for
//! by the next.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use actors::ports::{Clock, Coordinator, Leadership};
use cluster::State;
use cluster::command::{Command, Retention as Ages, Trim};
use cluster::model::{Asset, AssetId, AssetKind, AssetStatus, DeliveryId, Level, LogTime};
use cluster::state::ARRIVED_KEPT_MILLIS;
use tokio_util::sync::CancellationToken;

use super::event_bodies;
use super::janitor::millis;
use crate::edge::notice_arrival;
use crate::settings::{Retention, Settings};
use crate::store::{ObjectStore, keys};

/// Settled deliveries that the log of a workspace keeps, however young they are.
const LOGGED: usize = 10_000;

/// Deliveries dropped by one entry of the log.
const FORGOTTEN: usize = 20_000;

/// Between two rounds.
const ROUND: Duration = Duration::from_secs(1);

/// Uploads that no render waits for are looked for in every so many rounds.
const IDLE_ROUNDS: u64 = 15;

/// Retention is looked at in every so many rounds.
const TRIM_ROUNDS: u64 = 60;

/// A request that was being sent when its upload was settled has ended by then.
const GRACE_MILLIS: u64 = ARRIVED_KEPT_MILLIS;

/// Usage is kept for the longest period that can be asked for, and a little.
const USAGE: Duration = Duration::from_secs(400 * 24 * 3600);

/// Looks after assets.
pub(super) struct AssetJanitor {
    coordinator: Arc<dyn Coordinator>,
    clock: Arc<dyn Clock>,
    store: Arc<dyn ObjectStore>,
    retention: Retention,
    round: u64,
    /// Settled uploads whose bytes are gone already.
    cleaned: BTreeSet<AssetId>,
    /// The same, once their links had ended.
    done: BTreeSet<AssetId>,
    /// Whether what a former process left of events was looked for.
    has_swept: bool,
}

impl AssetJanitor {
    pub(super) fn new(
        coordinator: Arc<dyn Coordinator>,
        clock: Arc<dyn Clock>,
        store: Arc<dyn ObjectStore>,
        settings: &Settings,
    ) -> Self {
        Self {
            coordinator,
            clock,
            store,
            retention: settings.retention.clone(),
            round: 0,
            cleaned: BTreeSet::new(),
            done: BTreeSet::new(),
            has_swept: false,
        }
    }

    async fn round(&mut self) {
        let round = self.round;
        self.round = round.wrapping_add(1);
        let leadership = self.coordinator.leadership();
        if !matches!(*leadership.borrow(), Leadership::Leader { .. }) {
            return;
        }
        let state = self.coordinator.state();
        self.notice(&state, round.is_multiple_of(IDLE_ROUNDS)).await;
        let now = self.clock.log_time();
        let is_due = |asset: &Arc<Asset>| is_pending(asset) && asset.expires_at <= now;
        if open(&state).any(is_due) {
            self.propose(Command::ExpireUploads).await;
        }
        self.clean(&state, now).await;
        self.forget(&state).await;
        if round.is_multiple_of(TRIM_ROUNDS) {
            self.trim(&state, now).await;
        }
    }

    async fn notice(&self, state: &State, everyone: bool) {
        let used = state.assets_in_use();
        for asset in open(state).filter(|asset| is_pending(asset)) {
            if !everyone && !used.contains(&asset.id()) {
                continue;
            }
            let (store, coordinator) = (self.store.as_ref(), self.coordinator.as_ref());
            if let Err(error) = notice_arrival(store, coordinator, asset).await {
                tracing::debug!(id = %asset.id(), %error, "an upload was not looked for");
            }
        }
    }

    /// The copy that renders use is elsewhere: what arrived is not needed any more. What came
    /// late, by a link that still worked, goes in a second turn.
    async fn clean(&mut self, state: &State, now: LogTime) {
        let uploads = state.assets.values();
        for asset in uploads.filter(|asset| asset.id().kind == AssetKind::Upload) {
            let (id, Some(settled)) = (asset.id(), asset.settled_at) else {
                continue;
            };
            let is_over = |since: LogTime| now.millis_since(since) >= GRACE_MILLIS;
            let ends_late = is_over(asset.expires_at) && is_over(settled);
            let is_due = (ends_late && !self.done.contains(&id))
                || (is_over(settled) && !self.cleaned.contains(&id));
            if !is_due {
                continue;
            }
            match self.store.delete_prefix(&keys::upload_prefix(id)).await {
                Ok(()) => {
                    self.cleaned.insert(id);
                    if ends_late {
                        self.done.insert(id);
                    }
                }
                Err(error) => tracing::warn!(%id, %error, "bytes of an upload were not removed"),
            }
        }
        let is_known = |id: &AssetId| state.assets.contains_key(id);
        self.cleaned.retain(is_known);
        self.done.retain(is_known);
    }

    async fn trim(&mut self, state: &State, now: LogTime) {
        let ages = Ages {
            deliveries: millis(self.retention.webhook_log),
            assets: millis(self.retention.assets),
            failed_assets: millis(self.retention.failed_assets),
            usage: millis(USAGE),
            ..Ages::NONE
        };
        let trim = ages.trim_at(now);
        let bodies = event_bodies::settled_before(state, trim.deliveries_before);
        if has_old(state, &trim) {
            self.propose(Command::Retain(ages)).await;
        }
        let (coordinator, store) = (self.coordinator.as_ref(), self.store.as_ref());
        let removed = if self.has_swept {
            event_bodies::remove(bodies, coordinator, store).await
        } else {
            event_bodies::remove_orphans(coordinator, store).await
        };
        match removed {
            Ok(_) => self.has_swept = true,
            Err(error) => {
                // Looked for once more in the next round.
                self.has_swept = false;
                tracing::warn!(%error, "bodies of old events were not removed");
            }
        }
    }

    /// Drops what the log of deliveries of a workspace has beyond its number.
    async fn forget(&self, state: &State) {
        let beyond = beyond_log(state);
        if beyond.is_empty() || state.level < Level(2) {
            return;
        }
        let bodies = beyond
            .iter()
            .filter_map(|id| state.deliveries.get(id))
            .map(|delivery| keys::event_body(delivery.event.id))
            .collect();
        self.propose(Command::ForgetDeliveries(beyond)).await;
        let (coordinator, store) = (self.coordinator.as_ref(), self.store.as_ref());
        if let Err(error) = event_bodies::remove(bodies, coordinator, store).await {
            tracing::warn!(%error, "bodies of forgotten events were not removed");
        }
    }

    async fn propose(&self, command: Command) {
        if let Err(error) = self.coordinator.propose(command).await {
            tracing::debug!(%error, "a change of assets was not committed");
        }
    }
}

/// Settled deliveries that the log of each workspace has beyond [`LOGGED`], oldest first; of all
/// at most [`FORGOTTEN`].
fn beyond_log(state: &State) -> Vec<DeliveryId> {
    if state.deliveries.len() <= LOGGED {
        return Vec::new();
    }
    let mut logs: BTreeMap<&str, Vec<(LogTime, DeliveryId)>> = BTreeMap::new();
    for delivery in state.deliveries.values() {
        if let Some(settled) = delivery.settled_at {
            let log = logs.entry(&delivery.workspace).or_default();
            log.push((settled, delivery.id));
        }
    }
    let beyond = logs.into_values().flat_map(|mut log| {
        log.sort_unstable();
        let excess = log.len().saturating_sub(LOGGED);
        log.into_iter().take(excess).map(|(_, id)| id)
    });
    beyond.take(FORGOTTEN).collect()
}

/// Whether trimming would drop anything: an entry of the log each minute without effect is too
/// much.
fn has_old(state: &State, trim: &Trim) -> bool {
    let used = state.assets_in_use();
    let is_old = |asset: &Arc<Asset>| {
        let before = trim.assets_before(asset);
        asset.settled_at.is_some_and(|at| at < before) && !used.contains(&asset.id())
    };
    state.assets.values().any(is_old)
        || state.deliveries.values().any(|delivery| {
            delivery
                .settled_at
                .is_some_and(|at| at < trim.deliveries_before)
        })
        || state
            .asset_keys
            .values()
            .any(|(_, _, at)| !state.is_replayable(*at))
        || state.usage.keys().any(|(_, day)| *day < trim.usage_before)
}

fn open(state: &State) -> impl Iterator<Item = &Arc<Asset>> {
    state
        .open_assets
        .keys()
        .filter_map(|id| state.assets.get(id))
}

fn is_pending(asset: &Asset) -> bool {
    asset.status == AssetStatus::Pending
}

/// Sweeps assets until `stop` is cancelled.
pub(super) async fn run(mut janitor: AssetJanitor, stop: CancellationToken) {
    let mut rounds = tokio::time::interval(ROUND);
    rounds.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = rounds.tick() => {}
        }
        janitor.round().await;
    }
}

#[cfg(test)]
mod tests {
    use cluster::command::{Outcome, Stamped};
    use cluster::model::{
        Digest, Endpoint, EndpointId, EventKind, JobId, LogIndex, ObjectKey, ObjectRef, RanTime,
        Sealed, Secret, Submission,
    };

    use super::*;

    fn apply(state: &mut State, command: Command) -> Outcome {
        let index = LogIndex(state.applied.0 + 1);
        let stamped = Stamped {
            at: LogTime(index.0),
            ran: (state.level > Level(0)).then_some(RanTime(index.0)),
            command,
        };
        state.apply(index, stamped)
    }

    fn submit(state: &mut State, workspace: &str, jobs: std::ops::RangeInclusive<u128>) {
        for job in jobs {
            let request = ObjectRef {
                key: ObjectKey("request".to_owned()),
                sha256: Digest([0; 32]),
                size: 1,
            };
            let submission = Submission {
                job: JobId(job),
                workspace: workspace.to_owned(),
                priority: 0,
                request,
                idempotency: None,
            };
            apply(state, Command::SubmitJob(submission));
        }
    }

    #[test]
    fn the_log_of_each_workspace_keeps_its_youngest() {
        let mut state = State::default();
        apply(&mut state, Command::RaiseLevel(Level::NEWEST));
        for (id, workspace) in [(1, "many"), (2, "few")] {
            apply(
                &mut state,
                Command::CreateEndpoint(Endpoint {
                    id: EndpointId(id),
                    workspace: workspace.to_owned(),
                    url: "http://receiver.example/".to_owned(),
                    events: EventKind::ALL.to_vec(),
                    secret: Secret {
                        current: Sealed(vec![1]),
                        previous: None,
                    },
                    disabled: None,
                    created_at: LogTime(0),
                }),
            );
        }
        submit(&mut state, "few", 1..=9);
        submit(&mut state, "many", 10..=LOGGED as u128 + 14);
        assert_eq!(beyond_log(&state), [], "they are pending");
        for (id, workspace) in [(1, "many"), (2, "few")] {
            let command = Command::DeleteEndpoint {
                endpoint: EndpointId(id),
                workspace: workspace.to_owned(),
            };
            apply(&mut state, command);
        }
        let beyond = beyond_log(&state);
        assert_eq!(beyond.len(), 5);
        let before = state.deliveries.len();
        apply(&mut state, Command::ForgetDeliveries(beyond.clone()));
        assert_eq!(state.deliveries.len(), before - 5);
        assert!(beyond.iter().all(|id| !state.deliveries.contains_key(id)));
        assert_eq!(beyond_log(&state), []);
        let few = state
            .deliveries
            .values()
            .filter(|one| one.workspace == "few");
        assert_eq!(few.count(), 9);
    }
}
