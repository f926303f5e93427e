-- Deletion by age gives space back, and costs readers one event for many messages.
--
-- Each expired message became a tombstone with a row of the log and an event of its own. Now a room is *trimmed*: it has
-- a first `seq`, all below it is gone, and one event, `room.trimmed`, says so. Expired messages are always the oldest of
-- their room, so one number is enough. Their rows and those of the log are deleted: a position without a row is one
-- whose event is gone, and replay passes over it. Messages that are kept still have no gap in `seq`.
--
-- A message that is younger than 30 days when it expires leaves a *receipt* until it is that old: its row without the
-- body, which no list or stream shows. By it a retry of the post is recognised, for the 30 days for which a session is
-- renewed without being used.
--
-- The previous release goes on making tombstones, passes over `room.trimmed`, and shows receipts as deleted messages. It
-- must not meet a missing position of the last minutes, of which it may still have to read the log: rows of messages are
-- 30 days old when they go, and those of `room.trimmed` a day.
alter type log_kind add value 'room.trimmed';

alter table rooms
    -- The `seq` of the oldest message that is kept; `head_seq + 1` if none is.
    add column first_seq bigint not null default 1;

-- Time for which a repeated post is recognised, however soon it expires.
create function receipts_kept() returns interval
language sql immutable
as $$ select interval '30 days' $$;

-- Rooms that have something to trim, or receipts to delete. `p_days` is for rooms without a setting of their own; 0 and
-- null keep for ever. Looks at two entries of an index for each room.
create function rooms_to_trim(p_days integer) returns setof uuid
language sql stable
set enable_seqscan = off
as $$
    select r.id from rooms r
    where (select m.created_at from messages m where m.room_id = r.id and m.seq = r.first_seq)
              < clock_timestamp() - make_interval(days => nullif(coalesce(r.retention_days, p_days), 0))
       or r.first_seq > 1
          and (select m.created_at from messages m where m.room_id = r.id order by m.seq limit 1)
              < clock_timestamp() - receipts_kept()
          and (select m.seq from messages m where m.room_id = r.id order by m.seq limit 1) < r.first_seq
$$;

-- As before, and notes in `detail` that authors deleted messages of their own: the audit trail leaves those out, also
-- once the message's row is gone.
create or replace function delete_message(p_id uuid, p_actor uuid)
returns table (outcome text, pos bigint, room_id uuid, seq bigint, deleted_at timestamptz)
language plpgsql
as $$
#variable_conflict use_column
declare
    v_now     timestamptz;
    v_message messages;
    v_room    rooms;
    v_actor   users;
begin
    perform lock_log();
    v_now := clock_timestamp();
    select * into v_message from messages m where m.id = p_id;
    select * into v_room from rooms r where r.id = v_message.room_id;
    select * into v_actor from users u where u.id = p_actor;
    room_id := v_room.id;
    seq := v_message.seq;
    deleted_at := v_now;
    outcome := case
        when v_message.id is null then 'unknown'
        when v_actor.banned_at is not null then 'banned'
        when v_room.is_archived then 'archived'
        when v_message.author_id <> p_actor and v_actor.role <> 'admin' then 'not_author'
        when v_message.deleted_at is not null then 'unchanged'
        else 'done'
    end;
    if outcome = 'done' then
        update messages m set body = null, deleted_at = v_now where m.id = p_id;
        pos := append_log('message.deleted', v_now, p_actor, p_room => v_room.id, p_message => p_id, p_detail =>
            case when v_message.author_id = p_actor then '{"own": true}'::jsonb end);
    end if;
    return next;
end $$;

-- Deletes the rows of these messages and of their posts in the log, with the room's edits and deletions that come
-- before `p_next` in the log, the next message: they can only be about earlier ones. Deletions that the audit trail
-- shows stay.
create function delete_messages(p_room uuid, p_ids uuid[], p_positions bigint[], p_next bigint) returns void
language plpgsql
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
as $$
begin
    delete from messages m where m.id = any (p_ids);
    delete from log l where l.pos = any (p_positions);
    delete from log l where l.pos in (
        select e.pos from log e
        where (e.room_id, e.pos) > (p_room, p_positions[1]) and (e.room_id, e.pos) < (p_room, coalesce(p_next, 9223372036854775807))
          and e.room_id is not null and e.kind <> 'message.posted'
          and (e.kind = 'message.edited' or e.kind = 'message.deleted' and (e.actor_id is null or e.detail ? 'own'))
        order by e.room_id, e.pos limit 10 * cardinality(p_ids));
end $$;

-- Trims a room: at most `p_most` messages, and as many receipts. Returns the larger number, and the position of
-- `room.trimmed` if there is one. Messages are numbered in the order of their times, except if a clock was set back:
-- those wait a little longer. An archived room is trimmed silently, as `detail` tells the instances.
create function trim_room(p_room uuid, p_days integer, p_most integer)
returns table (passed bigint, pos bigint)
language plpgsql
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
as $$
#variable_conflict use_column
declare
    v_room      rooms;
    v_now       timestamptz;
    v_before    timestamptz;
    v_receipts  timestamptz;
    v_upto      bigint;
    v_next      bigint;
    v_ids       uuid[];
    v_positions bigint[];
begin
    perform lock_log();
    v_now := clock_timestamp();
    v_receipts := v_now - receipts_kept();
    select * into v_room from rooms r where r.id = p_room;
    v_before := v_now - make_interval(days => nullif(coalesce(v_room.retention_days, p_days), 0));

    with oldest as materialized (
        select m.id, m.seq, m.pos, m.created_at from messages m
        where m.room_id = p_room and m.seq < v_room.first_seq
        order by m.seq limit p_most
    ), young as (
        select min(o.seq) as seq from oldest o where o.created_at >= v_receipts
    )
    select array_agg(o.id order by o.seq), array_agg(o.pos order by o.seq), max(o.seq), count(*)
    into v_ids, v_positions, v_upto, passed
    from oldest o, young y where y.seq is null or o.seq < y.seq;
    if v_upto is not null then
        v_next := (select m.pos from messages m where m.room_id = p_room and m.seq = v_upto + 1);
        perform delete_messages(p_room, v_ids, v_positions, v_next);
    end if;

    with oldest as materialized (
        select m.id, m.seq, m.pos, m.created_at from messages m
        where m.room_id = p_room and m.seq >= v_room.first_seq
        order by m.seq limit p_most
    ), young as (
        select min(o.seq) as seq from oldest o where (o.created_at < v_before) is not true
    )
    select array_agg(o.id order by o.seq) filter (where o.created_at < v_receipts),
           array_agg(o.pos order by o.seq) filter (where o.created_at < v_receipts),
           max(o.seq), greatest(passed, count(*))
    into v_ids, v_positions, v_upto, passed
    from oldest o, young y where y.seq is null or o.seq < y.seq;
    if v_upto is not null then
        if v_ids is not null then
            v_next := (select m.pos from messages m where m.room_id = p_room and m.seq = v_upto + 1);
            perform delete_messages(p_room, v_ids, v_positions, v_next);
        end if;
        update messages m set body = null, deleted_at = v_now
        where m.room_id = p_room and m.seq >= v_room.first_seq and m.seq <= v_upto and m.body is not null;
        -- The previous release continues after `expired_seq`.
        update rooms r set first_seq = v_upto + 1, expired_seq = greatest(r.expired_seq, v_upto) where r.id = p_room;
        pos := append_log('room.trimmed', v_now, null, p_room => p_room, p_detail =>
            jsonb_build_object('first_seq', v_upto + 1)
            || case when v_room.is_archived then '{"archived": true}'::jsonb else '{}' end);
    end if;
    return next;
end $$;

-- One step of a walk over `room.trimmed` in the log: deletes those of more than a day ago that a later one of the same
-- room includes. Returns where the next step begins; null at the end. Takes no position and no lock.
create function remove_superseded_trims(p_after bigint, p_most integer) returns bigint
language plpgsql
set enable_seqscan = off
set enable_bitmapscan = off
set jit = off
as $$
declare
    v_seen bigint[];
begin
    v_seen := array(
        select l.pos from log l
        where (l.kind, l.pos) > ('room.trimmed', p_after) and l.kind = 'room.trimmed'
          and l.kind not in ('message.posted', 'message.edited', 'message.deleted', 'direct.posted')
          and l.at < clock_timestamp() - interval '1 day'
        order by l.kind, l.pos limit p_most);
    delete from log l using rooms r
    where l.pos = any (v_seen) and r.id = l.room_id and (l.detail ->> 'first_seq')::bigint < r.first_seq;
    return case when cardinality(v_seen) = p_most then v_seen[p_most] end;
end $$;
