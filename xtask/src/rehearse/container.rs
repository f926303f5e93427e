//! A container without an engine: a program with an image's root, account and environment, which sees no process but its own and
//! is the first of them.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, ensure};

use super::image::Image;
use crate::process::{self, Running};
use crate::step;

const WATCH_INTERVAL: Duration = Duration::from_millis(50);

/// How to start one service, as often as it takes.
#[derive(Clone)]
pub struct Container {
    pub image: Arc<Image>,
    pub name: String,
    pub env: Vec<(String, String)>,
    /// Where what it prints goes, and the id of its process group: `NAME.log`, `NAME.pid`.
    pub dir: PathBuf,
}

impl Container {
    /// Runs `args` in place of the image's own to their end, as a release command and a health check are.
    pub fn runs(&self, args: &[String]) -> anyhow::Result<()> {
        process::read(&mut self.command(args)?).map(drop)
    }

    fn command(&self, args: &[String]) -> anyhow::Result<Command> {
        let unshare = process::find("unshare").context("unshare, of util-linux, is needed")?;
        let user = self.image.user.to_string();
        let mut command = Command::new(unshare);
        command
            .args(["--mount", "--pid", "--mount-proc", "--fork", "--kill-child=KILL", "--wd", "/", "--root"])
            .arg(&self.image.root)
            .args(["--setuid", &user, "--setgid", &user, "--"])
            .args(args)
            .env_clear()
            // What an engine gives an account without a name.
            .env("HOME", "/")
            .envs(self.image.env.iter().cloned())
            .envs(self.env.iter().cloned());
        Ok(command)
    }

    fn start(&self) -> anyhow::Result<Running> {
        let log = File::options().create(true).append(true).open(self.dir.join(format!("{}.log", self.name)))?;
        let words = [self.image.entrypoint.as_slice(), self.image.cmd.as_slice()].concat();
        let running = Running::start(self.command(&words)?.stdout(log.try_clone()?).stderr(log))?;
        // Complete or not there: whoever reads it does so at any time.
        let pid = self.dir.join(format!("{}.pid", self.name));
        fs::write(pid.with_extension("new"), running.id().to_string())?;
        fs::rename(pid.with_extension("new"), pid)?;
        Ok(running)
    }

    /// Starts it, and again whenever it ends: `restart: unless-stopped`.
    pub fn keep_running(&self) -> anyhow::Result<Kept> {
        let stopped = Arc::new(AtomicBool::new(false));
        let mut running = self.start()?;
        let (container, stop) = (self.clone(), Arc::clone(&stopped));
        let watch = thread::Builder::new().name(self.name.clone()).spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                if !matches!(running.ended(), Ok(None)) {
                    match container.start() {
                        Ok(again) => running = again,
                        Err(error) => step::note(&format!("{} cannot start again: {error:#}", container.name)),
                    }
                }
                thread::sleep(WATCH_INTERVAL);
            }
            drop(running);
        })?;
        Ok(Kept { stopped, watch: Some(watch) })
    }

    /// What its image asks to know whether it serves.
    pub fn is_healthy(&self) -> anyhow::Result<()> {
        ensure!(!self.image.healthcheck.is_empty(), "the image of {} has no health check", self.name);
        self.runs(&self.image.healthcheck)
    }
}

/// A service that is started again when it ends, until this is dropped.
pub struct Kept {
    stopped: Arc<AtomicBool>,
    watch: Option<JoinHandle<()>>,
}

impl Drop for Kept {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        if let Some(watch) = self.watch.take() {
            let _ = watch.join();
        }
    }
}
