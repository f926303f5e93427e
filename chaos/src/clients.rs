//! All simulated readers and writers of a run: started, brought to the end of the log, and stopped.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::Instant;

use crate::authors::Author;
use crate::environment::{Environment, Phase};
use crate::history::Record;
use crate::readers::{Kind, Progress, Reader};

/// Timeout for the submits that are under way when the phase of faults ends.
const LAST_SUBMITS: Duration = Duration::from_secs(45);
/// Timeout for the readers to reach the end of the log once all faults are healed.
const CATCH_UP: Duration = Duration::from_secs(40);

/// See the [module](self).
pub struct Clients {
    readers: JoinSet<()>,
    progress: Vec<Progress>,
    writers: JoinSet<()>,
}

impl Clients {
    pub fn start_readers(readers: Vec<Reader>) -> Self {
        let progress = readers.iter().map(Reader::progress).collect();
        Self { readers: readers.into_iter().map(Reader::read).collect(), progress, writers: JoinSet::new() }
    }

    /// Starts the authors of messages and the admins, who send direct messages.
    pub fn start_authors(&mut self, env: &Arc<Environment>) {
        for account in &env.authors {
            self.writers.spawn(Author::new(Arc::clone(env), Arc::clone(account)).write_in_rooms());
        }
        for account in &env.admins {
            self.writers.spawn(Author::new(Arc::clone(env), Arc::clone(account)).write_direct_messages());
        }
    }

    /// Starts another task that ends after the phase of faults.
    pub fn start_writer(&mut self, writer: impl Future<Output = ()> + Send + 'static) {
        self.writers.spawn(writer);
    }

    /// Stops the writers, waits until all readers have reached the end of the log, and records their positions.
    pub async fn settle(&mut self, env: &Environment) -> anyhow::Result<()> {
        env.phase.send_replace(Phase::Settling);
        tokio::time::timeout(LAST_SUBMITS, std::mem::take(&mut self.writers).join_all()).await.ok();
        // Half-open readers stop reading.
        let reading = self.progress.iter().filter(|progress| progress.kind != Kind::HalfOpen);
        let began = Instant::now();
        loop {
            let mut db = env.cluster.postgres.connect().await?;
            let (head,): (i64,) = sqlx::query_as("select pos from log_head").fetch_one(&mut db).await?;
            let is_behind = |progress: &Progress| progress.position.load(Ordering::Relaxed) < head;
            if !reading.clone().any(is_behind) || began.elapsed() > CATCH_UP {
                break;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        for Progress { reader, position, .. } in reading {
            let (at, pos) = (env.history.now(), position.load(Ordering::Relaxed));
            env.history.record(Record::Settled { at, reader: *reader, pos });
        }
        Ok(())
    }

    /// Ends the run and waits for the readers.
    pub async fn end(self, env: &Environment) {
        env.phase.send_replace(Phase::Over);
        self.readers.join_all().await;
    }
}
