//! Detects that the log was restored from a backup into another database.
//!
//! A dump that was restored elsewhere, or a point-in-time recovery, contains the log's epoch but not the positions
//! assigned after the backup. Clients hold cursors to those lost positions. So a history continues only in the cluster,
//! on the timeline and in the database in which it began; anywhere else it gets a new epoch, and streams receive
//! `reset`. A backup restored in place (a volume's snapshot, a dump over the same database) cannot be detected: the
//! operator begins a new epoch by `gapless new-epoch`, see `docs/RUNBOOK.md`.

use super::Db;

/// Begins a new epoch if the log was moved to another cluster, timeline or database. Returns whether it did.
///
/// # Errors
/// When the database is unavailable. One that does not reveal its identity is assumed to be the same.
pub async fn recognise(db: &Db) -> sqlx::Result<bool> {
    let Some(identity) = identity(db).await? else {
        tracing::warn!(
            "the database does not reveal its cluster, so restored backups are not detected; run `gapless new-epoch` \
             after a restore"
        );
        return Ok(false);
    };
    let was_elsewhere = sqlx::query_scalar(
        "with before as (select cluster from log_head)
         update log_head h
         set cluster = $1,
             epoch = case when b.cluster is null then h.epoch
                     else substr(replace(gen_random_uuid()::text, '-', ''), 1, 12) end
         from before b
         where b.cluster is distinct from $1
         returning b.cluster is not null",
    );
    let was_elsewhere = was_elsewhere.bind(identity).fetch_optional(db).await?.unwrap_or(false);
    if was_elsewhere {
        tracing::warn!("the log was restored into another database; beginning a new epoch and resetting every stream");
    }
    Ok(was_elsewhere)
}

/// Identifies the cluster, its timeline and the database; `None` if the host withholds that.
///
/// # Errors
/// When the database is unavailable.
pub async fn identity(db: &Db) -> sqlx::Result<Option<String>> {
    let identity = sqlx::query_scalar(
        "select concat_ws('.', system_identifier, left(pg_walfile_name(pg_current_wal_lsn()), 8), d.oid)
         from pg_control_system(), pg_database d where d.datname = current_database()",
    );
    match identity.fetch_one(db).await {
        Ok(identity) => Ok(Some(identity)),
        Err(error) if super::is_withheld(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Begins a new epoch at the operator's request, and returns its name.
///
/// # Errors
/// When the database is unavailable.
pub async fn begin_epoch(db: impl sqlx::PgExecutor<'_>) -> sqlx::Result<String> {
    let begun = sqlx::query_scalar(
        "update log_head set epoch = substr(replace(gen_random_uuid()::text, '-', ''), 1, 12) returning epoch",
    );
    begun.fetch_one(db).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::log::head;

    #[sqlx::test(migrator = "crate::store::MIGRATIONS")]
    async fn a_history_continues_in_its_database_and_gets_a_new_epoch_elsewhere(pool: sqlx::PgPool) {
        let db = Db::from(pool);
        let first = head(&db).await.unwrap().epoch;
        assert!(!recognise(&db).await.unwrap(), "the first start makes this its home");
        assert!(!recognise(&db).await.unwrap());
        assert_eq!(head(&db).await.unwrap().epoch, first);

        sqlx::query("update log_head set cluster = 'elsewhere'").execute(&db).await.unwrap();
        assert!(recognise(&db).await.unwrap());
        let second = head(&db).await.unwrap().epoch;
        assert_ne!(second, first);
        assert!(!recognise(&db).await.unwrap());
        assert_eq!(head(&db).await.unwrap().epoch, second);
    }
}
