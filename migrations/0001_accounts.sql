-- Who may speak: accounts and their sessions.
--
-- A user's standing (role, mute, ban) lives on the user's row and changes only inside the functions of
-- 0003, because every change of a right takes a position in the log: streams obey rights by position,
-- so a right that changed beside the log would be a right that nobody hears about.

create table users (
    id            uuid primary key,
    -- Lower case by construction (the server folds it), which is how "compared without case" is kept.
    username      text not null,
    password_hash text not null,
    role          text not null default 'user',
    muted_until   timestamptz,
    mute_reason   text,
    banned_at     timestamptz,
    ban_reason    text,
    created_at    timestamptz not null default now(),
    -- Nothing is left of whoever was erased but the id, under a name that says so; to every change below, and to
    -- whoever signs in, there is no such user. See 0008.
    erased_at     timestamptz,

    constraint users_username_key unique (username),
    -- Kept free, so that nobody can take beforehand, or later, the name that another gets when erased.
    constraint users_username_kept check (erased_at is not null or username not like 'erased-%'),
    constraint users_username_folded check (username = lower(username)),
    constraint users_role_known check (role in ('user', 'admin'))
);

-- A session is one sign-in on one device. It outlives its access tokens (minutes) through a chain of
-- refresh tokens (weeks), each good for one use.
create table sessions (
    id         uuid primary key,
    user_id    uuid not null references users (id),
    created_at timestamptz not null default now(),
    ended_at   timestamptz
);

create index sessions_open_by_user on sessions (user_id) where ended_at is null;
-- A starting instance reads the sessions that ended within the life of an access token.
create index sessions_ended on sessions (ended_at) where ended_at is not null;

-- Only a digest is kept: whoever reads this table cannot sign in with it. A spent token stays, because
-- seeing one again is how theft is noticed: either the thief or the owner comes second.
create table refresh_tokens (
    token_hash bytea primary key,
    session_id uuid not null references sessions (id) on delete cascade,
    expires_at timestamptz not null,
    spent_at   timestamptz
);

create index refresh_tokens_by_session on refresh_tokens (session_id);
