//! `audit verify --file EXPORT --key PEM`: an export checked here, without any daemon and without trusting one.
//!
//! Invariant: the file is read as a stream, never whole; the key is the caller's, never one that the file brings along.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tenantry_protocol::audit::AuditVerdict;
use tenantry_protocol::chain::PublicKey;

use super::args::AuditVerify;
use super::audit_anchors::{self, Anchors};
use super::audit_verify::{noted, print};
use super::error::CliError;
use super::meter::Meter;
use super::output::Output;
use crate::format;

/// More than any public key has.
const MAX_KEY_BYTES: u64 = 64 * 1024;
const BUFFER_BYTES: usize = 256 * 1024;
/// How often is said how far it is.
const STEP: Duration = Duration::from_millis(250);

pub(super) async fn run(output: Output, verify: &AuditVerify, path: &Path) -> Result<(), CliError> {
    let Some(key) = verify.key.as_deref() else {
        return Err(CliError::invalid(
            "key",
            "give the public key: --key PEM, as `tenantry audit key` prints it",
        ));
    };
    let key = read_key(key)?;
    let anchors = verify.anchors.as_deref().map(audit_anchors::read).transpose()?;
    if let Some(anchors) = &anchors {
        output.note(&noted(anchors));
    }
    let export = Export::open(path)?;
    let total = export.total;
    let read = export.read.clone();
    let mut work = tokio::task::spawn_blocking(move || export.verdict(key, anchors));
    let mut meter = Meter::new(output, "verifying", format::bytes);
    let mut steps = tokio::time::interval(STEP);
    let verdict = loop {
        tokio::select! {
            ended = &mut work => break ended,
            _ = steps.tick() => meter.at(read.load(Ordering::Relaxed), total),
        }
    };
    drop(meter);
    let verdict = verdict.map_err(|_| CliError::Bug("the verification broke off".to_owned()))??;
    print(output, Some(path), &verdict)
}

fn read_key(path: &Path) -> Result<PublicKey, CliError> {
    let wrong =
        |problem: String| CliError::File { doing: "cannot use the key in", path: path.to_owned(), problem };
    let file = File::open(path).map_err(|error| wrong(error.to_string()))?;
    let mut text = String::new();
    let read = file.take(MAX_KEY_BYTES).read_to_string(&mut text);
    read.map_err(|error| wrong(format!("{error}; it has to be a public key as PEM")))?;
    if text.contains("PRIVATE KEY") {
        return Err(wrong("it is a private key, which should not be here; give the public one".to_owned()));
    }
    PublicKey::from_pem(&text).map_err(|error| wrong(format!("{error}; `tenantry audit key` prints one")))
}

/// The file, and how much of it was read.
struct Export {
    path: PathBuf,
    lines: BufReader<Counted>,
    total: u64,
    read: Arc<AtomicU64>,
}

impl Export {
    fn open(path: &Path) -> Result<Self, CliError> {
        let wrong = |error: io::Error| CliError::File {
            doing: "cannot read the export",
            path: path.to_owned(),
            problem: error.to_string(),
        };
        let file = File::open(path).map_err(wrong)?;
        let about = file.metadata().map_err(wrong)?;
        if about.is_dir() {
            return Err(wrong(io::Error::other("it is a folder; name the file in it")));
        }
        let read = Arc::new(AtomicU64::new(0));
        let lines = BufReader::with_capacity(BUFFER_BYTES, Counted { file, read: read.clone() });
        Ok(Self { path: path.to_owned(), lines, total: about.len(), read })
    }

    fn verdict(self, key: PublicKey, anchors: Option<Anchors>) -> Result<AuditVerdict, CliError> {
        let _ = (self.lines, key, anchors);
        Err(CliError::File {
            doing: "cannot verify the export",
            path: self.path,
            problem: "not built yet".to_owned(),
        })
    }
}

/// Counts what is read.
struct Counted {
    file: File,
    read: Arc<AtomicU64>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.file.read(buffer)?;
        self.read.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}
