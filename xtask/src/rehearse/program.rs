//! A program that is restarted whenever it ends, like a service with `restart: unless-stopped`.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::process::{self, Running};
use crate::step;

const WATCH_INTERVAL: Duration = Duration::from_millis(50);

/// One service of `compose.yaml`, and its command.
#[derive(Clone)]
pub struct Program {
    pub path: PathBuf,
    pub args: Vec<String>,
    pub name: String,
    pub env: Vec<(String, String)>,
    /// Directory for its output, `NAME.log`, and the id of its process group, `NAME.pid`.
    pub dir: PathBuf,
}

impl Program {
    /// Runs the program with other arguments until it ends, like a release command or a health check.
    pub fn runs(&self, args: &[&str]) -> anyhow::Result<()> {
        process::read(&mut self.command(args)).map(drop)
    }

    fn command<T: AsRef<std::ffi::OsStr>>(&self, args: &[T]) -> Command {
        let mut command = Command::new(&self.path);
        command.args(args).env_clear().envs(self.env.iter().cloned()).current_dir(&self.dir);
        command
    }

    fn start(&self) -> anyhow::Result<Running> {
        let log = File::options().create(true).append(true).open(self.dir.join(format!("{}.log", self.name)))?;
        let running = Running::start(self.command(&self.args).stdout(log.try_clone()?).stderr(log))?;
        // Written atomically, because the tests read it at any time.
        let pid = self.dir.join(format!("{}.pid", self.name));
        fs::write(pid.with_extension("new"), running.id().to_string())?;
        fs::rename(pid.with_extension("new"), pid)?;
        Ok(running)
    }

    pub fn keep_running(&self) -> anyhow::Result<Kept> {
        let stopped = Arc::new(AtomicBool::new(false));
        let mut running = self.start()?;
        let (program, stop) = (self.clone(), Arc::clone(&stopped));
        let watch = thread::Builder::new().name(self.name.clone()).spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                if !matches!(running.ended(), Ok(None)) {
                    match program.start() {
                        Ok(again) => running = again,
                        Err(error) => step::note(&format!("cannot restart {}: {error:#}", program.name)),
                    }
                }
                thread::sleep(WATCH_INTERVAL);
            }
            drop(running);
        })?;
        Ok(Kept { stopped, watch: Some(watch) })
    }
}

/// A service that is restarted when it ends, until this is dropped.
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
