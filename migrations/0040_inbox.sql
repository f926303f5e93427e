-- The inbox: messages that mention a user, and replies to the user's messages. Direct messages are part of it too, and are
-- read from their own table.
--
-- An item is a row for each notified user, written with its message under the log's lock, so events and lists agree. It
-- refers to the message, so that an edit shows and a deleted message leaves the inbox. An item is read if the room is
-- read up to its message, or the inbox up to the mark below.
--
-- Expands the schema: the release before goes on posting, editing and marking through the functions that it knows, which
-- add items as well.
create table inbox_items (
    user_id       uuid not null,
    -- Position of the message, or of the edit that added the mention: the order of the list, which direct messages share.
    pos           bigint not null,
    kind          text not null,
    message_id    uuid not null,
    room_id       uuid not null,
    seq           bigint not null,
    -- Time of the post or edit.
    at            timestamptz not null,
    -- The message mentions the whole room: an edit does not remove the item.
    mentions_room boolean not null default false,
    -- Position of its `inbox.added`; null for items of an import, which nobody received.
    log_pos       bigint,

    primary key (user_id, pos),
    constraint inbox_items_kind_known check (kind in ('mention', 'reply'))
);

-- Unread mentions of a room are counted.
create index inbox_items_by_room on inbox_items (user_id, room_id, seq);
-- Items are deleted with their messages.
create unique index inbox_items_one_of_message on inbox_items (message_id, user_id);

-- Position up to which a user has read the inbox, beside what was read in rooms.
create table inbox_marks (
    user_id uuid primary key,
    pos     bigint not null
);

-- A message to the whole room reaches those who read it lately. Of marks that exist, the time is not known: it is that
-- of this migration. A constant default, so the table is not rewritten; no index has the column, so that an update of a
-- mark with room on its page goes on touching none (HOT).
alter table read_marks add column marked_at timestamptz not null default now();

create index read_marks_by_room on read_marks (room_id);

-- The audit trail leaves these entries out too, so that it is listed as fast as before. The indexes of 0030 and 0035 stay,
-- for the release before.
--
-- Posts wait while it is built: it scans the log once, 0.2 s for 1,000,000 entries. Reads go on.
create index log_audited_without_inbox on log (pos)
where kind not in ('message.posted', 'direct.posted', 'message.edited', 'room.read', 'message.reactions', 'inbox.added')
  and (kind <> 'message.deleted' or actor_id is not null);

-- As `append_messages` of eight arguments (0031), and adds an item to the inbox of each mentioned user and of the author who
-- is replied to, each with an entry of the log after those of the posts. One item for a message; none for its author, and
-- none for somebody who is banned.
--
-- Of each message also: null, or the users to notify because it mentions the whole room, as an array literal; only admins
-- may do that. The caller looks them up (`room_audience`), so that the lock is not held meanwhile. Further outcome:
-- not_admin.
create function append_messages(
    p_ids uuid[], p_rooms uuid[], p_authors uuid[], p_clients uuid[], p_fingerprints bytea[], p_bodies text[],
    p_replies bigint[], p_mentions text[], p_audiences text[]
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
    ), accepted as materialized (
        select j.ord, j.id, j.room, j.author, j.client, j.fingerprint, j.body, j.reply_seq, j.quoted_author,
               j.mention_ids, j.audience,
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

-- For the release before.
create or replace function append_messages(
    p_ids uuid[], p_rooms uuid[], p_authors uuid[], p_clients uuid[], p_fingerprints bytea[], p_bodies text[],
    p_replies bigint[], p_mentions text[]
) returns table (
    ord bigint, outcome text, id uuid, pos bigint, seq bigint, body text,
    created_at timestamptz, edited_at timestamptz, deleted_at timestamptz,
    reply_to bigint, quoted_id uuid, quoted_author uuid, quoted_name text, excerpt text, mentions uuid[], names text[],
    log_pos bigint
)
language sql
as $$
    select * from append_messages(
        p_ids, p_rooms, p_authors, p_clients, p_fingerprints, p_bodies, p_replies, p_mentions, '{}'::text[])
$$;

-- As before (0034), with the items of these messages and their entries in the log, except those of the last day.
create or replace function delete_messages(p_room uuid, p_ids uuid[], p_positions bigint[], p_next bigint) returns void
language plpgsql
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
as $$
declare
    v_told bigint[];
begin
    with left_behind as (
        delete from inbox_items i where i.message_id = any (p_ids) returning i.log_pos
    )
    select array_agg(g.log_pos) into v_told from left_behind g;
    delete from messages m where m.id = any (p_ids);
    delete from log l where l.pos = any (p_positions);
    delete from log l where l.pos = any (v_told) and l.at < clock_timestamp() - interval '1 day';
    delete from log l where l.pos in (
        select e.pos from log e
        where (e.room_id, e.pos) > (p_room, p_positions[1]) and (e.room_id, e.pos) < (p_room, coalesce(p_next, 9223372036854775807))
          and e.room_id is not null and e.kind <> 'message.posted'
          and (e.kind = 'message.edited' or e.kind = 'message.deleted' and (e.actor_id is null or e.detail ? 'own')
               or e.kind = 'message.reactions' and e.at < clock_timestamp() - interval '1 day')
        order by e.room_id, e.pos limit 10 * cardinality(p_ids));
end $$;

-- Counts the user's items of a room with `seq` in (p_read, p_head] whose messages are not deleted or trimmed.
-- Looks at the newest 1,000.
create function mentions_between(p_user uuid, p_room uuid, p_read bigint, p_head bigint) returns bigint
language plpgsql stable
set enable_seqscan = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
as $$
begin
    return (
        select count(*)
        from (
            select i.message_id from inbox_items i
            where i.user_id = p_user and i.room_id = p_room and i.seq > p_read and i.seq <= p_head
            order by i.user_id desc, i.room_id desc, i.seq desc limit 1000
        ) newest
        join messages m on m.id = newest.message_id and m.deleted_at is null
        join rooms r on r.id = m.room_id and r.first_seq <= m.seq);
end $$;

-- As `set_read_marks` (0029), and returns the number of unread mentions, which the log keeps too.
create function set_room_marks(p_users uuid[], p_rooms uuid[], p_seqs bigint[], p_forced boolean[], p_levels text[])
returns table (ord bigint, outcome text, pos bigint, at timestamptz, read_seq bigint, unread bigint, level text,
              mentions bigint)
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
    if v_pos > v_head then
        update log_head set pos = v_pos;
    end if;
end $$;

-- For the release before.
create or replace function set_read_marks(
    p_users uuid[], p_rooms uuid[], p_seqs bigint[], p_forced boolean[], p_levels text[]
) returns table (ord bigint, outcome text, pos bigint, at timestamptz, read_seq bigint, unread bigint, level text)
language sql
as $$
    select m.ord, m.outcome, m.pos, m.at, m.read_seq, m.unread, m.level
    from set_room_marks(p_users, p_rooms, p_seqs, p_forced, p_levels) m
$$;

-- Returns the newest items before a position: of the table above, and direct messages to the user. Leaves out deleted
-- and trimmed messages, archived rooms and erased senders.
create function inbox_page(p_user uuid, p_before bigint, p_most bigint)
returns table (pos bigint, kind text, message_id uuid, at timestamptz, is_read boolean)
language plpgsql stable
set enable_seqscan = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
as $$
#variable_conflict use_column
declare
    v_joined bigint := (select u.joined_pos from users u where u.id = p_user);
    v_mark   bigint := coalesce((select m.pos from inbox_marks m where m.user_id = p_user), 0);
begin
    return query
    with items as materialized (
        (select i.pos, i.kind, i.message_id, i.at, i.room_id, i.seq, r.head_seq
         from inbox_items i
         join messages m on m.id = i.message_id and m.deleted_at is null
         join rooms r on r.id = i.room_id and r.first_seq <= i.seq and not r.is_archived
         where i.user_id = p_user and i.pos < p_before
         order by i.user_id desc, i.pos desc limit p_most)
        union all
        (select d.pos, 'direct', d.id, d.created_at, null, null, null
         from direct_messages d
         join users s on s.id = d.sender_id and s.erased_at is null
         where d.recipient_id = p_user and d.pos < p_before
         order by d.recipient_id desc, d.pos desc limit p_most)
    )
    select e.pos, e.kind, e.message_id, e.at,
           e.pos <= v_mark or coalesce(
               e.seq <= coalesce(k.read_seq, read_at_joining(e.room_id, v_joined, e.head_seq)), false)
    from items e
    left join read_marks k on k.user_id = p_user and k.room_id = e.room_id
    order by e.pos desc limit p_most;
end $$;

-- Marks the inbox as read up to a position, never back, and never beyond what exists.
create function mark_inbox_read(p_user uuid, p_pos bigint) returns void
language sql
as $$
    insert into inbox_marks as m (user_id, pos) values (p_user, least(p_pos, log_position()))
    on conflict (user_id) do update set pos = greatest(m.pos, excluded.pos)
$$;
