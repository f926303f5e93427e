-- Resuming a stream costs what was missed in its own rooms, not what was posted in all others.
--
-- Missed events are read by topic: a room, a user, or the lobby, which everybody hears. Each topic has an index that is
-- ordered by position. The posts of a room need none: `pos` grows with `seq`, so the first missed `seq` is found by a
-- search in messages_seq_key, and posting writes to no new index.
--
-- Posts wait while the three indexes are built. Each build scans the log once and sorts only the few rows that are not
-- posts: 0.6 s together for 1,000,000 posts, measured on two busy cores. Reads go on.

-- Edits, deletions and settings of a room.
create index log_by_room on log (room_id, pos) where room_id is not null and kind <> 'message.posted';
-- Rights and sessions of a user. Makes log_by_user redundant, which stays: to drop it, a migration would wait for dumps.
create index log_by_user_and_pos on log (user_id, pos) where user_id is not null;
-- Kinds that everybody hears: all but the kinds of messages, of which there are many.
create index log_by_kind on log (kind, pos)
where kind not in ('message.posted', 'message.edited', 'message.deleted', 'direct.posted');

-- Returns the `seq` from which on the messages of a room are later than `p_pos`; null if none is. Looks at the newest
-- messages first, twice as far back with each step, so that a reader who missed little costs little. A `seq` may be
-- missing.
create function first_seq_after(p_room uuid, p_pos bigint) returns bigint
language plpgsql stable
as $$
declare
    v_seq   bigint;
    v_pos   bigint;
    v_step  bigint := 1;
    v_probe bigint;
    -- Messages up to `v_heard` are not later than `p_pos`; those from `v_missed` on are.
    v_heard  bigint := 0;
    v_missed bigint;
begin
    select m.seq, m.pos into v_missed, v_pos from messages m
    where m.room_id = p_room order by m.room_id desc, m.seq desc limit 1;
    if v_missed is null or v_pos <= p_pos then
        return null;
    end if;
    v_probe := v_missed - v_step;
    while v_heard + 1 < v_missed loop
        v_probe := greatest(v_probe, v_heard + 1);
        select m.seq, m.pos into v_seq, v_pos from messages m
        where m.room_id = p_room and m.seq >= v_probe order by m.room_id, m.seq limit 1;
        if v_pos > p_pos then
            v_missed := v_probe;
            v_step := v_step * 2;
        else
            v_heard := v_seq;
            -- From here on halves the rest.
            v_step := null;
        end if;
        v_probe := case when v_heard = 0 then v_missed - v_step else (v_heard + v_missed) / 2 end;
    end loop;
    return v_missed;
end $$;

-- Reads the events of topics that follow a position each, at most up to `p_upto`: those of a room (an element of
-- `p_rooms`), of a user (of `p_users`), or of the lobby (neither), whose kinds are in `p_lobby`. Of each topic the first
-- `p_most` are returned in order, then a row without `pos`, which says that the topic was read. The first `p_own` topics
-- are read in any case, and others until there are `p_enough` rows.
--
-- Plans are pinned to the indexes of topics. A range of (room_id, pos) as a row comparison fits no other index: written
-- as two conditions, the planner might walk through all later positions of the log instead.
create function read_topics(
    p_rooms uuid[], p_users uuid[], p_after bigint[], p_most integer[], p_lobby log_kind[], p_upto bigint,
    p_own integer, p_enough bigint
) returns table (
    topic integer, pos bigint, kind log_kind, at timestamptz, room_id uuid, message_id uuid, user_id uuid, detail jsonb
)
language plpgsql stable
set enable_seqscan = off
set enable_bitmapscan = off
set enable_sort = off
set jit = off
as $$
#variable_conflict use_column
declare
    v_topic integer;
    v_room  uuid;
    v_user  uuid;
    v_after bigint;
    v_most  integer;
    v_seq   bigint;
    v_count bigint;
    v_total bigint := 0;
begin
    for v_topic in 1 .. cardinality(p_after) loop
        exit when v_topic > p_own and v_total >= p_enough;
        v_room := p_rooms[v_topic];
        v_user := p_users[v_topic];
        v_after := p_after[v_topic];
        v_most := p_most[v_topic];
        if v_room is not null then
            v_seq := first_seq_after(v_room, v_after);
            return query
            select v_topic, e.pos, e.kind, e.at, e.room_id, e.message_id, e.user_id, e.detail
            from (
                (select m.pos, 'message.posted'::log_kind as kind, m.created_at as at, m.room_id, m.id as message_id,
                        null::uuid as user_id, null::jsonb as detail
                 from messages m
                 where m.room_id = v_room and m.seq >= v_seq
                 order by m.room_id, m.seq limit v_most)
                union all
                (select l.pos, l.kind, l.at, l.room_id, l.message_id, l.user_id, l.detail
                 from log l
                 where (l.room_id, l.pos) > (v_room, v_after) and (l.room_id, l.pos) <= (v_room, p_upto)
                   and l.room_id is not null and l.kind <> 'message.posted'
                 order by l.room_id, l.pos limit v_most)
            ) e
            where e.pos <= p_upto
            order by e.pos limit v_most;
        elsif v_user is not null then
            return query
            select v_topic, l.pos, l.kind, l.at, l.room_id, l.message_id, l.user_id, l.detail
            from (
                (select l.pos from log l
                 where (l.user_id, l.pos) > (v_user, v_after) and (l.user_id, l.pos) <= (v_user, p_upto)
                   and l.user_id is not null
                 order by l.user_id, l.pos limit v_most)
                union
                (select d.pos from direct_messages d
                 where (d.sender_id, d.pos) > (v_user, v_after) and (d.sender_id, d.pos) <= (v_user, p_upto)
                 order by d.sender_id, d.pos limit v_most)
                union
                (select d.pos from direct_messages d
                 where (d.recipient_id, d.pos) > (v_user, v_after) and (d.recipient_id, d.pos) <= (v_user, p_upto)
                 order by d.recipient_id, d.pos limit v_most)
                order by pos limit v_most
            ) e
            join log l on l.pos = e.pos
            order by e.pos;
        else
            return query
            select v_topic, e.pos, e.kind, e.at, e.room_id, e.message_id, e.user_id, e.detail
            from unnest(p_lobby) as k (kind)
            cross join lateral (
                select l.pos, l.kind, l.at, l.room_id, l.message_id, l.user_id, l.detail
                from log l
                where (l.kind, l.pos) > (k.kind, v_after) and (l.kind, l.pos) <= (k.kind, p_upto)
                  and l.kind not in ('message.posted', 'message.edited', 'message.deleted', 'direct.posted')
                order by l.kind, l.pos limit v_most
            ) e
            order by e.pos limit v_most;
        end if;
        get diagnostics v_count = row_count;
        v_total := v_total + v_count;
        return query
        select v_topic, null::bigint, null::log_kind, null::timestamptz, null::uuid, null::uuid, null::uuid, null::jsonb;
    end loop;
end $$;
