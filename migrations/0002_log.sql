-- One log, one position.
--
-- Every durable change takes the next `pos`, in the transaction that makes the change. The number comes
-- from the single row of `log_head`, locked until that transaction commits, and so positions have no gap
-- and their order is the order of commits. A sequence would be faster and wrong: it hands out numbers
-- before the commit, so a reader that has seen 7 may never learn that 6 committed after it.
--
-- The low fill factor leaves room on the page for the row's next versions, so that an update never
-- touches an index (HOT) and the table stays one page.

create table log_head (
    only_row boolean primary key default true check (only_row),
    -- Names this history. A restored backup gets a new epoch, so that positions of a future that
    -- no longer exists are never taken for positions of this one.
    epoch    text not null,
    pos      bigint not null,
    -- Names this chat, so that two of them may share one Redis without hearing each other.
    chat     uuid not null default gen_random_uuid(),
    -- The cluster, timeline and database in which this history is written: see src/store/cluster.rs.
    cluster  text
) with (fillfactor = 10);

insert into log_head (epoch, pos)
values (substr(replace(gen_random_uuid()::text, '-', ''), 1, 12), 0);

create type log_kind as enum (
    'message.posted', 'message.edited', 'message.deleted',
    'direct.posted',
    'room.created', 'room.renamed', 'room.archived', 'room.restored',
    'user.role_set', 'user.muted', 'user.unmuted', 'user.banned', 'user.unbanned',
    'sessions.ended',
    'room.retention_set', 'user.erased'
);

-- What happened, in order, and who did it: replay and the audit trail are the same rows. A row names
-- its subject instead of copying it, so a deleted body is gone from history too.
create table log (
    pos        bigint primary key,
    kind       log_kind not null,
    at         timestamptz not null,
    actor_id   uuid,
    room_id    uuid,
    message_id uuid,      -- of a message, or of a direct message where the kind says so
    user_id    uuid,      -- whose standing or sessions changed
    detail     jsonb      -- what the subject's row does not keep: ended sessions, the reason of a mute
);

create table rooms (
    id          uuid primary key,
    name        text not null,
    -- The name without its case, folded by the server: `lower` knows only the letters of the database's collation.
    name_key    text not null,
    is_archived boolean not null default false,
    -- The newest `seq` of this room: a counter under the same lock as `log_head`.
    head_seq    bigint not null default 0,
    created_at  timestamptz not null,
    -- How long messages are kept: 0 for ever, null as the server's settings say.
    retention_days integer,
    -- Up to here messages were looked at for their age, so that nobody looks at them again.
    expired_seq bigint not null default 0,

    constraint rooms_retention_sane check (retention_days between 0 and 36500)
) with (fillfactor = 50);

-- Two active rooms never share a name; an archived room gives its name free.
create unique index rooms_active_name_key on rooms (name_key) where not is_archived;

-- No foreign keys here or in `direct_messages`: the functions of 0003 look rooms and users up under the
-- log's lock, neither is ever deleted, and a key would write a lock into the author's row for each message.
create table messages (
    id          uuid primary key,
    room_id     uuid not null,
    seq         bigint not null,
    pos         bigint not null,
    author_id   uuid not null,
    client_id   uuid not null,
    -- What was asked for (room and body, digested): tells a retry from a second, different request
    -- under the same client_id, also after the body was edited or deleted.
    fingerprint bytea not null,
    body        text,
    created_at  timestamptz not null,
    edited_at   timestamptz,
    deleted_at  timestamptz,

    constraint messages_one_per_submit unique (author_id, client_id),
    constraint messages_seq_key unique (room_id, seq),
    constraint messages_body_until_deleted check ((body is null) = (deleted_at is not null))
);

create table direct_messages (
    id           uuid primary key,
    pos          bigint not null,
    sender_id    uuid not null,
    recipient_id uuid not null,
    client_id    uuid not null,
    fingerprint  bytea not null,
    body         text,      -- null once one of the two was erased
    created_at   timestamptz not null,

    constraint direct_messages_one_per_submit unique (sender_id, client_id),
    constraint direct_messages_pos_key unique (pos)
);

-- A conversation is read newest first from either side.
create index direct_messages_by_pair
    on direct_messages (least(sender_id, recipient_id), greatest(sender_id, recipient_id), pos);
create index direct_messages_by_sender on direct_messages (sender_id, pos);
create index direct_messages_by_recipient on direct_messages (recipient_id, pos);
