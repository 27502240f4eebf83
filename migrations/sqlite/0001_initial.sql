-- Texts compare and sort byte by byte (SQLite's default). Moments are milliseconds since the Unix
-- epoch. Lists and objects are JSON.

create table clients (
    id                    text    not null primary key,
    name                  text    not null,
    state                 text    not null,
    authentication        text    not null,
    keys                  text    not null,
    capabilities          text    not null,
    permissions           text    not null,
    audience              text    not null,
    scope                 text    not null,
    allowed_custom_claims text    not null,
    metadata              text,
    informative           text    not null,
    created_at            integer not null,
    updated_at            integer not null,
    last_login            integer,
    revision              integer not null
) strict;

-- Not tied to clients by a foreign key: they may live in another store.
create table credentials (
    sequence   integer not null primary key autoincrement,
    client_id  text    not null,
    id         text    not null,
    hash       text    not null,
    selector   integer,
    name       text,
    created_at integer not null,
    expires_at integer,
    last_used  integer,
    unique (client_id, id)
) strict;

create table revoked_tokens (
    id    text    not null primary key,
    until integer not null
) strict, without rowid;

create index revoked_tokens_until on revoked_tokens (until);

create table revoked_clients (
    client       text    not null primary key,
    issued_until integer not null,
    until        integer not null
) strict, without rowid;

create index revoked_clients_until on revoked_clients (until);

create table used_assertions (
    client text    not null,
    id     text    not null,
    until  integer not null,
    primary key (client, id)
) strict, without rowid;

create index used_assertions_until on used_assertions (until);

-- One row, which is there from the start: so each change of the keys is one compare-and-swap.
create table signing_keys (
    slot     integer not null primary key check (slot = 1),
    revision integer not null,
    keys     text    not null
) strict;

insert into signing_keys (slot, revision, keys) values (1, 0, '[]');

create table bootstrap (
    slot   integer not null primary key check (slot = 1),
    digest blob    not null
) strict;
