-- A refresh whose response was lost does not end the session.
--
-- A refresh token is exchanged for its successor. If the response did not arrive, its holder has only the spent token
-- and presents it again. As long as the successor was never used, only that holder can have it, and so:
--
-- * within a grace period of `p_grace` after the successor was made, the same successor is returned again, to every
--   tab and by every instance. The database stores digests only: a successor is derived from the spent token, a nonce
--   that is stored here, and a key that only instances have, so it can be derived again.
-- * after that, a new successor replaces the unused one. If the replaced one is ever presented, two parties hold the
--   session.
-- * once the successor was used, two parties hold the spent token: the session ends for both.

alter table refresh_tokens
    -- Successor of a spent token; null if the token was replaced without having been used, or spent before this
    -- migration.
    add column successor_hash     bytea,
    -- Nonce from which the successor was derived; null if an instance of the previous release generated it at random.
    add column successor_nonce    bytea,
    add column successor_given_at timestamptz;

-- Kept for the previous release, which ends the session at the second use; records the successor for this release.
create or replace function rotate_refresh_token(
    p_token_hash bytea, p_now timestamptz, p_next_hash bytea, p_next_expires timestamptz
) returns table (outcome text, pos bigint, session_id uuid, user_id uuid, username text, is_admin boolean)
language plpgsql
as $$
#variable_conflict use_column
declare
    v_token   refresh_tokens;
    v_session sessions;
begin
    update refresh_tokens t set spent_at = p_now, successor_hash = p_next_hash, successor_given_at = p_now
    where t.token_hash = p_token_hash and t.spent_at is null and t.expires_at > p_now
    returning * into v_token;

    if found then
        select * into v_session from sessions s
        where s.id = v_token.session_id and s.ended_at is null and s.generation = session_generation(s.user_id)
        for share;
        if not found then
            return query select 'invalid', null::bigint, null::uuid, null::uuid, null::text, null::boolean;
            return;
        end if;
        insert into refresh_tokens (token_hash, session_id, expires_at)
        values (p_next_hash, v_session.id, p_next_expires);
        return query
        select 'done', null::bigint, v_session.id, u.id, u.username, u.role = 'admin'
        from users u where u.id = v_session.user_id;
        return;
    end if;

    select s.* into v_session
    from refresh_tokens t join sessions s on s.id = t.session_id
    where t.token_hash = p_token_hash and t.spent_at is not null and t.expires_at > p_now;
    if found then
        return query
        select 'reused', e.pos, v_session.id, v_session.user_id, null::text, null::boolean
        from end_sessions(v_session.user_id, v_session.user_id, p_session => v_session.id) e;
    else
        return query select 'invalid', null::bigint, null::uuid, null::uuid, null::text, null::boolean;
    end if;
end $$;

-- Exchanges a refresh token. Outcomes: done, with the nonce and digest of the current successor, which is the one
-- offered or the one given before; invalid (unknown, expired, or of an ended session); reused, at the position where
-- the session ended; raced (another use changed the rows that the decision was based on: retry).
--
-- `p_anew` requests a new successor even within the grace period: the caller cannot derive the previous one again.
create function refresh_session(
    p_token_hash bytea, p_now timestamptz, p_grace interval,
    p_nonce bytea, p_next_hash bytea, p_next_expires timestamptz, p_anew boolean
) returns table (
    outcome text, pos bigint, session_id uuid, generation bigint, user_id uuid, username text, is_admin boolean,
    nonce bytea, successor_hash bytea
)
language plpgsql
as $$
#variable_conflict use_column
declare
    v_token     refresh_tokens;
    v_successor refresh_tokens;
    v_session   sessions;
begin
    -- First check without a lock: ending a session takes the log's lock, which must not be waited for while holding a
    -- row lock.
    select * into v_token from refresh_tokens t where t.token_hash = p_token_hash and t.expires_at > p_now;
    select * into v_session from sessions s
    where s.id = v_token.session_id and s.ended_at is null and s.generation = session_generation(s.user_id);
    if v_session.id is null then
        outcome := 'invalid';
        return next;
        return;
    end if;
    session_id := v_session.id;
    user_id := v_session.user_id;
    generation := v_session.generation;
    if v_token.spent_at is not null then
        select * into v_successor from refresh_tokens t where t.token_hash = v_token.successor_hash;
        if v_token.successor_hash is null or v_successor.spent_at is not null then
            -- A used or replaced token stays so: no need to check again under the lock.
            outcome := 'reused';
            pos := (select e.pos from end_sessions(user_id, user_id, p_session => session_id) e);
            return next;
            return;
        end if;
    end if;

    select * into v_token from refresh_tokens t where t.token_hash = p_token_hash for update;
    perform from sessions s
    where s.id = session_id and s.ended_at is null and s.generation = session_generation(s.user_id)
    for share;
    if not found or v_token.token_hash is null then
        outcome := 'invalid';
        return next;
        return;
    end if;
    if v_token.spent_at is not null then
        select * into v_successor from refresh_tokens t where t.token_hash = v_token.successor_hash for update;
        outcome := case
            when v_token.successor_hash is null or v_successor.spent_at is not null then 'raced'
            when v_successor.token_hash is null or v_successor.expires_at <= p_now then 'invalid'
        end;
        if outcome is not null then
            return next;
            return;
        end if;
        if v_token.successor_nonce is not null and not p_anew and p_now < v_token.successor_given_at + p_grace then
            nonce := v_token.successor_nonce;
            successor_hash := v_token.successor_hash;
        else
            update refresh_tokens t set spent_at = p_now where t.token_hash = v_successor.token_hash;
        end if;
    end if;
    if nonce is null then
        nonce := p_nonce;
        successor_hash := p_next_hash;
        insert into refresh_tokens (token_hash, session_id, expires_at) values (p_next_hash, session_id, p_next_expires);
        update refresh_tokens t
        set spent_at = coalesce(t.spent_at, p_now), successor_hash = p_next_hash, successor_nonce = p_nonce,
            successor_given_at = p_now
        where t.token_hash = p_token_hash;
    end if;
    outcome := 'done';
    select u.username, u.role = 'admin' into username, is_admin from users u where u.id = v_session.user_id;
    return next;
end $$;

-- Deletes up to a given number of expired refresh tokens and returns their number.
create function remove_expired_tokens(p_now timestamptz, p_most integer) returns bigint
language plpgsql
as $$
declare
    v_count bigint;
begin
    delete from refresh_tokens t where t.token_hash in (
        select r.token_hash from refresh_tokens r
        where r.expires_at <= p_now order by r.expires_at limit p_most for update skip locked);
    get diagnostics v_count = row_count;
    return v_count;
end $$;
