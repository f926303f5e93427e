-- A batch of posts costs the same for each post, and a batch of one is not planned again.
--
-- append_messages joined every row of a batch with every accepted one, to answer repeats within the batch: at 512 posts
-- that was half of its time. Now only the repeats themselves are looked up, of which there are hardly any.
--
-- The plan of a batch of one was made for each call, since it looked cheaper than one for any batch, and making it took
-- longer than running it. All look-ups use an index whatever the size of the batch, so there is nothing to choose.
--
-- The signature and the outcomes are unchanged, so the previous release uses this function as well.
create or replace function append_messages(
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
set plan_cache_mode = force_generic_plan
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
               m.created_at as first_created_at, m.edited_at as first_edited_at, m.deleted_at as first_deleted_at,
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
        select j.ord, j.id, j.room, j.author, j.client, j.fingerprint, j.body,
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
    select s.ord, 'accepted', s.id, s.new_pos, s.new_seq,
           -- The caller has the body of what it posted; only an older one must travel.
           null, v_now, null::timestamptz, null::timestamptz
    from accepted s
    union all
    select j.ord, j.verdict, j.first_id, j.first_pos, j.first_seq,
           j.first_body, j.first_created_at, j.first_edited_at, j.first_deleted_at
    from judged j
    where j.verdict <> 'accepted'
    union all
    -- A second attempt within the batch is answered from the first, unless that was refused.
    select j.ord, case when s.fingerprint = j.fingerprint then 'duplicate' else 'conflict' end,
           s.id, s.new_pos, s.new_seq, null, case when s.id is not null then v_now end, null, null
    from judged j
    left join accepted s on s.author = j.author and s.client = j.client
    where j.verdict = 'accepted' and j.attempt > 1
    order by ord;
end $$;
