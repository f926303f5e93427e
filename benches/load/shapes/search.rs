//! Searches among many messages: rare and frequent words, a phrase, an author, and a part of a text without spaces.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use sqlx::{Connection as _, PgConnection};
use uuid::Uuid;

use crate::Options;
use crate::http::Connection;
use crate::stage::Stage;
use crate::table::{Goal, Row, Table};

/// Messages for each of `--messages`, which is about replay: a million by default.
const TIMES: u64 = 10;
const BATCH: u64 = 500;
/// Searches of each kind.
const ROUNDS: usize = 50;
/// Milliseconds within which a page is found.
const AIM: f64 = 150.0;

/// The searches: their name, and `q` as it is in the address. One word in 40 messages is `deploy`, one in 100,000
/// `needle`, and every other message has `the`.
const SEARCHES: [(&str, &str); 8] = [
    ("a frequent word", "the"),
    ("a word of every 40th message", "deploy"),
    ("a rare word", "needle"),
    ("a word that is nowhere", "haystack"),
    ("a phrase", "%22the+green+deploy%22"),
    ("a phrase that is nowhere", "%22deploy+the+green%22"),
    ("an author and a word", "from:reader-00+deploy"),
    ("a part of a text without spaces", "%E4%BA%AC%E9%83%BD"),
];

pub fn search(stage: &mut Stage, options: &Options, table: &mut Table) -> anyhow::Result<()> {
    let messages = options.messages * TIMES / BATCH * BATCH;
    let database_url = stage.database_url().to_owned();
    let rooms = stage.rooms.iter().map(|room| room.parse()).collect::<Result<Vec<Uuid>, _>>()?;
    stage.runtime.block_on(seed(&database_url, &rooms, messages))?;
    stage.server.kill_and_restart()?;
    let mut connection = Connection::open(stage.server.address())?;
    for (what, q) in SEARCHES {
        let path = format!("/search?q={q}");
        let mut took: Vec<Duration> = Vec::with_capacity(ROUNDS);
        let mut found = 0;
        for _ in 0..ROUNDS {
            let began = Instant::now();
            let answer = connection.get(&path)?.success()?;
            took.push(began.elapsed());
            found = answer.json()?["results"].as_array().context("a page of results")?.len();
        }
        ensure!((found == 0) == what.ends_with("nowhere"), "{what}: {found} results");
        took.sort_unstable();
        let millis = |percent: usize| took[(ROUNDS * percent / 100).min(ROUNDS - 1)].as_secs_f64() * 1e3;
        table.add(Row {
            shape: "search",
            what,
            unit: "ms",
            value: millis(99),
            baseline: None,
            goal: Goal::AtMost { good: 2.0 * AIM, aim: AIM },
        });
        table.note("search", format!("{what}: {found} of {messages} messages, p50 {:.1} ms", millis(50)));
    }
    Ok(())
}

/// Posts by the function of the database, in all rooms and by all accounts in turn.
async fn seed(url: &str, rooms: &[Uuid], messages: u64) -> anyhow::Result<()> {
    let mut database = PgConnection::connect(url).await?;
    for first in (0..messages).step_by(usize::try_from(BATCH)?) {
        let sql = "with authors as (select array_agg(id order by username) as ids from users), posts as (
                 select n, $1[1 + n % cardinality($1)] as room, a.ids[1 + n / 7 % cardinality(a.ids)] as author,
                        concat_ws(' ', 'message', n, 'word' || n % 9973, 'term' || n % 99991,
                            case when n % 2 = 0 then 'the' end, case when n % 4 = 0 then 'green' end,
                            case when n % 40 = 0 then 'deploy' end, case when n % 100000 = 7 then 'needle' end,
                            case when n % 200 = 3 then '今日は東京都で会議' end) as body
                 from authors a, generate_series($2::bigint, $2 + $3 - 1) n
             )
             select count(*) filter (where outcome = 'accepted') from append_messages(
                 (select array_agg(gen_random_uuid()) from posts), (select array_agg(room order by n) from posts),
                 (select array_agg(author order by n) from posts), (select array_agg(gen_random_uuid()) from posts),
                 (select array_agg('\\x07'::bytea) from posts), (select array_agg(body order by n) from posts))";
        let accepted: i64 = sqlx::query_scalar(sql)
            .bind(rooms)
            .bind(i64::try_from(first)?)
            .bind(i64::try_from(BATCH)?)
            .fetch_one(&mut database)
            .await
            .context("seeding")?;
        ensure!(accepted == i64::try_from(BATCH)?, "{accepted} of {BATCH} messages were accepted");
    }
    sqlx::raw_sql("vacuum analyze messages").execute(&mut database).await?;
    Ok(())
}
