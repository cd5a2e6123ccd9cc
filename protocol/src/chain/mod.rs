//! The audit chain's arithmetic: links, salted commitments, signatures. A contract.
//!
//! Pure functions, so that appending, online verification and offline verification of an export share the same few lines.
//! A change of what is hashed or signed needs a new domain string.

pub mod export;
pub mod verify;

use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePublicKey as _, EncodePublicKey as _};
use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

const LINK_DOMAIN: &[u8] = b"tenantry.audit.v1\0";
const CHECKPOINT_DOMAIN: &[u8] = b"tenantry.audit.checkpoint.v1\0";
const EXPORT_DOMAIN: &[u8] = b"tenantry.audit.export.v1\0";

/// A SHA-256 link of the chain.
pub type Link = [u8; 32];

/// The hash that the first event follows.
pub const BEGINNING: Link = [0; 32];

/// The actions that name the key that signs from the next event on; the new public key is the fact `key`.
pub const KEY_ACTIONS: [&str; 2] = ["audit.begin", "audit.key_change"];
/// The action that acknowledges a loss; its facts are `from`, `to` and `hash`.
pub const ACKNOWLEDGE_ACTION: &str = "audit.acknowledge";
/// The action of a pruning; its fact `to` is the last event that was dropped.
pub const PRUNE_ACTION: &str = "audit.prune";

/// The hash of the event at `seq` that follows the one with hash `prev`.
pub fn link(seq: i64, prev: &Link, payload: &[u8]) -> Link {
    Sha256::new()
        .chain_update(LINK_DOMAIN)
        .chain_update(seq.to_be_bytes())
        .chain_update(prev)
        .chain_update((payload.len() as u64).to_be_bytes())
        .chain_update(payload)
        .finalize()
        .into()
}

/// SHA-256 over salt and value; the payload contains it in place of a personal value.
pub fn commitment(salt: &[u8], value: impl AsRef<[u8]>) -> Link {
    Sha256::new().chain_update(salt).chain_update(value).finalize().into()
}

/// The statement that is signed at an event: this trail has this hash there. It fixes all earlier events as well.
pub fn checkpoint(trail: Uuid, seq: i64, hash: &Link) -> Vec<u8> {
    [CHECKPOINT_DOMAIN, trail.as_bytes(), &seq.to_be_bytes(), hash].concat()
}

/// The statement that the signature at the end of an export makes about everything before it.
pub fn export_statement(trail: Uuid, sha256: &Link) -> Vec<u8> {
    [EXPORT_DOMAIN, trail.as_bytes(), sha256].concat()
}

/// A key that signatures are checked with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

/// Not an ed25519 public key as PEM.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an ed25519 public key in PEM form (-----BEGIN PUBLIC KEY-----)")]
pub struct NoKey;

impl PublicKey {
    pub const fn new(key: VerifyingKey) -> Self {
        Self(key)
    }

    pub fn from_pem(text: &str) -> Result<Self, NoKey> {
        VerifyingKey::from_public_key_pem(text.trim()).map(Self).map_err(|_| NoKey)
    }

    /// SubjectPublicKeyInfo, as `openssl pkey -pubin` reads it.
    pub fn to_pem(&self) -> String {
        self.0.to_public_key_pem(LineEnding::LF).unwrap_or_default()
    }

    /// Reads the 32 bytes in hexadecimal, the form in which events name a key.
    pub fn from_hex(text: &str) -> Result<Self, NoKey> {
        let bytes = data_encoding::HEXLOWER.decode(text.as_bytes()).map_err(|_| NoKey)?;
        let bytes = <[u8; 32]>::try_from(bytes).map_err(|_| NoKey)?;
        VerifyingKey::from_bytes(&bytes).map(Self).map_err(|_| NoKey)
    }

    pub fn to_hex(&self) -> String {
        data_encoding::HEXLOWER.encode(self.0.as_bytes())
    }

    /// The first 16 hexadecimal digits of the key's SHA-256.
    pub fn id(&self) -> String {
        data_encoding::HEXLOWER.encode(&Sha256::digest(self.0.as_bytes())[..8])
    }

    /// Whether the holder of the private key signed `statement`.
    pub fn has_signed(&self, statement: &[u8], signature: &[u8]) -> bool {
        Signature::from_slice(signature)
            .is_ok_and(|signature| self.0.verify_strict(statement, &signature).is_ok())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use ed25519_dalek::{Signer as _, SigningKey};

    use super::*;

    #[test]
    fn every_input_of_a_link_changes_it() {
        let link_of = |seq, prev: u8, payload: &str| link(seq, &[prev; 32], payload.as_bytes());
        let base = link_of(1, 0, "a");
        assert_eq!(base, link_of(1, 0, "a"));
        for other in [link_of(2, 0, "a"), link_of(1, 1, "a"), link_of(1, 0, "b"), link_of(1, 0, "aa")] {
            assert_ne!(base, other);
        }
    }

    #[test]
    fn a_signature_is_of_one_trail_one_place_and_one_key() {
        let key = SigningKey::from_bytes(&[7; 32]);
        let public = PublicKey::new(key.verifying_key());
        let (trail, hash) = (Uuid::from_u128(1), [3; 32]);
        let signature = key.sign(&checkpoint(trail, 9, &hash)).to_bytes();
        assert!(public.has_signed(&checkpoint(trail, 9, &hash), &signature));
        for other in [
            checkpoint(Uuid::from_u128(2), 9, &hash),
            checkpoint(trail, 8, &hash),
            checkpoint(trail, 9, &[4; 32]),
            export_statement(trail, &hash),
        ] {
            assert!(!public.has_signed(&other, &signature));
        }
        assert!(!public.has_signed(&checkpoint(trail, 9, &hash), &signature[1..]));
        let stranger = PublicKey::new(SigningKey::from_bytes(&[8; 32]).verifying_key());
        assert!(!stranger.has_signed(&checkpoint(trail, 9, &hash), &signature));
    }

    #[test]
    fn a_public_key_survives_its_written_forms() {
        let key = PublicKey::new(SigningKey::from_bytes(&[7; 32]).verifying_key());
        assert_eq!(PublicKey::from_pem(&key.to_pem()), Ok(key));
        assert_eq!(PublicKey::from_hex(&key.to_hex()), Ok(key));
        assert_eq!(key.id().len(), 16);
        for wrong in ["", "zz", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"] {
            assert_eq!((PublicKey::from_pem(wrong), PublicKey::from_hex(wrong)), (Err(NoKey), Err(NoKey)));
        }
    }
}
