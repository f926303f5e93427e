-- Sessions belong to a generation: the tables of 0012, which has the argument.
--
-- A migration of its own, because a new column locks its table for everything, if only for a moment: what takes time
-- (0012 builds indexes) must not happen under that lock.

-- A table of its own rather than columns of `users`, and without a foreign key to it: either would lock `users`, which
-- every sign-in and every change of a right needs. An account is never deleted.
create table session_endings (
    user_id    uuid primary key,
    -- The present generation; an account without a row is in its first, 0.
    generation bigint not null,
    ended_at   timestamptz not null,
    -- The session that went on, whose access tokens still name an earlier generation.
    spared     uuid
);

-- A starting instance reads the accounts whose sessions ended within the life of an access token.
create index session_endings_newest on session_endings (ended_at);

alter table sessions add column generation bigint not null default 0;
