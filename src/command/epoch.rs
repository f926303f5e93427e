//! `gapless new-epoch`: starts a new epoch after a backup was restored in place.
//!
//! A server detects by itself that its log was moved to another database. A restore in place (a volume's snapshot, a
//! dump over the same database) looks like the database before it, so only the operator knows of it. Clients hold
//! positions that no longer exist; with a new epoch they receive `reset` and reload. An unnecessary new epoch costs one
//! reload of every page, and nothing else.

use anyhow::Context as _;

use crate::app::Database;
use crate::config::Config;
use crate::store;

pub(super) async fn begin(config: Config) -> anyhow::Result<()> {
    let database = Database::open(&config).await?;
    let begun = async {
        let _turn = database.prepare().await?;
        let db = database.access().await?.connect(1);
        store::cluster::begin_epoch(&db).await.context("cannot begin a new epoch; nothing was changed")
    };
    let begun = begun.await;
    database.close().await;
    println!("Epoch {} has begun. Running instances pick it up within a second.", begun?);
    Ok(())
}
