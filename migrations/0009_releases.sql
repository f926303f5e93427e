-- How two releases share one schema, as they do in every rolling deploy and after every roll-back.
--
-- A release changes the schema in two steps. It *expands* it first: what it adds, the release before does not know
-- and does not miss, and so that release starts and runs on it. What nobody needs any more goes only in a later
-- release, which *contracts*: such a migration ends with `update schema_needs set migration = N`, where N is the
-- newest migration that a program must know to work with what is left. An older one reads that and does not start.
create table schema_needs (
    only_row  boolean primary key default true check (only_row),
    migration bigint not null
);

insert into schema_needs (migration) values (9);
