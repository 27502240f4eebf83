//! How often one core can sign, without anything around it.

#![expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]

use std::{
    error::Error,
    hint::black_box,
    time::{Duration, Instant},
};

use aws_lc_rs::{
    rand::SystemRandom,
    rsa::KeySize,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
    },
};
use openssl::{
    ec::{EcGroup, EcKey},
    hash::MessageDigest,
    nid::Nid,
    pkey::{PKey, Private},
    rsa::Rsa,
    sign::Signer,
};

/// About as long as what is signed for an access token.
const MESSAGE: [u8; 400] = [b'x'; 400];

/// What signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// RSA-2048, PKCS#1 v1.5, SHA-256: RS256.
    Rsa2048,
    /// ECDSA on P-256 with SHA-256: ES256.
    P256,
    /// Ed25519: `EdDSA`.
    Ed25519,
}

impl Family {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Rsa2048, Self::P256, Self::Ed25519];

    /// The name on the command line and in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rsa2048 => "rsa2048",
            Self::P256 => "p256",
            Self::Ed25519 => "ed25519",
        }
    }
}

/// A measured rate.
#[derive(Clone, Debug, PartialEq)]
pub struct Rate {
    /// The family and the library.
    pub name: String,
    /// Signatures per second.
    pub per_second: f64,
}

/// Signs for `duration` with each library.
///
/// # Errors
///
/// If a key cannot be made or used.
pub fn measure(family: Family, duration: Duration) -> Result<[Rate; 2], Box<dyn Error>> {
    let aws_lc = match family {
        Family::Rsa2048 => aws_lc_rsa(duration)?,
        Family::P256 => aws_lc_p256(duration)?,
        Family::Ed25519 => aws_lc_ed25519(duration)?,
    };
    let openssl = match family {
        Family::Rsa2048 => openssl_digested(&PKey::from_rsa(Rsa::generate(2048)?)?, duration)?,
        Family::P256 => {
            let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1)?;
            openssl_digested(&PKey::from_ec_key(EcKey::generate(&group)?)?, duration)?
        }
        Family::Ed25519 => openssl_ed25519(duration)?,
    };
    Ok([
        Rate { name: format!("{}/aws-lc", family.name()), per_second: aws_lc },
        Rate { name: format!("{}/openssl", family.name()), per_second: openssl },
    ])
}

fn aws_lc_rsa(duration: Duration) -> Result<f64, Box<dyn Error>> {
    let key = RsaKeyPair::generate(KeySize::Rsa2048)?;
    let random = SystemRandom::new();
    let mut signature = vec![0; key.public_modulus_len()];
    rate(duration, || {
        key.sign(&RSA_PKCS1_SHA256, &random, &MESSAGE, &mut signature)?;
        black_box(&signature);
        Ok(())
    })
}

fn aws_lc_p256(duration: Duration) -> Result<f64, Box<dyn Error>> {
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
    let random = SystemRandom::new();
    rate(duration, || {
        black_box(key.sign(&random, &MESSAGE)?);
        Ok(())
    })
}

fn aws_lc_ed25519(duration: Duration) -> Result<f64, Box<dyn Error>> {
    let key = Ed25519KeyPair::generate()?;
    rate(duration, || {
        black_box(key.sign(&MESSAGE));
        Ok(())
    })
}

fn openssl_digested(key: &PKey<Private>, duration: Duration) -> Result<f64, Box<dyn Error>> {
    rate(duration, || {
        let mut signer = Signer::new(MessageDigest::sha256(), key)?;
        black_box(signer.sign_oneshot_to_vec(&MESSAGE)?);
        Ok(())
    })
}

fn openssl_ed25519(duration: Duration) -> Result<f64, Box<dyn Error>> {
    let key = PKey::generate_ed25519()?;
    rate(duration, || {
        let mut signer = Signer::new_without_digest(&key)?;
        black_box(signer.sign_oneshot_to_vec(&MESSAGE)?);
        Ok(())
    })
}

fn rate(
    duration: Duration,
    mut sign: impl FnMut() -> Result<(), Box<dyn Error>>,
) -> Result<f64, Box<dyn Error>> {
    // The clock is read once for a few signatures, so that it costs nothing beside them.
    const BATCH: u32 = 16;
    for _ in 0..BATCH {
        sign()?;
    }
    let start = Instant::now();
    let mut count = 0_u32;
    loop {
        for _ in 0..BATCH {
            sign()?;
        }
        count += BATCH;
        let elapsed = start.elapsed();
        if elapsed >= duration {
            return Ok(f64::from(count) / elapsed.as_secs_f64());
        }
    }
}
