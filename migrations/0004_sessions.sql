-- Sign-up, sign-in and the chain of refresh tokens, one round trip each.
--
-- Each takes a share lock on the row whose change would forbid it (the user's, the session's), so that a
-- sign-in and a ban, or a refresh and a sign-out, happen one after the other: whichever comes second sees
-- the first. None takes the log's lock before such a row lock, and none holds one when it takes the log's,
-- except as the functions of 0003 do (log first, then rows): no cycle, no deadlock.

-- What the cleaning of spent tokens looks for.
create index refresh_tokens_by_expiry on refresh_tokens (expires_at);

-- An account as its owner and the admins may see it: without the hash, and a mute that has passed is none.
create view accounts as
select id, username, role = 'admin' as is_admin,
       case when muted_until > now() then muted_until end as muted_until,
       case when muted_until > now() then mute_reason end as mute_reason,
       banned_at, ban_reason
from users
where erased_at is null;

-- A new account. A name in use raises users_username_key, which the caller turns into its answer.
-- An admin's role is a right, so it takes a position in the log like every other; `pos` is null otherwise.
create function create_account(p_id uuid, p_username text, p_password_hash text, p_role text)
returns bigint
language plpgsql
as $$
declare
    v_pos bigint;
begin
    if p_role <> 'user' then
        perform lock_log();
    end if;
    insert into users (id, username, password_hash, role) values (p_id, p_username, p_password_hash, p_role);
    if p_role <> 'user' then
        v_pos := append_log('user.role_set', clock_timestamp(), null, p_user => p_id,
                            p_detail => jsonb_build_object('role', p_role));
    end if;
    return v_pos;
end $$;

-- Opens a session for whoever proved to know the password behind `p_password_hash`. Checking a password
-- takes a while, in which the user may have been banned or the password changed: both end all sessions
-- that they see, and so none may be opened behind their back. Answers whether it was opened.
create function open_session(
    p_session uuid, p_user uuid, p_password_hash text, p_now timestamptz, p_token_hash bytea, p_token_expires timestamptz
) returns boolean
language plpgsql
as $$
begin
    perform from users u
    where u.id = p_user and u.password_hash = p_password_hash and u.banned_at is null
    for share;
    if not found then
        return false;
    end if;
    insert into sessions (id, user_id, created_at) values (p_session, p_user, p_now);
    insert into refresh_tokens (token_hash, session_id, expires_at) values (p_token_hash, p_session, p_token_expires);
    return true;
end $$;

-- A new account with its first session, both or neither.
create function register_account(
    p_user uuid, p_username text, p_password_hash text,
    p_session uuid, p_now timestamptz, p_token_hash bytea, p_token_expires timestamptz
) returns void
language plpgsql
as $$
begin
    perform create_account(p_user, p_username, p_password_hash, 'user');
    perform open_session(p_session, p_user, p_password_hash, p_now, p_token_hash, p_token_expires);
end $$;

-- Spends one refresh token for the next. Outcomes: done; invalid (unknown, expired, or of an ended
-- session); reused. A reused token means that two hold what one should: which of them is the thief cannot
-- be known, so the session ends for both, at `pos` (null where it had ended already).
--
-- Two uses of one token at the same time are no exception: the update lets one of them pass, the other
-- waits for it and then finds the token spent.
create function rotate_refresh_token(
    p_token_hash bytea, p_now timestamptz, p_next_hash bytea, p_next_expires timestamptz
) returns table (outcome text, pos bigint, session_id uuid, user_id uuid, username text, is_admin boolean)
language plpgsql
as $$
#variable_conflict use_column
declare
    v_token   refresh_tokens;
    v_session sessions;
begin
    update refresh_tokens t set spent_at = p_now
    where t.token_hash = p_token_hash and t.spent_at is null and t.expires_at > p_now
    returning * into v_token;

    if found then
        select * into v_session from sessions s
        where s.id = v_token.session_id and s.ended_at is null
        for share;
        if not found then
            return query select 'invalid', null::bigint, null::uuid, null::uuid, null::text, null::boolean;
            return;
        end if;
        insert into refresh_tokens (token_hash, session_id, expires_at)
        values (p_next_hash, v_session.id, p_next_expires);
        -- A spent token is kept only to be recognised, and an expired one is refused unrecognised.
        delete from refresh_tokens t where t.session_id = v_session.id and t.expires_at <= p_now;
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
