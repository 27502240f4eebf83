//! Which slot of a cluster a key belongs to.

/// As many slots as a cluster shares among its masters.
pub(crate) const SLOTS: u16 = 16_384;

/// The slot of a key: of what stands between its first `{` and the next `}`, if anything does, and
/// else of all of it (Redis Cluster specification, "Hash tags").
pub(crate) fn slot_of(key: &str) -> u16 {
    let tag = key
        .split_once('{')
        .and_then(|(_, rest)| rest.split_once('}'))
        .map(|(tag, _)| tag)
        .filter(|tag| !tag.is_empty());
    checksum(tag.unwrap_or(key).as_bytes()) % SLOTS
}

/// CRC-16/XMODEM.
fn checksum(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |sum, byte| {
        (0..8).fold(sum ^ (u16::from(*byte) << 8), |sum: u16, _| match sum & 0x8000 {
            0 => sum << 1,
            _ => (sum << 1) ^ 0x1021,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_the_slot_that_redis_computes() {
        assert_eq!(checksum(b"123456789"), 0x31C3);
        // What `CLUSTER KEYSLOT` answers.
        for (key, slot) in [
            ("", 0),
            ("foo", 12_182),
            ("somekey", 11_058),
            ("foo{hash_tag}", 2_515),
            ("hash_tag", 2_515),
            ("bar{hash_tag}x}", 2_515),
        ] {
            assert_eq!(slot_of(key), slot, "{key}");
        }
    }

    #[test]
    fn an_empty_or_open_tag_is_no_tag() {
        for key in ["a{}{b}", "a{b", "a}b{"] {
            assert_eq!(slot_of(key), checksum(key.as_bytes()) % SLOTS, "{key}");
        }
    }
}
