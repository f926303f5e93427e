-- The landing room: the room that the address of the chat leads to, chosen by an admin. One room at most has it; an
-- archived one keeps it, and has it again when it is restored.
--
-- Expands the schema: the release before neither reads nor writes the new column, and passes over the new kind.
alter type log_kind add value 'room.landing_set';

alter table rooms add column landing boolean not null default false;

create unique index rooms_one_landing on rooms (landing) where landing;

-- Outcomes: done, unchanged, unknown, not_admin, archived.
create function set_landing_room(p_id uuid, p_actor uuid)
returns table (outcome text, pos bigint)
language plpgsql
as $$
declare
    v_room   record;
    v_before text;
begin
    perform lock_log();
    select r.id, r.name, r.is_archived, r.landing into v_room from rooms r where r.id = p_id;
    outcome := case
        when not acts_as_admin(p_actor) then 'not_admin'
        when v_room.id is null then 'unknown'
        when v_room.is_archived then 'archived'
        when v_room.landing then 'unchanged'
        else 'done'
    end;
    if outcome = 'done' then
        update rooms r set landing = false where r.landing returning r.name into v_before;
        update rooms r set landing = true where r.id = p_id;
        pos := append_log('room.landing_set', clock_timestamp(), p_actor, p_room => p_id,
                          p_detail => jsonb_build_object('name', v_room.name, 'from', v_before));
    end if;
    return next;
end $$;
