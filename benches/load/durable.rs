//! The cost of durability without the chat: the batch function called directly, and one fsync.

use std::fs::File;
use std::io::{Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions};
use sqlx::{ConnectOptions, Row};
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::frame;

/// A page of the write-ahead log, the least that a commit writes.
const PAGE: usize = 8 * 1024;
/// Like the write-ahead log, the file has its full size before it is written, so an fsync records no new length.
const FILE: u64 = 16 * 1024 * 1024;

/// A file on the database's disk, written as the write-ahead log is.
pub struct Probe {
    file: File,
    path: PathBuf,
    at: u64,
}

impl Probe {
    pub fn create(directory: &Path) -> anyhow::Result<Self> {
        let path = directory.join("fsync-probe");
        let mut file = File::create(&path)?;
        for _ in 0..FILE / PAGE as u64 {
            file.write_all(&[b'g'; PAGE])?;
        }
        file.sync_all()?;
        Ok(Self { file, path, at: 0 })
    }

    /// Writes the next page, waits for the disk, and returns the duration.
    pub fn fsync(&mut self) -> anyhow::Result<Duration> {
        self.file.seek(SeekFrom::Start(self.at))?;
        self.at = (self.at + PAGE as u64) % FILE;
        let began = Instant::now();
        self.file.write_all(&[b'g'; PAGE])?;
        self.file.sync_data()?;
        Ok(began.elapsed())
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        // Errors do not matter: the next run empties the directory anyway.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// A second database of the same cluster, with the same schema and no other clients.
pub struct Direct {
    pool: PgPool,
    author: Uuid,
    rooms: Vec<Uuid>,
}

impl Direct {
    pub async fn prepare(url: &str, rooms: usize) -> anyhow::Result<Self> {
        let options: PgConnectOptions = url.parse().context("the address of the database")?;
        let mut cluster = options.connect().await?;
        sqlx::query("drop database if exists gapless_direct").execute(&mut cluster).await?;
        sqlx::query("create database gapless_direct").execute(&mut cluster).await?;
        let pool = PgPoolOptions::new().connect_with(options.database("gapless_direct")).await?;
        sqlx::migrate!("./migrations").run(&pool).await?;
        let author = Uuid::now_v7();
        sqlx::query("insert into users (id, username, password_hash, role) values ($1, 'author', '', 'admin')")
            .bind(author)
            .execute(&pool)
            .await?;
        let rooms: Vec<Uuid> = (0..rooms).map(|_| Uuid::now_v7()).collect();
        for room in &rooms {
            sqlx::query("select outcome from create_room($1, $2, $3, $3)")
                .bind(room)
                .bind(author)
                .bind(room.to_string())
                .execute(&pool)
                .await?;
        }
        Ok(Self { pool, author, rooms })
    }

    /// Appends for `time` in batches of `batch`, to the first `rooms` rooms in turn, with `callers` at a time.
    /// Returns the numbers of messages and seconds.
    pub async fn append(
        &self,
        batch: usize,
        rooms: usize,
        callers: usize,
        time: Duration,
    ) -> anyhow::Result<(u64, f64)> {
        let began = Instant::now();
        let mut running = JoinSet::new();
        for _ in 0..callers {
            let (pool, author, rooms) = (self.pool.clone(), self.author, self.rooms[..rooms].to_vec());
            running.spawn(async move {
                let mut connection = pool.acquire().await?;
                let mut messages = 0;
                while began.elapsed() < time {
                    let rows = sqlx::query("select * from append_messages($1, $2, $3, $4, $5, $6)")
                        .bind((0..batch).map(|_| Uuid::now_v7()).collect::<Vec<_>>())
                        .bind((messages..messages + batch).map(|at| rooms[at % rooms.len()]).collect::<Vec<_>>())
                        .bind(vec![author; batch])
                        .bind((0..batch).map(|_| Uuid::now_v7()).collect::<Vec<_>>())
                        .bind(vec![vec![7_u8; 32]; batch])
                        .bind((messages..messages + batch).map(|at| frame::body(at as u64)).collect::<Vec<_>>())
                        .fetch_all(&mut *connection)
                        .await?;
                    let accepted = rows.iter().filter(|row| row.get::<&str, _>("outcome") == "accepted").count();
                    ensure!(accepted == batch, "{accepted} of {batch} rows were accepted");
                    messages += batch;
                }
                Ok(messages)
            });
        }
        let mut messages = 0;
        while let Some(caller) = running.join_next().await {
            messages += caller?? as u64;
        }
        Ok((messages, began.elapsed().as_secs_f64()))
    }
}
