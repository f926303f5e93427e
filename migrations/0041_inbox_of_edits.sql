-- Edits add mentions and remove them, and an admin's message may mention a whole room.
--
-- Expands the schema: the release before edits through the function that is replaced.

-- As before (0031), and a user who is newly mentioned gets an item, at the position of the edit, unless the message is in
-- the inbox already. One who is no longer mentioned loses it: the entry is emptied, so that it is not replayed, and a
-- `room.read` with the new count follows if the message was unread. `pos` is the last position taken.
create or replace function edit_message(p_id uuid, p_actor uuid, p_body text, p_mentions uuid[])
returns table (outcome text, pos bigint)
language plpgsql
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
declare
    v_now      timestamptz;
    v_message  messages;
    v_room     rooms;
    v_actor    users;
    v_mentions uuid[];
    v_edit     bigint;
    v_item     record;
    v_user     uuid;
    v_mark     record;
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
        v_edit := append_log('message.edited', v_now, p_actor, p_room => v_room.id, p_message => p_id);
        pos := v_edit;
        for v_item in
            delete from inbox_items i
            where i.message_id = p_id and i.user_id = any (v_message.mentions) and i.user_id <> all (v_mentions)
              and i.kind = 'mention' and not i.mentions_room
            returning i.user_id, i.log_pos
        loop
            update log l set detail = null where l.pos = v_item.log_pos;
            select m.read_seq, m.unread, m.level into v_mark
            from memberships(v_item.user_id, array[v_room.id], array[v_room.head_seq]) m;
            if v_message.seq > v_mark.read_seq then
                pos := append_log('room.read', v_now, null, p_user => v_item.user_id, p_detail => jsonb_build_object(
                    'room_id', v_room.id, 'read_seq', v_mark.read_seq, 'unread', v_mark.unread,
                    'mentions', mentions_between(v_item.user_id, v_room.id, v_mark.read_seq, v_room.head_seq),
                    'level', v_mark.level));
            end if;
        end loop;
        for v_user in
            select k.id
            from unnest(v_mentions) with ordinality as k (id, ord)
            join users u on u.id = k.id and u.banned_at is null and u.erased_at is null
            where k.id <> all (v_message.mentions) and k.id <> p_actor
              and not exists (select from inbox_items i where i.message_id = p_id and i.user_id = k.id)
            order by k.ord
        loop
            pos := append_log('inbox.added', v_now, null, p_message => p_id, p_user => v_user, p_detail =>
                jsonb_build_object('kind', 'mention', 'pos', v_edit));
            insert into inbox_items (user_id, pos, kind, message_id, room_id, seq, at, log_pos)
            values (v_user, v_edit, 'mention', p_id, v_room.id, v_message.seq, v_now, pos);
        end loop;
    end if;
    return next;
end $$;

-- Returns the users whom a message to the whole room reaches, at most so many: those who wrote in it or read it within
-- these days, the latest first. Looks at the newest 10,000 messages. Takes no lock.
create function room_audience(p_room uuid, p_author uuid, p_days integer, p_most bigint) returns setof uuid
language plpgsql stable
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
as $$
declare
    v_since timestamptz := clock_timestamp() - make_interval(days => p_days);
begin
    return query
    with newest as materialized (
        select m.author_id, m.created_at from messages m
        where m.room_id = p_room order by m.room_id desc, m.seq desc limit 10000
    ), seen as (
        select n.author_id as id, max(n.created_at) as at from newest n where n.created_at >= v_since group by n.author_id
        union all
        select k.user_id, k.marked_at from read_marks k where k.room_id = p_room and k.marked_at >= v_since
    ), latest as materialized (
        -- Some of them are banned: their accounts are looked up for twice as many as asked for, not for all.
        select s.id, max(s.at) as at from seen s where s.id <> p_author group by s.id order by at desc limit 2 * p_most
    )
    select u.id
    from latest l join users u on u.id = l.id and u.banned_at is null and u.erased_at is null
    order by l.at desc limit p_most;
end $$;
