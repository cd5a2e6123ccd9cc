//! `[audit]`: the trail's key, its anchors, and where anchors are sent besides.
//!
//! The key and the anchors are kept outside the database; a second place for anchors is best on another machine.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::ConfigError;
use super::file::{FileAudit, Source};
use super::{LONGEST_GRACE_S, number, path};
use crate::audit::{Elsewhere, KeyPlace};

/// The name of the credential that systemd passes (`LoadCredential=tenantry-audit-key:…`).
pub const KEY_CREDENTIAL: &str = "tenantry-audit-key";
const VERIFY_EVERY: Duration = Duration::from_secs(24 * 3_600);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audit {
    pub key: KeyPlace,
    pub anchors: PathBuf,
    pub elsewhere: Elsewhere,
    /// How often the daemon verifies the whole trail by itself; `None` for never.
    pub verify_every: Option<Duration>,
}

impl Audit {
    pub(super) fn check(
        file: &FileAudit,
        state_dir: &Path,
        credentials: Option<&Path>,
        source: &Source<'_>,
    ) -> Result<Self, ConfigError> {
        let dir = state_dir.join("audit");
        let given = credentials.map(|dir| dir.join(KEY_CREDENTIAL)).filter(|path| path.exists());
        let key = match (path(file.key_file.as_ref(), "audit.key_file", source)?, given) {
            (Some(path), _) => KeyPlace::Own(path),
            (None, Some(path)) => KeyPlace::Given(path),
            (None, None) => KeyPlace::Own(dir.join("key")),
        };
        let every =
            number(file.verify_every_s.as_ref(), "audit.verify_every_s", 0..=LONGEST_GRACE_S, source)?;
        Ok(Self {
            key,
            anchors: path(file.anchor_file.as_ref(), "audit.anchor_file", source)?
                .unwrap_or_else(|| dir.join("anchors")),
            elsewhere: Elsewhere {
                copy: path(file.anchor_copy.as_ref(), "audit.anchor_copy", source)?,
                syslog: path(file.anchor_syslog.as_ref(), "audit.anchor_syslog", source)?,
            },
            verify_every: match every {
                None => Some(VERIFY_EVERY),
                Some(0) => None,
                Some(seconds) => Some(Duration::from_secs(seconds)),
            },
        })
    }
}
