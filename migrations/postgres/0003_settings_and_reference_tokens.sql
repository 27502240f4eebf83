-- What is chosen for one client: a JSON object, empty where everything is the service's choice.
alter table clients add column settings text not null default '{}';

-- Settings decide about tokens: a change of theirs is news, whoever makes it.
drop trigger tell_of_changed_clients on clients;

create trigger tell_of_changed_clients
    after delete or update of
        name, state, authentication, keys, capabilities, permissions, audience, scope,
        allowed_custom_claims, metadata, informative, revision, settings
    on clients for each row execute function tokenwright_tell('client', 'id');

-- A secret that is made is no news: whoever is refused is looked up again. News is what ends.
drop trigger tell_of_changed_secrets on credentials;

create trigger tell_of_changed_secrets
    after delete or update of expires_at
    on credentials for each row execute function tokenwright_tell('secrets', 'client_id');

-- Under the digest of each token; the token itself is nowhere.
create table reference_tokens (
    digest     bytea  not null primary key,
    client     text   collate "C" not null,
    expires_at bigint not null,
    claims     text   not null
);

create index reference_tokens_expires_at on reference_tokens (expires_at);
