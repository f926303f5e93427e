-- The audit trail is read newest first, and nearly every row of the log is a post that it leaves out, or a message
-- that went by itself because it was too old or its author was erased: nobody did that. This index holds only the
-- others, so that a page of the trail costs the same in a log of any length.
create index log_audit on log (pos)
where kind not in ('message.posted', 'direct.posted') and (kind <> 'message.deleted' or actor_id is not null);
