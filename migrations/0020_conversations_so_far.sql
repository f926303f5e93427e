-- Adds the conversations that exist to the table of 0019.
--
-- A migration of its own: it reads all direct messages, which must not happen while the trigger's creation locks their
-- table. They are grouped before the first row is written, so that a direct message in a conversation that is being
-- added waits for the writing only: a second per 100,000 conversations.
insert into conversations as c (user_id, other_id, pos)
select s.user_id, s.other_id, max(s.pos)
from (
    select d.sender_id as user_id, d.recipient_id as other_id, d.pos from direct_messages d
    union all
    select d.recipient_id, d.sender_id, d.pos from direct_messages d
) s
group by s.user_id, s.other_id
on conflict (user_id, other_id) do update set pos = excluded.pos where c.pos < excluded.pos;
