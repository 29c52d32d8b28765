//! What is kept secret at rest: sealed texts, and secrets that are stored only as their hash.
//!
//! Calls nothing of this crate.

use std::fmt;

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    hkdf::{HKDF_SHA256, Salt},
    rand,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use sha2::{Digest, Sha256};

/// Names the derivation; a change of it makes everything that is sealed unreadable.
const SALT: &[u8] = b"sidereal seal 1";

/// Encrypts what the database keeps of a login: AES-256-GCM under a key that comes (HKDF-SHA256) from a secret that
/// every replica has, so that one opens what another sealed.
pub struct Seal(LessSafeKey);

impl Seal {
    /// A seal by `secret`; the same secret makes the same seal.
    pub fn from_secret(secret: &SecretString) -> Seal {
        let key = Salt::new(HKDF_SHA256, SALT)
            .extract(secret.expose_secret().as_bytes())
            .expand(&[b"aes-256-gcm"], &AES_256_GCM)
            .map(UnboundKey::from)
            .expect("HKDF gives as many bytes as this key has");
        Seal(LessSafeKey::new(key))
    }

    /// `plain`, encrypted: only [`Seal::open`] with the same `purpose` reads it. Twice the same gives different bytes.
    pub fn seal(&self, purpose: &str, plain: &[u8]) -> Vec<u8> {
        let nonce: [u8; NONCE_LEN] = random();
        let mut sealed = nonce.to_vec();
        let mut text = plain.to_vec();
        self.0
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(purpose.as_bytes()),
                &mut text,
            )
            .expect("no text here comes near the 64 GiB that AES-GCM can encrypt");
        sealed.append(&mut text);
        sealed
    }

    /// What was sealed for `purpose`, or nothing if it was not, not by this secret, or has been changed since.
    pub fn open(&self, purpose: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, text) = sealed.split_first_chunk::<NONCE_LEN>()?;
        let mut text = text.to_vec();
        let plain = self
            .0
            .open_in_place(
                Nonce::assume_unique_for_key(*nonce),
                Aad::from(purpose.as_bytes()),
                &mut text,
            )
            .ok()?
            .len();
        text.truncate(plain);
        Some(text)
    }
}

impl fmt::Debug for Seal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seal(…)")
    }
}

/// 256 random bits as base64url without padding (43 characters): a cookie's value, a login's state, a token.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A new one, from the system's source of randomness.
    #[expect(
        clippy::new_without_default,
        reason = "each is another; a default would be one"
    )]
    pub fn new() -> Secret {
        Secret(URL_SAFE_NO_PAD.encode(random::<32>()))
    }

    /// The one that its holder shows; nothing if it cannot be one.
    pub fn parse(text: &str) -> Option<Secret> {
        let plausible = URL_SAFE_NO_PAD.decode(text).is_ok_and(|bytes| bytes.len() == 32);
        plausible.then(|| Secret(text.to_owned()))
    }

    /// What its holder is given.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// What is stored of it.
    pub fn hash(&self) -> [u8; 32] {
        hash(&self.0)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// SHA-256 of a secret that came in, to look it up by. Secrets have 256 random bits, so that salt and stretching would
/// add nothing.
pub fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}

fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).expect("the system has randomness");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seal(secret: &str) -> Seal {
        Seal::from_secret(&secret.into())
    }

    #[test]
    fn replicas_with_one_secret_open_each_others_seals() {
        let sealed = seal("s3cret").seal("session", b"refresh token");
        assert_eq!(
            seal("s3cret").open("session", &sealed).as_deref(),
            Some(&b"refresh token"[..])
        );
        assert_eq!(seal("s3cret ").open("session", &sealed), None);
    }

    #[test]
    fn a_seal_opens_only_for_its_purpose() {
        let seal = seal("s");
        let sealed = seal.seal("session", b"");
        assert_eq!(seal.open("session", &sealed), Some(Vec::new()));
        assert_eq!(seal.open("login", &sealed), None);
    }

    #[test]
    fn every_changed_or_missing_byte_is_noticed() {
        let seal = seal("s");
        let sealed = seal.seal("session", b"text");
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(seal.open("session", &changed), None, "byte {at}");
            assert_eq!(seal.open("session", &sealed[..at]), None, "first {at}");
        }
    }

    #[test]
    fn the_same_text_is_sealed_differently_each_time_and_never_shown() {
        let seal = seal("s");
        let (one, two) = (seal.seal("p", b"plain text"), seal.seal("p", b"plain text"));
        assert_ne!(one, two);
        assert!(!one.windows(5).any(|window| window == b"plain"));
    }

    #[test]
    fn secrets_differ_are_url_safe_and_stay_out_of_logs() {
        let (one, two) = (Secret::new(), Secret::new());
        assert_ne!(one, two);
        assert_eq!(one.expose().len(), 43);
        assert!(
            one.expose()
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
        );
        assert_eq!(one.hash(), hash(one.expose()));
        assert!(!format!("{one:?} {:?}", seal("hunter2")).contains(one.expose()));
    }

    #[test]
    fn the_hash_is_sha_256() {
        assert_eq!(
            hex::encode(hash("abc")),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }
}
