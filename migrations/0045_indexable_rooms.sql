-- Rooms that search engines may list: all of them, except those that an admin excludes.
--
-- Expands the schema: the release before neither reads nor writes the new column, and passes over the new kind. Its
-- pages still invite search engines, until it is replaced.
alter type log_kind add value 'room.indexable_set';

alter table rooms add column indexable boolean not null default true;

-- Outcomes: done, unchanged, unknown, not_admin.
create function set_room_indexable(p_id uuid, p_actor uuid, p_indexable boolean)
returns table (outcome text, pos bigint)
language plpgsql
as $$
declare
    v_room record;
begin
    perform lock_log();
    select r.id, r.name, r.indexable into v_room from rooms r where r.id = p_id;
    outcome := case
        when not acts_as_admin(p_actor) then 'not_admin'
        when v_room.id is null then 'unknown'
        when v_room.indexable = p_indexable then 'unchanged'
        else 'done'
    end;
    if outcome = 'done' then
        update rooms r set indexable = p_indexable where r.id = p_id;
        pos := append_log('room.indexable_set', clock_timestamp(), p_actor, p_room => p_id,
                          p_detail => jsonb_build_object('name', v_room.name, 'indexable', p_indexable));
    end if;
    return next;
end $$;
