//! A laptop is suspended for minutes and resumed. Messages posted meanwhile must arrive within seconds, each once and in
//! order.
//!
//! The laptop is a separate [process](crate::laptop) that is stopped by SIGSTOP, which also stops its timers. One
//! laptop is off the network meanwhile, as with a closed lid; the other stays connected, like a page frozen by the
//! system, whose kernel keeps acknowledging.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use rustix::process::Signal;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::time::Instant;
use uuid::Uuid;

use super::super::ResultTable;
use super::super::post::post_in_room;
use super::super::result_table::Goal;
use super::wire::{BadWire, Conditions};
use crate::cluster::send;
use crate::environment::Environment;

const WIRE: u8 = 100;
const USUAL: Conditions = Conditions { delay_ms: 20.0, jitter_ms: 5.0, loss_percent: 0.0 };
const DISCONNECTED: Conditions = Conditions { loss_percent: 100.0, ..USUAL };
/// Interval of messages.
const POST_EVERY: Duration = Duration::from_secs(1);
/// Number of messages before the laptop is suspended.
const BEFORE: usize = 3;
const CATCH_UP_TIMEOUT: Duration = Duration::from_mins(1);
/// "Within seconds".
const GOAL_SECS: f64 = 10.0;

/// Results of one laptop.
pub struct LaptopResult {
    name: &'static str,
    posted: u64,
    missed: u64,
    repeated: u64,
    reordered: u64,
    resets: u64,
    /// Time from the resume to the last of the messages.
    caught_up: Option<Duration>,
}

impl LaptopResult {
    pub fn report(&self, results: &mut ResultTable, suspended: Duration) {
        let Self { name, posted, missed, repeated, reordered, resets, caught_up } = self;
        #[expect(clippy::cast_precision_loss, reason = "a second has one message")]
        let all = Goal::AtLeast(suspended.as_secs() as f64 * 0.9);
        results.count(&format!("{name} for {} s: messages", suspended.as_secs()), *posted, all);
        let caught_up = caught_up.map_or(f64::NAN, |took| took.as_secs_f64());
        results.number(&format!("{name}: all there after"), caught_up, "s", Goal::AtMost(GOAL_SECS));
        for (what, count) in [("missed", missed), ("repeated", repeated), ("reordered", reordered), ("resets", resets)]
        {
            results.count(&format!("{name}: {what}"), *count, Goal::ZERO);
        }
    }
}

/// Suspends two laptops at once, one disconnected and one connected.
pub async fn suspend_both(env: &Arc<Environment>, suspended: Duration) -> anyhow::Result<[LaptopResult; 2]> {
    let disconnected = suspend_one(env, 0, "lid closed", true, suspended);
    let connected = suspend_one(env, 1, "frozen on the network", false, suspended);
    let (disconnected, connected) = tokio::try_join!(disconnected, connected)?;
    Ok([disconnected, connected])
}

async fn suspend_one(
    env: &Arc<Environment>,
    number: u8,
    name: &'static str,
    is_disconnected: bool,
    suspended: Duration,
) -> anyhow::Result<LaptopResult> {
    let mut wire = BadWire::create(WIRE + number, USUAL).await?;
    let room_number = 10 + usize::from(number);
    let address = wire.to(env.cluster.instances[usize::from(number)].address.port());
    let (laptop, mut lines) = start(&address.to_string(), env.rooms[room_number])?;
    let pid = laptop.id().context("the laptop process has exited")?;
    let mut output = LaptopOutput::default();
    ensure!(lines.recv().await.as_deref() == Some("hello"), "the laptop received no greeting");
    let mut posted = 0;
    for _ in 0..BEFORE {
        post_in_room(env, room_number).await?;
        posted += 1;
    }
    while output.seqs.len() < BEFORE {
        output.take(&lines.recv().await.context("the laptop received no message")?);
    }

    send(pid, Signal::STOP);
    if is_disconnected {
        wire.change(DISCONNECTED).await?;
    }
    let until = Instant::now() + suspended;
    while Instant::now() < until {
        post_in_room(env, room_number).await?;
        posted += 1;
        tokio::time::sleep(POST_EVERY).await;
    }
    wire.change(USUAL).await?;
    send(pid, Signal::CONT);
    let resumed = Instant::now();
    let mut caught_up = None;
    while caught_up.is_none()
        && let Ok(Some(line)) = tokio::time::timeout(CATCH_UP_TIMEOUT, lines.recv()).await
    {
        output.take(&line);
        caught_up = (output.seqs.last() == Some(&posted)).then(|| resumed.elapsed());
    }
    // If the stream is live, it receives one more message.
    post_in_room(env, room_number).await?;
    posted += 1;
    while output.seqs.last() != Some(&posted)
        && let Ok(Some(line)) = tokio::time::timeout(CATCH_UP_TIMEOUT, lines.recv()).await
    {
        output.take(&line);
    }
    drop(laptop);
    Ok(output.result(name, posted, caught_up))
}

/// Output of a laptop: `seq` of each received message, and the number of resets.
#[derive(Default)]
struct LaptopOutput {
    seqs: Vec<u64>,
    resets: u64,
}

impl LaptopOutput {
    fn take(&mut self, line: &str) {
        if let Some(seq) = line.strip_prefix("message ") {
            self.seqs.extend(seq.parse::<u64>());
        }
        self.resets += u64::from(line == "reset");
    }

    fn result(self, name: &'static str, posted: u64, caught_up: Option<Duration>) -> LaptopResult {
        let reordered = self.seqs.windows(2).filter(|two| two[1] < two[0]).count() as u64;
        let mut different = self.seqs.clone();
        different.sort_unstable();
        different.dedup();
        let repeated = (self.seqs.len() - different.len()) as u64;
        let missed = (1..=posted).filter(|seq| different.binary_search(seq).is_err()).count() as u64;
        LaptopResult { name, posted, missed, repeated, reordered, resets: self.resets, caught_up }
    }
}

/// Starts the laptop; returns the process and the lines that it prints.
fn start(address: &str, room: Uuid) -> anyhow::Result<(Child, mpsc::Receiver<String>)> {
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--laptop", address, "--room", &room.to_string()]);
    let mut laptop = command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true).spawn()?;
    let mut lines = BufReader::new(laptop.stdout.take().context("its output is not piped")?).lines();
    let (sender, receiver) = mpsc::channel(1_000);
    tokio::spawn(async move {
        while let Ok(Some(line)) = lines.next_line().await
            && sender.send(line).await.is_ok()
        {}
    });
    Ok((laptop, receiver))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(lines: &[&str], posted: u64) -> [u64; 4] {
        let mut output = LaptopOutput::default();
        for line in lines {
            output.take(line);
        }
        let LaptopResult { missed, repeated, reordered, resets, .. } = output.result("lid", posted, None);
        [missed, repeated, reordered, resets]
    }

    #[test]
    fn missed_repeated_and_reordered_messages_and_resets_are_counted() {
        assert_eq!(result(&["hello", "message 1", "message 2"], 2), [0; 4]);
        assert_eq!(result(&["message 1"], 2), [1, 0, 0, 0]);
        assert_eq!(result(&["message 1", "hello", "message 1", "message 2"], 2), [0, 1, 0, 0]);
        assert_eq!(result(&["message 2", "message 1"], 2), [0, 0, 1, 0]);
        assert_eq!(result(&["message 1", "reset", "message 2"], 2), [0, 0, 0, 1]);
    }
}
