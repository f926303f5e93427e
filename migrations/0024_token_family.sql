-- Refresh tokens of a session belong to a family: the column of 0025, which has the argument.
--
-- A migration of its own, because a new column locks its table for everything, if only for a moment: the index of 0025
-- must not be built under that lock.
alter table refresh_tokens
    -- Digest of the text with which all tokens of the family begin. Null for tokens without one (of the previous
    -- release), and for a session's first token until it is used.
    add column family_hash bytea;
