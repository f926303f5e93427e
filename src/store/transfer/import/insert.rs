//! Statements that write lines of an import.

use sqlx::PgConnection;

use super::Placed;

/// Writes lines of all kinds, each with its row of the log. The lines are sent as JSON, which the database parses.
pub(super) async fn insert<'a>(
    transaction: &mut PgConnection,
    lines: impl IntoIterator<Item = &'a Placed>,
) -> sqlx::Result<()> {
    let lines: Vec<&Placed> = lines.into_iter().collect();
    let lines = serde_json::to_string(&lines).expect("lines are made of JSON");
    for statement in INSERTS {
        sqlx::query(statement).bind(&lines).persistent(false).execute(&mut *transaction).await?;
    }
    Ok(())
}

/// Statements for each kind of line. An imported erased account is marked as being erased, so that any of its messages
/// in the import are deleted.
const INSERTS: [&str; 8] = [
    "with arrived as (
        select * from json_to_recordset($1::json) as u (
            kind text, pos bigint, id uuid, username text, password_hash text, role text, created_at timestamptz,
            muted_until timestamptz, mute_reason text, banned_at timestamptz, ban_reason text, erased_at timestamptz)
        where kind = 'user'
     ), logged as (
        insert into log (pos, kind, at, user_id, detail)
        select pos, 'user.role_set', created_at, id, jsonb_build_object('role', role) from arrived where role = 'admin'
     )
     insert into users (id, username, password_hash, role, created_at, muted_until, mute_reason, banned_at, ban_reason, erased_at)
     select id, username, coalesce(password_hash, ''), role, created_at, muted_until, mute_reason, banned_at, ban_reason, erased_at
     from arrived",
    "insert into erasures (user_id)
     select id from json_to_recordset($1::json) as u (kind text, id uuid, erased_at timestamptz)
     where kind = 'user' and erased_at is not null",
    "with arrived as (
        select * from json_to_recordset($1::json) as r (
            kind text, pos bigint, id uuid, name text, name_key text, topic text, is_archived boolean, retention_days integer,
            landing boolean, indexable boolean, first_seq bigint, created_at timestamptz)
        where kind = 'room'
     ), logged as (
        insert into log (pos, kind, at, room_id) select pos, 'room.created', created_at, id from arrived
     )
     insert into rooms (
        id, name, name_key, topic, is_archived, retention_days, landing, indexable, first_seq, expired_seq, created_at)
     select id, name, name_key, coalesce(topic, ''), is_archived, retention_days, coalesce(landing, false),
            coalesce(indexable, true), coalesce(first_seq, 1), coalesce(first_seq, 1) - 1, created_at
     from arrived",
    "with arrived as (
        select * from json_to_recordset($1::json) as m (
            kind text, pos bigint, id uuid, room_id uuid, seq bigint, author_id uuid, client_id uuid, fingerprint text,
            body text, created_at timestamptz, edited_at timestamptz, deleted_at timestamptz, reply_to bigint,
            mentions uuid[])
        where kind = 'message'
     ), logged as (
        insert into log (pos, kind, at, actor_id, room_id, message_id)
        select pos, 'message.posted', created_at, author_id, room_id, id from arrived order by pos
     )
     insert into messages (
        id, room_id, seq, pos, author_id, client_id, fingerprint, body, created_at, edited_at, deleted_at, reply_to,
        mentions)
     select id, room_id, seq, pos, author_id, client_id, decode(fingerprint, 'hex'), body, created_at, edited_at,
            deleted_at, reply_to, coalesce(mentions, '{}')
     from arrived order by pos",
    "with arrived as (
        select * from json_to_recordset($1::json) as d (
            kind text, pos bigint, id uuid, sender_id uuid, recipient_id uuid, client_id uuid, fingerprint text,
            body text, created_at timestamptz)
        where kind = 'direct_message'
     ), logged as (
        insert into log (pos, kind, at, actor_id, message_id)
        select pos, 'direct.posted', created_at, sender_id, id from arrived order by pos
     )
     insert into direct_messages (id, pos, sender_id, recipient_id, client_id, fingerprint, body, created_at)
     select id, pos, sender_id, recipient_id, client_id, decode(fingerprint, 'hex'), body, created_at
     from arrived order by pos",
    "with arrived as (
        select message_id, reactions from json_to_recordset($1::json) as r (kind text, message_id uuid, reactions jsonb)
        where kind = 'reactions'
     ), chosen as (
        insert into reactions (message_id, user_id, emoji)
        select a.message_id, u.id::uuid, e.item ->> 'emoji'
        from arrived a, jsonb_array_elements(a.reactions) as e (item), jsonb_array_elements_text(e.item -> 'users') as u (id)
     ), marked as (
        update messages m set reacted = true from arrived a where m.id = a.message_id
     )
     insert into reaction_counts (message_id, counts)
     select a.message_id, (
        select jsonb_agg(jsonb_build_object('emoji', e.item ->> 'emoji', 'count', jsonb_array_length(e.item -> 'users'))
                         order by e.ord)
        from jsonb_array_elements(a.reactions) with ordinality as e (item, ord))
     from arrived a where a.reactions <> '[]'",
    "with arrived as (
        select p.pos, m.id, m.room_id
        from json_to_recordset($1::json) as p (kind text, pos bigint, message_id uuid)
        join messages m on m.id = p.message_id and m.deleted_at is null
        where kind = 'pin'
     ), logged as (
        insert into log (pos, kind, at, room_id, message_id)
        select pos, 'message.pinned', clock_timestamp(), room_id, id from arrived
     )
     insert into pins (message_id, room_id, pos) select id, room_id, pos from arrived",
    "insert into read_marks (user_id, room_id, read_seq, level)
     select user_id, room_id, read_seq, level
     from json_to_recordset($1::json) as m (kind text, user_id uuid, room_id uuid, read_seq bigint, level text)
     where kind = 'read_mark'",
];
