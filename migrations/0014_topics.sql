-- A room says what it is about, and the audit trail says what each change was, not only what it came to.
--
-- Expands the schema: the release before neither reads nor writes the new column, and passes the new kind.
alter type log_kind add value 'room.topic_set';

alter table rooms add column topic text not null default '' constraint rooms_topic_sane check (length(topic) <= 250);

-- Outcomes: done, unchanged, unknown, not_admin.
create function set_room_topic(p_id uuid, p_actor uuid, p_topic text)
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
        when v_room.topic = p_topic then 'unchanged'
        else 'done'
    end;
    if outcome = 'done' then
        update rooms r set topic = p_topic where r.id = p_id;
        pos := append_log('room.topic_set', clock_timestamp(), p_actor, p_room => p_id,
                          p_detail => jsonb_build_object('from', v_room.topic, 'to', p_topic));
    end if;
    return next;
end $$;

-- The functions below gain a `detail` with the name or value before and after. Entries written before this migration,
-- or by the release before, have none.
create or replace function create_room(p_id uuid, p_actor uuid, p_name text, p_name_key text)
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
        pos := append_log('room.created', v_now, p_actor, p_room => p_id,
                          p_detail => jsonb_build_object('name', p_name));
        outcome := 'done';
    end if;
    return next;
end $$;

create or replace function rename_room(p_id uuid, p_actor uuid, p_name text, p_name_key text)
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
        pos := append_log('room.renamed', clock_timestamp(), p_actor, p_room => p_id,
                          p_detail => jsonb_build_object('from', v_room.name, 'to', p_name));
    end if;
    return next;
end $$;

create or replace function set_room_archived(p_id uuid, p_actor uuid, p_archived boolean)
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
            clock_timestamp(), p_actor, p_room => p_id, p_detail => jsonb_build_object('name', v_room.name));
    end if;
    return next;
end $$;

create or replace function set_retention(p_id uuid, p_actor uuid, p_days integer)
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
        when v_room.retention_days is not distinct from p_days then 'unchanged'
        else 'done'
    end;
    if outcome = 'done' then
        update rooms r set retention_days = p_days where r.id = p_id;
        pos := append_log('room.retention_set', clock_timestamp(), p_actor, p_room => p_id,
                          p_detail => jsonb_build_object('from', v_room.retention_days, 'days', p_days));
    end if;
    return next;
end $$;

create or replace function set_role(p_user uuid, p_actor uuid, p_role text)
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
                          p_detail => jsonb_build_object('from', v_user.role, 'role', p_role));
    end if;
    return next;
end $$;
