-- Every durable change, as a function called in autocommit: one round trip, one transaction.
--
-- Each begins by locking the head of the log, and only then, in a *new statement* and therefore with a
-- new snapshot, looks at anything else. What it sees is what the previous holder committed, so checks of
-- duplicates, archive and rights cannot race. The lock lives from there to the commit and crosses the
-- network not once, so a stalled client cannot hold it.
--
-- Each answers with an `outcome`, a word, rather than raising: a refused row is a normal answer, and in a
-- batch it must not take its neighbours down.

create function lock_log() returns bigint
language sql volatile
as $$ select pos from log_head for update $$;

-- Takes the next position for one change. The caller holds the lock.
create function append_log(
    p_kind log_kind, p_at timestamptz, p_actor uuid,
    p_room uuid default null, p_message uuid default null, p_user uuid default null, p_detail jsonb default null
) returns bigint
language plpgsql
as $$
declare
    v_pos bigint;
begin
    update log_head set pos = pos + 1 returning pos into v_pos;
    insert into log (pos, kind, at, actor_id, room_id, message_id, user_id, detail)
    values (v_pos, p_kind, p_at, p_actor, p_room, p_message, p_user, p_detail);
    return v_pos;
end $$;

-- A batch of posts. Per row, in the order given: accepted, duplicate (with the first's numbers), conflict
-- (the client_id was used for something else), unknown_room, archived, banned, muted, unknown_user.
-- A repeat is recognised before rights are checked: what was accepted once stays accepted.
--
-- Plans are pinned to index look-ups. A plan made while the tables were empty would otherwise scan them,
-- and be kept by the session while they grow. What is switched off is priced so high that the planner would
-- also compile the plan, which takes over a second: hence `jit`.
create function append_messages(
    p_ids uuid[], p_rooms uuid[], p_authors uuid[], p_clients uuid[], p_fingerprints bytea[], p_bodies text[]
) returns table (
    ord bigint, outcome text, id uuid, pos bigint, seq bigint, body text,
    created_at timestamptz, edited_at timestamptz, deleted_at timestamptz
)
language plpgsql
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
as $$
#variable_conflict use_column
declare
    v_head bigint := lock_log();
    v_now  timestamptz := clock_timestamp();
begin
    return query
    with asked as materialized (
        select t.*, row_number() over (partition by t.author, t.client order by t.ord) as attempt
        from unnest(p_ids, p_rooms, p_authors, p_clients, p_fingerprints, p_bodies)
            with ordinality as t (id, room, author, client, fingerprint, body, ord)
    ), judged as materialized (
        select a.*,
               m.id as first_id, m.pos as first_pos, m.seq as first_seq, m.body as first_body,
               m.fingerprint as first_fingerprint, m.created_at as first_created_at,
               m.edited_at as first_edited_at, m.deleted_at as first_deleted_at,
               r.head_seq,
               case
                   when m.id is not null then
                       case when m.fingerprint = a.fingerprint then 'duplicate' else 'conflict' end
                   when u.id is null then 'unknown_user'
                   when u.banned_at is not null then 'banned'
                   when r.id is null then 'unknown_room'
                   -- Before the author's own standing: an archived room refuses everyone alike.
                   when r.is_archived then 'archived'
                   when u.muted_until > v_now then 'muted'
                   else 'accepted'
               end as verdict
        from asked a
        left join messages m on m.author_id = a.author and m.client_id = a.client
        left join users u on u.id = a.author
        left join rooms r on r.id = a.room
    ), accepted as materialized (
        select j.*,
               v_head + row_number() over (order by j.ord) as new_pos,
               j.head_seq + row_number() over (partition by j.room order by j.ord) as new_seq
        from judged j
        where j.verdict = 'accepted' and j.attempt = 1
    ), inserted as (
        insert into messages (id, room_id, seq, pos, author_id, client_id, fingerprint, body, created_at)
        select s.id, s.room, s.new_seq, s.new_pos, s.author, s.client, s.fingerprint, s.body, v_now
        from accepted s order by s.ord
    ), logged as (
        insert into log (pos, kind, at, actor_id, room_id, message_id)
        select s.new_pos, 'message.posted', v_now, s.author, s.room, s.id
        from accepted s order by s.ord
    ), counted as (
        update rooms r set head_seq = n.seq
        from (select s.room, max(s.new_seq) as seq from accepted s group by s.room) n
        where r.id = n.room
    ), advanced as (
        update log_head h set pos = v_head + n.accepted
        from (select count(*) as accepted from accepted) n
        where n.accepted > 0
    )
    -- A second attempt within the batch is answered from the first: `s` is then the first's row.
    select j.ord,
           case
               when j.verdict <> 'accepted' or j.attempt = 1 then j.verdict
               when s.fingerprint = j.fingerprint then 'duplicate'
               else 'conflict'
           end,
           coalesce(s.id, j.first_id),
           coalesce(s.new_pos, j.first_pos),
           coalesce(s.new_seq, j.first_seq),
           -- The caller has the body of what it posted; only an older one must travel.
           j.first_body,
           case when s.id is null then j.first_created_at else v_now end,
           j.first_edited_at,
           j.first_deleted_at
    from judged j
    left join accepted s on s.author = j.author and s.client = j.client
    order by j.ord;
end $$;

-- Outcomes: as append_messages, with unknown_recipient, to_self and not_allowed. Only an admin begins a
-- conversation; where replies are on, a recipient may answer an admin who wrote first.
create function append_direct_message(
    p_id uuid, p_sender uuid, p_recipient uuid, p_client uuid, p_fingerprint bytea, p_body text, p_replies boolean
) returns table (outcome text, id uuid, pos bigint, body text, created_at timestamptz, recipient text)
language plpgsql
as $$
#variable_conflict use_column
declare
    v_now       timestamptz;
    v_first     direct_messages;
    v_sender    users;
    v_recipient users;
    v_pos       bigint;
begin
    perform lock_log();
    v_now := clock_timestamp();
    select * into v_recipient from users u where u.id = p_recipient and u.erased_at is null;
    select * into v_first from direct_messages d where d.sender_id = p_sender and d.client_id = p_client;
    -- Of what was said to or by somebody who was erased there is no first to answer with.
    if found and v_first.body is not null and v_recipient.id is not null then
        if v_first.fingerprint <> p_fingerprint then
            return query select 'conflict', null::uuid, null::bigint, null::text, null::timestamptz, null::text;
        else
            return query select 'duplicate', v_first.id, v_first.pos, v_first.body, v_first.created_at, v_recipient.username;
        end if;
        return;
    end if;

    select * into v_sender from users u where u.id = p_sender;
    outcome := case
        when v_sender.id is null then 'unknown_user'
        when v_sender.banned_at is not null then 'banned'
        when v_sender.role <> 'admin' and not (p_replies and exists (
            select from direct_messages d join users a on a.id = d.sender_id
            where d.sender_id = p_recipient and d.recipient_id = p_sender and a.role = 'admin'
        )) then 'not_allowed'
        when v_sender.muted_until > v_now then 'muted'
        when v_recipient.id is null then 'unknown_recipient'
        when p_sender = p_recipient then 'to_self'
        else 'accepted'
    end;
    if outcome <> 'accepted' then
        return next;
        return;
    end if;

    v_pos := append_log('direct.posted', v_now, p_sender, p_message => p_id);
    insert into direct_messages (id, pos, sender_id, recipient_id, client_id, fingerprint, body, created_at)
    values (p_id, v_pos, p_sender, p_recipient, p_client, p_fingerprint, p_body, v_now);
    return query select 'accepted', p_id, v_pos, p_body, v_now, v_recipient.username;
end $$;

-- Outcomes of the two below: done, unchanged (an edit to the same text, a deletion of a deleted message:
-- asked for twice is not an error and takes no position), unknown, banned, archived (for everyone alike), not_author, deleted, muted.
create function edit_message(p_id uuid, p_actor uuid, p_body text)
returns table (outcome text, pos bigint)
language plpgsql
as $$
#variable_conflict use_column
declare
    v_now     timestamptz;
    v_message messages;
    v_room    rooms;
    v_actor   users;
begin
    perform lock_log();
    v_now := clock_timestamp();
    select * into v_message from messages m where m.id = p_id;
    select * into v_room from rooms r where r.id = v_message.room_id;
    select * into v_actor from users u where u.id = p_actor;
    outcome := case
        when v_message.id is null then 'unknown'
        when v_actor.banned_at is not null then 'banned'
        when v_room.is_archived then 'archived'
        when v_message.author_id <> p_actor then 'not_author'
        when v_message.deleted_at is not null then 'deleted'
        when v_actor.muted_until > v_now then 'muted'
        when v_message.body = p_body then 'unchanged'
        else 'done'
    end;
    if outcome = 'done' then
        update messages m set body = p_body, edited_at = v_now where m.id = p_id;
        pos := append_log('message.edited', v_now, p_actor, p_room => v_room.id, p_message => p_id);
    end if;
    return next;
end $$;

create function delete_message(p_id uuid, p_actor uuid)
returns table (outcome text, pos bigint, room_id uuid, seq bigint, deleted_at timestamptz)
language plpgsql
as $$
#variable_conflict use_column
declare
    v_now     timestamptz;
    v_message messages;
    v_room    rooms;
    v_actor   users;
begin
    perform lock_log();
    v_now := clock_timestamp();
    select * into v_message from messages m where m.id = p_id;
    select * into v_room from rooms r where r.id = v_message.room_id;
    select * into v_actor from users u where u.id = p_actor;
    room_id := v_room.id;
    seq := v_message.seq;
    deleted_at := v_now;
    outcome := case
        when v_message.id is null then 'unknown'
        when v_actor.banned_at is not null then 'banned'
        when v_room.is_archived then 'archived'
        when v_message.author_id <> p_actor and v_actor.role <> 'admin' then 'not_author'
        when v_message.deleted_at is not null then 'unchanged'
        else 'done'
    end;
    if outcome = 'done' then
        update messages m set body = null, deleted_at = v_now where m.id = p_id;
        pos := append_log('message.deleted', v_now, p_actor, p_room => v_room.id, p_message => p_id);
    end if;
    return next;
end $$;

-- Rooms. Every function below that acts as an admin asks again, under the lock, whether its actor still
-- is one: a right lost at position p must not act after p. A name in use raises rooms_active_name_key,
-- which the caller turns into its answer.
create function acts_as_admin(p_actor uuid) returns boolean
language sql stable
as $$ select exists (select from users where id = p_actor and role = 'admin' and banned_at is null) $$;

create function create_room(p_id uuid, p_actor uuid, p_name text, p_name_key text)
returns table (outcome text, pos bigint)
language plpgsql
as $$
declare
    v_now timestamptz;
begin
    perform lock_log();
    v_now := clock_timestamp();
    outcome := 'not_admin';
    if acts_as_admin(p_actor) then
        insert into rooms (id, name, name_key, created_at) values (p_id, p_name, p_name_key, v_now);
        pos := append_log('room.created', v_now, p_actor, p_room => p_id);
        outcome := 'done';
    end if;
    return next;
end $$;

create function rename_room(p_id uuid, p_actor uuid, p_name text, p_name_key text)
returns table (outcome text, pos bigint)
language plpgsql
as $$
declare
    v_room rooms;
begin
    perform lock_log();
    select * into v_room from rooms r where r.id = p_id;
    outcome := case
        when not acts_as_admin(p_actor) then 'not_admin'
        when v_room.id is null then 'unknown'
        when v_room.name = p_name then 'unchanged'
        else 'done'
    end;
    if outcome = 'done' then
        update rooms r set name = p_name, name_key = p_name_key where r.id = p_id;
        pos := append_log('room.renamed', clock_timestamp(), p_actor, p_room => p_id);
    end if;
    return next;
end $$;

-- Archive and restore are one change in two directions. After an archive at p no message of the room has
-- a greater position, because every post looks at `is_archived` under the same lock.
create function set_room_archived(p_id uuid, p_actor uuid, p_archived boolean)
returns table (outcome text, pos bigint)
language plpgsql
as $$
declare
    v_room rooms;
begin
    perform lock_log();
    select * into v_room from rooms r where r.id = p_id;
    outcome := case
        when not acts_as_admin(p_actor) then 'not_admin'
        when v_room.id is null then 'unknown'
        when v_room.is_archived = p_archived then 'unchanged'
        else 'done'
    end;
    if outcome = 'done' then
        update rooms r set is_archived = p_archived where r.id = p_id;
        pos := append_log(
            case when p_archived then 'room.archived' else 'room.restored' end::log_kind,
            clock_timestamp(), p_actor, p_room => p_id);
    end if;
    return next;
end $$;

-- Standing. An admin may not take the last admin's role away: a chat that nobody can administer cannot
-- be mended from within. Outcomes: done, unchanged, unknown, not_admin, last_admin, to_self.
create function set_role(p_user uuid, p_actor uuid, p_role text)
returns table (outcome text, pos bigint)
language plpgsql
as $$
declare
    v_user users;
begin
    perform lock_log();
    select * into v_user from users u where u.id = p_user and u.erased_at is null;
    outcome := case
        when not acts_as_admin(p_actor) then 'not_admin'
        when v_user.id is null then 'unknown'
        when v_user.role = p_role then 'unchanged'
        when v_user.role = 'admin' and not exists (
            select from users u where u.role = 'admin' and u.id <> p_user and u.banned_at is null
        ) then 'last_admin'
        else 'done'
    end;
    if outcome = 'done' then
        update users u set role = p_role where u.id = p_user;
        pos := append_log('user.role_set', clock_timestamp(), p_actor, p_user => p_user,
                          p_detail => jsonb_build_object('role', p_role));
    end if;
    return next;
end $$;

-- A null `p_until` unmutes.
create function set_mute(p_user uuid, p_actor uuid, p_until timestamptz, p_reason text)
returns table (outcome text, pos bigint)
language plpgsql
as $$
declare
    v_user users;
begin
    perform lock_log();
    select * into v_user from users u where u.id = p_user and u.erased_at is null;
    outcome := case
        when not acts_as_admin(p_actor) then 'not_admin'
        when v_user.id is null then 'unknown'
        when p_user = p_actor and p_until is not null then 'to_self'
        when v_user.muted_until is null and p_until is null then 'unchanged'
        else 'done'
    end;
    if outcome = 'done' then
        update users u set muted_until = p_until, mute_reason = p_reason where u.id = p_user;
        pos := append_log(
            case when p_until is null then 'user.unmuted' else 'user.muted' end::log_kind,
            clock_timestamp(), p_actor, p_user => p_user,
            p_detail => jsonb_build_object('until', p_until, 'reason', p_reason));
    end if;
    return next;
end $$;

-- Ends the sessions named by the predicate arguments and says so once in the log. A null `p_session` means
-- all of the user's; `p_except` spares one. `sessions` in the log row is what instances refuse from there on.
-- Outcomes: done, unchanged.
create function end_sessions(p_user uuid, p_actor uuid, p_session uuid default null, p_except uuid default null)
returns table (outcome text, pos bigint)
language plpgsql
as $$
declare
    v_now   timestamptz;
    v_ended uuid[];
begin
    perform lock_log();
    v_now := clock_timestamp();
    with ended as (
        update sessions s set ended_at = v_now
        where s.user_id = p_user and s.ended_at is null
          and (p_session is null or s.id = p_session)
          and s.id is distinct from p_except
        returning s.id
    )
    select array_agg(e.id) into v_ended from ended e;
    outcome := 'unchanged';
    if v_ended is not null then
        pos := append_log('sessions.ended', v_now, p_actor, p_user => p_user,
                          p_detail => jsonb_build_object('sessions', v_ended));
        outcome := 'done';
    end if;
    return next;
end $$;

create function admin_end_sessions(p_user uuid, p_actor uuid)
returns table (outcome text, pos bigint)
language plpgsql
as $$
begin
    perform lock_log();
    if not acts_as_admin(p_actor) then
        return query select 'not_admin', null::bigint;
    elsif not exists (select from users u where u.id = p_user and u.erased_at is null) then
        return query select 'unknown', null::bigint;
    else
        return query select * from end_sessions(p_user, p_actor);
    end if;
end $$;

-- A ban also ends the user's sessions, in the same transaction.
create function set_ban(p_user uuid, p_actor uuid, p_banned boolean, p_reason text)
returns table (outcome text, pos bigint)
language plpgsql
as $$
declare
    v_now  timestamptz;
    v_user users;
begin
    perform lock_log();
    v_now := clock_timestamp();
    select * into v_user from users u where u.id = p_user and u.erased_at is null;
    outcome := case
        when not acts_as_admin(p_actor) then 'not_admin'
        when v_user.id is null then 'unknown'
        when p_user = p_actor then 'to_self'
        when (v_user.banned_at is not null) = p_banned then 'unchanged'
        else 'done'
    end;
    if outcome = 'done' then
        update users u set banned_at = case when p_banned then v_now end, ban_reason = p_reason where u.id = p_user;
        pos := append_log(
            case when p_banned then 'user.banned' else 'user.unbanned' end::log_kind,
            v_now, p_actor, p_user => p_user, p_detail => jsonb_build_object('reason', p_reason));
        if p_banned then
            pos := coalesce((select e.pos from end_sessions(p_user, p_actor) e), pos);
        end if;
    end if;
    return next;
end $$;

-- A password change ends every other session, in the same transaction. The caller has checked the current
-- password; `p_old_hash` makes two concurrent changes fail for one of them instead of both winning.
create function change_password(p_user uuid, p_old_hash text, p_new_hash text, p_session uuid)
returns table (outcome text, pos bigint)
language plpgsql
as $$
begin
    perform lock_log();
    update users u set password_hash = p_new_hash where u.id = p_user and u.password_hash = p_old_hash;
    if not found then
        return query select 'changed_meanwhile', null::bigint;
    else
        return query select 'done', e.pos from end_sessions(p_user, p_user, p_except => p_session) e;
    end if;
end $$;
