//! Who this node is: a file written once, before anything else in a data directory, and
//! compared at every start.

use std::fs;
use std::io;
use std::path::Path;

use ulid::Ulid;

use super::Error;
use crate::model::{Boot, Incarnation, NodeId};
use crate::raft::write_durably;

/// Who this node is: the first two are kept with its data directory, the last is drawn at
/// every start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Allocated once for the data directory.
    pub node_id: NodeId,
    /// Id of the cluster the directory belongs to.
    pub cluster_id: String,
    /// This start of the process.
    pub incarnation: Incarnation,
    /// Which start on this data directory it is.
    pub boot: Boot,
}

/// First line of the file: what it is, and the version of its form.
const HEADER: &str = "framelane identity 1";

/// Reads the identity at `path`, or makes one if there is none yet. `has_log` is
/// whether the directory was used before; `expected` is the node id it must have.
pub(super) fn establish(
    path: &Path,
    has_log: bool,
    expected: Option<NodeId>,
) -> Result<Identity, Error> {
    let fault = |reason: &str| Error::Identity {
        path: path.to_path_buf(),
        reason: reason.to_owned(),
    };
    let (node_id, cluster_id) = match fs::read_to_string(path) {
        Ok(text) => parse(&text).ok_or_else(|| fault("is not an identity of this release"))?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if has_log {
                return Err(fault("is missing beside a log that belongs to one"));
            }
            let node_id = expected.unwrap_or_else(draw_node_id);
            let cluster_id = draw().to_string();
            write_durably(path, print(node_id, &cluster_id).as_bytes()).map_err(|source| {
                Error::Io {
                    path: path.to_path_buf(),
                    source,
                }
            })?;
            (node_id, cluster_id)
        }
        Err(source) => {
            return Err(Error::Io {
                path: path.to_path_buf(),
                source,
            });
        }
    };
    if let Some(expected) = expected
        && expected != node_id
    {
        return Err(fault(&format!(
            "is of node {node_id}, not of node {expected}"
        )));
    }
    Ok(Identity {
        node_id,
        cluster_id,
        incarnation: Incarnation(draw().0),
        boot: count_boot(&path.with_file_name("boots"))?,
    })
}

/// Counts this start in the file at `path`. A registration names the count, so that one of an
/// earlier start that comes late does not supersede this one.
fn count_boot(path: &Path) -> Result<Boot, Error> {
    let io = |source| Error::Io {
        path: path.to_path_buf(),
        source,
    };
    let last = match fs::read_to_string(path) {
        Ok(text) => text.trim().parse().map_err(|_| Error::Identity {
            path: path.to_path_buf(),
            reason: "is not a count of starts".to_owned(),
        })?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => 0u64,
        Err(source) => return Err(io(source)),
    };
    let boot = last.saturating_add(1);
    match write_durably(path, format!("{boot}\n").as_bytes()) {
        Ok(()) => {}
        // An operator must be able to start on a full disk: this start then has the number
        // that the next one takes too, and is still distinct from every earlier start.
        Err(error) if error.kind() == io::ErrorKind::StorageFull => {
            tracing::warn!(%error, "this start could not be counted");
        }
        Err(source) => return Err(io(source)),
    }
    Ok(Boot(boot))
}

fn print(node_id: NodeId, cluster_id: &str) -> String {
    format!("{HEADER}\nnode_id {node_id}\ncluster_id {cluster_id}\n")
}

fn parse(text: &str) -> Option<(NodeId, String)> {
    let mut lines = text.lines();
    if lines.next()? != HEADER {
        return None;
    }
    let node_id = lines.next()?.strip_prefix("node_id ")?.parse().ok()?;
    let cluster_id = lines.next()?.strip_prefix("cluster_id ")?;
    Ulid::from_string(cluster_id).ok()?;
    if lines.next().is_some() {
        return None;
    }
    Some((NodeId(node_id), cluster_id.to_owned()))
}

/// A new node id: 48 random bits, so that it is exact in JSON.
fn draw_node_id() -> NodeId {
    const BITS: u128 = (1 << 48) - 1;
    let id = u64::try_from(draw().0 & BITS).unwrap_or_default();
    NodeId(id.max(1))
}

#[expect(
    clippy::disallowed_methods,
    reason = "identities are random, and are drawn outside the state machine"
)]
fn draw() -> Ulid {
    Ulid::generate()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_stays_and_an_incarnation_does_not() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("identity");
        let first = establish(&path, false, None).unwrap();
        let second = establish(&path, true, Some(first.node_id)).unwrap();
        assert_eq!(first.node_id, second.node_id);
        assert_eq!(first.cluster_id, second.cluster_id);
        assert_ne!(first.incarnation, second.incarnation);
        assert_eq!((first.boot, second.boot), (Boot(1), Boot(2)));
    }

    #[test]
    fn a_directory_that_is_someone_elses_is_refused() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("identity");
        let cases = [
            ("nothing beside a log", None, None, "is missing beside"),
            ("not ours", Some("hello\n"), None, "is not an identity"),
            (
                "torn",
                Some("framelane identity 1\nnode_id 4"),
                None,
                "is not an identity",
            ),
            (
                "another node",
                Some("framelane identity 1\nnode_id 4\ncluster_id 01ARZ3NDEKTSV4RRFFQ69G5FAV\n"),
                Some(NodeId(5)),
                "is of node 4, not of node 5",
            ),
        ];
        for (what, text, expected, want) in cases {
            if let Some(text) = text {
                fs::write(&path, text).unwrap();
            }
            let error = establish(&path, true, expected).unwrap_err().to_string();
            assert!(error.contains(want), "{what}: {error}");
        }
    }
}
