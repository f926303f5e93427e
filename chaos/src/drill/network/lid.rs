//! A laptop's lid is closed for minutes and opened again. Messages posted meanwhile must arrive within seconds, each
//! once and in order.
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

use super::super::Sheet;
use super::super::post::post;
use super::super::sheet::Goal;
use super::wire::{BadWire, Conditions};
use crate::cluster::send;
use crate::stage::Stage;

const WIRE: u8 = 100;
const USUAL: Conditions = Conditions { delay_ms: 20.0, jitter_ms: 5.0, loss_percent: 0.0 };
const AWAY: Conditions = Conditions { loss_percent: 100.0, ..USUAL };
/// Interval of messages.
const POST_EVERY: Duration = Duration::from_secs(1);
/// Number of messages before the lid is closed.
const BEFORE: usize = 3;
const CAUGHT_UP_WITHIN: Duration = Duration::from_mins(1);
/// "Within seconds".
const GOAL_SECS: f64 = 10.0;

/// Results of one laptop.
pub struct Lid {
    name: &'static str,
    posted: u64,
    missed: u64,
    repeated: u64,
    reordered: u64,
    resets: u64,
    /// Time from opening the lid to the last of the messages.
    caught_up: Option<Duration>,
}

impl Lid {
    pub fn report(&self, sheet: &mut Sheet, closed: Duration) {
        let Self { name, posted, missed, repeated, reordered, resets, caught_up } = self;
        #[expect(clippy::cast_precision_loss, reason = "a second has one message")]
        let all = Goal::AtLeast(closed.as_secs() as f64 * 0.9);
        sheet.count(&format!("{name} for {} s: messages", closed.as_secs()), *posted, all);
        let caught_up = caught_up.map_or(f64::NAN, |took| took.as_secs_f64());
        sheet.number(&format!("{name}: all there after"), caught_up, "s", Goal::AtMost(GOAL_SECS));
        for (what, count) in [("missed", missed), ("repeated", repeated), ("reordered", reordered), ("resets", resets)]
        {
            sheet.count(&format!("{name}: {what}"), *count, Goal::ZERO);
        }
    }
}

/// Runs both laptops at once.
pub async fn close_and_open(stage: &Arc<Stage>, closed: Duration) -> anyhow::Result<[Lid; 2]> {
    let lid = one(stage, 0, "lid closed", true, closed);
    let frozen = one(stage, 1, "frozen on the network", false, closed);
    let (lid, frozen) = tokio::try_join!(lid, frozen)?;
    Ok([lid, frozen])
}

async fn one(
    stage: &Arc<Stage>,
    number: u8,
    name: &'static str,
    is_away: bool,
    closed: Duration,
) -> anyhow::Result<Lid> {
    let mut wire = BadWire::lay(WIRE + number, USUAL).await?;
    let room = stage.rooms[10 + usize::from(number)];
    let author = &stage.authors[10 + usize::from(number)];
    let say = async || {
        let token = author.token(stage).await.context("an author cannot sign in")?;
        let (status, _) = post(stage, author, room, &token.access, 0, &mut None).await;
        ensure!(status == 201, "a post was answered with {status}");
        anyhow::Ok(())
    };
    let address = wire.to(stage.cluster.instances[usize::from(number)].address.port());
    let (laptop, mut said) = start(&address.to_string(), room)?;
    let pid = laptop.id().context("the laptop process has exited")?;
    let mut heard = Heard::default();
    ensure!(next(&mut said).await.as_deref() == Some("hello"), "the laptop received no greeting");
    let mut posted = 0;
    for _ in 0..BEFORE {
        say().await?;
        posted += 1;
    }
    while heard.seqs.len() < BEFORE {
        heard.take(&next(&mut said).await.context("the laptop received no message")?);
    }

    send(pid, Signal::STOP);
    if is_away {
        wire.change(AWAY).await?;
    }
    let until = Instant::now() + closed;
    while Instant::now() < until {
        say().await?;
        posted += 1;
        tokio::time::sleep(POST_EVERY).await;
    }
    wire.change(USUAL).await?;
    send(pid, Signal::CONT);
    let opened = Instant::now();
    let mut caught_up = None;
    while caught_up.is_none()
        && let Ok(Some(line)) = tokio::time::timeout(CAUGHT_UP_WITHIN, next(&mut said)).await
    {
        heard.take(&line);
        caught_up = (heard.seqs.last() == Some(&posted)).then(|| opened.elapsed());
    }
    // The stream is live: one more message arrives, and none arrives twice.
    say().await?;
    posted += 1;
    while heard.seqs.last() != Some(&posted)
        && let Ok(Some(line)) = tokio::time::timeout(CAUGHT_UP_WITHIN, next(&mut said)).await
    {
        heard.take(&line);
    }
    drop(laptop);
    Ok(heard.judge(name, posted, caught_up))
}

/// Output of a laptop, as numbers of its room's messages.
#[derive(Default)]
struct Heard {
    seqs: Vec<u64>,
    resets: u64,
}

impl Heard {
    fn take(&mut self, line: &str) {
        if let Some(seq) = line.strip_prefix("message ") {
            self.seqs.extend(seq.parse::<u64>());
        }
        self.resets += u64::from(line == "reset");
    }

    fn judge(self, name: &'static str, posted: u64, caught_up: Option<Duration>) -> Lid {
        let reordered = self.seqs.windows(2).filter(|two| two[1] < two[0]).count() as u64;
        let mut different = self.seqs.clone();
        different.sort_unstable();
        different.dedup();
        let repeated = (self.seqs.len() - different.len()) as u64;
        let missed = (1..=posted).filter(|seq| different.binary_search(seq).is_err()).count() as u64;
        Lid { name, posted, missed, repeated, reordered, resets: self.resets, caught_up }
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

async fn next(said: &mut mpsc::Receiver<String>) -> Option<String> {
    said.recv().await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(lines: &[&str], posted: u64) -> [u64; 4] {
        let mut heard = Heard::default();
        for line in lines {
            heard.take(line);
        }
        let Lid { missed, repeated, reordered, resets, .. } = heard.judge("lid", posted, None);
        [missed, repeated, reordered, resets]
    }

    #[test]
    fn a_laptop_is_judged_by_what_it_heard() {
        assert_eq!(judged(&["hello", "message 1", "message 2"], 2), [0; 4]);
        assert_eq!(judged(&["message 1"], 2), [1, 0, 0, 0]);
        assert_eq!(judged(&["message 1", "hello", "message 1", "message 2"], 2), [0, 1, 0, 0]);
        assert_eq!(judged(&["message 2", "message 1"], 2), [0, 0, 1, 0]);
        assert_eq!(judged(&["message 1", "reset", "message 2"], 2), [0, 0, 0, 1]);
    }
}
