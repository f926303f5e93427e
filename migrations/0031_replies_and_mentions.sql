-- Messages reply to earlier ones of their room, and mention users.
--
-- A reply stores the `seq` of the original and none of its words: what is quoted is read from the original, so that it
-- is edited and deleted with it. Mentions are ids, in the order in which they were given, so that nobody is missed
-- because of a new name.
--
-- Expands the schema: both columns have constant defaults, so the table is not rewritten, and the release before goes on
-- calling the functions that exist. So does this one for a batch without replies and mentions, which costs what it did.
alter table messages
    add column reply_to bigint,
    add column mentions uuid[] not null default '{}';

-- A deleted message keeps its place only. A trigger, because messages are deleted by several functions, some of which
-- the release before calls.
create function clear_references() returns trigger
language plpgsql
as $$
begin
    new.reply_to := null;
    new.mentions := '{}';
    return new;
end $$;

create trigger messages_without_references before update of body on messages
for each row when (new.body is null) execute function clear_references();

-- As `append_messages` of six arguments (0016), for batches in which a message replies or mentions somebody. Of each
-- message also: the `seq` that it replies to, or null, and the mentioned users as an array literal. Further outcomes:
-- unknown_reply, unknown_mention. Also returns what readers are shown of both, and the position of the log after the
-- batch.
create function append_messages(
    p_ids uuid[], p_rooms uuid[], p_authors uuid[], p_clients uuid[], p_fingerprints bytea[], p_bodies text[],
    p_replies bigint[], p_mentions text[]
) returns table (
    ord bigint, outcome text, id uuid, pos bigint, seq bigint, body text,
    created_at timestamptz, edited_at timestamptz, deleted_at timestamptz,
    reply_to bigint, quoted_id uuid, quoted_author uuid, quoted_name text, excerpt text, mentions uuid[], names text[],
    log_pos bigint
)
language plpgsql
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
    v_head bigint := lock_log();
    v_now  timestamptz := clock_timestamp();
begin
    return query
    with asked as materialized (
        select t.id, t.room, t.author, t.client, t.fingerprint, t.body, t.reply, t.mentioned::uuid[] as mentioned, t.ord,
               row_number() over (partition by t.author, t.client order by t.ord) as attempt
        from unnest(p_ids, p_rooms, p_authors, p_clients, p_fingerprints, p_bodies, p_replies, p_mentions)
            with ordinality as t (id, room, author, client, fingerprint, body, reply, mentioned, ord)
    ), found as materialized (
        select a.*,
               m.id as first_id, m.pos as first_pos, m.seq as first_seq, m.body as first_body,
               m.fingerprint as first_fingerprint, m.created_at as first_created_at, m.edited_at as first_edited_at,
               m.deleted_at as first_deleted_at,
               case when m.id is null then a.reply else m.reply_to end as reply_seq,
               case when m.id is null then a.mentioned else m.mentions end as mention_ids
        from asked a
        left join messages m on m.author_id = a.author and m.client_id = a.client
    ), judged as materialized (
        select f.*, r.head_seq, q.id as quoted_id, q.author_id as quoted_author, q.username as quoted_name, q.excerpt,
               n.names,
               case
                   when f.first_id is not null then
                       case when f.first_fingerprint = f.fingerprint then 'duplicate' else 'conflict' end
                   when u.id is null then 'unknown_user'
                   when u.banned_at is not null then 'banned'
                   when r.id is null then 'unknown_room'
                   -- Before the author's own standing: an archived room refuses everyone alike.
                   when r.is_archived then 'archived'
                   when u.muted_until > v_now then 'muted'
                   when f.reply_seq is not null and q.id is null then 'unknown_reply'
                   when n.known < cardinality(f.mention_ids) then 'unknown_mention'
                   else 'accepted'
               end as verdict
        from found f
        left join users u on u.id = f.author
        left join rooms r on r.id = f.room
        left join lateral (
            select o.id, o.author_id, w.username, left(o.body, 160) as excerpt
            from messages o join users w on w.id = o.author_id
            where o.room_id = f.room and o.seq = f.reply_seq and o.seq >= r.first_seq
        ) q on true
        left join lateral (
            select array_agg(w.username order by k.ord) as names, count(*) filter (where w.erased_at is null) as known
            from unnest(f.mention_ids) with ordinality as k (id, ord) join users w on w.id = k.id
        ) n on true
    ), accepted as materialized (
        select j.ord, j.id, j.room, j.author, j.client, j.fingerprint, j.body, j.reply_seq, j.mention_ids,
               v_head + row_number() over (order by j.ord) as new_pos,
               j.head_seq + row_number() over (partition by j.room order by j.ord) as new_seq
        from judged j
        where j.verdict = 'accepted' and j.attempt = 1
    ), inserted as (
        insert into messages (
            id, room_id, seq, pos, author_id, client_id, fingerprint, body, created_at, reply_to, mentions)
        select s.id, s.room, s.new_seq, s.new_pos, s.author, s.client, s.fingerprint, s.body, v_now, s.reply_seq,
               s.mention_ids
        from accepted s order by s.ord
    ), logged as (
        insert into log (pos, kind, at, actor_id, room_id, message_id)
        select s.new_pos, 'message.posted', v_now, s.author, s.room, s.id
        from accepted s order by s.ord
    ), counted as (
        update rooms r set head_seq = n.seq
        from (select s.room, max(s.new_seq) as seq from accepted s group by s.room) n
        where r.id = n.room
    ), total as materialized (
        select v_head + count(*) as log_pos from accepted
    ), advanced as (
        update log_head h set pos = t.log_pos from total t where t.log_pos > v_head
    )
    -- A second attempt within the batch is answered from the first, unless that was refused: `s` is the first's row.
    select j.ord,
           case
               when j.verdict <> 'accepted' or j.attempt = 1 then j.verdict
               when s.fingerprint = j.fingerprint then 'duplicate'
               else 'conflict'
           end,
           coalesce(s.id, j.first_id), coalesce(s.new_pos, j.first_pos), coalesce(s.new_seq, j.first_seq), j.first_body,
           case when s.id is null then j.first_created_at else v_now end, j.first_edited_at, j.first_deleted_at,
           j.reply_seq, j.quoted_id, j.quoted_author, j.quoted_name, j.excerpt, j.mention_ids, j.names, t.log_pos
    from judged j
    cross join total t
    left join accepted s on j.verdict = 'accepted' and s.author = j.author and s.client = j.client
    order by j.ord;
end $$;

-- As `edit_message` of three arguments (0003), with the mentioned users of the new body. Null keeps those whose token
-- the new body contains. Further outcome: unknown_mention.
create function edit_message(p_id uuid, p_actor uuid, p_body text, p_mentions uuid[])
returns table (outcome text, pos bigint)
language plpgsql
as $$
#variable_conflict use_column
declare
    v_now      timestamptz;
    v_message  messages;
    v_room     rooms;
    v_actor    users;
    v_mentions uuid[];
begin
    perform lock_log();
    v_now := clock_timestamp();
    select * into v_message from messages m where m.id = p_id;
    select * into v_room from rooms r where r.id = v_message.room_id;
    select * into v_actor from users u where u.id = p_actor;
    v_mentions := coalesce(p_mentions, array(
        select k.id from unnest(v_message.mentions) with ordinality as k (id, ord)
        where strpos(p_body, '@[user:' || k.id || ']') > 0 order by k.ord));
    outcome := case
        when v_message.id is null then 'unknown'
        when v_actor.banned_at is not null then 'banned'
        when v_room.is_archived then 'archived'
        when v_message.author_id <> p_actor then 'not_author'
        when v_message.deleted_at is not null then 'deleted'
        when v_actor.muted_until > v_now then 'muted'
        when v_message.body = p_body and v_message.mentions = v_mentions then 'unchanged'
        -- An erased user who was mentioned before may stay.
        when exists (select from unnest(p_mentions) as k (id) where k.id <> all (v_message.mentions) and not exists (
            select from users u where u.id = k.id and u.erased_at is null)) then 'unknown_mention'
        else 'done'
    end;
    if outcome = 'done' then
        update messages m set body = p_body, mentions = v_mentions, edited_at = v_now where m.id = p_id;
        pos := append_log('message.edited', v_now, p_actor, p_room => v_room.id, p_message => p_id);
    end if;
    return next;
end $$;
