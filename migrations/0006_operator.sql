-- What the operator does from a shell, on behalf of nobody who has an account.
--
-- `set_role` asks whether its actor is an admin; whoever holds the database's password needs no such right, and
-- may be there precisely because no admin is left. The change takes a position like every other, so that open
-- streams hear of it; the audit trail shows it without an actor. Outcomes: done, unchanged, unknown.
create function operator_set_role(p_user uuid, p_role text)
returns table (outcome text, pos bigint)
language plpgsql
as $$
declare
    v_user users;
begin
    perform lock_log();
    select * into v_user from users u where u.id = p_user and u.erased_at is null;
    outcome := case
        when v_user.id is null then 'unknown'
        when v_user.role = p_role then 'unchanged'
        else 'done'
    end;
    if outcome = 'done' then
        update users u set role = p_role where u.id = p_user;
        pos := append_log('user.role_set', clock_timestamp(), null, p_user => p_user,
                          p_detail => jsonb_build_object('role', p_role));
    end if;
    return next;
end $$;
