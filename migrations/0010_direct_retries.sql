-- Fixes a direct message under a `client_id` that was used for a recipient who has been erased since.
--
-- Such a message has neither a body nor a digest. The function mistook that for "not used", inserted the new message,
-- and violated direct_messages_one_per_submit. A client_id is used up for ever: reusing it is a conflict, like every
-- other request under the same id. Only a repeat to the erased recipient is still unknown_recipient.
--
-- The signature is unchanged, so the previous release uses the fixed function as well.
create or replace function append_direct_message(
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
    if found and v_recipient.id is not null then
        -- The digest covers the recipient, and is empty once the body has been erased.
        if v_first.body is null or v_first.fingerprint <> p_fingerprint then
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
