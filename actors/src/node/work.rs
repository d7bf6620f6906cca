//! Carries out the book's effects: tasks round the host, orders to the slots.

use ractor::ActorRef;

use super::book::{Effect, engine_error};
use super::slots::RunId;
use super::{NodeActorState, NodeMsg};
use crate::slot::Execute;
use std::sync::Arc;

impl NodeActorState {
    pub(super) fn carry_out(&mut self, effect: Effect, myself: &ActorRef<NodeMsg>) {
        let myself = myself.clone();
        match effect {
            Effect::Transfer {
                run,
                assignment,
                moved,
            } => {
                let transfer = self.args.host.transfer(*assignment, moved);
                self.spawn(run, async move {
                    let result = transfer.await;
                    let _ = myself.cast(NodeMsg::Transferred(run, result));
                });
            }
            Effect::Stage {
                run,
                slot,
                assignments,
                to_probe,
                fetched,
            } => {
                let host = &self.args.host;
                let staging = host.stage(slot, assignments, to_probe, fetched);
                self.spawn(run, async move {
                    let result = staging.await;
                    let _ = myself.cast(NodeMsg::Staged(run, result));
                });
            }
            Effect::Abort(run) => self.abort(run),
            Effect::Start {
                slot,
                run,
                order,
                limits,
            } => {
                if let Some(slot) = self.slots.get(slot) {
                    slot.execute(Execute { run, order, limits });
                }
            }
            Effect::StopBefore { slot, run, output } => {
                if let Some(slot) = self.slots.get(slot) {
                    slot.stop_before(run, output);
                }
            }
            Effect::Kill(slot) => {
                if let Some(slot) = self.slots.get(slot) {
                    slot.kill();
                }
            }
            Effect::Publish {
                run,
                output,
                assignment,
                scratch,
                body,
            } => {
                let publishing = self.args.host.publish(*assignment, scratch, body);
                let limit = self.args.timings.publish_limit;
                self.spawn(run, async move {
                    let result = match tokio::time::timeout(limit, publishing).await {
                        Ok(result) => result,
                        Err(_) => {
                            let mut failure =
                                engine_error("storing an output took too long".to_owned());
                            "storage_unavailable".clone_into(&mut failure.code);
                            Err(failure)
                        }
                    };
                    let _ = myself.cast(NodeMsg::Published(run, output, result));
                });
            }
            Effect::Clean(run, staged) => {
                self.abort(run);
                let host = Arc::clone(&self.args.host);
                // Not one of the run's tasks: it must outlive them.
                self.tasks
                    .spawn(async move { host.clean(staged.scratch).await });
            }
            Effect::Poll => self.polls.is_wanted = true,
        }
    }

    fn spawn(&mut self, run: RunId, work: impl Future<Output = ()> + Send + 'static) {
        let handle = self.tasks.spawn(work);
        let handles = self.work.entry(run).or_default();
        handles.retain(|handle| !handle.is_finished());
        handles.push(handle);
    }

    fn abort(&mut self, run: RunId) {
        for handle in self.work.remove(&run).into_iter().flatten() {
            handle.abort();
        }
    }
}
