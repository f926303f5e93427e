-- The heads of the log and of rooms are read from indexes instead of counted.
--
-- Each post updated the row of `log_head` and that of its room. While a transaction with an older snapshot is open, such
-- as a dump, their former versions cannot be removed, and every post walked over all of them: 18,000 posts later, one
-- cost five times as much. Now nothing is updated. The newest position is that of the log's newest entry, and the newest
-- `seq` of a room that of its newest message; both are the last entry of an index.
--
-- The release before reads both as columns, from queries of its own, so the names `log_head` and `rooms` become views of
-- the tables, with the same columns in the same order. Everything but the two heads can be updated through them. The
-- columns in the tables stay, as lower bounds: what was counted until now, and the position of a deleted entry, see below.
-- A room that has lost all its messages by age has its head from `first_seq`.
alter table log_head rename to stored_log_head;
alter table rooms rename to stored_rooms;

create view log_head as
select h.only_row, h.epoch, greatest(h.pos, (select max(l.pos) from log l)) as pos, h.chat, h.cluster
from stored_log_head h;

create view rooms as
select r.id, r.name, r.name_key, r.is_archived,
       greatest(r.head_seq, r.first_seq - 1, (select max(m.seq) from messages m where m.room_id = r.id)) as head_seq,
       r.created_at, r.retention_days, r.expired_seq, r.topic, r.first_seq, r.landing, r.indexable
from stored_rooms r;

-- Deletions by age may delete the newest entry of a quiet log, whose position must not be given to another.
create function keep_log_head() returns trigger
language plpgsql
as $$
declare
    v_deleted bigint := (select max(d.pos) from deleted d);
begin
    if v_deleted > coalesce((select max(l.pos) from log l), 0) then
        update stored_log_head h set pos = greatest(h.pos, v_deleted);
    end if;
    return null;
end $$;

create trigger log_head_kept after delete on log referencing old table as deleted
for each statement execute function keep_log_head();

-- The head is read by a second statement: the snapshot of the first is older than the lock it waited for.
create or replace function lock_log() returns bigint
language plpgsql
as $$
begin
    perform from stored_log_head for update;
    return (select h.pos from log_head h);
end $$;

create or replace function append_log(
    p_kind log_kind, p_at timestamptz, p_actor uuid,
    p_room uuid default null, p_message uuid default null, p_user uuid default null, p_detail jsonb default null
) returns bigint
language plpgsql
as $$
declare
    v_pos bigint;
begin
    select h.pos + 1 into v_pos from log_head h;
    insert into log (pos, kind, at, actor_id, room_id, message_id, user_id, detail)
    values (v_pos, p_kind, p_at, p_actor, p_room, p_message, p_user, p_detail);
    return v_pos;
end $$;

create or replace function append_messages(
    p_ids uuid[], p_rooms uuid[], p_authors uuid[], p_clients uuid[], p_fingerprints bytea[], p_bodies text[]
) returns table (
    ord bigint, outcome text, id uuid, pos bigint, seq bigint, body text,
    created_at timestamptz, edited_at timestamptz, deleted_at timestamptz
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
        select t.*, row_number() over (partition by t.author, t.client order by t.ord) as attempt
        from unnest(p_ids, p_rooms, p_authors, p_clients, p_fingerprints, p_bodies)
            with ordinality as t (id, room, author, client, fingerprint, body, ord)
    ), judged as materialized (
        select a.*,
               m.id as first_id, m.pos as first_pos, m.seq as first_seq, m.body as first_body,
               m.created_at as first_created_at, m.edited_at as first_edited_at, m.deleted_at as first_deleted_at,
               case
                   when m.id is not null then
                       case when m.fingerprint = a.fingerprint then 'duplicate' else 'conflict' end
                   when u.id is null then 'unknown_user'
                   when u.banned_at is not null then 'banned'
                   when r.id is null then 'unknown_room'
                   -- Before the author's own standing: an archived room refuses everyone alike.
                   when r.is_archived then 'archived'
                   when u.muted_until > v_now then 'muted'
                   else 'accepted'
               end as verdict
        from asked a
        left join messages m on m.author_id = a.author and m.client_id = a.client
        left join users u on u.id = a.author
        left join rooms r on r.id = a.room
    ), numbered as (
        select j.ord, j.id, j.room, j.author, j.client, j.fingerprint, j.body,
               row_number() over (partition by j.room order by j.ord) as nth
        from judged j
        where j.verdict = 'accepted' and j.attempt = 1
    ), accepted as materialized (
        -- The head of a room is looked up once, for the first of its messages.
        select k.ord, k.id, k.room, k.author, k.client, k.fingerprint, k.body,
               v_head + row_number() over (order by k.ord) as new_pos,
               k.nth + max(case when k.nth = 1 then (select h.head_seq from rooms h where h.id = k.room) end)
                           over (partition by k.room) as new_seq
        from numbered k
    ), inserted as (
        insert into messages (id, room_id, seq, pos, author_id, client_id, fingerprint, body, created_at)
        select s.id, s.room, s.new_seq, s.new_pos, s.author, s.client, s.fingerprint, s.body, v_now
        from accepted s order by s.ord
    ), logged as (
        insert into log (pos, kind, at, actor_id, room_id, message_id)
        select s.new_pos, 'message.posted', v_now, s.author, s.room, s.id
        from accepted s order by s.ord
    )
    select s.ord, 'accepted', s.id, s.new_pos, s.new_seq,
           -- The caller has the body of what it posted; only an older one must travel.
           null, v_now, null::timestamptz, null::timestamptz
    from accepted s
    union all
    select j.ord, j.verdict, j.first_id, j.first_pos, j.first_seq,
           j.first_body, j.first_created_at, j.first_edited_at, j.first_deleted_at
    from judged j
    where j.verdict <> 'accepted'
    union all
    -- A second attempt within the batch is answered from the first, unless that was refused.
    select j.ord, case when s.fingerprint = j.fingerprint then 'duplicate' else 'conflict' end,
           s.id, s.new_pos, s.new_seq, null, case when s.id is not null then v_now end, null, null
    from judged j
    left join accepted s on s.author = j.author and s.client = j.client
    where j.verdict = 'accepted' and j.attempt > 1
    order by ord;
end$$;

-- As before, without the counters.

create or replace function bury_messages(p_ids uuid[])
returns bigint
language plpgsql
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
as $$
declare
    v_head  bigint;
    v_count bigint;
    v_now   timestamptz := clock_timestamp();
begin
    select pos into v_head from log_head;
    with dying as materialized (
        select m.id, m.room_id, r.is_archived, v_head + row_number() over (order by m.pos) as pos
        from unnest(p_ids) as asked (id) join messages m on m.id = asked.id join rooms r on r.id = m.room_id
        where m.body is not null
    ), buried as (
        update messages m set body = null, deleted_at = v_now from dying d where m.id = d.id
    ), logged as (
        insert into log (pos, kind, at, room_id, message_id, detail)
        select d.pos, 'message.deleted', v_now, d.room_id, d.id,
               case when d.is_archived then '{"archived": true}'::jsonb end
        from dying d order by d.pos
    )
    select count(*) into v_count from dying;
    if v_count = 0 then
        return null;
    end if;
    return v_head + v_count;
end $$;

create or replace function append_messages(
    p_ids uuid[], p_rooms uuid[], p_authors uuid[], p_clients uuid[], p_fingerprints bytea[], p_bodies text[],
    p_replies bigint[], p_mentions text[], p_audiences text[]
)
returns table (
    ord bigint, outcome text, id uuid, pos bigint, seq bigint, body text, created_at timestamptz,
    edited_at timestamptz, deleted_at timestamptz, reply_to bigint, quoted_id uuid, quoted_author uuid,
    quoted_name text, excerpt text, mentions uuid[], names text[], log_pos bigint
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
        select t.id, t.room, t.author, t.client, t.fingerprint, t.body, t.reply, t.mentioned::uuid[] as mentioned,
               t.audience::uuid[] as audience, t.ord,
               row_number() over (partition by t.author, t.client order by t.ord) as attempt
        from unnest(p_ids, p_rooms, p_authors, p_clients, p_fingerprints, p_bodies, p_replies, p_mentions, p_audiences)
            with ordinality as t (id, room, author, client, fingerprint, body, reply, mentioned, audience, ord)
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
        select f.*, q.id as quoted_id, q.author_id as quoted_author, q.username as quoted_name, q.excerpt,
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
                   when f.audience is not null and u.role <> 'admin' then 'not_admin'
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
    ), numbered as (
        select j.ord, j.id, j.room, j.author, j.client, j.fingerprint, j.body, j.reply_seq, j.quoted_author,
               j.mention_ids, j.audience,
               row_number() over (partition by j.room order by j.ord) as nth
        from judged j
        where j.verdict = 'accepted' and j.attempt = 1
    ), accepted as materialized (
        select k.ord, k.id, k.room, k.author, k.client, k.fingerprint, k.body, k.reply_seq, k.quoted_author,
               k.mention_ids, k.audience,
               v_head + row_number() over (order by k.ord) as new_pos,
               k.nth + max(case when k.nth = 1 then (select h.head_seq from rooms h where h.id = k.room) end)
                           over (partition by k.room) as new_seq
        from numbered k
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
    ), told as materialized (
        select p.user_id, p.kind, p.mentions_room, s.new_pos, s.new_seq, s.id, s.room,
               v_head + (select count(*) from accepted) + row_number() over (order by s.ord, p.place) as log_pos
        from accepted s
        cross join lateral (
            -- Somebody who is replied to and mentioned gets one item, of the kind that comes first.
            select e.user_id, min(e.place) as place, bool_or(e.place >= 1000) as mentions_room,
                   case when min(e.place) = 0 then 'reply' else 'mention' end as kind
            from (
                select s.quoted_author as user_id, 0 as place
                union all
                select k.id, k.ord from unnest(s.mention_ids) with ordinality as k (id, ord)
                union all
                select k.id, 1000 + k.ord from unnest(s.audience) with ordinality as k (id, ord)
            ) e
            group by e.user_id
        ) p
        join users u on u.id = p.user_id and u.banned_at is null and u.erased_at is null
        where p.user_id <> s.author
    ), delivered as (
        insert into inbox_items (user_id, pos, kind, message_id, room_id, seq, at, mentions_room, log_pos)
        select t.user_id, t.new_pos, t.kind, t.id, t.room, t.new_seq, v_now, t.mentions_room, t.log_pos from told t
    ), announced as (
        insert into log (pos, kind, at, user_id, message_id, detail)
        select t.log_pos, 'inbox.added', v_now, t.user_id, t.id, jsonb_build_object('kind', t.kind, 'pos', t.new_pos)
        from told t order by t.log_pos
    ), total as materialized (
        select v_head + (select count(*) from accepted) + (select count(*) from told) as log_pos
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

create or replace function set_room_marks(
    p_users uuid[], p_rooms uuid[], p_seqs bigint[], p_forced boolean[], p_levels text[]
)
returns table (
    ord bigint, outcome text, pos bigint, at timestamptz, read_seq bigint, unread bigint, level text,
    mentions bigint
)
language plpgsql
set enable_seqscan = off
set enable_bitmapscan = off
set jit = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
    v_head  bigint := lock_log();
    v_pos   bigint := v_head;
    v_now   timestamptz := clock_timestamp();
    v_asked record;
    v_user  record;
    v_room  record;
    v_mark  record;
    v_read  bigint;
    v_after bigint;
    -- Messages that may still be counted exactly.
    v_left  bigint := 2000;
    v_cost  bigint;
begin
    for v_asked in
        select a.user_id, a.room_id, a.seq, a.is_forced, a.level, a.ord
        from unnest(p_users, p_rooms, p_seqs, p_forced, p_levels) with ordinality
            as a (user_id, room_id, seq, is_forced, level, ord)
        order by a.ord
    loop
        select u.id, u.role, u.banned_at, u.joined_pos into v_user
        from users u where u.id = v_asked.user_id and u.erased_at is null;
        select r.id, r.head_seq, r.expired_seq, r.is_archived into v_room from rooms r where r.id = v_asked.room_id;
        select m.read_seq, m.level into v_mark
        from read_marks m where m.user_id = v_asked.user_id and m.room_id = v_asked.room_id;
        ord := v_asked.ord;
        pos := null;
        outcome := case
            when v_user.id is null then 'unknown_user'
            when v_user.banned_at is not null then 'banned'
            when v_room.id is null or v_room.is_archived and v_user.role <> 'admin' then 'unknown_room'
            else 'done'
        end;
        if outcome = 'done' then
            v_read := least(
                coalesce(v_mark.read_seq, read_at_joining(v_room.id, v_user.joined_pos, v_room.head_seq)),
                v_room.head_seq);
            read_seq := case
                when v_asked.seq is null then v_read
                when v_asked.is_forced then least(v_asked.seq, v_room.head_seq)
                else greatest(v_read, least(v_asked.seq, v_room.head_seq))
            end;
            level := coalesce(v_asked.level, v_mark.level, 'mentions');
            if read_seq = v_read and level = coalesce(v_mark.level, 'mentions') then
                outcome := 'unchanged';
            else
                insert into read_marks as m (user_id, room_id, read_seq, level, marked_at)
                values (v_user.id, v_room.id, read_seq, level, v_now)
                on conflict (user_id, room_id) do update
                set read_seq = excluded.read_seq, level = excluded.level, marked_at = excluded.marked_at;
                v_after := least(greatest(read_seq, v_room.expired_seq), v_room.head_seq);
                v_cost := least(v_room.head_seq - v_after, 1000);
                select n.unread into unread
                from unread_between(v_room.id, v_user.id, v_after, v_room.head_seq, v_cost <= v_left) n;
                v_left := v_left - least(v_cost, v_left);
                mentions := mentions_between(v_user.id, v_room.id, read_seq, v_room.head_seq);
                v_pos := v_pos + 1;
                pos := v_pos;
                at := v_now;
                insert into log (pos, kind, at, user_id, detail)
                values (v_pos, 'room.read', v_now, v_user.id, jsonb_build_object(
                    'room_id', v_room.id, 'read_seq', read_seq, 'unread', unread, 'mentions', mentions, 'level', level));
            end if;
        end if;
        return next;
    end loop;
end $$;
