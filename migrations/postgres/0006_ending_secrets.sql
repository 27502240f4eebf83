-- Secrets that end are found by their end. Most never end, and take no room here.
create index credentials_expires_at on credentials (expires_at) where expires_at is not null;
