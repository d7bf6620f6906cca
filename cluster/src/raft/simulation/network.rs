//! A network that loses, delays, repeats and cuts, as the seed says.

use std::io;
use std::time::Duration;

use openraft::BasicNode;
use openraft::error::{InstallSnapshotError, NetworkError, RPCError, RaftError, RemoteError};
use openraft::network::{RPCOption, RaftNetwork, RaftNetworkFactory};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, InstallSnapshotRequest, InstallSnapshotResponse,
    VoteRequest, VoteResponse,
};

use super::world::Life;
use crate::raft::{Raft, TypeConfig};

/// A sender that gets no answer finds out within this.
const LOST_AFTER: Duration = Duration::from_millis(300);

/// A member that does not run is tried again after this. The wait is here and not openraft's:
/// that draws, by a generator of its own, between its timer and an event of the same millisecond,
/// and a seed would have several courses.
const RETRY_AFTER: Duration = Duration::from_millis(150);

type Answer<T, E> = Result<T, RPCError<u64, BasicNode, RaftError<u64, E>>>;
type Plain = openraft::error::Infallible;

/// The network as one start of a member has it.
#[derive(Debug, Clone)]
pub(super) struct SimulatedNetwork(pub(super) Life);

impl RaftNetworkFactory<TypeConfig> for SimulatedNetwork {
    type Network = Link;

    async fn new_client(&mut self, target: u64, _node: &BasicNode) -> Link {
        Link::new(self.0.clone(), target)
    }
}

/// The way to one member.
#[derive(Debug)]
pub(super) struct Link {
    life: Life,
    target: u64,
}

impl Link {
    pub(super) fn new(life: Life, target: u64) -> Self {
        Self { life, target }
    }

    /// Asks the target's process something that it answers at once.
    pub(super) async fn ask<T>(&self, answer: impl FnOnce() -> T) -> Answer<T, Plain> {
        self.travel(self.life.member, self.target).await?;
        if !self.life.world.lock().reachable.contains_key(&self.target) {
            return Err(lost());
        }
        let answer = answer();
        self.travel(self.target, self.life.member).await?;
        Ok(answer)
    }

    /// Takes one request there and its answer back.
    async fn carry<T, E, F>(&self, twice: bool, call: impl Fn(Raft) -> F) -> Answer<T, E>
    where
        E: std::error::Error,
        F: Future<Output = Result<T, RaftError<u64, E>>> + Send + 'static,
        T: Send + 'static,
        E: Send + 'static,
    {
        let world = &self.life.world;
        self.travel(self.life.member, self.target).await?;
        let found = world.lock().reachable.get(&self.target).cloned();
        let Some((start, raft)) = found else {
            tokio::time::sleep(RETRY_AFTER).await;
            return Err(lost());
        };
        if twice && world.chance(3) {
            let again = call(raft.clone());
            let world = world.clone();
            // Its answer goes to nobody.
            drop(tokio::spawn(async move {
                world.pause(0..800).await;
                drop(again.await);
            }));
        }
        let answer = call(raft).await;
        let is_same = world
            .lock()
            .reachable
            .get(&self.target)
            .is_some_and(|(now, _)| *now == start);
        if !is_same {
            return Err(lost());
        }
        self.travel(self.target, self.life.member).await?;
        answer.map_err(|error| RPCError::RemoteError(RemoteError::new(self.target, error)))
    }

    async fn travel<E: std::error::Error>(&self, from: u64, to: u64) -> Answer<(), E> {
        let world = &self.life.world;
        let loss = world.lock().loss;
        let is_lost = world.chance(loss);
        let millis = if world.chance(2) { 50..600 } else { 0..20 };
        world.pause(millis).await;
        let is_cut = world.lock().cut.contains(&(from, to));
        if is_lost || is_cut || !self.life.is_current() {
            tokio::time::sleep(LOST_AFTER).await;
            return Err(lost());
        }
        Ok(())
    }
}

fn lost<E: std::error::Error>() -> RPCError<u64, BasicNode, RaftError<u64, E>> {
    let error = io::Error::from(io::ErrorKind::ConnectionReset);
    RPCError::Network(NetworkError::new(&error))
}

impl RaftNetwork<TypeConfig> for Link {
    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<TypeConfig>,
        _option: RPCOption,
    ) -> Answer<AppendEntriesResponse<u64>, Plain> {
        self.carry(true, |raft| {
            let rpc = rpc.clone();
            async move { raft.append_entries(rpc).await }
        })
        .await
    }

    async fn install_snapshot(
        &mut self,
        rpc: InstallSnapshotRequest<TypeConfig>,
        _option: RPCOption,
    ) -> Answer<InstallSnapshotResponse<u64>, InstallSnapshotError> {
        self.carry(false, |raft| {
            let rpc = rpc.clone();
            async move { raft.install_snapshot(rpc).await }
        })
        .await
    }

    async fn vote(
        &mut self,
        rpc: VoteRequest<u64>,
        _option: RPCOption,
    ) -> Answer<VoteResponse<u64>, Plain> {
        self.carry(true, |raft| {
            let rpc = rpc.clone();
            async move { raft.vote(rpc).await }
        })
        .await
    }
}
