-- no-transaction
-- The index of search, built while messages are being posted: it takes about a minute for a million messages. See 0036,
-- and src/store/schema.rs for how it is built again if the program is stopped meanwhile.
--
-- Not only for messages with a body: PostgreSQL does not combine two indexes that have the same condition, and a search
-- combines this one with messages_by_pos.
--
-- New messages wait in a list that is merged into the index when it has reached its limit, by the post that fills it:
-- a small limit makes that a short pause, where the default of 4 MB would hold up all posts for half a second.
create index concurrently if not exists messages_by_terms on messages using gin (message_terms(room_id, author_id, body))
    with (fastupdate = on, gin_pending_list_limit = 256);
