-- Nodes that LISTEN on `tokenwright_changes` hear of what changed as soon as it is committed,
-- whoever changed it. What is told is a kind and an id; see `Change` in crates/domain.

create function tokenwright_tell() returns trigger
language plpgsql as $$
declare
    told text := tg_argv[0];
begin
    if tg_nargs = 2 and tg_op = 'DELETE' then
        told := told || ':' || (to_jsonb(old) ->> tg_argv[1]);
    elsif tg_nargs = 2 then
        told := told || ':' || (to_jsonb(new) ->> tg_argv[1]);
    end if;
    perform pg_notify('tokenwright_changes', told);
    return null;
end
$$;

-- Nobody remembers that a client was not there, and a login is no news.
create trigger tell_of_changed_clients
    after delete or update of
        name, state, authentication, keys, capabilities, permissions, audience, scope,
        allowed_custom_claims, metadata, informative, revision
    on clients for each row execute function tokenwright_tell('client', 'id');

-- A hash made anew stands for the same secret, and a use is no news.
create trigger tell_of_changed_secrets
    after insert or delete or update of expires_at
    on credentials for each row execute function tokenwright_tell('secrets', 'client_id');

create trigger tell_of_revoked_tokens
    after insert or update
    on revoked_tokens for each row execute function tokenwright_tell('token', 'id');

create trigger tell_of_revoked_clients
    after insert or update
    on revoked_clients for each row execute function tokenwright_tell('tokens', 'client');

create trigger tell_of_changed_keys
    after insert or update
    on signing_keys for each row execute function tokenwright_tell('keys');
