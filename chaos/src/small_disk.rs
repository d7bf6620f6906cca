//! A small disk of its own for a server: a `tmpfs` in a mount namespace, which a process holds.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context as _, Result, ensure};

use crate::node::NodeOptions;

/// A disk; it is gone when this is dropped.
#[derive(Debug)]
pub struct SmallDisk {
    holder: Child,
    mounted: PathBuf,
}

/// What came of mounting one.
#[derive(Debug)]
pub enum Mounted {
    /// It is there.
    Disk(SmallDisk),
    /// This system lets nobody mount, for this reason.
    Forbidden(String),
}

impl SmallDisk {
    /// Mounts a disk of `size`, as in `256m`, at a directory that only its server sees filled.
    ///
    /// # Errors
    /// When it cannot be mounted although this system allows it.
    pub fn mount(at: &Path, size: &str) -> Result<Mounted> {
        std::fs::create_dir_all(at)?;
        let script = format!(
            "mount -t tmpfs -o size={size} tmpfs '{}' && echo mounted && exec sleep 7200",
            at.display()
        );
        let mut holder = Command::new("unshare")
            .args(["--user", "--map-root-user", "--mount", "sh", "-c", &script])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("failed to start unshare")?;
        let mut line = String::new();
        let stdout = holder.stdout.take().context("no stdout")?;
        BufReader::new(stdout).read_line(&mut line)?;
        if line.trim() == "mounted" {
            return Ok(Mounted::Disk(Self {
                holder,
                mounted: at.to_owned(),
            }));
        }
        let ended = holder.wait_with_output()?;
        let reason = String::from_utf8_lossy(&ended.stderr).trim().to_owned();
        let is_forbidden = [
            "Operation not permitted",
            "Permission denied",
            "No space left",
        ]
        .iter()
        .any(|text| reason.contains(text));
        ensure!(is_forbidden, "no disk was mounted: {reason}");
        Ok(Mounted::Forbidden(reason))
    }

    /// Its directory as this process sees it.
    pub fn path(&self) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.holder.id()));
        root.join(self.mounted.strip_prefix("/").unwrap_or(&self.mounted))
    }

    /// A node of `binary` with its data, and its log, on this disk. `script` is written: a
    /// program that is `framelane serve` there.
    ///
    /// # Errors
    /// When the script cannot be written.
    pub fn server(&self, binary: &Path, script: &Path) -> Result<NodeOptions> {
        let binary = std::path::absolute(binary)?;
        let text = format!(
            "#!/bin/sh\nexec nsenter --target {} --user --mount --preserve-credentials sh -c \
             'exec \"{}\" serve --listen 127.0.0.1:0 --data-dir \"{home}/data\" \
             2>>\"{home}/server.log\"'\n",
            self.holder.id(),
            binary.display(),
            home = self.mounted.display(),
        );
        std::fs::write(script, text)?;
        std::fs::set_permissions(script, std::fs::Permissions::from_mode(0o755))?;
        Ok(NodeOptions::new(script))
    }

    /// Writes a file until nothing more fits; gives its path.
    ///
    /// # Errors
    /// When the file cannot be made.
    pub fn fill(&self) -> Result<PathBuf> {
        let path = self.path().join("fill");
        let mut file = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)?;
        for size in [1 << 20, 4096] {
            let chunk = vec![1; size];
            while file.write_all(&chunk).is_ok() {}
        }
        Ok(path)
    }

    /// The last lines of the server's log.
    pub fn log_tail(&self) -> String {
        let log = std::fs::read(self.path().join("server.log")).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(12)..].join("\n")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}
