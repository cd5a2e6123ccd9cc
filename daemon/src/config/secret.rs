//! Secrets and the files that hold them.
//!
//! Invariant: a [`Secret`] never shows itself (`Debug` is redacted, and there is no `Display`). A file that every user of the
//! machine can read is refused as the place of a secret.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::private_path::{self, PathError};

/// Longer than any password that PostgreSQL's tools accept. A larger file is surely not a password.
const MAX_SECRET_BYTES: u64 = 4096;

/// A password. The only way to its text is [`Secret::expose`].
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

/// Why a file is refused as the place of a secret.
#[derive(Debug, thiserror::Error)]
pub enum SecretFileError {
    #[error("can't be read ({0}): create it, or give the daemon's user the right to read it")]
    Read(#[source] io::Error),
    #[error("is readable by every user of this machine (mode {mode:04o}): chmod 0600 it")]
    WorldReadable { mode: u32 },
    #[error("is not safe where it is: {0}")]
    Exposed(#[source] Box<PathError>),
    #[error("is not a regular file")]
    NotAFile,
    #[error("is empty: it must hold the password, on its first line")]
    Empty,
    #[error(
        "holds more than a password: one line of at most {MAX_SECRET_BYTES} bytes of UTF-8 text is allowed"
    )]
    NotAPassword,
}

impl Secret {
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub fn expose(&self) -> &str {
        &self.0
    }

    /// The first line of a file, which must be the only one.
    pub fn from_file(path: &Path) -> Result<Self, SecretFileError> {
        let file = File::open(path).map_err(SecretFileError::Read)?;
        let metadata = file.metadata().map_err(SecretFileError::Read)?;
        if !metadata.is_file() {
            return Err(SecretFileError::NotAFile);
        }
        refuse_world_readable(metadata.permissions().mode())?;
        // Anyone who can change the file, or put another in its place, decides what the daemon logs in with.
        private_path::check_given(path, &metadata)
            .map_err(|error| SecretFileError::Exposed(Box::new(error)))?;
        let mut bytes = Vec::new();
        file.take(MAX_SECRET_BYTES + 1).read_to_end(&mut bytes).map_err(SecretFileError::Read)?;
        if bytes.len() as u64 > MAX_SECRET_BYTES {
            return Err(SecretFileError::NotAPassword);
        }
        let text = String::from_utf8(bytes).map_err(|_| SecretFileError::NotAPassword)?;
        let line = text.strip_suffix('\n').unwrap_or(&text);
        let line = line.strip_suffix('\r').unwrap_or(line);
        if line.is_empty() {
            return Err(SecretFileError::Empty);
        }
        if line.contains(['\n', '\0']) {
            return Err(SecretFileError::NotAPassword);
        }
        Ok(Self(line.to_owned()))
    }
}

/// Refuses a file mode that lets everybody read. Whether the group may read is the administrator's choice.
pub(super) fn refuse_world_readable(mode: u32) -> Result<(), SecretFileError> {
    let mode = mode & 0o7777;
    if mode & 0o004 == 0 { Ok(()) } else { Err(SecretFileError::WorldReadable { mode }) }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;
    use std::fs;

    fn secret_in(content: &[u8], mode: u32) -> Result<Secret, SecretFileError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("password");
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        Secret::from_file(&path)
    }

    #[test]
    fn a_secret_is_the_line_of_its_file_and_never_shown() {
        for content in [&b"hunter 2"[..], b"hunter 2\n", b"hunter 2\r\n"] {
            let secret = secret_in(content, 0o600).unwrap();
            assert_eq!(secret.expose(), "hunter 2");
            assert!(!format!("{secret:?}").contains("hunter"));
        }
    }

    #[test]
    fn a_file_everybody_can_read_is_refused() {
        let error = secret_in(b"x", 0o644).unwrap_err().to_string();
        assert!(error.contains("0644") && error.contains("chmod 0600"), "{error}");
        assert!(secret_in(b"x", 0o640).is_ok());
    }

    #[test]
    fn a_file_that_others_can_change_or_own_is_refused_also_behind_a_link() {
        let said = secret_in(b"x", 0o602).unwrap_err().to_string();
        assert!(said.contains("mode 0602") && said.contains("chmod go-w"), "{said}");
        if !nix::unistd::geteuid().is_root() {
            // Only root can change the owner of a file.
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let (path, link) = (dir.path().join("password"), dir.path().join("link"));
        fs::write(&path, "x").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(Secret::from_file(&link).is_ok());
        std::os::unix::fs::chown(&path, Some(65_534), None).unwrap();
        for path in [&path, &link] {
            let said = Secret::from_file(path).unwrap_err().to_string();
            assert!(said.contains("(uid 65534)"), "{said}");
        }
    }

    #[test]
    fn what_is_not_a_password_is_refused() {
        assert!(matches!(secret_in(b"", 0o600), Err(SecretFileError::Empty)));
        assert!(matches!(secret_in(b"\n", 0o600), Err(SecretFileError::Empty)));
        for bad in [&b"a\nb"[..], b"a\0b", b"\xff\xfe", &[b'x'; 5000]] {
            assert!(matches!(secret_in(bad, 0o600), Err(SecretFileError::NotAPassword)));
        }
        assert!(matches!(Secret::from_file(Path::new("/")), Err(SecretFileError::NotAFile)));
        assert!(matches!(Secret::from_file(Path::new("/nonexistent/p")), Err(SecretFileError::Read(_))));
    }
}
