//! The anchor file itself: a header that names the trail, then one line for each anchor. A line is on disk once it is written.
//!
//! Before each line is written, the file is checked for changes by others. A second writer's lines stay, a partial line is cut
//! off, and a file that was shortened or removed is begun anew.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tenantry_protocol::chain::Link;
use uuid::Uuid;

use crate::private_path;

use super::key::sync_directory;

const HEADER: &str = "tenantry-anchors 1";
/// Every line is shorter than this.
const LONGEST_LINE: u64 = 128;

/// A place in the chain and its hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anchor {
    pub seq: i64,
    pub hash: Link,
}

/// Where a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// On this machine: the file belongs to the daemon alone.
    Own,
    /// On another machine, which decides by itself who owns its files. The content of the file is not trusted.
    Elsewhere,
}

/// An open file.
pub(super) struct AnchorFile {
    pub(super) path: PathBuf,
    side: Side,
    file: File,
    trail: Uuid,
    pub(super) last: i64,
    /// The number of bytes that are known to be whole lines.
    length: u64,
    pub(super) began_anew: Arc<AtomicBool>,
}

impl AnchorFile {
    pub(super) fn open(path: &Path, side: Side, trail: Uuid) -> io::Result<(Self, Option<Anchor>)> {
        let file = open(path, side, &appending())?;
        let mut this =
            Self { path: path.to_owned(), side, file, trail, last: 0, length: 0, began_anew: Arc::default() };
        let last = this.take_up()?;
        Ok((this, last))
    }

    /// Reads the content of the file, or begins the file. Returns the newest anchor in it.
    fn take_up(&mut self) -> io::Result<Option<Anchor>> {
        let length = whole_lines(&mut self.file)?;
        // Nothing is written until it is known whose file it is.
        (self.length, self.last) = (u64::MAX, 0);
        let header = if length == 0 { None } else { Some(self.header()?) };
        if let Some(header) = header.as_ref().filter(|header| **header != header_line(self.trail)) {
            let problem = format!("it is of another trail: it begins with '{}'", header.trim_end());
            return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
        }
        self.file.set_len(length)?;
        self.length = length;
        if header.is_none() {
            self.begin()?;
            return Ok(None);
        }
        let last = self.newest()?;
        self.last = last.map_or(0, |anchor| anchor.seq);
        Ok(last)
    }

    fn begin(&mut self) -> io::Result<()> {
        let header = header_line(self.trail);
        self.file.write_all(header.as_bytes())?;
        self.file.sync_all()?;
        sync_directory(&self.path)?;
        self.length = header.len() as u64;
        Ok(())
    }

    fn header(&mut self) -> io::Result<String> {
        self.file.seek(SeekFrom::Start(0))?;
        let mut header = String::new();
        BufReader::new((&self.file).take(LONGEST_LINE)).read_line(&mut header)?;
        Ok(header)
    }

    fn newest(&mut self) -> io::Result<Option<Anchor>> {
        self.file.seek(SeekFrom::Start(self.length.saturating_sub(2 * LONGEST_LINE)))?;
        let mut tail = Vec::new();
        self.file.read_to_end(&mut tail)?;
        let tail = String::from_utf8_lossy(&tail);
        match tail.lines().last() {
            Some(line) if line.starts_with(HEADER) => Ok(None),
            Some(line) => parse(line).map(Some).ok_or_else(|| {
                io::Error::new(io::ErrorKind::InvalidData, "its last line is no anchor (`seq hash`)")
            }),
            None => Ok(None),
        }
    }

    pub(super) fn append(&mut self, anchor: Anchor) -> io::Result<()> {
        let line = line(anchor);
        self.catch_up()?;
        if self.last >= anchor.seq {
            return Ok(());
        }
        // Removes the part of a line that a failed attempt left.
        self.file.set_len(self.length)?;
        self.file.write_all(line.as_bytes())?;
        self.file.sync_data()?;
        self.length += line.len() as u64;
        self.last = anchor.seq;
        Ok(())
    }

    /// Catches up after another daemon wrote to the file while this one was stopped, after a failed attempt left a part of a
    /// line, or after somebody shortened or removed the file.
    fn catch_up(&mut self) -> io::Result<()> {
        let known = self.file.metadata()?;
        let is_at_its_path = fs::metadata(&self.path).is_ok_and(|there| there.ino() == known.ino());
        if is_at_its_path && known.len() == self.length {
            return Ok(());
        }
        if !is_at_its_path || known.len() < self.length {
            tracing::error!(path = %self.path.display(), "the anchor file was shortened or taken away: going on without what it said");
            self.began_anew.store(true, Ordering::Relaxed);
            self.file = open(&self.path, self.side, &appending())?;
        }
        self.take_up().map(|_| ())
    }

    pub(super) fn restart(&mut self, at: Anchor, lost_from: i64) -> io::Result<()> {
        let aside = (1..)
            .map(|n| self.path.with_extension(format!("until-{}.{n}", self.last)))
            .find(|path| !path.exists())
            .unwrap_or_default();
        fs::rename(&self.path, &aside)?;
        self.file = open(&self.path, self.side, &appending())?;
        self.length = 0;
        self.last = 0;
        self.begin()?;
        let mut kept = String::new();
        for anchor in
            read(&aside, self.side)?.take_while(|anchor| anchor.as_ref().is_ok_and(|a| a.seq < lost_from))
        {
            kept += &line(anchor?);
        }
        self.file.write_all(kept.as_bytes())?;
        self.length += kept.len() as u64;
        self.append(at)
    }
}

fn open(path: &Path, side: Side, options: &OpenOptions) -> io::Result<File> {
    match side {
        Side::Own => private_path::open(path, options),
        Side::Elsewhere => private_path::open_elsewhere(path, options),
    }
}

fn appending() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    options
}

/// The trail that a file belongs to, if the file exists and names one.
pub(super) fn trail_of(path: &Path) -> io::Result<Option<Uuid>> {
    let mut header = String::new();
    match private_path::open(path, OpenOptions::new().read(true)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => BufReader::new(file?.take(LONGEST_LINE)).read_line(&mut header)?,
    };
    let named = header.strip_prefix(HEADER).and_then(|rest| rest.trim().parse().ok());
    Ok(named.filter(|_| header.ends_with('\n')))
}

fn header_line(trail: Uuid) -> String {
    format!("{HEADER} {trail}\n")
}

pub(super) fn line(anchor: Anchor) -> String {
    format!("{} {}\n", anchor.seq, data_encoding::HEXLOWER.encode(&anchor.hash))
}

fn parse(line: &str) -> Option<Anchor> {
    let (seq, hash) = line.trim_end().split_once(' ')?;
    let hash: &[u8; 64] = hash.as_bytes().try_into().ok()?;
    let mut anchor = Anchor { seq: seq.parse().ok().filter(|seq| *seq > 0)?, hash: [0; 32] };
    data_encoding::HEXLOWER_PERMISSIVE.decode_mut(hash, &mut anchor.hash).ok()?;
    Some(anchor)
}

/// The file's length up to the end of its last whole line.
fn whole_lines(file: &mut File) -> io::Result<u64> {
    let length = file.seek(SeekFrom::End(0))?;
    let from = length.saturating_sub(LONGEST_LINE);
    file.seek(SeekFrom::Start(from))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    match tail.iter().rposition(|byte| *byte == b'\n') {
        Some(at) => Ok(from + at as u64 + 1),
        None if from == 0 => Ok(0),
        None => Err(io::Error::new(io::ErrorKind::InvalidData, "it ends in something that is no anchor")),
    }
}

/// Reads the anchors of a file in their order, one at a time, because the file can be of any length. There are
/// none if the file was removed.
pub(super) fn read(path: &Path, side: Side) -> io::Result<impl Iterator<Item = io::Result<Anchor>>> {
    let file: Box<dyn io::Read + Send> = match open(path, side, OpenOptions::new().read(true)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Box::new(io::empty()),
        file => Box::new(file?),
    };
    let (mut file, mut line) = (BufReader::new(file), String::new());
    // The header. Its trail was checked when the file was opened.
    file.read_line(&mut line)?;
    Ok(std::iter::from_fn(move || {
        line.clear();
        match file.read_line(&mut line) {
            Ok(0) => None,
            Ok(_) => Some(parse(&line).ok_or_else(|| {
                io::Error::new(
                    io::ErrorKind::InvalidData,
                    "a line of the anchor file is no anchor (`seq hash`)",
                )
            })),
            Err(error) => Some(Err(error)),
        }
    }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn anchor(seq: i64) -> Anchor {
        Anchor { seq, hash: [u8::try_from(seq).unwrap(); 32] }
    }

    fn seqs(path: &Path) -> Vec<i64> {
        read(path, Side::Own).unwrap().map(|anchor| anchor.unwrap().seq).collect()
    }

    #[test]
    fn a_line_that_a_crash_cut_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("anchors");
        let trail = Uuid::from_u128(1);
        AnchorFile::open(&path, Side::Own, trail).unwrap().0.append(anchor(2)).unwrap();
        let whole = fs::read(&path).unwrap();
        for length in whole.len() - 40..whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            let (file, last) = AnchorFile::open(&path, Side::Own, trail).unwrap();
            assert_eq!((last, file.last), (None, 0), "{length} of {} bytes", whole.len());
        }
        for length in 0..10 {
            fs::write(&path, &whole[..length]).unwrap();
            AnchorFile::open(&path, Side::Own, trail).unwrap();
            assert!(fs::read_to_string(&path).unwrap().starts_with(HEADER));
        }
    }

    #[test]
    fn what_a_failed_write_left_of_a_line_is_written_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("anchors");
        let (mut file, _) = AnchorFile::open(&path, Side::Own, Uuid::from_u128(1)).unwrap();
        file.append(anchor(2)).unwrap();
        file.file.write_all(b"3 0303").unwrap();
        file.append(anchor(3)).unwrap();
        assert_eq!(seqs(&path), [2, 3]);
    }

    #[test]
    fn an_end_that_is_no_anchor_is_not_taken_for_an_empty_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("anchors");
        let (mut file, _) = AnchorFile::open(&path, Side::Own, Uuid::from_u128(1)).unwrap();
        file.append(anchor(2)).unwrap();
        let whole = fs::metadata(&path).unwrap().len();
        OpenOptions::new().write(true).open(&path).unwrap().set_len(whole + 200).unwrap();
        assert!(AnchorFile::open(&path, Side::Own, Uuid::from_u128(1)).is_err());
        assert_eq!(fs::metadata(&path).unwrap().len(), whole + 200, "nothing is taken away");
    }

    #[test]
    fn a_file_that_was_shortened_or_taken_away_is_begun_anew_and_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("anchors");
        let (mut file, _) = AnchorFile::open(&path, Side::Own, Uuid::from_u128(1)).unwrap();
        file.append(anchor(2)).unwrap();
        assert!(!file.began_anew.swap(false, Ordering::Relaxed));
        let other = |path: &Path| OpenOptions::new().write(true).open(path).unwrap();
        other(&path).set_len(0).unwrap();
        file.append(anchor(3)).unwrap();
        assert_eq!((seqs(&path), file.began_anew.swap(false, Ordering::Relaxed)), (vec![3], true));
        fs::remove_file(&path).unwrap();
        assert_eq!(seqs(&path), Vec::<i64>::new());
        file.append(anchor(4)).unwrap();
        assert_eq!((seqs(&path), file.began_anew.swap(false, Ordering::Relaxed)), (vec![4], true));
        assert_eq!(trail_of(&path).unwrap(), Some(Uuid::from_u128(1)));
        // The file of another installation in its place is not written to.
        fs::remove_file(&path).unwrap();
        AnchorFile::open(&path, Side::Own, Uuid::from_u128(2)).unwrap();
        assert!(file.append(anchor(5)).unwrap_err().to_string().contains("another trail"));
    }
}
