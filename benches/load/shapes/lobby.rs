//! Bytes of an idle page: the room list's first page, and a stream while guests come and go in many rooms.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use sqlx::{Connection as _, PgConnection};

use crate::Options;
use crate::http::Connection;
use crate::listener::Listener;
use crate::shapes::churn::come_and_go;
use crate::stage::Stage;
use crate::table::{Goal, Row, Table};

/// Numbers of rooms: growth by ten.
const SIZES: [i64; 3] = [100, 1_000, 10_000];
/// Joins a second, and as many leaves, with the names of their rows and their goals in bytes a second.
const CHURN: [(u32, [&str; 3], f64); 2] = [
    (10, ["10 joins a second, 100 rooms", "10 joins a second, 1,000 rooms", "10 joins a second, 10,000 rooms"], 100.0),
    (
        100,
        ["100 joins a second, 100 rooms", "100 joins a second, 1,000 rooms", "100 joins a second, 10,000 rooms"],
        200.0,
    ),
];
/// Time in which the greeting and the first counts arrive, which an idle page does not receive again.
const SETTLING: Duration = Duration::from_secs(3);
/// Phases of a second each are too short for what is sent every 15 s.
const LEAST: Duration = Duration::from_secs(15);

pub fn lobby(stage: &mut Stage, _: &Options, table: &mut Table) -> anyhow::Result<()> {
    let phase = stage.phase.max(LEAST);
    for (size, first_pages) in SIZES.iter().zip([
        "first page of the room list, 100 rooms",
        "first page of the room list, 1,000 rooms",
        "first page of the room list, 10,000 rooms",
    ]) {
        let database_url = stage.database_url().to_owned();
        let rooms = stage.runtime.block_on(create_rooms(&database_url, *size))?;
        // The rooms were created behind the server's back.
        stage.server.kill_and_restart()?;
        let address = stage.server.address();
        table.add(Row {
            shape: "lobby",
            what: first_pages,
            unit: "KB",
            value: zipped(address, "/rooms")? as f64 / 1e3,
            baseline: None,
            goal: Goal::AtMost { good: 40.0, aim: 20.0 },
        });
        let page = Connection::open(address)?.get("/rooms")?.success()?.json()?;
        let shown = page["rooms"].as_array().context("a page of rooms")?;
        let followed: Vec<_> = shown.iter().filter_map(|room| room["id"].as_str()).collect();
        let follow = followed.join("&follow=");
        let place = SIZES.iter().position(|other| other == size).unwrap_or(0);
        for (joins, names, aim) in CHURN {
            let query = format!("room={}&format=compact&follow={follow}", stage.hot_room[0]);
            let mut idle = Listener::open(address, &query)?;
            let is_over = AtomicBool::new(false);
            let bytes = std::thread::scope(|scope| {
                let guests = scope.spawn(|| come_and_go(address, &rooms, Duration::from_secs(1) / joins, &is_over));
                let bytes = idle.listen(SETTLING).and_then(|_| idle.listen(phase));
                is_over.store(true, Ordering::Relaxed);
                guests.join().map_err(|_| anyhow::anyhow!("the guests panicked"))??;
                bytes
            })?;
            let a_second = bytes as f64 / phase.as_secs_f64();
            table.add(Row {
                shape: "lobby",
                what: names[place],
                unit: "B/s",
                value: a_second,
                baseline: None,
                goal: Goal::AtMost { good: 2.0 * aim, aim },
            });
            table.note("lobby", format!("{}: {:.0} KB an hour to one idle page", names[place], a_second * 3.6));
        }
    }
    Ok(())
}

/// Creates the rooms that are missing, and returns the ids of all.
async fn create_rooms(url: &str, count: i64) -> anyhow::Result<Vec<String>> {
    let mut database = PgConnection::connect(url).await?;
    sqlx::query(
        "select count(c.outcome)
         from generate_series((select count(*) from rooms) + 1, $1) n,
              (select id from users where role = 'admin' limit 1) a,
              create_room(gen_random_uuid(), a.id, 'lobby ' || n, 'lobby ' || n) c",
    )
    .bind(count)
    .execute(&mut database)
    .await
    .context("creating rooms")?;
    Ok(sqlx::query_scalar("select id::text from rooms order by id").fetch_all(&mut database).await?)
}

/// Bytes of a whole compressed response.
fn zipped(address: SocketAddr, path: &str) -> anyhow::Result<usize> {
    let mut socket = TcpStream::connect(address)?;
    socket.write_all(
        format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\nConnection: close\r\n\r\n")
            .as_bytes(),
    )?;
    let mut response = Vec::new();
    socket.read_to_end(&mut response)?;
    Ok(response.len())
}
