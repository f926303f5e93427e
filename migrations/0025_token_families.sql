-- A session has two rows of refresh tokens, not one for each refresh of the last 30 days.
--
-- A spent token was kept until it expired, only to be recognised as spent. Now all tokens of a session begin with the
-- same 144 random bits, their family, and a token of a family without a row of its own is an earlier one: the rows that
-- are kept are the current token and the one before, whose successor may have been lost. The database holds a digest of
-- the family, on those rows. Only a holder of one of the tokens can name the family, and could present that token as
-- well.
--
-- Tokens of the previous release have no family. Their rows stay until they expire, and their successors have one. The
-- previous release, running beside, exchanges tokens with a family for tokens without one, by their rows. It does not
-- recognise a token whose row is gone: it refuses it and leaves the session open.

-- Sign-ins and refreshes wait while this is built: one scan of the table, in which no row has a family yet.
create index refresh_tokens_by_family on refresh_tokens (family_hash) where family_hash is not null;

-- Like refresh_session, which stays for the previous release. `p_family`: digest of the presented token's family, null
-- if it has none. `p_next_family`: that of the offered successor.
create function refresh_session_v2(
    p_token_hash bytea, p_family bytea, p_now timestamptz, p_grace interval,
    p_nonce bytea, p_next_hash bytea, p_next_family bytea, p_next_expires timestamptz, p_anew boolean
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
    select * into v_token from refresh_tokens t where t.token_hash = p_token_hash;
    if found then
        select * into v_session from sessions s
        where s.id = v_token.session_id and s.ended_at is null and s.generation = session_generation(s.user_id);
    else
        select s.* into v_session
        from refresh_tokens t join sessions s on s.id = t.session_id
        where t.family_hash = p_family and t.expires_at > p_now
          and s.ended_at is null and s.generation = session_generation(s.user_id)
        limit 1;
    end if;
    if v_session.id is null or v_token.expires_at <= p_now then
        outcome := 'invalid';
        return next;
        return;
    end if;
    session_id := v_session.id;
    user_id := v_session.user_id;
    generation := v_session.generation;
    if v_token.spent_at is not null then
        select * into v_successor from refresh_tokens t where t.token_hash = v_token.successor_hash;
    end if;
    -- A used, replaced or earlier token stays so: no need to check again under the lock.
    if v_token.token_hash is null
       or v_token.spent_at is not null and (v_successor.token_hash is null or v_successor.spent_at is not null) then
        outcome := 'reused';
        pos := (select e.pos from end_sessions(v_session.user_id, v_session.user_id, p_session => v_session.id) e);
        return next;
        return;
    end if;

    select * into v_token from refresh_tokens t where t.token_hash = p_token_hash for update;
    if not found then
        outcome := 'raced';
        return next;
        return;
    end if;
    perform from sessions s
    where s.id = v_session.id and s.ended_at is null and s.generation = session_generation(s.user_id)
    for share;
    if not found then
        outcome := 'invalid';
        return next;
        return;
    end if;
    if v_token.spent_at is not null then
        select * into v_successor from refresh_tokens t where t.token_hash = v_token.successor_hash for update;
        outcome := case
            when v_successor.token_hash is null or v_successor.spent_at is not null then 'raced'
            when v_successor.expires_at <= p_now then 'invalid'
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
        insert into refresh_tokens (token_hash, session_id, expires_at, family_hash)
        values (p_next_hash, v_session.id, p_next_expires, p_next_family);
        update refresh_tokens t
        set spent_at = coalesce(t.spent_at, p_now), successor_hash = p_next_hash, successor_nonce = p_nonce,
            successor_given_at = p_now, family_hash = p_family
        where t.token_hash = p_token_hash;
        -- Skips rows that other uses have locked: those wait for rows locked here. A later refresh deletes them.
        delete from refresh_tokens t where t.token_hash in (
            select r.token_hash from refresh_tokens r
            where r.session_id = v_session.id and r.family_hash = p_family and r.spent_at is not null
              and r.token_hash <> p_token_hash
            for update skip locked);
    end if;
    outcome := 'done';
    select u.username, u.role = 'admin' into username, is_admin from users u where u.id = v_session.user_id;
    return next;
end $$;
