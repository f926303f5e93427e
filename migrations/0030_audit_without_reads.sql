-- The audit trail is listed as fast as before read marks, of which the log has many.
--
-- The index `log_audit` (0005) contains every kind but the commonest two, so a page of the trail would pass over all
-- marks and edits. This one contains only what the trail may show. `log_audit` stays, for the release before.
--
-- Posts wait while it is built: it scans the log once, 0.2 s for 1,000,000 entries. Reads go on.
create index log_audited on log (pos)
where kind not in ('message.posted', 'direct.posted', 'message.edited', 'room.read')
  and (kind <> 'message.deleted' or actor_id is not null);
