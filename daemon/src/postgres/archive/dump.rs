//! Makes an archive of a placement with `pg_dump`, and reads it back with `pg_restore`.
//!
//! Invariants: the archive gets its name only when it is complete, on disk and checked; half an archive is removed. The secret
//! is passed in the program's environment, never among its arguments. When a future is dropped, its program ends with it.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Read as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tenantry_protocol::name::PlacementName;
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::private_path;

use super::dump_role::{DumpSnapshot, RowsOf};
use super::login::Login;
use super::programs::Programs;
use crate::postgres::error::{Error, Result};
use crate::postgres::target::Archives;

/// How long the dump waits for a table that somebody else has locked.
const LOCK_WAIT: Duration = Duration::from_secs(60);
/// How much of a program's error output is kept, in bytes.
const LONGEST_COMPLAINT: u64 = 2_000;

/// The place of an archive. Until the archive is complete, it has another name.
#[derive(Debug)]
pub struct ArchivePlace {
    pub path: PathBuf,
    partial: PathBuf,
}

/// The archive that was made.
#[derive(Debug)]
pub struct Made {
    pub size_bytes: u64,
    /// In hexadecimal.
    pub sha256: String,
}

impl Archives {
    /// Finds the programs and makes the directory. Problems with either are found before a tenant is touched.
    pub async fn prepare(&self, server_major: u32) -> Result<Programs> {
        let programs =
            Programs::find(self.bin_dir.as_deref(), self.cluster_bin_dir.as_deref(), server_major).await?;
        let made = private_path::make_directory(&self.dir);
        // A directory that existed before may be open to others.
        let closed = made.and_then(|()| std::fs::set_permissions(&self.dir, Permissions::from_mode(0o700)));
        closed.map_err(|error| self.no_dir(&error))?;
        // A real file is created, so that a full or read-only disk is found now.
        tempfile::Builder::new().tempfile_in(&self.dir).map_err(|error| self.no_dir(&error))?;
        Ok(programs)
    }

    fn no_dir(&self, error: &io::Error) -> Error {
        Error::Refused(format!(
            "no archive can be made: {} cannot be written to ({error}): make room or set another [archive] dir, or give the \
             data up with --discard-data",
            self.dir.display()
        ))
    }

    /// The place of the archive with this name.
    pub fn place(&self, name: &str) -> ArchivePlace {
        let path = self.dir.join(format!("{name}.dump"));
        ArchivePlace { partial: self.dir.join(format!(".{name}.partial")), path }
    }
}

impl ArchivePlace {
    /// Removes what an interrupted attempt left.
    pub fn clear(&self) {
        if let Err(error) = std::fs::remove_file(&self.partial)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(path = %self.partial.display(), %error, "half of an archive could not be removed");
        }
    }
}

/// Dumps what `snapshot` sees, checks the file against it, and gives the file its name.
pub async fn make(
    programs: &Programs,
    login: &Login,
    snapshot: &DumpSnapshot,
    place: &ArchivePlace,
) -> Result<Made> {
    let half = Half(place);
    let failed = |what: &str, error: &io::Error| Error::Refused(format!("the archive {what}: {error}"));
    place.clear();
    let mut options = OpenOptions::new();
    private_path::open(&place.partial, options.write(true).create_new(true))
        .map_err(|error| failed("cannot be written", &error))?;
    dump(programs, login, snapshot, &place.partial).await?;
    check(programs, snapshot, &place.partial).await?;
    let partial = place.partial.clone();
    let sealed = tokio::task::spawn_blocking(move || seal(&partial)).await;
    let made = sealed
        .map_err(io::Error::other)
        .and_then(|sealed| sealed)
        .map_err(|error| failed("cannot be read back", &error))?;
    std::fs::rename(&place.partial, &place.path)
        .and_then(|()| place.path.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all()))
        .map_err(|error| failed("cannot be given its name", &error))?;
    drop(half);
    Ok(made)
}

/// Removes the partial file when an attempt ends, whether or not it succeeded. After a success there is no partial file.
struct Half<'a>(&'a ArchivePlace);

impl Drop for Half<'_> {
    fn drop(&mut self) {
        self.0.clear();
    }
}

async fn dump(programs: &Programs, login: &Login, snapshot: &DumpSnapshot, file: &Path) -> Result<()> {
    let mut command = command(&programs.pg_dump());
    command
        .args(["--format=custom", "--no-password"])
        .arg(format!("--schema={}", snapshot.schema))
        .arg(format!("--snapshot={}", snapshot.id))
        .arg(format!("--lock-wait-timeout={}", LOCK_WAIT.as_millis()))
        .arg("--file")
        .arg(file)
        .envs(login.iter().map(|(name, value)| (name, value)))
        .stdout(Stdio::null());
    if snapshot.rows_of == RowsOf::TheTenant {
        command.arg("--enable-row-security");
    }
    let child = command.spawn().map_err(|error| not_run("pg_dump", &error))?;
    ended("pg_dump", child).await
}

/// Reads the whole file: its list of tables, and every row.
async fn check(programs: &Programs, snapshot: &DumpSnapshot, file: &Path) -> Result<()> {
    let tables = read(programs, "--list", file, Counting::tables(&snapshot.schema)).await?;
    let rows = read(programs, "--data-only", file, Counting::rows()).await?;
    if (tables, rows) == (snapshot.tables, snapshot.rows) {
        return Ok(());
    }
    Err(Error::Refused(format!(
        "the archive does not hold what the database does: {tables} tables and {rows} rows where {} and {} are; nothing was \
         removed. Save the data by other means, then say that it may go with --discard-data",
        snapshot.tables, snapshot.rows
    )))
}

async fn read(programs: &Programs, what: &str, file: &Path, mut counting: Counting) -> Result<u64> {
    let mut command = command(&programs.pg_restore());
    command.arg(what).arg("--file=-").arg(file).stdout(Stdio::piped());
    let mut child = command.spawn().map_err(|error| not_run("pg_restore", &error))?;
    let Some(output) = child.stdout.take() else {
        return Err(not_run("pg_restore", &io::Error::other("mute")));
    };
    let counted = async {
        let mut output = BufReader::with_capacity(1 << 18, output);
        while let Some(line) = beginning_and_end_of_line(&mut output).await? {
            counting.line(&line);
        }
        Ok::<_, io::Error>(counting.count)
    };
    let (counted, ended) = tokio::join!(counted, ended("pg_restore", child));
    ended?;
    counted.map_err(|error| not_run("pg_restore", &error))
}

/// What is counted in the output of `pg_restore`.
struct Counting {
    what: ProgramTask,
    count: u64,
}

enum ProgramTask {
    /// Entries of the list, such as `219; 1259 16399 TABLE schema name owner`.
    Tables { schema: String },
    /// Lines between `COPY … FROM stdin;` and `\.`. Each is a row, because line breaks within a row are escaped.
    Rows(Within),
}

#[derive(PartialEq, Eq)]
enum Within {
    Nothing,
    /// A name in it can contain a line break.
    Statement,
    Data,
}

impl Counting {
    fn tables(placement: &PlacementName) -> Self {
        Self { what: ProgramTask::Tables { schema: placement.to_string() }, count: 0 }
    }

    const fn rows() -> Self {
        Self { what: ProgramTask::Rows(Within::Nothing), count: 0 }
    }

    fn line(&mut self, line: &[u8]) {
        match &mut self.what {
            ProgramTask::Tables { schema } => {
                let mut words = line.split(|byte| *byte == b' ').skip(3);
                let is_table = words.next() == Some(b"TABLE") && words.next() == Some(schema.as_bytes());
                self.count += u64::from(is_table);
            }
            ProgramTask::Rows(within) => {
                if *within == Within::Data {
                    if line == b"\\." {
                        *within = Within::Nothing;
                    } else {
                        self.count += 1;
                    }
                } else if *within == Within::Statement || line.starts_with(b"COPY ") {
                    let begins = line.ends_with(b" FROM stdin;");
                    *within = if begins { Within::Data } else { Within::Statement };
                }
            }
        }
    }
}

/// Reads a line and keeps only its beginning and its end, because a row can have gigabytes. `None` at the end of the input.
async fn beginning_and_end_of_line(input: &mut (impl AsyncBufRead + Unpin)) -> io::Result<Option<Vec<u8>>> {
    const KEPT: usize = 4_096;
    let mut line = Vec::new();
    let mut is_read = false;
    loop {
        let buffer = input.fill_buf().await?;
        if buffer.is_empty() {
            return Ok(is_read.then_some(line));
        }
        is_read = true;
        let end = buffer.iter().position(|byte| *byte == b'\n');
        let part = &buffer[..end.unwrap_or(buffer.len())];
        line.extend_from_slice(part);
        if line.len() > 2 * KEPT {
            line.drain(KEPT..line.len() - KEPT);
        }
        let used = part.len() + usize::from(end.is_some());
        input.consume(used);
        if end.is_some() {
            return Ok(Some(line));
        }
    }
}

/// Whether the file still has the checksum that was recorded for it.
pub async fn is_intact(path: PathBuf, sha256: String) -> bool {
    let sealed = tokio::task::spawn_blocking(move || seal(&path));
    matches!(sealed.await, Ok(Ok(made)) if made.sha256 == sha256)
}

/// Makes sure that the file is on disk, and returns its size and checksum.
fn seal(path: &Path) -> io::Result<Made> {
    let mut file = File::open(path)?;
    file.sync_all()?;
    let (mut digest, mut size_bytes) = (Sha256::new(), 0);
    let mut buffer = vec![0; 1 << 18];
    loop {
        let length = file.read(&mut buffer)?;
        if length == 0 {
            break;
        }
        digest.update(&buffer[..length]);
        size_bytes += length as u64;
    }
    Ok(Made { size_bytes, sha256: data_encoding::HEXLOWER.encode(&digest.finalize()) })
}

/// A command with an environment of its own. The process is killed when its future is dropped.
fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C.UTF-8");
    command.current_dir("/").stdin(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

/// Waits for the program. If it failed, the error contains the program's own message.
async fn ended(name: &str, mut child: Child) -> Result<()> {
    let complaint = complaint(child.stderr.take());
    let (status, complaint) = tokio::join!(child.wait(), complaint);
    match status {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(Error::Refused(format!("{name} failed ({status}): {complaint}"))),
        Err(error) => Err(not_run(name, &error)),
    }
}

async fn complaint(stderr: Option<impl AsyncRead + Unpin>) -> String {
    let Some(mut stderr) = stderr else { return String::new() };
    let mut kept = Vec::new();
    // If it cannot be read, there is nothing to show.
    let _ = (&mut stderr).take(LONGEST_COMPLAINT).read_to_end(&mut kept).await;
    // The rest is read too, so that the program does not block on its output.
    let _ = tokio::io::copy(&mut stderr, &mut tokio::io::sink()).await;
    String::from_utf8_lossy(&kept).split_whitespace().collect::<Vec<_>>().join(" ")
}

fn not_run(name: &str, error: &io::Error) -> Error {
    Error::Refused(format!("{name} cannot be run: {error}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn count(mut counting: Counting, text: &str) -> u64 {
        text.lines().for_each(|line| counting.line(line.as_bytes()));
        counting.count
    }

    #[test]
    fn tables_are_counted_in_the_list_and_rows_in_the_data() {
        let placement = PlacementName::from_random([0; 8]);
        let list = format!(
            ";\n; Archive created at 2026\n6; 2615 1 SCHEMA - {placement} o\n7; 1259 2 TABLE {placement} users o\n\
             8; 0 2 TABLE DATA {placement} users o\n9; 1259 3 VIEW {placement} x TABLE {placement} o"
        );
        assert_eq!(count(Counting::tables(&placement), &list), 1);
        let data = "--\nCOPY t.users (id) FROM stdin;\n1\n2\nCOPY t.x FROM stdin;\n\\.\n\nCOPY t.\"a\nb\" (x) FROM stdin;\n\\N\n\\.\n\
                    SELECT pg_catalog.setval('t.s', 3, true);\n";
        assert_eq!(count(Counting::rows(), data), 4);
    }

    #[tokio::test]
    async fn a_long_line_keeps_its_beginning_and_its_end() {
        let text = format!("COPY {} FROM stdin;\nnext", "x".repeat(100_000));
        let mut input = BufReader::new(text.as_bytes());
        let line = beginning_and_end_of_line(&mut input).await.unwrap().unwrap();
        assert!(line.starts_with(b"COPY ") && line.ends_with(b" FROM stdin;") && line.len() < 20_000);
        assert_eq!(beginning_and_end_of_line(&mut input).await.unwrap().unwrap(), b"next");
        assert!(beginning_and_end_of_line(&mut input).await.unwrap().is_none());
    }
}
