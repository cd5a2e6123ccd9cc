//! Passwords and their SCRAM verifiers: made here, shown once, stored and logged nowhere.

use std::fmt;

use rand::RngExt as _;

/// A password that the daemon made. `Debug` does not show it.
#[derive(Clone)]
pub struct Password(String);

/// What a server keeps of a password (`SCRAM-SHA-256$…`). Not the password, yet worth hiding: it can be attacked offline.
#[derive(Clone)]
pub struct Verifier(String);

impl Password {
    /// 32 characters of 62: 190 bits.
    pub fn generate() -> Self {
        let text = rand::rng().sample_iter(rand::distr::Alphanumeric).take(32).map(char::from).collect();
        Self(text)
    }

    /// What `create role … password` takes, with a salt of its own.
    pub fn verifier(&self) -> Verifier {
        Verifier(postgres_protocol::password::scram_sha_256(self.0.as_bytes()))
    }

    /// The text itself, for a login or for the one answer that carries it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl Verifier {
    pub(super) fn expose(&self) -> &str {
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
