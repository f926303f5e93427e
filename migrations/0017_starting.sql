-- A starting instance finds the admins and the banned without reading all accounts.
--
-- It keeps their ids in memory. This index holds only them, and also answers whether another admin would be left.
-- While it is built, sign-ups and changes of rights wait for about a tenth of a second per million accounts. The
-- previous release uses it as well.
create index users_with_rights on users (id) include (role, banned_at)
    where role = 'admin' or banned_at is not null;
