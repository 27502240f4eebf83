-- A change set is one document: `body` holds all of it, `summary` what a list shows. It is in the
-- database of the clients, so that a commit is one transaction.
create table change_sets (
    id         text   collate "C" not null primary key,
    revision   bigint not null,
    is_settled bigint not null,
    summary    text   not null,
    body       text   not null
);

create index change_sets_unsettled on change_sets (id) where is_settled = 0;
