-- Web Push: the browsers to notify, and the notifications that wait to be sent.
--
-- A subscription belongs to the session that made it and ends with it, so a browser in which somebody signed out shows
-- nothing of theirs. Triggers remove it, since sessions end in many ways: by a sign-out, a new password, a ban, an
-- erasure, an admin, or in the background when they were not used.
--
-- The queue has no foreign key to subscriptions: checking one locks the subscription, and ending a session, under the
-- lock of the log, would wait for it. A notification without its subscription is dropped when it is due.
--
-- Expands the schema: the release before neither reads nor writes these tables. Sign-ins wait while the triggers are
-- added, which scans nothing.
create table push_subscriptions (
    id         uuid primary key,
    user_id    uuid not null,
    session_id uuid not null references sessions (id) on delete cascade,
    -- Address at the push service. Anyone who knows it could send something there that the browser cannot decrypt.
    endpoint   text not null,
    -- Host and port of it.
    host       text not null,
    -- Keys of the browser.
    p256dh     bytea not null,
    auth       bytea not null,
    -- Public key of this server, for which the browser made the subscription: with another one it is of no use.
    server_key bytea not null,
    -- True if notifications contain texts.
    preview    boolean not null,
    renewed_at timestamptz not null default clock_timestamp(),

    constraint push_subscriptions_endpoint_key unique (endpoint),
    constraint push_subscriptions_sane check (
        octet_length(endpoint) <= 2048 and octet_length(p256dh) = 65 and octet_length(auth) = 16)
);

create index push_subscriptions_by_user on push_subscriptions (user_id, renewed_at);
create index push_subscriptions_by_session on push_subscriptions (session_id);

create table push_queue (
    subscription_id uuid not null,
    -- Position of the message or direct message; 0 for a test.
    pos             bigint not null,
    user_id         uuid not null,
    kind            text not null,
    message_id      uuid,
    -- Notifications of the same tag replace each other in the browser.
    tag             text not null,
    -- Time to send it, or to send it again if no answer was recorded.
    due_at          timestamptz not null,
    expires_at      timestamptz not null,
    attempts        integer not null default 0,

    primary key (subscription_id, pos),
    constraint push_queue_kind_known check (kind in ('mention', 'reply', 'direct', 'test'))
);

create index push_queue_by_due on push_queue (due_at);

-- Position of the log up to which notifications were queued, by whichever instance.
create table push_progress (
    pos      bigint not null,
    only_row boolean primary key default true,
    constraint push_progress_only_row_check check (only_row)
);

insert into push_progress (pos) select log_position();

create function remove_push_of_session() returns trigger
language plpgsql
set enable_seqscan = off
as $$
begin
    delete from push_subscriptions p where p.session_id = new.id;
    return null;
end $$;

create trigger sessions_ended_without_push after update of ended_at on sessions
    for each row when (old.ended_at is null and new.ended_at is not null) execute function remove_push_of_session();

create function remove_push_of_generation() returns trigger
language plpgsql
set enable_seqscan = off
as $$
begin
    delete from push_subscriptions p where p.user_id = new.user_id and p.session_id is distinct from new.spared;
    return null;
end $$;

create trigger session_endings_without_push after insert or update of generation on session_endings
    for each row execute function remove_push_of_generation();

-- Adds or renews a subscription, and removes the user's oldest beyond ten and those made for another key of the server.
-- Outcomes: done, unknown_user (banned, or the session has ended). The locks are those of a sign-in: a session that ends
-- at the same time either takes the subscription with it, or is seen here.
create function subscribe_to_push(
    p_id uuid, p_user uuid, p_session uuid, p_endpoint text, p_host text, p_p256dh bytea, p_auth bytea,
    p_server_key bytea, p_preview boolean
) returns text
language plpgsql
set enable_seqscan = off
set jit = off
as $$
begin
    perform from users u where u.id = p_user and u.banned_at is null and u.erased_at is null for no key update;
    if not found then
        return 'unknown_user';
    end if;
    perform from sessions s
    where s.id = p_session and s.user_id = p_user and s.ended_at is null and s.generation = session_generation(p_user)
    for share;
    if not found then
        return 'unknown_user';
    end if;
    -- Nobody was subscribed, so nothing was queued: the first one is not told of what was before.
    if not exists (select from push_subscriptions) then
        update push_progress set pos = log_position();
    end if;
    -- Somebody else in the same browser: nothing that waits for them may follow.
    delete from push_subscriptions p where p.endpoint = p_endpoint and p.user_id <> p_user;
    insert into push_subscriptions as p (id, user_id, session_id, endpoint, host, p256dh, auth, server_key, preview)
    values (p_id, p_user, p_session, p_endpoint, p_host, p_p256dh, p_auth, p_server_key, p_preview)
    on conflict (endpoint) do update
    set user_id = excluded.user_id, session_id = excluded.session_id, host = excluded.host, p256dh = excluded.p256dh,
        auth = excluded.auth, server_key = excluded.server_key, preview = excluded.preview,
        renewed_at = clock_timestamp();
    delete from push_subscriptions p
    where p.user_id = p_user and (p.server_key <> p_server_key or p.id in (
        select o.id from push_subscriptions o where o.user_id = p_user order by o.renewed_at desc offset 10));
    return 'done';
end $$;

-- Queues a test for each of the user's subscriptions, to be sent at once. One that still waits is not queued again.
create function queue_test_pushes(p_user uuid) returns void
language sql
as $$
    insert into push_queue (subscription_id, pos, user_id, kind, tag, due_at, expires_at)
    select s.id, 0, s.user_id, 'test', 'test', now(), now() + interval '10 minutes'
    from push_subscriptions s where s.user_id = p_user
    on conflict do nothing
$$;

-- Claims notifications that are due: they are due again after the lease, if nobody has removed them by then. Leaves out
-- those of subscriptions for another key of the server, and of hosts that do not answer; not if they have expired, so
-- that they are dropped. `endpoint` is null if the subscription was removed.
create function claim_pushes(p_most integer, p_lease interval, p_server_key bytea, p_not_hosts text[])
returns table (
    subscription_id uuid, pos bigint, user_id uuid, kind text, message_id uuid, tag text, attempts integer,
    seconds_left double precision, endpoint text, host text, p256dh bytea, auth bytea, preview boolean
)
language plpgsql
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
begin
    return query
    with due as materialized (
        select q.subscription_id, q.pos, s.id, s.endpoint, s.host, s.p256dh, s.auth, s.preview
        from push_queue q
        left join push_subscriptions s on s.id = q.subscription_id
        where q.due_at <= now()
          and (s.id is null or q.expires_at <= now() or s.server_key = p_server_key and s.host <> all (p_not_hosts))
        order by q.due_at limit p_most
        for update of q skip locked
    )
    update push_queue q set due_at = now() + p_lease, attempts = q.attempts + 1
    from due d where q.subscription_id = d.subscription_id and q.pos = d.pos
    returning q.subscription_id, q.pos, q.user_id, q.kind, q.message_id, q.tag, q.attempts,
              extract(epoch from q.expires_at - now())::double precision,
              d.endpoint, d.host, d.p256dh, d.auth, d.preview;
end $$;
