//! What is broken and when: a schedule that a seed decides alone.

use std::time::Duration;

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

/// Something that is done to a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// SIGKILL to the worker that works hardest.
    KillWorker,
    /// SIGKILL to the server, and a restart on its data.
    KillServer,
}

/// A fault and how long to wait before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Planned {
    /// The quiet before it.
    pub after: Duration,
    /// What is done.
    pub fault: Fault,
}

/// The faults of a run of length `total`, two to eight seconds apart.
pub fn schedule(seed: u64, total: Duration) -> Vec<Planned> {
    let mut random = StdRng::seed_from_u64(seed);
    let mut planned = Vec::new();
    let mut at = Duration::ZERO;
    loop {
        let after = Duration::from_millis(random.random_range(2_000..8_000));
        at += after;
        if at >= total {
            return planned;
        }
        let fault = if random.random_bool(0.6) {
            Fault::KillWorker
        } else {
            Fault::KillServer
        };
        planned.push(Planned { after, fault });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_decides_the_schedule() {
        let minute = Duration::from_secs(60);
        assert_eq!(schedule(7, minute), schedule(7, minute));
        assert_ne!(schedule(7, minute), schedule(8, minute));
        let total: Duration = schedule(7, minute)
            .iter()
            .map(|planned| planned.after)
            .sum();
        assert!(total < minute);
    }
}
