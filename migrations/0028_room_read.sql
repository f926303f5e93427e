-- The kind of read marks, before the index of 0030 names it: a new value of an enum can be used only after its
-- transaction.
--
-- Expands the schema: the release before passes events of a kind that it does not know.
alter type log_kind add value 'room.read';
