-- Pins: messages that an admin keeps at hand for everybody in the room, at most 50 of a room.
--
-- A pin of a message that was deleted or trimmed is not shown and does not count. It goes when the next message of the
-- room is pinned, so that deletions, which come by the hundred, need not look for pins.
--
-- Expands the schema: the release before neither reads nor writes this table, and passes over the new kinds.
alter type log_kind add value 'message.pinned';
alter type log_kind add value 'message.unpinned';

create table pins (
    message_id uuid primary key,
    room_id    uuid not null,
    -- Position of the pin: the newest is shown first.
    pos        bigint not null
);

create index pins_by_room on pins (room_id, pos);

-- Outcomes: done, unchanged, not_admin, unknown, archived, deleted, too_many_pins.
create function set_pin(p_message uuid, p_actor uuid, p_pinned boolean)
returns table (outcome text, pos bigint)
language plpgsql
set enable_seqscan = off
set jit = off
as $$
#variable_conflict use_column
declare
    v_message record;
    v_kind    log_kind;
begin
    perform lock_log();
    select m.id, m.room_id, m.deleted_at, r.is_archived into v_message
    from messages m join rooms r on r.id = m.room_id and r.first_seq <= m.seq
    where m.id = p_message;
    outcome := case
        when not acts_as_admin(p_actor) then 'not_admin'
        when v_message.id is null then 'unknown'
        when v_message.is_archived then 'archived'
        when v_message.deleted_at is not null then 'deleted'
        when exists (select from pins p where p.message_id = p_message) = p_pinned then 'unchanged'
        else 'done'
    end;
    if outcome = 'done' and p_pinned then
        delete from pins p where p.room_id = v_message.room_id and not exists (
            select from messages m join rooms r on r.id = m.room_id and r.first_seq <= m.seq
            where m.id = p.message_id and m.deleted_at is null);
        if (select count(*) from pins p where p.room_id = v_message.room_id) >= 50 then
            outcome := 'too_many_pins';
        end if;
    end if;
    if outcome = 'done' then
        v_kind := case when p_pinned then 'message.pinned' else 'message.unpinned' end;
        pos := append_log(v_kind, clock_timestamp(), p_actor, p_room => v_message.room_id, p_message => p_message);
        if p_pinned then
            insert into pins (message_id, room_id, pos) values (p_message, v_message.room_id, pos);
        else
            delete from pins p where p.message_id = p_message;
        end if;
    end if;
    return next;
end $$;
