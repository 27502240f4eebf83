-- What is chosen for one client: a JSON object, empty where everything is the service's choice.
alter table clients add column settings text not null default '{}';

-- Under the digest of each token; the token itself is nowhere. With a rowid, since the claims are
-- too large to be moved about in the order of the digests, which is none.
create table reference_tokens (
    digest     blob    not null primary key,
    client     text    not null,
    expires_at integer not null,
    claims     text    not null
) strict;

create index reference_tokens_expires_at on reference_tokens (expires_at);
