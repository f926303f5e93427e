-- Reactions: who reacted to a message with which emoji.
--
-- A page of messages shows how many users chose each emoji, so these numbers are kept beside the rows that they count: a
-- message with a thousand reactions costs a page one row. Most messages have none and cost nothing, since the message
-- itself says whether there is anything to look up.
--
-- Changes of a message that come together are one entry of the log. Its `detail` has the numbers at its position and the
-- changes, by which clients know their own reactions. Everything but the log is deleted with the body of the message.
--
-- Expands the schema: the release before neither reads nor writes these tables, and passes over the new kind. Posts wait
-- while the column and the triggers are added, which scans nothing.
alter type log_kind add value 'message.reactions';

-- Whether the message has, or had, reactions.
alter table messages add column reacted boolean not null default false;

create table reactions (
    message_id uuid not null,
    user_id    uuid not null,
    emoji      text not null,

    primary key (message_id, user_id, emoji),
    constraint reactions_emoji_sane check (octet_length(emoji) between 1 and 32)
);

-- For erasure.
create index reactions_by_user on reactions (user_id, message_id);

create table reaction_counts (
    message_id uuid primary key,
    -- A list of `{"emoji", "count"}` in the order of first use.
    counts     jsonb not null
-- No column but the key is indexed, so that an update with room on its page touches no index (HOT).
) with (fillfactor = 50);

-- A trigger, since messages are deleted in many ways: by their authors and admins, by age and with their author.
create function remove_reactions() returns trigger
language plpgsql
set enable_seqscan = off
set jit = off
as $$
begin
    delete from reactions r where r.message_id = old.id;
    delete from reaction_counts c where c.message_id = old.id;
    return null;
end $$;

create trigger messages_deleted_without_reactions after update of deleted_at on messages
    for each row when (old.reacted and new.deleted_at is not null) execute function remove_reactions();

create trigger messages_removed_without_reactions after delete on messages
    for each row when (old.reacted) execute function remove_reactions();

-- Returns the counts after one more or one less of an emoji.
create function count_reaction(p_counts jsonb, p_emoji text, p_step integer) returns jsonb
language sql immutable
as $$
    select coalesce(jsonb_agg(jsonb_build_object('emoji', c.emoji, 'count', c.count) order by c.ord), '[]')
    from (
        select k.item ->> 'emoji' as emoji, k.ord,
               (k.item ->> 'count')::bigint + case when k.item ->> 'emoji' = p_emoji then p_step else 0 end as count
        from jsonb_array_elements(p_counts) with ordinality as k (item, ord)
        union all
        select p_emoji, 1000, p_step
        where not p_counts @> jsonb_build_array(jsonb_build_object('emoji', p_emoji))
    ) c
    where c.count > 0
$$;

-- Stores the counts of a message, and appends the entry of its changes. The caller holds the lock. In an archived room
-- clients receive nothing, as `detail` tells the instances: they read the room anew when it is restored.
create function tell_reactions(
    p_message uuid, p_room uuid, p_at timestamptz, p_counts jsonb, p_changes jsonb, p_archived boolean
) returns bigint
language plpgsql
set enable_seqscan = off
set enable_bitmapscan = off
set jit = off
as $$
begin
    if p_counts = '[]' then
        delete from reaction_counts c where c.message_id = p_message;
    else
        insert into reaction_counts as c (message_id, counts) values (p_message, p_counts)
        on conflict (message_id) do update set counts = excluded.counts;
    end if;
    update messages m set reacted = true where m.id = p_message and not m.reacted;
    return append_log('message.reactions', p_at, null, p_room => p_room, p_message => p_message, p_detail =>
        jsonb_build_object('reactions', p_counts, 'changes', p_changes)
        || case when p_archived then '{"archived": true}'::jsonb else '{}' end);
end $$;

-- Adds and removes reactions, in the order given. Outcomes: done, unchanged (takes no position), unknown, unknown_user,
-- banned, archived, deleted, muted, too_many_reactions (20 kinds of a message, 10 of one user). Returns a row with the
-- outcome for each, and a row without for the entry of each message that changed. The changes of a message are one entry
-- if they follow one another.
create function set_reactions(p_messages uuid[], p_users uuid[], p_emojis text[], p_added boolean[])
returns table (
    ord bigint, outcome text, message_id uuid, pos bigint, at timestamptz, room_id uuid, seq bigint, reactions jsonb,
    changes jsonb
)
language plpgsql
set enable_seqscan = off
set enable_bitmapscan = off
set jit = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
    v_now     timestamptz;
    v_count   integer := cardinality(p_messages);
    v_id      uuid;
    v_emoji   text;
    v_message record;
    v_user    record;
    -- Emoji of the message in the order of first use, and the number of users of each.
    v_kinds   text[];
    v_numbers bigint[];
    v_at      integer;
    v_changes jsonb;
    v_is_set  boolean;
begin
    perform lock_log();
    v_now := clock_timestamp();
    for i in 1 .. v_count + 1 loop
        if i > v_count or p_messages[i] is distinct from v_id then
            if v_changes <> '[]' then
                ord := null;
                outcome := null;
                message_id := v_id;
                at := v_now;
                room_id := v_message.room_id;
                seq := v_message.seq;
                changes := v_changes;
                select coalesce(jsonb_agg(jsonb_build_object('emoji', k.emoji, 'count', k.count) order by k.ord), '[]')
                into reactions from unnest(v_kinds, v_numbers) with ordinality as k (emoji, count, ord);
                pos := tell_reactions(v_id, room_id, v_now, reactions, v_changes, false);
                return next;
            end if;
            exit when i > v_count;
            v_id := p_messages[i];
            v_changes := '[]';
            select m.id, m.room_id, m.seq, m.deleted_at, r.is_archived into v_message
            from messages m join rooms r on r.id = m.room_id and r.first_seq <= m.seq
            where m.id = v_id;
            select coalesce(array_agg(k.item ->> 'emoji' order by k.ord), '{}'),
                   coalesce(array_agg((k.item ->> 'count')::bigint order by k.ord), '{}')
            into v_kinds, v_numbers
            from reaction_counts c, jsonb_array_elements(c.counts) with ordinality as k (item, ord)
            where c.message_id = v_id;
        end if;

        v_emoji := p_emojis[i];
        select u.id, u.banned_at, u.muted_until into v_user from users u where u.id = p_users[i] and u.erased_at is null;
        v_is_set := exists (
            select from reactions r where r.message_id = v_id and r.user_id = p_users[i] and r.emoji = v_emoji);
        v_at := array_position(v_kinds, v_emoji);
        ord := i;
        outcome := case
            when v_message.id is null then 'unknown'
            when v_user.id is null then 'unknown_user'
            when v_user.banned_at is not null then 'banned'
            when v_message.is_archived then 'archived'
            when v_message.deleted_at is not null then 'deleted'
            when v_user.muted_until > v_now then 'muted'
            when v_is_set = p_added[i] then 'unchanged'
            when not p_added[i] then 'done'
            when v_at is null and cardinality(v_kinds) >= 20 then 'too_many_reactions'
            when (select count(*) from reactions r where r.message_id = v_id and r.user_id = p_users[i]) >= 10
                then 'too_many_reactions'
            else 'done'
        end;
        if outcome = 'done' then
            if p_added[i] then
                insert into reactions (message_id, user_id, emoji) values (v_id, v_user.id, v_emoji);
            else
                delete from reactions r where r.message_id = v_id and r.user_id = v_user.id and r.emoji = v_emoji;
            end if;
            if v_at is null then
                v_kinds := v_kinds || v_emoji;
                v_numbers := v_numbers || 1::bigint;
            elsif p_added[i] then
                v_numbers[v_at] := v_numbers[v_at] + 1;
            elsif v_numbers[v_at] > 1 then
                v_numbers[v_at] := v_numbers[v_at] - 1;
            else
                v_kinds := v_kinds[: v_at - 1] || v_kinds[v_at + 1 :];
                v_numbers := v_numbers[: v_at - 1] || v_numbers[v_at + 1 :];
            end if;
            v_changes := v_changes || jsonb_build_object('user_id', v_user.id, 'emoji', v_emoji, 'added', p_added[i]);
        end if;
        message_id := null;
        pos := null;
        return next;
    end loop;
end $$;

-- Removes reactions of an erased user, of at most so many messages, each with an entry. Returns the number of messages
-- and the position of the last entry.
create function forget_reactions(p_user uuid, p_most integer)
returns table (passed bigint, pos bigint)
language plpgsql
set enable_seqscan = off
set enable_bitmapscan = off
set jit = off
as $$
#variable_conflict use_column
declare
    v_now     timestamptz;
    v_message record;
    v_emoji   text;
    v_counts  jsonb;
    v_changes jsonb;
begin
    perform lock_log();
    v_now := clock_timestamp();
    passed := 0;
    for v_message in
        select m.id, m.room_id, t.is_archived, c.counts
        from (select distinct r.message_id from reactions r where r.user_id = p_user order by r.message_id limit p_most) a
        join messages m on m.id = a.message_id
        join rooms t on t.id = m.room_id
        join reaction_counts c on c.message_id = m.id
    loop
        v_counts := v_message.counts;
        v_changes := '[]';
        for v_emoji in
            delete from reactions r where r.message_id = v_message.id and r.user_id = p_user returning r.emoji
        loop
            v_counts := count_reaction(v_counts, v_emoji, -1);
            v_changes := v_changes || jsonb_build_object('user_id', p_user, 'emoji', v_emoji, 'added', false);
        end loop;
        pos := tell_reactions(
            v_message.id, v_message.room_id, v_now, v_counts, v_changes, v_message.is_archived);
        passed := passed + 1;
    end loop;
    return next;
end $$;

-- One step of a walk over `message.reactions` in the log: removes an erased user from the changes. Returns where the next
-- step begins; null at the end. Nobody needs these changes any more, so this takes no lock.
create function forget_reaction_changes(p_user uuid, p_after bigint, p_most integer) returns bigint
language plpgsql
set enable_seqscan = off
set enable_bitmapscan = off
set jit = off
as $$
declare
    v_seen bigint[];
begin
    v_seen := array(
        select l.pos from log l
        where (l.kind, l.pos) > ('message.reactions', p_after) and l.kind = 'message.reactions'
          and l.kind not in ('message.posted', 'message.edited', 'message.deleted', 'direct.posted')
        order by l.kind, l.pos limit p_most);
    update log l set detail = jsonb_set(l.detail, '{changes}', (
        select coalesce(jsonb_agg(c.change order by c.ord), '[]')
        from jsonb_array_elements(l.detail -> 'changes') with ordinality as c (change, ord)
        where c.change ->> 'user_id' <> p_user::text))
    where l.pos = any (v_seen) and l.detail -> 'changes' @> jsonb_build_array(jsonb_build_object('user_id', p_user));
    return case when cardinality(v_seen) = p_most then v_seen[p_most] end;
end $$;

-- As before (0026), and deletes reactions with the edits. Those of the last day stay: a gap among the newest positions
-- would have the previous release wait for them.
create or replace function delete_messages(p_room uuid, p_ids uuid[], p_positions bigint[], p_next bigint) returns void
language plpgsql
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
as $$
begin
    delete from messages m where m.id = any (p_ids);
    delete from log l where l.pos = any (p_positions);
    delete from log l where l.pos in (
        select e.pos from log e
        where (e.room_id, e.pos) > (p_room, p_positions[1]) and (e.room_id, e.pos) < (p_room, coalesce(p_next, 9223372036854775807))
          and e.room_id is not null and e.kind <> 'message.posted'
          and (e.kind = 'message.edited' or e.kind = 'message.deleted' and (e.actor_id is null or e.detail ? 'own')
               or e.kind = 'message.reactions' and e.at < clock_timestamp() - interval '1 day')
        order by e.room_id, e.pos limit 10 * cardinality(p_ids));
end $$;
