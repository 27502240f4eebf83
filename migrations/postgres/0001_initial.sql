-- Texts compare and sort byte by byte (collate "C"). Moments are milliseconds since the Unix
-- epoch. Lists and objects are JSON, kept as text so that they come out as they went in.

create table clients (
    id                    text   collate "C" not null primary key,
    name                  text   collate "C" not null,
    state                 text   not null,
    authentication        text   not null,
    keys                  text   not null,
    capabilities          text   not null,
    permissions           text   not null,
    audience              text   not null,
    scope                 text   not null,
    allowed_custom_claims text   not null,
    metadata              text,
    informative           text   not null,
    created_at            bigint not null,
    updated_at            bigint not null,
    last_login            bigint,
    revision              bigint not null
);

-- Not tied to clients by a foreign key: they may live in another store.
create table credentials (
    sequence   bigint generated always as identity primary key,
    client_id  text   collate "C" not null,
    id         text   collate "C" not null,
    hash       text   collate "C" not null,
    selector   bigint,
    name       text,
    created_at bigint not null,
    expires_at bigint,
    last_used  bigint,
    unique (client_id, id)
);

create table revoked_tokens (
    id    text   collate "C" not null primary key,
    until bigint not null
);

create index revoked_tokens_until on revoked_tokens (until);

create table revoked_clients (
    client       text   collate "C" not null primary key,
    issued_until bigint not null,
    until        bigint not null
);

create index revoked_clients_until on revoked_clients (until);

create table used_assertions (
    client text   collate "C" not null,
    id     text   collate "C" not null,
    until  bigint not null,
    primary key (client, id)
);

create index used_assertions_until on used_assertions (until);

-- One row, which is there from the start: so each change of the keys is one compare-and-swap.
create table signing_keys (
    slot     bigint not null primary key check (slot = 1),
    revision bigint not null,
    keys     text   not null
);

insert into signing_keys (slot, revision, keys) values (1, 0, '[]');

create table bootstrap (
    slot   bigint not null primary key check (slot = 1),
    digest bytea  not null
);
