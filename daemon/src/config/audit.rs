//! `[audit]`: the trail's key, its anchors, and the additional places that anchors are sent to.
//!
//! The key and the anchors are kept outside the database. The second place for anchors should be on another machine.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::error::ConfigError;
use super::file::{FileAudit, Source};
use super::{LONGEST_GRACE_S, number, path};

/// The name of the credential that systemd passes (`LoadCredential=tenantry-audit-key:…`).
pub const KEY_CREDENTIAL: &str = "tenantry-audit-key";
const VERIFY_EVERY: Duration = Duration::from_secs(24 * 3_600);

/// Where the key is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuditKey {
    /// The daemon's own file, made if it is missing.
    Own(PathBuf),
    /// Provided by somebody else.
    Given(PathBuf),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audit {
    pub key: AuditKey,
    pub anchors: PathBuf,
    /// A second file for anchors.
    pub anchor_copy: Option<PathBuf>,
    /// The socket of a log service that receives the anchors.
    pub anchor_syslog: Option<PathBuf>,
    /// How often the daemon verifies the whole trail by itself; `None` means never.
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
            (Some(path), _) => AuditKey::Own(path),
            (None, Some(path)) => AuditKey::Given(path),
            (None, None) => AuditKey::Own(dir.join("key")),
        };
        let every =
            number(file.verify_every_s.as_ref(), "audit.verify_every_s", 0..=LONGEST_GRACE_S, source)?;
        Ok(Self {
            key,
            anchors: path(file.anchor_file.as_ref(), "audit.anchor_file", source)?
                .unwrap_or_else(|| dir.join("anchors")),
            anchor_copy: path(file.anchor_copy.as_ref(), "audit.anchor_copy", source)?,
            anchor_syslog: path(file.anchor_syslog.as_ref(), "audit.anchor_syslog", source)?,
            verify_every: match every {
                None => Some(VERIFY_EVERY),
                Some(0) => None,
                Some(seconds) => Some(Duration::from_secs(seconds)),
            },
        })
    }
}
