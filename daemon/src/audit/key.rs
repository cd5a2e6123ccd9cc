//! The key that signs the trail: a PKCS #8 file that only the daemon's user can read, or a systemd credential.
//!
//! A rotation has two steps, so that a crash between them loses nothing. The new key is written beside the old one and becomes
//! valid by an event in the trail. Only then does it replace the old one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _};
use ed25519_dalek::{Signer as _, SigningKey};
use tenantry_protocol::chain::PublicKey;

use crate::postgres::audit::append::Signature;
use crate::private_path;

/// No key is as large as this.
const MOST_BYTES: u64 = 64 * 1024;

/// Signs the trail. Its private half is never shown.
#[derive(Clone)]
pub(super) struct TrailKey {
    private: SigningKey,
    public: PublicKey,
    id: String,
}

#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("the audit key {} cannot be used", path.display())]
    Io { path: PathBuf, source: io::Error },
    #[error(
        "the audit key {} can be read by others (mode {mode:03o}): chmod 600 it, and consider rotating it (`tenantry audit rotate-key`)",
        path.display()
    )]
    Open { path: PathBuf, mode: u32 },
    #[error("the audit key {} is no ed25519 private key in PEM form (PKCS #8, as `openssl genpkey -algorithm ed25519` makes it)", path.display())]
    Malformed { path: PathBuf },
    #[error("the audit key {} is given to the daemon from outside, and is replaced there", path.display())]
    NotOurs { path: PathBuf },
}

impl std::fmt::Debug for TrailKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TrailKey").field("id", &self.id).finish_non_exhaustive()
    }
}

impl TrailKey {
    fn new(private: SigningKey) -> Self {
        let public = PublicKey::new(private.verifying_key());
        Self { id: public.id(), private, public }
    }

    fn generate() -> Self {
        Self::new(SigningKey::from_bytes(&rand::random()))
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) const fn public(&self) -> &PublicKey {
        &self.public
    }

    pub(super) fn sign(&self, statement: &[u8]) -> Signature {
        Signature { key: self.id.clone(), bytes: self.private.sign(statement).to_bytes().to_vec() }
    }
}

/// Where the key is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyPlace {
    /// The daemon's own file, made if it is missing.
    Own(PathBuf),
    /// A file that somebody else provides, such as a systemd credential.
    Given(PathBuf),
}

impl KeyPlace {
    pub(super) fn path(&self) -> &Path {
        match self {
            Self::Own(path) | Self::Given(path) => path,
        }
    }

    /// The mode bits that must not be set. A service manager grants a user access to a credential by an access control list,
    /// which shows as read permission for the group.
    const fn closed_to(&self) -> u32 {
        match self {
            Self::Own(_) => 0o077,
            Self::Given(_) => 0o037,
        }
    }

    /// The key, if it exists.
    pub(super) fn load(&self) -> Result<Option<TrailKey>, KeyError> {
        match (self.read(self.path())?, self) {
            (None, Self::Given(path)) => {
                Err(KeyError::Io { path: path.clone(), source: io::Error::from(io::ErrorKind::NotFound) })
            }
            (key, _) => Ok(key),
        }
    }

    /// Makes the first key.
    pub(super) fn create(&self) -> Result<TrailKey, KeyError> {
        let key = TrailKey::generate();
        self.write(self.path(), &key)?;
        self.publish(&key)?;
        Ok(key)
    }

    /// Makes the next key and keeps it beside the current one until [`Self::replace`].
    pub(super) fn prepare(&self) -> Result<TrailKey, KeyError> {
        let key = TrailKey::generate();
        self.write(&self.next()?, &key)?;
        Ok(key)
    }

    /// The key that a rotation left beside the current one.
    pub(super) fn prepared(&self) -> Result<Option<TrailKey>, KeyError> {
        match self {
            Self::Own(_) => self.read(&self.next()?),
            Self::Given(_) => Ok(None),
        }
    }

    /// Puts the prepared key in the place of the current one.
    pub(super) fn replace(&self, key: &TrailKey) -> Result<(), KeyError> {
        let io = |source| KeyError::Io { path: self.path().to_owned(), source };
        fs::rename(self.next()?, self.path()).map_err(io)?;
        sync_directory(self.path()).map_err(io)?;
        // The public half is a convenience: `audit key` prints it, too.
        if let Err(error) = self.publish(key) {
            tracing::warn!(%error, "the public half of the audit key could not be written");
        }
        Ok(())
    }

    /// Removes the prepared key of a rotation that failed.
    pub(super) fn discard(&self) -> Result<(), KeyError> {
        let next = self.next()?;
        match fs::remove_file(&next) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => {
                Err(KeyError::Io { path: next, source })
            }
            _ => Ok(()),
        }
    }

    fn next(&self) -> Result<PathBuf, KeyError> {
        match self {
            Self::Own(path) => Ok(path.with_extension("next")),
            Self::Given(path) => Err(KeyError::NotOurs { path: path.clone() }),
        }
    }

    fn write(&self, path: &Path, key: &TrailKey) -> Result<(), KeyError> {
        let io = |source| KeyError::Io { path: path.to_owned(), source };
        let pem = key.private.to_pkcs8_pem(LineEnding::LF).map_err(|error| io(io::Error::other(error)))?;
        if let Some(dir) = path.parent() {
            private_path::make_directory(dir).map_err(io)?;
        }
        write_whole(path, pem.as_bytes(), 0o600).map_err(io)
    }

    /// The key in a file, if there is one. The daemon's own file is not read through a link. A given file may be a link.
    fn read(&self, path: &Path) -> Result<Option<TrailKey>, KeyError> {
        let io = |source| KeyError::Io { path: path.to_owned(), source };
        let opened = match self {
            Self::Own(_) => open_own(path),
            Self::Given(_) => File::open(path),
        };
        let file = match opened {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(io)?,
        };
        let mode = file.metadata().map_err(io)?.permissions().mode() & 0o777;
        if mode & self.closed_to() != 0 {
            return Err(KeyError::Open { path: path.to_owned(), mode });
        }
        let mut text = String::new();
        file.take(MOST_BYTES).read_to_string(&mut text).map_err(io)?;
        let private = SigningKey::from_pkcs8_pem(text.trim())
            .map_err(|_| KeyError::Malformed { path: path.to_owned() })?;
        Ok(Some(TrailKey::new(private)))
    }

    /// Writes the public half, for anybody who verifies the trail.
    fn publish(&self, key: &TrailKey) -> Result<(), KeyError> {
        let path = self.path().with_extension("pub");
        write_whole(&path, key.public.to_pem().as_bytes(), 0o644)
            .map_err(|source| KeyError::Io { path, source })
    }
}

fn open_own(path: &Path) -> io::Result<File> {
    if let Some(dir) = path.parent() {
        private_path::check(dir, None)?;
    }
    private_path::open(path, OpenOptions::new().read(true))
}

/// Writes a file that is there either whole or not at all, whatever happens.
fn write_whole(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    let draft = path.with_extension("draft");
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&draft)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&draft, path)?;
    sync_directory(path)
}

pub(super) fn sync_directory(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(dir) => File::open(dir)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_key_is_made_once_kept_closed_and_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let place = KeyPlace::Own(dir.path().join("audit/key"));
        assert!(place.load().unwrap().is_none());
        let key = place.create().unwrap();
        assert_eq!(fs::metadata(dir.path().join("audit/key")).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(place.load().unwrap().unwrap().id(), key.id());
        let published = fs::read_to_string(dir.path().join("audit/key.pub")).unwrap();
        assert_eq!(PublicKey::from_pem(&published), Ok(*key.public()));
        assert!(!format!("{key:?}").contains(&data_encoding::HEXLOWER.encode(key.private.as_bytes())));
    }

    #[test]
    fn a_key_that_others_can_read_is_refused_with_what_to_do() {
        let dir = tempfile::tempdir().unwrap();
        let place = KeyPlace::Own(dir.path().join("key"));
        place.create().unwrap();
        fs::set_permissions(dir.path().join("key"), fs::Permissions::from_mode(0o640)).unwrap();
        let error = place.load().unwrap_err().to_string();
        assert!(error.contains("mode 640") && error.contains("chmod 600"), "{error}");
        fs::set_permissions(dir.path().join("key"), fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(dir.path().join("key"), "nonsense").unwrap();
        assert!(place.load().unwrap_err().to_string().contains("openssl genpkey"));
    }

    #[test]
    fn a_key_is_neither_read_through_a_link_nor_made_where_others_can_write() {
        let dir = tempfile::tempdir().unwrap();
        let place = KeyPlace::Own(dir.path().join("key"));
        place.create().unwrap();
        let elsewhere = dir.path().join("elsewhere");
        fs::rename(dir.path().join("key"), &elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, dir.path().join("key")).unwrap();
        let KeyError::Io { source, .. } = place.load().unwrap_err() else { unreachable!() };
        assert!(source.to_string().contains("not a regular file"), "{source}");
        // The credential of a service manager may be a link.
        assert!(KeyPlace::Given(dir.path().join("key")).load().unwrap().is_some());
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o777)).unwrap();
        for refused in [place.load().map(drop), place.create().map(drop), place.prepare().map(drop)] {
            let KeyError::Io { source, .. } = refused.unwrap_err() else { unreachable!() };
            assert!(source.to_string().contains("chmod go-w"), "{source}");
        }
    }

    #[test]
    fn a_given_key_must_be_there_and_is_never_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let place = KeyPlace::Given(dir.path().join("key"));
        assert!(matches!(place.load(), Err(KeyError::Io { .. })));
        assert!(matches!(place.prepare(), Err(KeyError::NotOurs { .. })));
        assert!(place.prepared().unwrap().is_none());
    }

    #[test]
    fn a_rotation_replaces_the_key_only_at_its_end() {
        let dir = tempfile::tempdir().unwrap();
        let place = KeyPlace::Own(dir.path().join("key"));
        let old = place.create().unwrap();
        let new = place.prepare().unwrap();
        assert_eq!(place.load().unwrap().unwrap().id(), old.id());
        assert_eq!(place.prepared().unwrap().unwrap().id(), new.id());
        place.replace(&new).unwrap();
        assert_eq!(place.load().unwrap().unwrap().id(), new.id());
        assert!(place.prepared().unwrap().is_none());
        place.prepare().unwrap();
        place.discard().unwrap();
        place.discard().unwrap();
        assert!(place.prepared().unwrap().is_none());
    }
}
