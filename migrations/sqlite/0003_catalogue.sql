-- What is registered at the service: one JSON document in one row, which is there from the start, so
-- that each change is one compare-and-swap. At revision 0 nothing was ever stored.
create table catalogue (
    slot     integer not null primary key check (slot = 1),
    revision integer not null,
    document text    not null
) strict;

insert into catalogue (slot, revision, document) values (1, 0, '');
