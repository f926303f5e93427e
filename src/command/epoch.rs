//! `gapless new-epoch`: says that the database's history is another one from here on.
//!
//! A server tells by itself when its log came into another database. What was put back in place (a volume's
//! snapshot, a dump over the same database) looks like what was there before, and only whoever did it knows. Clients
//! hold places in what is gone; with another epoch they hear `reset` and read anew. Doing it once too often
//! costs a reload of every page, and nothing else.

use anyhow::Context as _;

use crate::app::Database;
use crate::config::Config;
use crate::store;

pub(super) async fn begin(config: Config) -> anyhow::Result<()> {
    let database = Database::open(&config).await?;
    let begun = async {
        let _turn = database.prepare().await?;
        let db = database.access().await?.connect(1);
        store::cluster::begin_epoch(&db).await.context("The epoch is as before")
    };
    let begun = begun.await;
    database.close().await;
    println!("Epoch {} has begun. Instances that run obey within a second.", begun?);
    Ok(())
}
