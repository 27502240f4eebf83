//! Options that cannot be used are refused at once, and nothing is repeated.

use adapter_redis::{
    ClientCertificate, InvalidRedisOptions, RedisOptions, RedisStores, TlsOptions, Topology,
};

use crate::servers::{DATA, WATCH, cluster, node, sentinel, standalone};
use crate::tls::{Authority, provide};

fn refused(options: &RedisOptions) -> InvalidRedisOptions {
    let refused = RedisStores::new(options).unwrap_err();
    assert!(!format!("{refused} {refused:?}").contains("hunter2"));
    refused
}

#[test]
fn a_host_that_is_none_is_refused_and_not_repeated() {
    for host in ["", "redis://u:hunter2@h", "u:hunter2@h:6379", "h:hunter2", "h:0"] {
        assert_eq!(refused(&standalone(host)), InvalidRedisOptions::Host(1), "{host}");
    }
    let hosts = ["h".to_owned(), "u:hunter2@h".to_owned()];
    assert_eq!(refused(&sentinel(&hosts)), InvalidRedisOptions::Host(2));
    assert_eq!(refused(&cluster(&hosts)), InvalidRedisOptions::Host(2));
}

#[test]
fn what_is_missing_is_named() {
    assert_eq!(refused(&sentinel(&[])), InvalidRedisOptions::NoHost);
    assert_eq!(refused(&cluster(&[])), InvalidRedisOptions::NoHost);

    let hosts = ["h".to_owned()];
    let mut nameless = sentinel(&hosts);
    if let Topology::Sentinel { master_name, .. } = &mut nameless.topology {
        master_name.clear();
    }
    assert_eq!(refused(&nameless), InvalidRedisOptions::NoMasterName);

    let passwordless = RedisOptions { username: Some("u".to_owned()), ..standalone("h") };
    assert_eq!(refused(&passwordless), InvalidRedisOptions::UsernameWithoutPassword);
    let mut passwordless = sentinel(&hosts);
    if let Topology::Sentinel { password, .. } = &mut passwordless.topology {
        *password = None;
    }
    assert_eq!(refused(&passwordless), InvalidRedisOptions::UsernameWithoutPassword);

    let numbered = RedisOptions { database: 1, ..cluster(&hosts) };
    assert_eq!(refused(&numbered), InvalidRedisOptions::DatabaseOfCluster);
    let idle = RedisOptions { max_connections: 0, ..standalone("h") };
    assert_eq!(refused(&idle), InvalidRedisOptions::Zero);
}

#[test]
fn certificates_that_cannot_be_used_are_refused() {
    provide();
    let authority = Authority::new();
    let (certificate, key) = authority.vouch_for("tokenwright");
    let (_, other_key) = authority.vouch_for("tokenwright");
    let with = |ca: &str, certificate: &str, key: &str| {
        let tls = TlsOptions {
            certificate_authority: Some(ca.as_bytes().to_vec()),
            client: Some(ClientCertificate {
                certificates: certificate.as_bytes().to_vec(),
                key: key.as_bytes().to_vec().into(),
            }),
            ..TlsOptions::default()
        };
        RedisOptions { tls: Some(tls), ..standalone("h") }
    };
    let broken = "-----BEGIN CERTIFICATE-----\nhunter2\n-----END CERTIFICATE-----\n";
    let ca = &authority.pem;

    node(&with(ca, &certificate, &key));

    for pem in ["", "hunter2", broken, &key] {
        use InvalidRedisOptions::{CertificateAuthority, ClientCertificate, ClientKey};
        assert_eq!(refused(&with(pem, &certificate, &key)), CertificateAuthority);
        assert_eq!(refused(&with(ca, pem, &key)), ClientCertificate);
        if pem != key {
            assert_eq!(refused(&with(ca, &certificate, pem)), ClientKey);
        }
    }
    assert_eq!(refused(&with(ca, &certificate, &other_key)), InvalidRedisOptions::ClientPair);
}

#[test]
fn nothing_shows_a_password_or_a_key() {
    provide();
    let (_, key) = Authority::new().vouch_for("tokenwright");
    let line = key.lines().nth(1).unwrap().to_owned();
    let tls = TlsOptions {
        certificate_authority: None,
        client: Some(ClientCertificate { certificates: Vec::new(), key: key.into_bytes().into() }),
        ..TlsOptions::default()
    };
    let options = RedisOptions { tls: Some(tls), ..sentinel(&["h".to_owned()]) };
    let usable = sentinel(&["h".to_owned()]);

    for shown in [format!("{options:?}"), format!("{options:#?}"), format!("{:?}", node(&usable))] {
        for secret in [DATA.1, WATCH.1, &line] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}
