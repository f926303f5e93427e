-- What the chat forgets: messages that are older than their room keeps them, and whoever asks to be erased.
--
-- A forgotten message is a deleted one: its place stays, so that `pos` and `seq` have no gap, and its deletion takes
-- a position of its own, so that every open page follows. That is one row of the log for each message, and there
-- may be a million: so they go in batches, each a transaction under the log's lock, and posts pass between two
-- of them. Each batch looks again at what it deletes, so that several instances may do this at once; whoever comes
-- second finds less to do.

-- Makes tombstones of these messages, by nobody's hand, and answers the position of the last; null where none was
-- left. The caller holds the lock. In an archived room too: archiving is no way to keep what must go. But nothing is
-- said in such a room, so `detail` tells instances to be silent about it; whoever sees the room again reads it anew.
--
-- Plans are pinned for the same reason as those of `append_messages`.
create function bury_messages(p_ids uuid[]) returns bigint
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
    update log_head set pos = v_head + v_count;
    return v_head + v_count;
end $$;

-- Retention. Outcomes: done, unchanged, unknown, not_admin.
create function set_retention(p_id uuid, p_actor uuid, p_days integer)
returns table (outcome text, pos bigint)
language plpgsql
as $$
declare
    v_room rooms;
begin
    perform lock_log();
    select * into v_room from rooms r where r.id = p_id;
    outcome := case
        when not acts_as_admin(p_actor) then 'not_admin'
        when v_room.id is null then 'unknown'
        when v_room.retention_days is not distinct from p_days then 'unchanged'
        else 'done'
    end;
    if outcome = 'done' then
        update rooms r set retention_days = p_days where r.id = p_id;
        pos := append_log('room.retention_set', clock_timestamp(), p_actor, p_room => p_id,
                          p_detail => jsonb_build_object('days', p_days));
    end if;
    return next;
end $$;

-- Rooms whose oldest message that was not looked at yet is older than they keep it. `p_days` is for rooms that say
-- nothing themselves; 0 and null keep for ever. No lock, and one look at an index for each room that does not keep for
-- ever: the `limit` holds the planner to that, who might read all messages instead.
create function rooms_with_expired(p_days integer) returns setof uuid
stable
language sql
as $$
    select r.id
    from (select *, nullif(coalesce(retention_days, p_days), 0) as days from rooms) r
    cross join lateral (
        select m.created_at from messages m where m.room_id = r.id and m.seq = r.expired_seq + 1 limit 1
    ) oldest
    where r.days is not null and oldest.created_at < clock_timestamp() - make_interval(days => r.days)
$$;

-- Buries a room's oldest messages, at most so many, and answers how many it looked at. Messages are numbered in the
-- order of their times (but for a clock that was set back, behind which they wait a little longer), so those
-- that are due are the first that were not looked at.
create function expire_messages(p_room uuid, p_days integer, p_most integer)
returns table (passed bigint, pos bigint)
language plpgsql
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
as $$
#variable_conflict use_column
declare
    v_room   rooms;
    v_before timestamptz;
    v_ids    uuid[];
    v_upto   bigint;
begin
    perform lock_log();
    select * into v_room from rooms r where r.id = p_room;
    v_before := clock_timestamp() - make_interval(days => nullif(coalesce(v_room.retention_days, p_days), 0));
    with next as materialized (
        select m.id, m.seq, m.created_at from messages m
        where m.room_id = p_room and m.seq > v_room.expired_seq
        order by m.seq limit p_most
    ), young as (
        select min(n.seq) as seq from next n where (n.created_at < v_before) is not true
    )
    select array_agg(n.id), max(n.seq), count(*) into v_ids, v_upto, passed
    from next n, young y where y.seq is null or n.seq < y.seq;
    if passed > 0 then
        pos := bury_messages(v_ids);
        update rooms r set expired_seq = v_upto where r.id = p_room;
    end if;
    return next;
end $$;

-- Erasure comes in two steps. First the account, in one transaction: the name, the password, every session, the role
-- and every reason that was given about them; whoever they were, they are out at this position, and so are their
-- direct messages, which no query shows from here on. Then, in batches, the words: `erasures` knows whose are
-- still there, so that a server that stops half-way goes on when it is back.
create table erasures (
    user_id uuid primary key references users (id)
);

-- What is said about somebody: a few rows each, among millions that are about nobody.
create index log_by_user on log (user_id) where user_id is not null;

-- The caller holds the lock, and has looked whether this may be.
create function erase_account(p_user uuid, p_actor uuid) returns bigint
language plpgsql
as $$
declare
    v_now timestamptz := clock_timestamp();
begin
    -- The end of the id is chance, not time, so it tells nothing and repeats for nobody.
    update users u
    set username = 'erased-' || right(u.id::text, 12), password_hash = '', role = 'user', erased_at = v_now,
        muted_until = null, mute_reason = null, banned_at = v_now, ban_reason = null
    where u.id = p_user;
    update sessions s set ended_at = v_now where s.user_id = p_user and s.ended_at is null;
    update log l set detail = l.detail - 'reason' where l.user_id = p_user and l.detail ? 'reason';
    insert into erasures (user_id) values (p_user);
    return append_log('user.erased', v_now, p_actor, p_user => p_user);
end $$;

-- Outcomes: done, unknown, not_admin, to_self.
create function erase_user(p_user uuid, p_actor uuid)
returns table (outcome text, pos bigint)
language plpgsql
as $$
begin
    perform lock_log();
    outcome := case
        when not acts_as_admin(p_actor) then 'not_admin'
        when not exists (select from users u where u.id = p_user and u.erased_at is null) then 'unknown'
        when p_user = p_actor then 'to_self'
        else 'done'
    end;
    if outcome = 'done' then
        pos := erase_account(p_user, p_actor);
    end if;
    return next;
end $$;

-- The same at the operator's wish. Outcomes: done, unknown, last_admin.
create function operator_erase_user(p_user uuid)
returns table (outcome text, pos bigint)
language plpgsql
as $$
declare
    v_user users;
begin
    perform lock_log();
    select * into v_user from users u where u.id = p_user and u.erased_at is null;
    outcome := case
        when v_user.id is null then 'unknown'
        when v_user.role = 'admin' and not exists (
            select from users u where u.role = 'admin' and u.id <> p_user and u.banned_at is null
        ) then 'last_admin'
        else 'done'
    end;
    if outcome = 'done' then
        pos := erase_account(p_user, null);
    end if;
    return next;
end $$;

-- Forgets what an erased user posted, at most so many messages from this `client_id` on (the order of the index
-- that finds them), and answers where to go on: null at the end. A fingerprint goes too: of few words it tells
-- them to whoever tries all. The last of a batch is the first of the next, which harms nothing and
-- makes the nil UUID, which a client may have chosen too, a beginning.
create function forget_posts(p_user uuid, p_from uuid, p_most integer)
returns table (next_from uuid, pos bigint)
language plpgsql
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
declare
    v_ids     uuid[];
    v_clients uuid[];
begin
    perform lock_log();
    select array_agg(m.id), array_agg(m.client_id order by m.client_id) into v_ids, v_clients
    from (
        select m.id, m.client_id from messages m
        where m.author_id = p_user and m.client_id >= p_from
        order by m.client_id limit p_most
    ) m;
    pos := bury_messages(v_ids);
    update messages m set fingerprint = '' where m.id = any (v_ids) and m.fingerprint <> '';
    if cardinality(v_clients) = p_most then
        next_from := v_clients[p_most];
    end if;
    return next;
end $$;

-- Forgets what was said in private by and to an erased user, at most so many messages of each; answers how many.
-- Nobody is shown them any more, so this takes no position and no lock.
create function forget_direct_words(p_user uuid, p_most integer) returns bigint
language plpgsql
as $$
declare
    v_count bigint;
begin
    with said as (
        (select d.id from direct_messages d where d.sender_id = p_user and d.body is not null limit p_most)
        union
        (select d.id from direct_messages d where d.recipient_id = p_user and d.body is not null limit p_most)
    ), forgotten as (
        update direct_messages d set body = null, fingerprint = '' from said where d.id = said.id returning d.id
    )
    select count(*) into v_count from forgotten;
    return v_count;
end $$;

-- The last of it: sessions, of which only those that were open could be found by an index, and the note itself.
create function finish_erasure(p_user uuid) returns void
language plpgsql
as $$
begin
    -- Tokens before their sessions, as a refresh locks them.
    delete from refresh_tokens t using sessions s where s.user_id = p_user and t.session_id = s.id;
    delete from sessions s where s.user_id = p_user;
    delete from erasures e where e.user_id = p_user;
end $$;
