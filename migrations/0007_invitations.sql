-- Who may sign up where not everybody may: whoever shows an invitation that an admin made.
--
-- An invitation is a code that is good for so many accounts until some time. Only its digest is kept: whoever
-- reads this table, or a backup of it, can invite nobody. The row stays when it is used up, expired or revoked, so
-- that admins see who let whom in. Invitations change no right of anybody who is there, so they take no position.
create table invitations (
    id         uuid primary key,
    code_hash  bytea not null,
    -- Null where the operator made it from a shell.
    created_by uuid references users (id),
    created_at timestamptz not null,
    expires_at timestamptz not null,
    max_uses   integer not null,
    uses       integer not null default 0,
    revoked_at timestamptz,

    constraint invitations_code_key unique (code_hash),
    constraint invitations_uses_counted check (uses between 0 and max_uses)
);

create index invitations_newest on invitations (created_at desc);

-- Whether an invitation is good for one more account. It is as good as its maker: the invitations of whoever is
-- an admin no more, or banned, let nobody in. So making one needs no look at the maker's right under the log's lock.
create function invitation_stands(p_invitation invitations, p_now timestamptz) returns boolean
stable
language sql
as $$
    select p_invitation.uses < p_invitation.max_uses
       and p_invitation.expires_at > p_now
       and p_invitation.revoked_at is null
       and (p_invitation.created_by is null
            or exists (select from users u
                       where u.id = p_invitation.created_by and u.role = 'admin' and u.banned_at is null))
$$;

-- A new account by invitation: account, session and use, all or none. Answers whether the invitation stood.
--
-- Of two that come at once with the last use, the update makes one wait for the other, look at the row again and
-- find it used up. A name in use raises users_username_key, which takes the use back with everything else.
create function register_by_invitation(
    p_code_hash bytea, p_user uuid, p_username text, p_password_hash text,
    p_session uuid, p_now timestamptz, p_token_hash bytea, p_token_expires timestamptz
) returns boolean
language plpgsql
as $$
begin
    update invitations i set uses = i.uses + 1 where i.code_hash = p_code_hash and invitation_stands(i, p_now);
    if not found then
        return false;
    end if;
    perform register_account(p_user, p_username, p_password_hash, p_session, p_now, p_token_hash, p_token_expires);
    return true;
end $$;
