-- Ending all sessions of an account costs the same whether it has one or a million.
--
-- Each session belongs to a generation of its account's sessions. Ending all of them begins the next generation: this
-- writes one row here, under the log's lock, instead of each session's own row. A session is open while it has no
-- `ended_at` and belongs to its account's current generation. A session that is kept (a new password keeps the one that
-- set it) is moved to the new generation.
--
-- Access tokens contain their session's generation, so an instance compares two numbers to decide whether a token
-- belongs to ended sessions. Tokens of the previous release contain none: for them, and for that release, the log still
-- lists the sessions, the newest hundred of them, which is all that an account can have open from here on.

-- Sign-ins wait while these are built; reads and everything else go on.
create index sessions_open on sessions (user_id, generation, created_at) where ended_at is null;
-- Used to find the sessions of an erased account, including ended ones.
create index sessions_by_user on sessions (user_id);

create function session_generation(p_user uuid) returns bigint
language sql stable
as $$ select coalesce((select e.generation from session_endings e where e.user_id = p_user), 0) $$;

-- Begins the next generation and returns its number. The caller holds the log's lock, and locks the account's row so
-- that no session is opened meanwhile.
create function end_generation(p_user uuid, p_now timestamptz, p_spared uuid) returns bigint
language plpgsql
as $$
declare
    v_next bigint := session_generation(p_user) + 1;
begin
    insert into session_endings as e (user_id, generation, ended_at, spared) values (p_user, v_next, p_now, p_spared)
    on conflict (user_id) do update set generation = v_next, ended_at = p_now, spared = p_spared;
    update sessions s set generation = v_next
    where s.id = p_spared and s.user_id = p_user and s.ended_at is null and s.generation = v_next - 1;
    return v_next;
end $$;

-- Ends one session (`p_session`) or all of the user's but `p_except`, and logs it once. Outcomes: done, unchanged. The
-- work is bounded: one session, or the newest hundred, whose ids go to the log. Plans are pinned to an index that
-- returns the newest first: one made for an account with few sessions would sort the million of another.
create or replace function end_sessions(
    p_user uuid, p_actor uuid, p_session uuid default null, p_except uuid default null
) returns table (outcome text, pos bigint)
language plpgsql
set enable_seqscan = off
set enable_bitmapscan = off
set enable_sort = off
as $$
declare
    v_now        timestamptz;
    v_generation bigint;
    v_ended      uuid[];
    v_detail     jsonb;
begin
    perform lock_log();
    v_now := clock_timestamp();
    if p_session is not null then
        update sessions s set ended_at = v_now
        where s.id = p_session and s.user_id = p_user and s.ended_at is null
          and s.generation = session_generation(p_user);
        if found then
            v_detail := jsonb_build_object('sessions', array[p_session]);
        end if;
    else
        -- Waits for a concurrent sign-in that is opening a session, and blocks the next one.
        perform from users u where u.id = p_user for no key update;
        v_generation := session_generation(p_user);
        with open as materialized (
            select s.id from sessions s
            where s.user_id = p_user and s.generation = v_generation and s.ended_at is null
              and s.id is distinct from p_except
            order by s.created_at desc limit 100
        ), ended as (
            update sessions s set ended_at = v_now from open o where s.id = o.id and s.ended_at is null returning s.id
        )
        select array_agg(e.id) into v_ended from ended e;
        if v_ended is not null then
            v_detail := jsonb_build_object(
                'sessions', v_ended, 'generation', end_generation(p_user, v_now, p_except), 'except', p_except);
        end if;
    end if;
    outcome := 'unchanged';
    if v_detail is not null then
        pos := append_log('sessions.ended', v_now, p_actor, p_user => p_user, p_detail => v_detail);
        outcome := 'done';
    end if;
    return next;
end $$;

-- As before, except for the sessions: those end with their generation.
create or replace function erase_account(p_user uuid, p_actor uuid) returns bigint
language plpgsql
as $$
declare
    v_now timestamptz := clock_timestamp();
begin
    -- The end of the id is random, not time-based, so it reveals nothing and is unique.
    update users u
    set username = 'erased-' || right(u.id::text, 12), password_hash = '', role = 'user', erased_at = v_now,
        muted_until = null, mute_reason = null, banned_at = v_now, ban_reason = null
    where u.id = p_user;
    perform end_generation(p_user, v_now, null);
    update log l set detail = l.detail - 'reason' where l.user_id = p_user and l.detail ? 'reason';
    insert into erasures (user_id) values (p_user);
    return append_log('user.erased', v_now, p_actor, p_user => p_user);
end $$;

-- Opens a session as `open_session` did, and answers its generation; null where it was not opened.
create function open_session_v2(
    p_session uuid, p_user uuid, p_password_hash text, p_now timestamptz, p_token_hash bytea, p_token_expires timestamptz
) returns bigint
language plpgsql
set enable_seqscan = off
set enable_bitmapscan = off
set enable_sort = off
as $$
declare
    v_generation bigint;
begin
    perform from users u
    where u.id = p_user and u.password_hash = p_password_hash and u.banned_at is null
    for share;
    if not found then
        return null;
    end if;
    v_generation := session_generation(p_user);
    insert into sessions (id, user_id, created_at, generation) values (p_session, p_user, p_now, v_generation);
    insert into refresh_tokens (token_hash, session_id, expires_at) values (p_token_hash, p_session, p_token_expires);
    return v_generation;
end $$;

create or replace function open_session(
    p_session uuid, p_user uuid, p_password_hash text, p_now timestamptz, p_token_hash bytea, p_token_expires timestamptz
) returns boolean
language sql
as $$
    select open_session_v2(p_session, p_user, p_password_hash, p_now, p_token_hash, p_token_expires) is not null
$$;

-- Ends sessions of an account beyond its hundred: the least recently used ones. Called after a sign-in; answers the position
-- in the log, by which their access tokens end too, and null where there were none. An account that had more before
-- this limit loses ten with each sign-in. The oldest 120 are looked at, so that any number costs the same.
create function end_surplus_sessions(p_user uuid) returns bigint
language plpgsql
set enable_seqscan = off
set enable_bitmapscan = off
as $$
declare
    v_now        timestamptz;
    v_generation bigint;
    v_open       bigint;
    v_ended      uuid[];
begin
    v_generation := session_generation(p_user);
    select count(*) into v_open from (
        select from sessions s
        where s.user_id = p_user and s.generation = v_generation and s.ended_at is null limit 110) o;
    if v_open <= 100 then
        return null;
    end if;
    perform lock_log();
    v_now := clock_timestamp();
    with oldest as materialized (
        select s.id from sessions s
        where s.user_id = p_user and s.generation = v_generation and s.ended_at is null
        order by s.created_at limit 120
    ), surplus as (
        -- A refresh token expires a fixed time after it was given: the one that lasts longest tells the last use.
        select o.id from oldest o
        order by (select max(t.expires_at) from refresh_tokens t where t.session_id = o.id) nulls first
        limit v_open - 100
    ), ended as (
        update sessions s set ended_at = v_now from surplus o where s.id = o.id and s.ended_at is null returning s.id
    )
    select array_agg(e.id) into v_ended from ended e;
    if v_ended is null then
        return null;
    end if;
    return append_log('sessions.ended', v_now, p_user, p_user => p_user,
                      p_detail => jsonb_build_object('sessions', v_ended));
end $$;

-- The three below remove rows in small batches, without the log's lock, and answer how many. Each looks for at most so
-- many sessions and removes their tokens first, as a refresh locks them; a session goes once it has none left.
create function remove_sessions(p_ids uuid[]) returns bigint
language plpgsql
as $$
declare
    v_tokens   bigint;
    v_sessions bigint;
begin
    delete from refresh_tokens t where t.token_hash in (
        select r.token_hash from refresh_tokens r where r.session_id = any (p_ids) limit 2000);
    get diagnostics v_tokens = row_count;
    delete from sessions s
    where s.id = any (p_ids) and not exists (select from refresh_tokens t where t.session_id = s.id);
    get diagnostics v_sessions = row_count;
    return v_tokens + v_sessions;
end $$;

-- Deletes sessions that ended before `p_before`, when all of their access tokens have expired.
create function remove_ended_sessions(p_before timestamptz, p_most integer) returns bigint
language sql
as $$
    select remove_sessions(array(
        select s.id from sessions s where s.ended_at < p_before order by s.ended_at limit p_most))
$$;

-- Deletes an erased account's sessions.
create function remove_sessions_of(p_user uuid, p_most integer) returns bigint
language sql
as $$ select remove_sessions(array(select s.id from sessions s where s.user_id = p_user limit p_most)) $$;

-- One step of a walk over all sessions, for those that no index finds: of an earlier generation, or whose last refresh
-- token expired. Returns where the next step begins; null at the end.
create function remove_dead_sessions(p_after uuid, p_before timestamptz, p_most integer)
returns table (removed bigint, next_after uuid)
language plpgsql
as $$
declare
    v_seen uuid[];
    v_dead uuid[];
begin
    v_seen := array(select s.id from sessions s where s.id > p_after order by s.id limit p_most);
    v_dead := array(
        select s.id from sessions s
        where s.id = any (v_seen) and s.created_at < p_before
          and (not exists (select from refresh_tokens t where t.session_id = s.id)
               or exists (select from session_endings e
                          where e.user_id = s.user_id and e.generation > s.generation and e.ended_at < p_before)));
    removed := remove_sessions(v_dead);
    if exists (select from sessions s where s.id = any (v_dead)) then
        next_after := p_after;
    elsif cardinality(v_seen) = p_most then
        next_after := v_seen[p_most];
    end if;
    return next;
end $$;
