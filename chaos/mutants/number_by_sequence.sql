-- The mistake that the lock of the log is there to prevent: numbers are handed out before the commit, nobody waits
-- for anybody, and so what commits first need not have the smaller number. The pause is the stalled writer that makes
-- it show.
do $mutant$
declare
    v_function oid;
begin
    if exists (select from pg_class where relname = 'positions' and relkind = 'S') then
        return;
    end if;
    create sequence positions;
    perform setval('positions', greatest(pos, 1), pos > 0) from log_head;

    create function take_positions(p_count bigint) returns bigint language plpgsql as $$
    declare v_last bigint;
    begin
        perform pg_advisory_lock(7);
        v_last := setval('positions', nextval('positions') + p_count - 1);
        perform pg_advisory_unlock(7);
        perform pg_sleep(random() * 0.1);
        return v_last - p_count;
    end $$;

    create or replace function lock_log() returns bigint language plpgsql
    as $$ begin return (select pos from log_head); end $$;

    create or replace function append_log(
        p_kind log_kind, p_at timestamptz, p_actor uuid,
        p_room uuid default null, p_message uuid default null, p_user uuid default null, p_detail jsonb default null
    ) returns bigint language plpgsql as $$
    declare v_pos bigint := take_positions(1) + 1;
    begin
        insert into log (pos, kind, at, actor_id, room_id, message_id, user_id, detail)
        values (v_pos, p_kind, p_at, p_actor, p_room, p_message, p_user, p_detail);
        return v_pos;
    end $$;

    for v_function in select oid from pg_proc where proname = 'append_messages' loop
        execute replace(pg_get_functiondef(v_function),
            'v_head bigint := lock_log()', 'v_head bigint := take_positions(array_length(p_ids, 1))');
    end loop;
end $mutant$;
