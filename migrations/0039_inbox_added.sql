-- The kind of events about a user's inbox, before the index of 0040 names it: a new value of an enum can be used only
-- after its transaction.
--
-- Expands the schema: the release before passes events of a kind that it does not know.
alter type log_kind add value 'inbox.added';
