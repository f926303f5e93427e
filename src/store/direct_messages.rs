//! Direct messages. Every query for a user's messages selects by that user's id, so it finds no others.

use sqlx::{FromRow, Row};
use time::OffsetDateTime;

use super::Db;
use crate::event::{Author, DirectMessage, Role, User};
use crate::id::{ClientId, Fingerprint, MessageId, Pos, UserId};
use crate::outcome::{Outcome, Posted};

/// A direct message to be sent.
pub struct NewDirectMessage<'a> {
    pub id: MessageId,
    pub sender: Author,
    pub recipient: UserId,
    pub client_id: ClientId,
    pub body: &'a str,
    /// True if users may answer an admin who wrote to them first.
    pub replies: bool,
}

/// A user's direct messages as of a position, read by one statement and so from one snapshot.
pub struct Page {
    pub pos: Pos,
    /// Ascending `pos`.
    pub messages: Vec<DirectMessage>,
}

/// A conversation of a user, with its newest message.
pub struct Conversation {
    /// The other participant.
    pub user: User,
    pub last_message: DirectMessage,
}

/// Appends a direct message to the log, unless it is a duplicate or not allowed.
pub async fn append(db: &Db, new: NewDirectMessage<'_>) -> sqlx::Result<Outcome<Posted<DirectMessage>>> {
    let row = sqlx::query_as::<_, AppendedRow>(
        "select outcome, id, pos, body, created_at, recipient from append_direct_message($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(new.id)
    .bind(new.sender.id)
    .bind(new.recipient)
    .bind(new.client_id)
    .bind(Fingerprint::of(new.recipient.0, new.body).as_bytes())
    .bind(new.body)
    .bind(new.replies)
    .fetch_one(db)
    .await?;

    Ok(match row.outcome.as_str() {
        "accepted" => Ok(Posted::Accepted(row.message(new)?)),
        "duplicate" => Ok(Posted::Duplicate(row.message(new)?)),
        word => Err(super::refusal(word, "direct message")?),
    })
}

/// Returns the newest of `me`'s direct messages before a position, with everyone or with one user.
pub async fn page(db: &Db, me: UserId, with: Option<UserId>, before: Option<Pos>, limit: i64) -> sqlx::Result<Page> {
    let with_one = "
        select h.pos as head_pos, d.id, d.pos, d.client_id, d.sender_id, d.recipient_id, d.body, d.created_at,
               s.username as sender, r.username as recipient
        from log_head h
        left join (
            select id, pos, client_id, sender_id, recipient_id, body, created_at
            from direct_messages
            where least(sender_id, recipient_id) = least($1, $4)
              and greatest(sender_id, recipient_id) = greatest($1, $4)
              and pos < $2
              and not exists (select from users where id = $4 and erased_at is not null)
            order by pos desc limit $3
        ) d on true
        left join users s on s.id = d.sender_id
        left join users r on r.id = d.recipient_id
        order by d.pos";
    // Two short index scans and a merge, where `or` would read all of the shorter side.
    let with_all = "
        select h.pos as head_pos, d.id, d.pos, d.client_id, d.sender_id, d.recipient_id, d.body, d.created_at,
               s.username as sender, r.username as recipient
        from log_head h
        left join (
            select id, pos, client_id, sender_id, recipient_id, body, created_at from (
                (select d.id, d.pos, d.client_id, d.sender_id, d.recipient_id, d.body, d.created_at
                 from direct_messages d join users r on r.id = d.recipient_id and r.erased_at is null
                 where d.sender_id = $1 and d.pos < $2 order by d.pos desc limit $3)
                union all
                (select d.id, d.pos, d.client_id, d.sender_id, d.recipient_id, d.body, d.created_at
                 from direct_messages d join users s on s.id = d.sender_id and s.erased_at is null
                 where d.recipient_id = $1 and d.pos < $2 order by d.pos desc limit $3)
            ) mine
            order by pos desc limit $3
        ) d on true
        left join users s on s.id = d.sender_id
        left join users r on r.id = d.recipient_id
        order by d.pos";
    let query = sqlx::query(if with.is_some() { with_one } else { with_all })
        .bind(me)
        .bind(before.unwrap_or(Pos(i64::MAX)))
        .bind(limit);
    let query = if let Some(other) = with { query.bind(other) } else { query };
    let rows = query.fetch_all(db).await?;

    let pos = rows.first().ok_or(sqlx::Error::RowNotFound)?.try_get("head_pos")?;
    let mut messages = Vec::with_capacity(rows.len());
    for row in rows {
        // Without any message the join still returns one row, with the position.
        if row.try_get::<Option<MessageId>, _>("id")?.is_some() {
            messages.push(DirectMessageRow::from_row(&row)?.into());
        }
    }
    Ok(Page { pos, messages })
}

/// Returns `me`'s conversations whose newest message is before a position, newest first.
pub async fn conversations(db: &Db, me: UserId, before: Option<Pos>, limit: i64) -> sqlx::Result<Vec<Conversation>> {
    let rows = sqlx::query(
        "with newest as (
            select c.pos, u.id as other_id, u.username as other, u.role = 'admin' as other_is_admin
            from conversations c join users u on u.id = c.other_id and u.erased_at is null
            where c.user_id = $1 and c.pos < $2
            order by c.pos desc limit $3
         )
         select d.id, d.pos, d.client_id, d.sender_id, d.recipient_id, d.body, d.created_at,
                case when d.sender_id = $1 then me.username else n.other end as sender,
                case when d.sender_id = $1 then n.other else me.username end as recipient,
                n.other_id, n.other, n.other_is_admin
         from newest n
         join direct_messages d on d.pos = n.pos
         join users me on me.id = $1
         order by n.pos desc",
    )
    .bind(me)
    .bind(before.unwrap_or(Pos(i64::MAX)))
    .bind(limit)
    .fetch_all(db)
    .await?;

    rows.iter()
        .map(|row| {
            let role = if row.try_get("other_is_admin")? { Role::Admin } else { Role::User };
            let username = row.try_get::<String, _>("other")?.into();
            Ok(Conversation {
                user: User { id: row.try_get("other_id")?, username, role },
                last_message: DirectMessageRow::from_row(row)?.into(),
            })
        })
        .collect()
}

#[derive(FromRow)]
struct AppendedRow {
    outcome: String,
    id: Option<MessageId>,
    pos: Option<Pos>,
    body: Option<String>,
    created_at: Option<OffsetDateTime>,
    recipient: Option<String>,
}

impl AppendedRow {
    fn message(self, asked: NewDirectMessage<'_>) -> sqlx::Result<DirectMessage> {
        let missing = || sqlx::Error::Protocol("append_direct_message left out a column".to_owned());
        Ok(DirectMessage {
            id: self.id.ok_or_else(missing)?,
            pos: self.pos.ok_or_else(missing)?,
            client_id: asked.client_id,
            sender: asked.sender,
            recipient: Author { id: asked.recipient, username: self.recipient.ok_or_else(missing)?.into() },
            body: self.body.ok_or_else(missing)?.into(),
            created_at: self.created_at.ok_or_else(missing)?,
        })
    }
}

/// A row of `direct_messages` with both usernames.
#[derive(FromRow)]
pub(super) struct DirectMessageRow {
    id: MessageId,
    pos: Pos,
    client_id: ClientId,
    sender_id: UserId,
    sender: String,
    recipient_id: UserId,
    recipient: String,
    body: String,
    created_at: OffsetDateTime,
}

impl From<DirectMessageRow> for DirectMessage {
    fn from(row: DirectMessageRow) -> Self {
        Self {
            id: row.id,
            pos: row.pos,
            client_id: row.client_id,
            sender: Author { id: row.sender_id, username: row.sender.into() },
            recipient: Author { id: row.recipient_id, username: row.recipient.into() },
            body: row.body.into(),
            created_at: row.created_at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Refusal;

    struct Mail {
        db: Db,
        people: [UserId; 4],
    }

    const ADMIN: usize = 0;
    const ALI: usize = 1;
    const ZOE: usize = 2;
    const OTHER_ADMIN: usize = 3;
    const NAMES: [&str; 4] = ["admin", "ali", "zoe", "root"];

    impl Mail {
        async fn new(db: Db) -> Self {
            let people = std::array::from_fn(|_| UserId::new());
            for (id, name) in people.iter().zip(NAMES) {
                let role = if matches!(name, "admin" | "root") { "admin" } else { "user" };
                sqlx::query("insert into users (id, username, password_hash, role) values ($1, $2, '', $3)")
                    .bind(id)
                    .bind(name)
                    .bind(role)
                    .execute(&db)
                    .await
                    .expect("a user");
            }
            Self { db, people }
        }

        async fn send(
            &self,
            from: usize,
            to: usize,
            client_id: ClientId,
            body: &str,
            replies: bool,
        ) -> Outcome<Posted<DirectMessage>> {
            let sender = Author { id: self.people[from], username: NAMES[from].into() };
            let id = MessageId::new();
            let new = NewDirectMessage { id, sender, recipient: self.people[to], client_id, body, replies };
            append(&self.db, new).await.expect("an answer")
        }

        async fn refused(&self, from: usize, to: usize, replies: bool) -> Refusal {
            match self.send(from, to, ClientId::new(), "psst", replies).await {
                Err(refusal) => refusal,
                other => panic!("{other:?} should be refused"),
            }
        }

        async fn sent(&self, from: usize, to: usize, body: &str) -> DirectMessage {
            match self.send(from, to, ClientId::new(), body, true).await {
                Ok(Posted::Accepted(message)) => message,
                other => panic!("{other:?} should be accepted"),
            }
        }

        async fn read(&self, me: usize, with: Option<usize>, before: Option<Pos>, limit: i64) -> Vec<String> {
            let with = with.map(|other| self.people[other]);
            let page = page(&self.db, self.people[me], with, before, limit).await.expect("a page");
            page.messages.into_iter().map(|message| message.body.to_string()).collect()
        }
    }

    #[sqlx::test(migrations = "./migrations")]
    async fn only_sender_and_recipient_can_read_a_direct_message(pool: sqlx::PgPool) {
        let db = Db::from(pool);
        let mail = Mail::new(db).await;
        mail.sent(ADMIN, ALI, "to ali").await;
        mail.sent(ADMIN, ZOE, "to zoe").await;
        mail.sent(ALI, ADMIN, "from ali").await;

        assert_eq!(mail.read(ADMIN, None, None, 50).await, ["to ali", "to zoe", "from ali"]);
        assert_eq!(mail.read(ALI, None, None, 50).await, ["to ali", "from ali"]);
        assert_eq!(mail.read(ALI, Some(ADMIN), None, 50).await, ["to ali", "from ali"]);
        assert_eq!(mail.read(ZOE, Some(ALI), None, 50).await, Vec::<String>::new());
        assert_eq!(mail.read(ZOE, None, None, 50).await, ["to zoe"]);
        assert_eq!(mail.read(OTHER_ADMIN, None, None, 50).await, Vec::<String>::new());
        assert_eq!(mail.read(OTHER_ADMIN, Some(ALI), None, 50).await, Vec::<String>::new());
    }

    #[sqlx::test(migrations = "./migrations")]
    async fn pages_go_back_by_position(pool: sqlx::PgPool) {
        let db = Db::from(pool);
        let mail = Mail::new(db).await;
        for n in 1..=5 {
            mail.sent(ADMIN, ALI, &n.to_string()).await;
        }
        assert_eq!(mail.read(ALI, None, None, 2).await, ["4", "5"]);
        assert_eq!(mail.read(ALI, None, Some(Pos(4)), 2).await, ["2", "3"]);
        assert_eq!(mail.read(ALI, Some(ADMIN), Some(Pos(2)), 2).await, ["1"]);
    }

    #[sqlx::test(migrations = "./migrations")]
    async fn each_side_lists_a_conversation_once_newest_first(pool: sqlx::PgPool) {
        let db = Db::from(pool);
        let mail = Mail::new(db).await;
        mail.sent(ADMIN, ALI, "one").await;
        mail.sent(ADMIN, ZOE, "two").await;
        mail.sent(ALI, ADMIN, "three").await;
        let list = async |me: usize| -> Vec<(String, String)> {
            let found = conversations(&mail.db, mail.people[me], None, 50).await.expect("a list");
            found.into_iter().map(|c| (c.user.username.to_string(), c.last_message.body.to_string())).collect()
        };
        let pair = |user: &str, body: &str| (user.to_owned(), body.to_owned());
        assert_eq!(list(ADMIN).await, [pair("ali", "three"), pair("zoe", "two")]);
        assert_eq!(list(ZOE).await, [pair("admin", "two")]);
        assert_eq!(list(OTHER_ADMIN).await, []);
    }

    #[sqlx::test(migrations = "./migrations")]
    async fn the_list_of_conversations_goes_back_by_the_position_of_their_newest_message(pool: sqlx::PgPool) {
        let db = Db::from(pool);
        let mail = Mail::new(db).await;
        for to in [ALI, OTHER_ADMIN, ZOE, ALI] {
            mail.sent(ADMIN, to, "hello").await;
        }
        let (mut names, mut before) = (Vec::new(), None);
        while let [found] = &conversations(&mail.db, mail.people[ADMIN], before, 1).await.expect("a list")[..] {
            names.push(found.user.username.to_string());
            before = Some(found.last_message.pos);
        }
        assert_eq!(names, ["ali", "zoe", "root"]);
    }

    #[sqlx::test(migrations = "./migrations")]
    async fn conversations_from_before_the_table_are_in_it(pool: sqlx::PgPool) {
        let db = Db::from(pool);
        let mail = Mail::new(db).await;
        for (from, to) in [(ADMIN, ALI), (ADMIN, ZOE), (ALI, ADMIN), (ADMIN, ALI)] {
            mail.sent(from, to, "hello").await;
        }
        let all = async || -> Vec<(UserId, UserId, Pos)> {
            sqlx::query_as("select user_id, other_id, pos from conversations order by user_id, other_id")
                .fetch_all(&mail.db)
                .await
                .expect("rows")
        };
        let kept = all().await;
        assert_eq!(kept.len(), 4);
        sqlx::raw_sql("delete from conversations").execute(&mail.db).await.expect("none");
        sqlx::raw_sql(include_str!("../../migrations/0020_conversations_so_far.sql"))
            .execute(&mail.db)
            .await
            .expect("added");
        assert_eq!(all().await, kept);
    }

    #[sqlx::test(migrations = "./migrations")]
    async fn a_retry_is_a_duplicate_and_another_body_is_a_conflict(pool: sqlx::PgPool) {
        let db = Db::from(pool);
        let mail = Mail::new(db).await;
        let client_id = ClientId::new();
        let Ok(Posted::Accepted(first)) = mail.send(ADMIN, ALI, client_id, "hello", false).await else {
            panic!("the first is accepted");
        };
        let Ok(Posted::Duplicate(again)) = mail.send(ADMIN, ALI, client_id, "hello", false).await else {
            panic!("the second is a duplicate");
        };
        assert_eq!(first, again);
        for (to, body) in [(ALI, "goodbye"), (ZOE, "hello")] {
            let answer = mail.send(ADMIN, to, client_id, body, false).await;
            assert!(matches!(answer, Err(Refusal::ClientIdReused)), "{answer:?}");
        }
    }

    #[sqlx::test(migrations = "./migrations")]
    async fn only_admins_begin_and_users_may_answer_only_admins_who_wrote(pool: sqlx::PgPool) {
        let db = Db::from(pool);
        let mail = Mail::new(db).await;
        assert_eq!(mail.refused(ALI, ADMIN, true).await, Refusal::NotAllowed);
        mail.sent(ADMIN, ALI, "hello").await;
        assert_eq!(mail.refused(ALI, ADMIN, false).await, Refusal::NotAllowed);
        mail.sent(ALI, ADMIN, "an answer").await;
        assert_eq!(mail.refused(ALI, ZOE, true).await, Refusal::NotAllowed);
        assert_eq!(mail.refused(ALI, OTHER_ADMIN, true).await, Refusal::NotAllowed);
        assert_eq!(mail.refused(ADMIN, ADMIN, true).await, Refusal::ToSelf);

        let stranger = NewDirectMessage {
            id: MessageId::new(),
            sender: Author { id: mail.people[ADMIN], username: "admin".into() },
            recipient: UserId::new(),
            client_id: ClientId::new(),
            body: "anybody there?",
            replies: false,
        };
        let answer = append(&mail.db, stranger).await.expect("an answer");
        assert!(matches!(answer, Err(Refusal::Unknown("user"))), "{answer:?}");
    }
}
