//! Processes as `/proc` shows them: who descends from whom, who is alive, who is busy.
//! A process is named by pid and start time, so that a reused pid is never taken for it.

use std::time::Duration;

use anyhow::{Context as _, Result};
use rustix::process::{Pid, Signal, kill_process};

/// One process of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Process {
    /// Its pid.
    pub pid: u32,
    /// Clock ticks between boot and its start.
    started: u64,
}

/// The fields of `/proc/PID/stat` that matter here.
#[derive(Debug)]
struct Stat {
    state: char,
    parent: u32,
    cpu_ticks: u64,
    started: u64,
}

fn stat(pid: u32) -> Option<Stat> {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command's name may hold spaces and brackets: fields are counted from the last one.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let number = |index: usize| fields.get(index)?.parse::<u64>().ok();
    Some(Stat {
        state: fields.first()?.chars().next()?,
        parent: fields.get(1)?.parse().ok()?,
        cpu_ticks: number(11)? + number(12)?,
        started: number(19)?,
    })
}

impl Process {
    /// The process that has `pid` now.
    pub fn of(pid: u32) -> Option<Self> {
        stat(pid).map(|stat| Self {
            pid,
            started: stat.started,
        })
    }

    fn stat(self) -> Option<Stat> {
        stat(self.pid).filter(|stat| stat.started == self.started)
    }

    /// It still runs; a zombie does not.
    pub fn is_alive(self) -> bool {
        self.stat().is_some_and(|stat| !"ZXx".contains(stat.state))
    }

    /// Processor time it has used so far, in clock ticks (10 ms each).
    pub fn cpu_ticks(self) -> u64 {
        self.stat().map_or(0, |stat| stat.cpu_ticks)
    }

    /// Memory of its own in bytes: what it has written and nobody shares; 0 when it is gone.
    pub fn private_memory(self) -> u64 {
        self.memory("RssAnon:")
    }

    /// Memory it has resident in bytes, shared pages included; 0 when it is gone.
    pub fn resident_memory(self) -> u64 {
        self.memory("VmRSS:")
    }

    /// The most it ever had resident in bytes; 0 when it is gone.
    pub fn peak_memory(self) -> u64 {
        self.memory("VmHWM:")
    }

    fn memory(self, field: &str) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid));
        let kibibytes = status.ok().and_then(|status| {
            let line = status.lines().find_map(|line| line.strip_prefix(field))?;
            line.split_whitespace().next()?.parse::<u64>().ok()
        });
        kibibytes.unwrap_or(0) * 1024
    }

    /// Its arguments, the program's name first.
    pub fn arguments(self) -> Vec<String> {
        std::fs::read(format!("/proc/{}/cmdline", self.pid))
            .unwrap_or_default()
            .split(|byte| *byte == 0)
            .filter(|part| !part.is_empty())
            .map(|part| String::from_utf8_lossy(part).into_owned())
            .collect()
    }

    /// Sends SIGKILL. One that is gone already is fine.
    ///
    /// # Errors
    /// When the system refuses for another reason.
    pub fn kill(self) -> Result<()> {
        self.signal(Signal::KILL)
    }

    /// Sends `signal`. One that is gone already is fine.
    ///
    /// # Errors
    /// When the system refuses for another reason.
    pub fn signal(self, signal: Signal) -> Result<()> {
        if !self.is_alive() {
            return Ok(());
        }
        let pid = i32::try_from(self.pid).ok().and_then(Pid::from_raw);
        match kill_process(pid.context("pid out of range")?, signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(error) => Err(error).context("failed to signal a process"),
        }
    }

    /// Share of one core it used during the next `window`, 0 when it is gone.
    pub async fn load(self, window: Duration) -> f64 {
        let before = self.cpu_ticks();
        tokio::time::sleep(window).await;
        let ticks = u32::try_from(self.cpu_ticks().saturating_sub(before)).unwrap_or(u32::MAX);
        f64::from(ticks) * 0.01 / window.as_secs_f64()
    }
}

/// Every living process below `root`, itself not counted.
pub fn descendants(root: u32) -> Vec<Process> {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    let all: Vec<(Process, u32)> = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter_map(|pid| {
            let stat = stat(pid)?;
            let started = stat.started;
            (!"ZXx".contains(stat.state)).then_some((Process { pid, started }, stat.parent))
        })
        .collect();
    let mut found = Vec::new();
    let mut parents = vec![root];
    while let Some(parent) = parents.pop() {
        for (process, _) in all.iter().filter(|(_, of)| *of == parent) {
            parents.push(process.pid);
            found.push(*process);
        }
    }
    found
}
