-- A change set is one document: `body` holds all of it, `summary` what a list shows. It is in the
-- database of the clients, so that a commit is one transaction.
create table change_sets (
    id         text    not null primary key,
    revision   integer not null,
    is_settled integer not null,
    summary    text    not null,
    body       text    not null
) strict;

create index change_sets_unsettled on change_sets (id) where is_settled = 0;
