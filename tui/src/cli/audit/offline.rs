//! `audit verify --file EXPORT --key PEM`: an export checked here, without a daemon and without trusting one.
//!
//! Invariant: the file is read as a stream, never whole. The key is the caller's, never one that the file contains.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tenantry_protocol::audit::AuditVerdict;
use tenantry_protocol::chain::export::ExportLine;
use tenantry_protocol::chain::verify::{ExportVerdict, ExportVerifier, Loss};
use tenantry_protocol::chain::{Link, PublicKey};
use time::OffsetDateTime;

use super::anchors::{self, Anchors};
use super::verify::{noted, print};
use crate::cli::args::AuditVerify;
use crate::cli::error::CliError;
use crate::cli::output::Output;
use crate::cli::output::meter::Meter;
use crate::format;

/// Larger than any public key.
const MAX_KEY_BYTES: u64 = 64 * 1024;
/// Longer than any line of an export: a part of one has 1 MiB.
const MAX_LINE: u64 = 16 * 1024 * 1024;
const BUFFER_BYTES: usize = 256 * 1024;
/// How often progress is reported.
const STEP: Duration = Duration::from_millis(250);

pub(in crate::cli) async fn run(output: Output, verify: &AuditVerify, path: &Path) -> Result<(), CliError> {
    let Some(key) = verify.key.as_deref() else {
        return Err(CliError::invalid(
            "key",
            "give the public key: --key PEM, as `tenantry audit key` prints it",
        ));
    };
    let key = read_key(key)?;
    let anchors = verify.anchors.as_deref().map(anchors::read).transpose()?;
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
    print(output, Some(path), verdict)
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

    /// Reads the file to its end.
    fn verdict(mut self, key: PublicKey, anchors: Option<Anchors>) -> Result<AuditVerdict, CliError> {
        let begin = Instant::now();
        let path = std::mem::take(&mut self.path);
        let wrong = |problem: String| CliError::File {
            doing: "cannot verify the export",
            path: path.clone(),
            problem,
        };
        let mut verifier = ExportVerifier::new(key, anchors.as_ref().map(links).unwrap_or_default());
        let mut line = Vec::new();
        let mut number: u64 = 0;
        loop {
            line.clear();
            let read = (&mut self.lines).take(MAX_LINE).read_until(b'\n', &mut line);
            let read = read.map_err(|error| wrong(error.to_string()))?;
            if read == 0 {
                break;
            }
            number += 1;
            if read as u64 == MAX_LINE && !line.ends_with(b"\n") {
                return Err(wrong(format!("line {number} is longer than any line of an export")));
            }
            // A line that is not text is not a line of an export either; the verifier says which line it is.
            let text = String::from_utf8_lossy(line.strip_suffix(b"\n").unwrap_or(&line));
            if number == 1 {
                same_trail(&text, anchors.as_ref()).map_err(wrong)?;
            }
            verifier.line(&text).map_err(|error| wrong(error.to_string()))?;
        }
        let found = verifier.finish().map_err(|error| wrong(error.to_string()))?;
        Ok(verdict_of(found, anchors.as_ref(), begin.elapsed()))
    }
}

fn links(anchors: &Anchors) -> Vec<(i64, Link)> {
    let link = |hash: &str| Link::try_from(data_encoding::HEXLOWER.decode(hash.as_bytes()).ok()?).ok();
    anchors.anchors.iter().filter_map(|anchor| Some((anchor.seq, link(&anchor.hash)?))).collect()
}

/// Anchors of another trail would report every event of this one as wrong.
fn same_trail(header: &str, anchors: Option<&Anchors>) -> Result<(), String> {
    let (Ok(ExportLine::Header(header)), Some(anchors)) = (serde_json::from_str(header), anchors) else {
        // A first line that is not a header is for the verifier to report.
        return Ok(());
    };
    if header.trail == anchors.trail {
        return Ok(());
    }
    Err(format!(
        "it is of trail {}, and the anchors are of trail {}: give the anchors of the same installation",
        header.trail, anchors.trail
    ))
}

/// The verdict in the form in which the daemon gives it about its own trail.
fn verdict_of(found: ExportVerdict, anchors: Option<&Anchors>, took: Duration) -> AuditVerdict {
    let limits = limits(&found, anchors);
    AuditVerdict {
        from_seq: found.header.from.seq + 1,
        to_seq: found.to_seq,
        hash: data_encoding::HEXLOWER.encode(&found.hash),
        signed_to: found.signed_to,
        anchored_to: found.anchored_to,
        redacted: found.redacted,
        acknowledged: found.acknowledged.iter().map(Loss::sentence).collect(),
        broken: found.broken,
        limits,
        duration_ms: took.as_secs_f64() * 1_000.0,
        at: OffsetDateTime::now_utc(),
    }
}

/// What a file cannot show by itself.
fn limits(found: &ExportVerdict, anchors: Option<&Anchors>) -> Vec<String> {
    let mut limits = Vec::new();
    if found.header.filter.is_some() {
        limits.push(format!(
            "it was made with a filter and has {}: each shows its own link, and that none that matches is missing is \
             vouched for by the signature at the end alone",
            format::counted(found.events, "event")
        ));
    }
    limits.push(format!(
        "it says nothing of what came after event {}, when it was made",
        found.header.head.seq
    ));
    if anchors.is_some() && found.header.filter.is_some() {
        limits.push("anchors cannot be held against an export that was made with a filter".to_owned());
    } else if found.anchored_to.is_none() {
        limits.push(
            "who held the database and the signing key could have made all of it anew: only anchors that were kept \
             elsewhere (--anchors) show that"
                .to_owned(),
        );
    }
    limits.push(
        "it is worth as much as the key: that must come from where nobody could exchange it".to_owned(),
    );
    limits
}

/// Counts the bytes that are read.
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
