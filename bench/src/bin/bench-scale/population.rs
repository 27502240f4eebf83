//! As many clients as are wanted, copied from one that the server made.

use std::{
    error::Error,
    ffi::OsString,
    io::Write,
    process::{Command, Stdio},
};

use bench::{
    client::{self, Client},
    http::Request,
    process::Server,
};

use crate::{Options, SERVER_CPU};

/// Copies go by other ids, which lie all over the index: the digits of their number, backwards.
const ID_ENDS_WITH: &str = "-0000-4000-8000-000000000000";

/// How secrets are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scheme {
    /// bcrypt of the least cost, a hash of its own for each client: each is verified, and
    /// remembered, by itself.
    Bcrypt,
    /// A keyed hash, the same for all: verified in a microsecond, and not remembered. Where it is
    /// the store that is measured.
    Keyed,
}

/// A database with clients, and how a server is told to use it.
#[derive(Debug)]
pub(crate) struct Population {
    /// How many there are.
    pub(crate) size: u32,
    name: String,
    settings: Vec<(String, OsString)>,
    management_token: String,
    secret: String,
}

impl Population {
    /// Lets a server prepare a new database and register a client, and copies that client.
    pub(crate) fn make(
        options: &Options,
        size: u32,
        scheme: Scheme,
    ) -> Result<Self, Box<dyn Error>> {
        let name = match scheme {
            Scheme::Bcrypt => format!("bench_bcrypt_{size}"),
            Scheme::Keyed => format!("bench_keyed_{size}"),
        };
        psql(options, "postgres", &format!("create database {name};"))?;
        let management_token = client::random_letters(64)?;
        let url = format!("{}/{name}", options.postgres);
        let scheme_settings = match scheme {
            Scheme::Bcrypt => ("SECRETS__BCRYPT_COST", "4".to_owned()),
            Scheme::Keyed => ("SECRETS__SCHEME", "keyed".to_owned()),
        };
        let settings = [
            ("STORES__DEFAULT", "postgres".to_owned()),
            ("POSTGRES__URL", url),
            ("TOKENS__ALGORITHM", "ES256".to_owned()),
            ("MANAGEMENT__TOKEN", management_token.clone()),
            ("SECRETS__PEPPER", client::random_letters(64)?),
            scheme_settings,
        ];
        let settings = settings
            .into_iter()
            .map(|(name, value)| (format!("TOKENWRIGHT__{name}"), value.into()))
            .chain(options.settings.iter().cloned())
            .collect();
        let mut population = Self { size, name, settings, management_token, secret: String::new() };

        let server = population.server(options)?;
        let original = Client::register(server.address)?;
        server.stop()?;
        psql(options, &population.name, &copies(&original, size, scheme))?;
        psql(options, &population.name, "vacuum analyze;")?;
        population.secret = original.secret;
        Ok(population)
    }

    /// A new server, which is ready and remembers nothing.
    pub(crate) fn server(&self, options: &Options) -> Result<Server, Box<dyn Error>> {
        let data = options.directory.join(&self.name);
        let mut server = Server::spawn(SERVER_CPU, &data, &self.settings)?;
        server.await_ready()?;
        Ok(server)
    }

    /// The request of a client for a token.
    pub(crate) fn token_request(&self, number: u32) -> Request {
        Client { id: id(number), secret: self.secret.clone() }.token_request()
    }

    /// The request of an operator for a client.
    pub(crate) fn management_request(&self, number: u32) -> Request {
        let bearer = format!("Authorization: Bearer {}", self.management_token);
        Request::new("GET", &format!("/clients/{}", id(number)), &[&bearer], "")
    }
}

fn id(number: u32) -> String {
    let digits: String = format!("{number:08}").chars().rev().collect();
    format!("{digits}{ID_ENDS_WITH}")
}

/// The statements that copy `original`. Triggers stay silent: nobody has to be told of a million
/// changes.
fn copies(original: &Client, size: u32, scheme: Scheme) -> String {
    let (from, secret) = (&original.id, &original.secret);
    let id = format!("reverse(lpad(number::text, 8, '0')) || '{ID_ENDS_WITH}'");
    let (hashes, hash) = match scheme {
        Scheme::Keyed => (String::new(), "hash".to_owned()),
        Scheme::Bcrypt => (
            HASHES.replace("SECRET", secret).replace("SIZE", &size.to_string()),
            "(select texts.hash from texts where texts.number = numbers.number)".to_owned(),
        ),
    };
    format!(
        "set session_replication_role = replica;
        {hashes}
        insert into clients (id, name, state, authentication, keys, capabilities, permissions,
            audience, scope, allowed_custom_claims, metadata, informative, created_at, updated_at,
            last_login, revision)
        select {id}, name, state, authentication, keys, capabilities, permissions,
            audience, scope, allowed_custom_claims, metadata, informative, created_at, updated_at,
            last_login, revision
        from clients, generate_series(0, {size} - 1) as numbers(number) where clients.id = '{from}';
        insert into credentials
            (client_id, id, hash, selector, name, created_at, expires_at, last_used)
        select {id}, id, {hash}, selector, name, created_at, expires_at, last_used
        from credentials, generate_series(0, {size} - 1) as numbers(number)
        where client_id = '{from}';"
    )
}

/// A hash for each client, in `texts`. A salt of bcrypt ends with four bits that nobody reads: so
/// one computed hash can be written in sixteen ways, which the server cannot tell to be the same.
const HASHES: &str = "
    create extension pgcrypto;
    create temporary table computed as
        select series, crypt('SECRET', gen_salt('bf', 4)) as hash
        from generate_series(0, SIZE / 16) as series;
    create temporary table texts as
        select series * 16 + way as number,
            '$2b' || substr(hash, 4, 25) || substr(letters, strpos(letters, substr(hash, 29, 1)) + way, 1)
                || substr(hash, 30) as hash
        from computed, generate_series(0, 15) as way,
            (values ('./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'))
                as alphabet(letters);
    create unique index on texts (hash);
    create unique index on texts (number);
    analyze texts;";

fn psql(options: &Options, database: &str, statements: &str) -> Result<(), Box<dyn Error>> {
    let mut child = Command::new(&options.psql)
        .args(["--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--dbname"])
        .arg(format!("{}/{database}", options.postgres))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()?;
    // Taken, so that it is closed when all is written.
    child.stdin.take().ok_or("psql reads nothing")?.write_all(statements.as_bytes())?;
    let status = child.wait()?;
    if status.success() { Ok(()) } else { Err(format!("psql: {status}").into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_as_long_as_those_of_the_server_and_lie_apart() {
        assert_eq!(id(12), "21000000-0000-4000-8000-000000000000");
        assert_eq!(id(13), "31000000-0000-4000-8000-000000000000");
    }
}
