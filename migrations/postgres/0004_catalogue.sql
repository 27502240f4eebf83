-- What is registered at the service: one JSON document in one row, which is there from the start, so
-- that each change is one compare-and-swap. At revision 0 nothing was ever stored.
create table catalogue (
    slot     bigint not null primary key check (slot = 1),
    revision bigint not null,
    document text   not null
);

insert into catalogue (slot, revision, document) values (1, 0, '');

create trigger tell_of_the_changed_catalogue
    after insert or update
    on catalogue for each row execute function tokenwright_tell('catalogue');
