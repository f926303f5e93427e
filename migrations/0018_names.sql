-- An admin finds accounts by name without reading all of them, a page at a time.
--
-- The index is in the order of bytes, whatever the database's language, so that a page can continue after a name. While
-- it is built, sign-ups and changes of rights wait, and posts behind the latter: seconds per million accounts.
-- The previous release neither needs nor misses it.
create index users_by_name on users (username collate "C") where erased_at is null;
