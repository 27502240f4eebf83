//! Which addresses may be asked.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// The networks that an operator lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Networks {
    /// Those that may be asked although they are private or special.
    pub allowed: Vec<IpNet>,
    /// Those that may be asked without TLS, too.
    pub plain_http: Vec<IpNet>,
}

/// What may be asked by one way.
#[derive(Clone, Debug)]
pub(crate) struct Guard {
    listed: Vec<IpNet>,
    /// Whether public addresses may be asked, too.
    lets_public: bool,
}

impl Guard {
    /// What may be asked over TLS.
    pub(crate) fn of_https(networks: &Networks) -> Self {
        let listed = networks.allowed.iter().chain(&networks.plain_http).copied().collect();
        Self { listed, lets_public: true }
    }

    /// What may be asked without.
    pub(crate) fn of_http(networks: &Networks) -> Self {
        Self { listed: networks.plain_http.clone(), lets_public: false }
    }

    /// Whether `address` may be asked.
    pub(crate) fn lets(&self, address: IpAddr) -> bool {
        self.listed.iter().any(|it| it.contains(&address))
            || (self.lets_public && is_public(address))
    }
}

/// Whether an address is one that the whole internet can reach: none that leads back into a network
/// of ours, in whatever form it is written.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(it) => !SPECIAL_V4.iter().any(|network| network.contains(&it)),
        IpAddr::V6(it) => {
            GLOBAL_V6.contains(&it) && !SPECIAL_V6.iter().any(|network| network.contains(&it))
        }
    }
}

const fn v4(a: u8, b: u8, c: u8, d: u8, bits: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), bits)
}

const fn v6(a: u16, b: u16, bits: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, 0, 0, 0, 0, 0, 0), bits)
}

/// The special-purpose registry of IPv4 (RFC 6890 and its updates), and one address more.
const SPECIAL_V4: [Ipv4Net; 19] = [
    v4(0, 0, 0, 0, 8),        // this network
    v4(10, 0, 0, 0, 8),       // private
    v4(100, 64, 0, 0, 10),    // shared by a carrier's customers; metadata of one cloud
    v4(127, 0, 0, 0, 8),      // loopback
    v4(168, 63, 129, 16, 32), // not special by the registry: the host agent of another cloud
    v4(169, 254, 0, 0, 16),   // link-local; metadata of most clouds
    v4(172, 16, 0, 0, 12),    // private
    v4(192, 0, 0, 0, 24),     // protocol assignments; metadata of one cloud
    v4(192, 0, 2, 0, 24),     // documentation
    v4(192, 31, 196, 0, 24),  // AS112
    v4(192, 52, 193, 0, 24),  // multicast tunnels
    v4(192, 88, 99, 0, 24),   // 6to4 relays
    v4(192, 168, 0, 0, 16),   // private
    v4(192, 175, 48, 0, 24),  // AS112
    v4(198, 18, 0, 0, 15),    // benchmarks
    v4(198, 51, 100, 0, 24),  // documentation
    v4(203, 0, 113, 0, 24),   // documentation
    v4(224, 0, 0, 0, 4),      // multicast
    v4(240, 0, 0, 0, 4),      // reserved, and broadcast
];

/// All that is given out to be reached globally. Unspecified, loopback, unique local, link-local,
/// site-local and multicast addresses are outside of it, and so are those that hold one of IPv4:
/// compatible, mapped (`::ffff:0:0/96`), translated (`::ffff:0:0:0/96`) and of NAT64 (`64:ff9b::/96`,
/// `64:ff9b:1::/48`).
const GLOBAL_V6: Ipv6Net = v6(0x2000, 0, 3);

/// What is special within it.
const SPECIAL_V6: [Ipv6Net; 5] = [
    v6(0x2001, 0, 23),      // protocol assignments: Teredo, benchmarks, ORCHID
    v6(0x2001, 0x0db8, 32), // documentation
    v6(0x2002, 0, 16),      // 6to4, which holds an address of IPv4
    v6(0x2620, 0x004f, 32), // AS112 and its neighbors
    v6(0x3fff, 0, 20),      // documentation
];

#[cfg(test)]
mod tests {
    use super::*;

    fn networks(allowed: &[&str], plain_http: &[&str]) -> Networks {
        let parsed = |it: &[&str]| it.iter().map(|it| it.parse().unwrap()).collect();
        Networks { allowed: parsed(allowed), plain_http: parsed(plain_http) }
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    /// Every form that is known to have fooled such a guard.
    const FORBIDDEN: &[&str] = &[
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "10.255.255.255",
        "100.64.0.1",
        "100.100.100.200",
        "100.127.255.255",
        "127.0.0.1",
        "127.255.255.254",
        "168.63.129.16",
        "169.254.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.192",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.0.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::7f00:1",
        "::169.254.169.254",
        "::ffff:127.0.0.1",
        "::ffff:10.0.0.1",
        "::ffff:169.254.169.254",
        "::ffff:8.8.8.8",
        "::ffff:0:127.0.0.1",
        "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe",
        "64:ff9b:1::a00:1",
        "100::1",
        "2001::1",
        "2001:0:a9fe:a9fe::1",
        "2001:2::1",
        "2001:10::1",
        "2001:20::1",
        "2001:db8::1",
        "2002:7f00:1::",
        "2002:a9fe:a9fe::1",
        "3fff::1",
        "3fff:fff::1",
        "4000::1",
        "5f00::1",
        "fc00::1",
        "fd00:ec2::254",
        "fdff:ffff::1",
        "fe80::1",
        "fe80::a9fe:a9fe",
        "fec0::1",
        "ff02::1",
        "ff0e::1",
    ];

    #[test]
    fn t27_no_private_local_or_special_address_is_asked() {
        let guard = Guard::of_https(&Networks::default());
        for text in FORBIDDEN {
            assert!(!guard.lets(address(text)), "{text}");
        }
    }

    #[test]
    fn public_addresses_are_asked_over_tls_and_in_no_other_way() {
        for text in [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "128.0.0.1",
            "168.63.129.17",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.1",
            "192.167.255.255",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "2001:4860:4860::8888",
            "2606:4700::1111",
            "2a00:1450::1",
            "3ffe::1",
        ] {
            assert!(Guard::of_https(&Networks::default()).lets(address(text)), "{text}");
            assert!(!Guard::of_http(&networks(&["10.0.0.0/8"], &[])).lets(address(text)), "{text}");
        }
    }

    #[test]
    fn what_is_listed_is_asked_and_nothing_beside_it() {
        let networks = networks(&["10.1.0.0/16", "fd00:1::/32"], &["127.0.0.0/8"]);
        let (https, http) = (Guard::of_https(&networks), Guard::of_http(&networks));

        for text in ["10.1.2.3", "fd00:1::5"] {
            assert!(https.lets(address(text)) && !http.lets(address(text)), "{text}");
        }
        assert!(https.lets(address("127.0.0.1")) && http.lets(address("127.0.0.1")));
        // Another form of what is listed is not what is listed.
        for text in ["10.2.0.1", "fd00:2::1", "::ffff:10.1.2.3", "64:ff9b::a01:203", "::1"] {
            assert!(!https.lets(address(text)) && !http.lets(address(text)), "{text}");
        }
    }
}
