-- Web Push for mentions, replies and direct messages: what is new in the log is queued for the browsers of its users.
--
-- Queueing reads the log, behind the posts, so a post costs nothing more: neither a row nor a look at the subscriptions.
-- One instance queues at a time; its place in the log is stored with what it queued, so nothing is queued twice or
-- forgotten, whichever instance is killed.
--
-- The index has only the entries that notify somebody, so other posts do not touch it. Posts wait while it is built: it
-- scans the log once, 0.2 s for 1,000,000 entries.
--
-- Expands the schema: the release before passes over both.
create index log_of_items on log (pos) where kind in ('inbox.added', 'direct.posted');

-- Queues the items of at most so many entries of the log for their users' browsers, to be sent after the delay. Returns
-- the number of entries read; null if nobody is subscribed. Entries older than an hour are passed over, as after an
-- outage, and no more than 50 wait for one browser.
create function queue_pushes(p_delay interval, p_most integer) returns integer
language plpgsql
set enable_seqscan = off
set enable_bitmapscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
as $$
declare
    v_from  bigint;
    v_until bigint;
    v_last  bigint;
    v_count integer;
begin
    if not exists (select from push_subscriptions) and not exists (select from push_queue) then
        return null;
    end if;
    select g.pos into v_from from push_progress g for update skip locked;
    if not found then
        return 0;
    end if;
    -- Entries up to this position are committed, and visible to the statements that follow.
    v_until := log_position();
    if v_from = v_until then
        return 0;
    end if;
    with told as materialized (
        select l.pos, l.kind, l.at, l.user_id, l.message_id from log l
        where l.kind in ('inbox.added', 'direct.posted') and l.pos > v_from and l.pos <= v_until
        order by l.pos limit p_most
    ), items as materialized (
        select i.user_id, i.pos, i.kind, i.message_id, 'room:' || i.room_id as tag, t.at
        from told t
        join inbox_items i on i.message_id = t.message_id and i.user_id = t.user_id
        where t.kind = 'inbox.added'
        union all
        select d.recipient_id, d.pos, 'direct', d.id, 'direct:' || d.sender_id, t.at
        from told t
        join direct_messages d on d.pos = t.pos
        where t.kind = 'direct.posted'
    ), queued as (
        insert into push_queue (subscription_id, pos, user_id, kind, message_id, tag, due_at, expires_at)
        select s.id, i.pos, i.user_id, i.kind, i.message_id, i.tag, i.at + p_delay, i.at + p_delay + interval '1 hour'
        from items i
        join push_subscriptions s on s.user_id = i.user_id
        where i.at > now() - interval '1 hour'
          and (select count(*) from push_queue q where q.subscription_id = s.id) < 50
        on conflict do nothing
    )
    select count(*), max(t.pos) into v_count, v_last from told t;
    update push_progress set pos = case when v_count < p_most then v_until else v_last end;
    return v_count;
end $$;
