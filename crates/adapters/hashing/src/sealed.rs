//! Secrets that are sealed, and what clients make with them.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac::{self, HMAC_SHA256};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD_NO_PAD;
use domain::port::{MacVerifier, SecretOwner};
use domain::{ClientSecret, CompactMac, Fault, MacAlgorithm, SecretHash};
use zeroize::Zeroizing;

use crate::SealingKey;
use crate::random::random;

/// The scheme's name in what is stored.
pub(crate) const NAME: &str = "sealed";

/// What is authenticated beside each secret begins with this.
const CONTEXT: &[u8] = b"tokenwright sealed secret v1";

/// Secrets sealed with AES-256-GCM, as `$sealed$<key>$<nonce, secret and tag>`; the nonce is random.
/// The client and the secret's id are authenticated with it.
///
/// It takes some 2 µs to open one and to compute a MAC, so nothing of it is remembered.
pub struct SealedSecrets {
    key: Option<SealingKey>,
    /// Computed with in place of the secret of a client nobody has heard of.
    decoy: Zeroizing<[u8; 48]>,
}

impl SealedSecrets {
    /// Seals and opens with `key`. Without one nothing is sealed, and what is sealed is a fault.
    ///
    /// # Errors
    ///
    /// [`Fault`] if the operating system has no randomness to give.
    pub fn new(key: Option<SealingKey>) -> Result<Self, Fault> {
        Ok(Self { key, decoy: Zeroizing::new(random()?) })
    }

    fn key(&self) -> Result<&SealingKey, Fault> {
        self.key.as_ref().ok_or_else(|| {
            Fault::corrupt("secrets are sealed, and no sealing key (secrets.sealing_key) is there")
        })
    }

    fn open(
        &self,
        owner: SecretOwner<'_>,
        sealed: &SecretHash,
    ) -> Result<Zeroizing<Vec<u8>>, Fault> {
        let Some((key_name, mut bytes)) = read(sealed.as_str()) else {
            return Err(Fault::corrupt("a secret that should be sealed is not, or is malformed"));
        };
        let key = self.key()?;
        if key.name() != key_name {
            return Err(Fault::corrupt(format!(
                "a secret is sealed with another key than {}, the one that is there",
                key.name()
            )));
        }
        let refused =
            || Fault::corrupt("a sealed secret was changed, or belongs to another client");
        let Some((nonce, ciphertext)) = bytes.split_at_mut_checked(NONCE_LEN) else {
            return Err(refused());
        };
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| refused())?;
        let opened = key.key().open_in_place(nonce, Aad::from(context(owner)), ciphertext);
        opened.map(|secret| Zeroizing::new(secret.to_vec())).map_err(|_| refused())
    }
}

impl MacVerifier for SealedSecrets {
    fn seal(&self, owner: SecretOwner<'_>, secret: &ClientSecret) -> Result<SecretHash, Fault> {
        if secret.is_too_long() || secret.expose().len() < MacAlgorithm::MIN_KEY_BYTES {
            return Err(Fault::corrupt("a secret is too short or too long for a key of HS256"));
        }
        let key = self.key()?;
        let nonce: [u8; NONCE_LEN] = random()?;
        let mut bytes = Zeroizing::new(secret.expose().as_bytes().to_vec());
        // Room for the tag first: a buffer that moves leaves the secret behind.
        bytes.reserve_exact(AES_256_GCM.tag_len());
        let aad = Aad::from(context(owner));
        let nonce_of_key = Nonce::assume_unique_for_key(nonce);
        let tag = key.key().seal_in_place_separate_tag(nonce_of_key, aad, bytes.as_mut_slice());
        let tag = tag.map_err(Fault::corrupt)?;
        let whole = [&nonce, bytes.as_slice(), tag.as_ref()].concat();
        let encoded = BASE64_STANDARD_NO_PAD.encode(whole);
        Ok(SecretHash::new(format!("${NAME}${}${encoded}", key.name())))
    }

    fn is_by(
        &self,
        jws: &CompactMac,
        sealed: Option<(SecretOwner<'_>, &SecretHash)>,
    ) -> Result<bool, Fault> {
        let secret = match sealed {
            Some((owner, sealed)) => self.open(owner, sealed)?,
            None => Zeroizing::new(self.decoy.to_vec()),
        };
        let algorithm = match jws.header().algorithm {
            MacAlgorithm::Hs256 => HMAC_SHA256,
        };
        let key = hmac::Key::new(algorithm, &secret);
        let is_good = hmac::verify(&key, jws.signing_input(), jws.signature()).is_ok();
        Ok(is_good && sealed.is_some() && MacAlgorithm::MIN_KEY_BYTES <= secret.len())
    }

    fn is_secret(
        &self,
        presented: &ClientSecret,
        owner: SecretOwner<'_>,
        sealed: &SecretHash,
    ) -> Result<bool, Fault> {
        let secret = self.open(owner, sealed)?;
        Ok(verify_slices_are_equal(&secret, presented.expose().as_bytes()).is_ok())
    }
}

impl std::fmt::Debug for SealedSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SealedSecrets").field("key", &self.key).finish_non_exhaustive()
    }
}

/// The name of the key, and the bytes.
fn read(text: &str) -> Option<(&str, Vec<u8>)> {
    let mut parts = text.strip_prefix('$')?.split('$');
    let (name, key, encoded) = (parts.next()?, parts.next()?, parts.next()?);
    if name != NAME || parts.next().is_some() {
        return None;
    }
    Some((key, BASE64_STANDARD_NO_PAD.decode(encoded).ok()?))
}

/// Whose secret it is. The length of the first name goes before it: no other pair of names runs
/// together to the same bytes.
fn context(owner: SecretOwner<'_>) -> Vec<u8> {
    let (client, secret) = (owner.client.as_str().as_bytes(), owner.secret.as_str().as_bytes());
    [CONTEXT, &client.len().to_be_bytes(), client, secret].concat()
}
