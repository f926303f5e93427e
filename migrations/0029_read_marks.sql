-- Read marks: how far a user has read each room, the same on every device.
--
-- A mark is written often, so it changes nothing but its own row and the log, and a batch of marks is one transaction:
-- posts wait for the log's lock once per batch, not once per reader. Its entry in the log names the user, not the room
-- (`room_id` would put it among the events that everybody in the room replays), and keeps the values in `detail`: a
-- count of unread messages is true at one position only.
--
-- Expands the schema: the release before neither reads nor writes this table, and its new accounts get their
-- `joined_pos` by default.
create table read_marks (
    user_id  uuid not null,
    room_id  uuid not null,
    -- Messages up to here are read.
    read_seq bigint not null,
    -- Which new messages notify the user.
    level    text not null,

    primary key (user_id, room_id),
    constraint read_marks_level_known check (level in ('all', 'mentions', 'none')),
    constraint read_marks_seq_sane check (read_seq >= 0)
-- No column but those of the key is indexed, so that an update with room on its page touches no index (HOT).
) with (fillfactor = 70);

create function log_position() returns bigint
language sql stable
as $$ select pos from log_head $$;

-- The log's position when the account was created: messages up to there count as read in rooms without a mark.
-- Accounts that exist get the position of this migration. As a constant default it is stored once for all of them, so
-- the table is not rewritten.
do $$
begin
    execute format('alter table users add column joined_pos bigint not null default %s', log_position());
end $$;

alter table users alter column joined_pos set default log_position();

-- Returns the `seq` up to which a room without a mark counts as read: the newest at the position of joining, but no more
-- than 1,000 before the newest. The limit makes a room that was never opened cost two look-ups once it has that many.
create function read_at_joining(p_room uuid, p_joined bigint, p_head bigint) returns bigint
language plpgsql stable
as $$
begin
    if exists (select from messages m where m.room_id = p_room and m.seq = p_head - 1000 and m.pos > p_joined) then
        return p_head - 1000;
    end if;
    return least(coalesce(first_seq_after(p_room, p_joined) - 1, p_head), p_head);
end $$;

-- Counts messages of others in (p_read, p_head] that are not deleted, at most 1,000. Inlined into its callers, which
-- pin their plans to messages_seq_key.
--
-- Looks at the first and the last 1,000 messages of the range, and counts none between them: exact for 2,000 messages,
-- and bounded for a room full of deleted or own ones. Looks at the first and last 5 only, if `p_is_exact` is false, and
-- assumes the same share of unread messages between them.
create function unread_between(p_room uuid, p_user uuid, p_read bigint, p_head bigint, p_is_exact boolean)
returns table (unread bigint)
language sql stable
as $$
    select case when p_is_exact then count(*)
                else least(count(*) + greatest(p_head - p_read - 10, 0) * count(*) / 10, 1000) end
    from (
        (select from messages m
         where m.room_id = p_room and m.seq > p_read
           and m.seq <= least(p_read + case when p_is_exact then 1000 else 5 end, p_head)
           and m.author_id <> p_user and m.deleted_at is null)
        union all
        (select from messages m
         where m.room_id = p_room
           and m.seq > greatest(p_read, p_head - case when p_is_exact then 1000 else 5 end,
                                least(p_read + case when p_is_exact then 1000 else 5 end, p_head))
           and m.seq <= p_head
           and m.author_id <> p_user and m.deleted_at is null)
        limit 1000
    ) found
$$;

-- Returns the user's mark in each of these rooms and the number of unread messages up to `p_heads`, the rooms' newest
-- messages as the caller read them. A mark never counts beyond the head: a backup that was restored in part, or edited
-- by hand, may have fewer messages than the mark says.
--
-- Counting looks at each unread message, so a user who is far behind in 200 rooms would wait for 200,000. The rooms
-- with the fewest are counted exactly, as long as that is 2,000 messages in all; the others are estimated.
create function memberships(p_user uuid, p_rooms uuid[], p_heads bigint[])
returns table (room_id uuid, read_seq bigint, unread bigint, level text)
language plpgsql stable
set enable_seqscan = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
begin
    return query
    with marks as materialized (
        select a.room_id, a.head_seq, r.expired_seq, coalesce(m.level, 'mentions') as level,
               least(coalesce(m.read_seq, read_at_joining(a.room_id, u.joined_pos, a.head_seq)), a.head_seq) as read_seq
        from users u
        cross join unnest(p_rooms, p_heads) as a (room_id, head_seq)
        join rooms r on r.id = a.room_id
        left join read_marks m on m.user_id = u.id and m.room_id = a.room_id
        where u.id = p_user
    ), ranges as materialized (
        -- Expired messages are deleted.
        select k.room_id, k.head_seq, k.level, k.read_seq, least(greatest(k.read_seq, k.expired_seq), k.head_seq) as after
        from marks k
    ), costs as materialized (
        select g.room_id, g.head_seq, g.level, g.read_seq, g.after,
               sum(least(g.head_seq - g.after, 1000))
                   over (order by g.head_seq - g.after, g.room_id rows unbounded preceding) as total
        from ranges g
    )
    select c.room_id, c.read_seq, n.unread, c.level
    from costs c
    cross join lateral unread_between(c.room_id, p_user, c.after, c.head_seq, c.total <= 2000) n;
end $$;

-- Sets marks and levels, in the order given. Of each: the user, the room, and either how far it is read (`p_seqs`;
-- with `p_forced` the mark may move back) or the level. Outcomes: done, unchanged (takes no position), unknown_user,
-- banned, unknown_room (also an archived one, except for admins). Counts as `memberships` does, so the time under the
-- lock is bounded.
create function set_read_marks(p_users uuid[], p_rooms uuid[], p_seqs bigint[], p_forced boolean[], p_levels text[])
returns table (ord bigint, outcome text, pos bigint, at timestamptz, read_seq bigint, unread bigint, level text)
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
                insert into read_marks as m (user_id, room_id, read_seq, level)
                values (v_user.id, v_room.id, read_seq, level)
                on conflict (user_id, room_id) do update set read_seq = excluded.read_seq, level = excluded.level;
                v_after := least(greatest(read_seq, v_room.expired_seq), v_room.head_seq);
                v_cost := least(v_room.head_seq - v_after, 1000);
                select n.unread into unread
                from unread_between(v_room.id, v_user.id, v_after, v_room.head_seq, v_cost <= v_left) n;
                v_left := v_left - least(v_cost, v_left);
                v_pos := v_pos + 1;
                pos := v_pos;
                at := v_now;
                insert into log (pos, kind, at, user_id, detail)
                values (v_pos, 'room.read', v_now, v_user.id, jsonb_build_object(
                    'room_id', v_room.id, 'read_seq', read_seq, 'unread', unread, 'level', level));
            end if;
        end if;
        return next;
    end loop;
    if v_pos > v_head then
        update log_head set pos = v_pos;
    end if;
end $$;

-- Forgets what an erased user read: the marks, and then the values in the log, of at most so many entries after a
-- position. Returns the last position, null at the end. Nobody receives these events any more, so this takes no lock.
create function forget_reads(p_user uuid, p_after bigint, p_most integer) returns bigint
language plpgsql
set enable_seqscan = off
set enable_bitmapscan = off
set enable_sort = off
set jit = off
as $$
declare
    v_last bigint;
begin
    delete from read_marks m where m.user_id = p_user;
    with entries as materialized (
        select l.pos, l.kind from log l
        where (l.user_id, l.pos) > (p_user, p_after) and l.user_id = p_user
        order by l.user_id, l.pos limit p_most
    ), forgotten as (
        update log l set detail = null from entries e where l.pos = e.pos and e.kind = 'room.read'
    )
    select max(e.pos) into v_last from entries e;
    return v_last;
end $$;
