//! Passwords and their SCRAM verifiers: made here, shown once, and neither stored nor logged anywhere.

use std::fmt;

use data_encoding::BASE64;
use hmac::{Hmac, KeyInit as _, Mac as _};
use rand::RngExt as _;
use sha2::{Digest as _, Sha256};

/// A password that the daemon made. `Debug` does not show it.
#[derive(Clone)]
pub struct Password(String);

/// What a server stores for a password (`SCRAM-SHA-256$…`). It is not the password, but it must be
/// hidden: it can be attacked offline.
#[derive(Clone)]
pub struct Verifier(String);

impl Password {
    /// 32 characters out of 62, which gives 190 bits.
    pub fn generate() -> Self {
        let text = rand::rng().sample_iter(rand::distr::Alphanumeric).take(32).map(char::from).collect();
        Self(text)
    }

    /// What `create role … password` takes, with its own salt.
    pub fn verifier(&self) -> Verifier {
        Verifier(postgres_protocol::password::scram_sha_256(self.0.as_bytes()))
    }

    /// The same for a login that lasts as long as one step, with a single iteration (RFC 5802). Iterations make it
    /// expensive to guess a weak password, but this one has 190 random bits. 4,096 iterations would cost both ends 3 ms at
    /// each login and each `alter role`.
    pub fn brief_verifier(&self) -> Verifier {
        let salt: [u8; 16] = rand::random();
        let salted = hmac(self.0.as_bytes(), &[&salt, &1_u32.to_be_bytes()]);
        let stored_key = Sha256::digest(hmac(&salted, &[b"Client Key"]));
        let server_key = hmac(&salted, &[b"Server Key"]);
        let [salt, stored, server] = [&salt[..], &stored_key, &server_key].map(|bytes| BASE64.encode(bytes));
        Verifier(format!("SCRAM-SHA-256$1:{salt}${stored}:{server}"))
    }

    /// The text itself, to log in, or for the one answer that contains it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

#[expect(clippy::expect_used, reason = "HMAC takes keys of any length; the constructor serves others too")]
fn hmac(key: &[u8], message: &[&[u8]]) -> [u8; 32] {
    let mut hmac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    message.iter().for_each(|part| hmac.update(part));
    hmac.finalize().into_bytes().into()
}

impl Verifier {
    pub(in crate::postgres) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_debug_form_of_a_secret_does_not_show_it() {
        let password = Password::generate();
        let verifier = password.verifier();
        let shown = format!("{password:?} {verifier:?}");
        assert!(!shown.contains(password.expose()) && !shown.contains("SCRAM"), "{shown}");
    }

    #[test]
    fn two_verifiers_of_one_password_have_their_own_salt() {
        let password = Password::generate();
        assert_ne!(password.verifier().expose(), password.verifier().expose());
        assert!(password.verifier().expose().starts_with("SCRAM-SHA-256$4096:"));
    }
}
