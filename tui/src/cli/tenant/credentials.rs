//! `tenant credentials SLUG issue | rotate | finish`, and what other commands do with credentials: print them, or write
//! them to a file.
//!
//! Invariant: a password goes to standard output or to a file that only its owner can read, never to both, and nowhere else.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use tenantry_protocol::tenant::{
    Credentials, FinishRotationRequest, IssueCredentialsRequest, RotateCredentialsRequest,
};

use crate::cli::Context;
use crate::cli::args::CredentialsAction;
use crate::cli::error::CliError;
use crate::cli::output::document::{CredentialsIssued, HandedCredentials, Rotated};
use crate::format;

pub(in crate::cli) async fn run(
    context: &Context,
    slug: String,
    action: CredentialsAction,
) -> Result<(), CliError> {
    let (credentials, file) = match action {
        CredentialsAction::Finish { idempotency_key } => return finish(context, slug, idempotency_key).await,
        CredentialsAction::Issue { idempotency_key, credentials_file } => {
            let file = credentials_file.as_deref().map(CredentialsFile::open).transpose()?;
            let request = IssueCredentialsRequest { slug, idempotency_key };
            (context.client().await?.issue_credentials(request).await?, file)
        }
        CredentialsAction::Rotate { idempotency_key, credentials_file } => {
            let file = credentials_file.as_deref().map(CredentialsFile::open).transpose()?;
            let request = RotateCredentialsRequest { slug: slug.clone(), idempotency_key };
            let credentials = context.client().await?.rotate_credentials(request).await?;
            context.output.note(&format!(
                "the login before works beside this one; when the application has moved over, close it with \
                 `tenantry tenant credentials {slug} finish`"
            ));
            (credentials, file)
        }
    };
    let handed = hand_over(credentials, file)?;
    if context.output.is_json() {
        return context.output.document(&CredentialsIssued { credentials: handed.document });
    }
    context.output.lines(&handed.lines)
}

/// Closes the login that a rotation replaced.
async fn finish(context: &Context, slug: String, idempotency_key: Option<String>) -> Result<(), CliError> {
    let request = FinishRotationRequest { slug, idempotency_key };
    let finished = context.client().await?.finish_rotation(request).await?;
    if context.output.is_json() {
        return context.output.document(&Rotated { rotation: &finished });
    }
    context.output.lines(&format!(
        "{}: {} is closed, and {} of it ended; {} stays",
        finished.slug,
        finished.closed,
        format::counted(finished.sessions_ended, "session"),
        finished.role
    ))
}

/// Credentials in the two forms in which they are printed.
pub(super) struct Handed {
    pub(super) document: HandedCredentials,
    pub(super) lines: String,
}

/// Writes the file, if there is one, and returns what may be printed.
pub(super) fn hand_over(credentials: Credentials, file: Option<CredentialsFile>) -> Result<Handed, CliError> {
    let facts = format!(
        "  role      {}\n  host      {}\n  port      {}\n  database  {}",
        credentials.role, credentials.host, credentials.port, credentials.database
    );
    let Some(password) = &credentials.password else {
        let lines = format!(
            "{facts}\n  password  was given once, at {} UTC; ask for a new one with `tenantry tenant credentials {} issue`",
            format::timestamp(credentials.issued_at),
            credentials.slug
        );
        return Ok(Handed { document: HandedCredentials::open(credentials), lines });
    };
    let Some(file) = file else {
        let lines = format!(
            "{facts}\n  password  {password}\n  url       {}\nThe password is shown this once and stored nowhere.",
            format::url(&credentials, password)
        );
        return Ok(Handed { document: HandedCredentials::open(credentials), lines });
    };
    let path = file.write(&HandedCredentials::open(credentials.clone()))?;
    let lines = format!("{facts}\n  password  in {}, mode 0600", path.display());
    Ok(Handed { document: HandedCredentials::in_file(credentials, &path), lines })
}

/// A new file that only its owner can read. It is removed again unless it was written.
#[derive(Debug)]
pub(super) struct CredentialsFile {
    path: PathBuf,
    file: File,
    written: bool,
}

impl CredentialsFile {
    /// Opened before anything is provisioned, so that a bad path costs nothing.
    pub(in crate::cli) fn open(path: &Path) -> Result<Self, CliError> {
        let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let file = opened.map_err(|error| Self::error(path, &error))?;
        Ok(Self { path: path.to_owned(), file, written: false })
    }

    fn write(mut self, document: &HandedCredentials) -> Result<PathBuf, CliError> {
        let mut text = serde_json::to_string(document)
            .map_err(|error| CliError::Bug(format!("credentials cannot be written as JSON: {error}")))?;
        text.push('\n');
        self.file
            .write_all(text.as_bytes())
            .and_then(|()| self.file.sync_all())
            .map_err(|error| Self::error(&self.path, &error))?;
        self.written = true;
        Ok(self.path.clone())
    }

    fn error(path: &Path, error: &io::Error) -> CliError {
        let problem = match error.kind() {
            io::ErrorKind::AlreadyExists => {
                "it exists already, and nothing is overwritten; name a new file".to_owned()
            }
            io::ErrorKind::NotFound => "its folder does not exist; make it first".to_owned(),
            _ => format!("{error}; name a file in a folder that you can write to"),
        };
        CliError::File { doing: "cannot write the credentials to", path: path.to_owned(), problem }
    }
}

impl Drop for CredentialsFile {
    fn drop(&mut self) {
        if !self.written {
            // It is ours (made with create_new) and empty or half written, so nobody needs it.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::os::unix::fs::PermissionsExt;

    use tenantry_protocol::name::Slug;

    use super::*;

    fn credentials(password: Option<&str>) -> Credentials {
        Credentials {
            slug: Slug::parse("acme").unwrap(),
            role: "t_x_a".into(),
            password: password.map(str::to_owned),
            host: "/run/pg".into(),
            port: 5432,
            database: "tenants".into(),
            issued_at: time::OffsetDateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn with_a_file_the_password_is_only_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("acme.json");
        let file = CredentialsFile::open(&path).unwrap();
        let handed = hand_over(credentials(Some("geheim-77")), Some(file)).unwrap();
        assert!(
            !handed.lines.contains("geheim-77")
                && !serde_json::to_string(&handed.document).unwrap().contains("geheim-77")
        );
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.contains("geheim-77") && text.contains("postgres://"));
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(CredentialsFile::open(&path).unwrap_err().to_string().contains("exists already"));
    }

    #[test]
    fn a_file_that_was_not_needed_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("acme.json");
        let file = CredentialsFile::open(&path).unwrap();
        let handed = hand_over(credentials(None), Some(file)).unwrap();
        assert!(handed.lines.contains("ask for a new one"));
        assert!(!path.exists());
    }
}
