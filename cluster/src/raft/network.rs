//! How members reach one another within one process. Members on other machines get a
//! transport of their own; nothing else here changes for it.

use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use openraft::BasicNode;
use openraft::error::{InstallSnapshotError, RPCError, RaftError, RemoteError, Unreachable};
use openraft::network::{RPCOption, RaftNetwork, RaftNetworkFactory};
use openraft::raft::{
    AppendEntriesRequest, AppendEntriesResponse, InstallSnapshotRequest, InstallSnapshotResponse,
    VoteRequest, VoteResponse,
};

use super::{Raft, TypeConfig};
use crate::coordinator::{MachineClock, Voter};
use crate::model::Level;

/// The members of this process by id. Clones share them.
#[derive(Clone, Default)]
pub(crate) struct Router {
    members: Arc<Mutex<BTreeMap<u64, Reachable>>>,
}

/// A member of this process: of this build, on this machine's clocks.
#[derive(Clone)]
struct Reachable {
    raft: Raft,
    clock: Arc<dyn MachineClock>,
}

impl std::fmt::Debug for Router {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.members().keys()).finish()
    }
}

impl Router {
    /// Makes a member reachable.
    pub(super) fn connect(&self, id: u64, raft: Raft, clock: Arc<dyn MachineClock>) {
        self.members().insert(id, Reachable { raft, clock });
    }

    /// What is known of a voter.
    pub(super) fn voter(&self, id: u64) -> Voter {
        let members = self.members();
        let found = members.get(&id);
        Voter {
            wall: found.map(|member| member.clock.wall()),
            level: found.map(|_| Level::NEWEST),
        }
    }

    /// Makes a member unreachable.
    pub(super) fn disconnect(&self, id: u64) {
        self.members().remove(&id);
    }

    fn members(&self) -> std::sync::MutexGuard<'_, BTreeMap<u64, Reachable>> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where a member finds the others of its group.
#[derive(Debug)]
pub(super) enum Peers {
    /// In this process.
    InProcess(Router),
    /// On the network of a simulation.
    #[cfg(test)]
    Simulated(super::simulation::SimulatedVoters),
}

impl Peers {
    /// What is known of a voter.
    pub(super) async fn voter(&self, id: u64) -> Voter {
        match self {
            Self::InProcess(router) => router.voter(id),
            #[cfg(test)]
            Self::Simulated(voters) => voters.voter(id).await,
        }
    }

    /// Makes a member of this process unreachable.
    pub(super) fn disconnect(&self, id: u64) {
        match self {
            Self::InProcess(router) => router.disconnect(id),
            #[cfg(test)]
            Self::Simulated(_) => {}
        }
    }
}

impl RaftNetworkFactory<TypeConfig> for Router {
    type Network = Link;

    async fn new_client(&mut self, target: u64, _node: &BasicNode) -> Link {
        Link {
            router: self.clone(),
            target,
        }
    }
}

/// The way to one member.
#[derive(Debug)]
pub(crate) struct Link {
    router: Router,
    target: u64,
}

type Answer<T, E> = Result<T, RPCError<u64, BasicNode, RaftError<u64, E>>>;
type Plain = openraft::error::Infallible;

impl Link {
    fn member<E: std::error::Error>(&self) -> Answer<Raft, E> {
        let found = self.router.members().get(&self.target).cloned();
        let found = found.map(|member| member.raft);
        found.ok_or_else(|| {
            let error = io::Error::from(io::ErrorKind::NotConnected);
            RPCError::Unreachable(Unreachable::new(&error))
        })
    }

    fn remote<E: std::error::Error>(
        &self,
        error: RaftError<u64, E>,
    ) -> RPCError<u64, BasicNode, RaftError<u64, E>> {
        RPCError::RemoteError(RemoteError::new(self.target, error))
    }
}

impl RaftNetwork<TypeConfig> for Link {
    async fn append_entries(
        &mut self,
        rpc: AppendEntriesRequest<TypeConfig>,
        _option: RPCOption,
    ) -> Answer<AppendEntriesResponse<u64>, Plain> {
        let member = self.member()?;
        member
            .append_entries(rpc)
            .await
            .map_err(|error| self.remote(error))
    }

    async fn install_snapshot(
        &mut self,
        rpc: InstallSnapshotRequest<TypeConfig>,
        _option: RPCOption,
    ) -> Answer<InstallSnapshotResponse<u64>, InstallSnapshotError> {
        let member = self.member()?;
        member
            .install_snapshot(rpc)
            .await
            .map_err(|error| self.remote(error))
    }

    async fn vote(
        &mut self,
        rpc: VoteRequest<u64>,
        _option: RPCOption,
    ) -> Answer<VoteResponse<u64>, Plain> {
        let member = self.member()?;
        member.vote(rpc).await.map_err(|error| self.remote(error))
    }
}
