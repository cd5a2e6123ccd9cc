//! Which parts of a configuration a running daemon can take over, and which need a restart.
//!
//! Two versions of a file are compared by the digests of their values, so that no password of the old version is kept.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

/// Keys that a running daemon applies from the next request on.
const LIVE: [&str; 6] = [
    "access",
    "audit.verify_every_s",
    "label",
    "limits.retire_grace_s",
    "limits.verify_every_s",
    "log.level",
];
/// The digest of a daemon without a configuration file.
const NO_FILE: &str = "none";

/// A configuration file as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenConfig {
    digest: String,
    values: BTreeMap<String, [u8; 32]>,
}

/// The differences between two versions of a file, by key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Changes {
    pub live: Vec<String>,
    pub at_restart: Vec<String>,
}

impl Default for WrittenConfig {
    fn default() -> Self {
        Self { digest: NO_FILE.to_owned(), values: BTreeMap::new() }
    }
}

impl WrittenConfig {
    pub(super) fn new(text: &str) -> Self {
        let mut values = BTreeMap::new();
        // The text was parsed successfully before; otherwise the result is not used.
        for (key, value) in text.parse::<toml::Table>().unwrap_or_default() {
            flatten(&key, &value, &mut values);
        }
        Self { digest: data_encoding::HEXLOWER.encode(&Sha256::digest(text)), values }
    }

    /// SHA-256 of the text, or `none`.
    pub fn digest(&self) -> &str {
        &self.digest
    }

    /// This configuration with those values of `next` that a running daemon applies. The other values wait for a restart.
    pub fn with_live_of(&self, next: &Self) -> Self {
        let later = self.values.iter().filter(|(key, _)| !is_live(key));
        let live = next.values.iter().filter(|(key, _)| is_live(key));
        let values = later.chain(live).map(|(key, value)| (key.clone(), *value)).collect();
        Self { digest: next.digest.clone(), values }
    }

    /// The differences between this configuration and `next`.
    pub fn changes(&self, next: &Self) -> Changes {
        let keys = self.values.keys().chain(next.values.keys());
        let changed = keys.filter(|key| self.values.get(*key) != next.values.get(*key));
        let (mut live, mut at_restart): (Vec<String>, Vec<String>) =
            changed.cloned().partition(|key| is_live(key));
        for keys in [&mut live, &mut at_restart] {
            keys.sort();
            keys.dedup();
        }
        Changes { live, at_restart }
    }
}

fn is_live(key: &str) -> bool {
    let belongs =
        |live: &str| key.strip_prefix(live).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    LIVE.into_iter().any(belongs)
}

fn flatten(key: &str, value: &toml::Value, into: &mut BTreeMap<String, [u8; 32]>) {
    if let toml::Value::Table(table) = value {
        for (name, value) in table {
            flatten(&format!("{key}.{name}"), value, into);
        }
    } else {
        into.insert(key.to_owned(), Sha256::digest(value.to_string()).into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_changed_is_named_by_its_key_and_by_whether_it_takes_a_restart() {
        let old = WrittenConfig::new(
            "label = 'a'\n[access]\nviewers = []\n[limits]\nverify_every_s = 1\nlease_ms = 3000",
        );
        let new = WrittenConfig::new(
            "label = 'a'\n[access]\nviewers = ['ops']\nadmins = []\n[limits]\nlease_ms = 4000\n[[targets]]\nname = 'x'",
        );
        let changes = old.changes(&new);
        assert_eq!(changes.live, ["access.admins", "access.viewers", "limits.verify_every_s"]);
        assert_eq!(changes.at_restart, ["limits.lease_ms", "targets"]);
        assert_eq!(old.changes(&old), Changes::default());
        assert_ne!(old.digest(), new.digest());
    }
}
