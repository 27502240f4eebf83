//! Digests of tokens, kept as bytes.

use domain::{Fault, TokenDigest};
use mongodb::bson::Binary;
use mongodb::bson::spec::BinarySubtype;

/// A digest as it is kept.
pub(crate) fn kept(digest: &TokenDigest) -> Binary {
    Binary { subtype: BinarySubtype::Generic, bytes: digest.0.to_vec() }
}

/// A digest that was kept.
pub(crate) fn believed(kept: Binary) -> Result<TokenDigest, Fault> {
    let digest = <[u8; 32]>::try_from(kept.bytes);
    digest.map(TokenDigest).map_err(|_| Fault::corrupt("the kept digest has not 32 bytes"))
}
