//! The anchor file: what the chain's end was after each commit, outside the database and on the disk before anything
//! follows.
//!
//! A line covers everything before it, so commits that arrive together share one. A write that fails is tried again for
//! ever, and says so; whoever waits for an anchor waits on.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use tenantry_protocol::chain::Link;
use tokio::sync::watch;
use uuid::Uuid;

use super::key::sync_directory;
use super::shipping::Shipping;

const HEADER: &str = "tenantry-anchors 1";
/// A line is shorter than this.
const LONGEST_LINE: u64 = 128;
const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(200);

/// A place in the chain and its hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Anchor {
    pub seq: i64,
    pub hash: Link,
}

/// How far the file is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Reached {
    pub(super) newest: Option<Anchor>,
    /// Why the last write failed; it is tried again.
    pub(super) trouble: Option<String>,
}

impl Reached {
    /// 0 for none.
    pub(super) fn seq(&self) -> i64 {
        self.newest.map_or(0, |anchor| anchor.seq)
    }
}

/// The writer's handle. The file is closed when the last clone is gone.
#[derive(Debug, Clone)]
pub(super) struct Anchors {
    path: PathBuf,
    orders: mpsc::Sender<Order>,
    reached: watch::Receiver<Reached>,
}

enum Order {
    Anchor(Anchor),
    /// Puts the file aside and begins another, which starts at this place.
    Restart(Anchor, i64, tokio::sync::oneshot::Sender<io::Result<()>>),
}

impl Anchors {
    /// Opens the file, or begins it; a line that was cut by a crash is dropped. Gives the newest anchor in it.
    pub(super) fn open(path: &Path, trail: Uuid, shipping: Shipping) -> io::Result<(Self, Option<Anchor>)> {
        let (file, last) = AnchorFile::open(path, trail)?;
        let (orders, inbox) = mpsc::channel();
        let (report, reached) = watch::channel(Reached { newest: last, trouble: None });
        std::thread::Builder::new()
            .name("anchors".to_owned())
            .spawn(move || write_all(file, &inbox, &report, &shipping))?;
        Ok((Self { path: path.to_owned(), orders, reached }, last))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn reached(&self) -> Reached {
        self.reached.borrow().clone()
    }

    /// Returns when the anchor, or a later one, is on the disk.
    pub(super) async fn reach(&self, anchor: Anchor) {
        // The writer is gone only when the process ends.
        if self.orders.send(Order::Anchor(anchor)).is_ok() {
            let _ = self.reached.clone().wait_for(|reached| reached.seq() >= anchor.seq).await;
        }
    }

    /// After an acknowledged loss: the old file is kept under another name, and the next has its anchors before `lost_from`
    /// and goes on at `at`.
    pub(super) async fn restart(&self, at: Anchor, lost_from: i64) -> io::Result<()> {
        let (answer, answered) = tokio::sync::oneshot::channel();
        let gone = || io::Error::other("the writer of anchors has ended");
        self.orders.send(Order::Restart(at, lost_from, answer)).map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }
}

fn write_all(
    mut file: AnchorFile,
    inbox: &mpsc::Receiver<Order>,
    report: &watch::Sender<Reached>,
    shipping: &Shipping,
) {
    while let Ok(order) = inbox.recv() {
        let mut newest = None;
        for order in std::iter::once(order).chain(inbox.try_iter()) {
            match order {
                Order::Anchor(anchor) => newest = Some(later(newest, anchor)),
                Order::Restart(at, lost_from, answer) => {
                    newest = None;
                    let result = file.restart(at, lost_from);
                    if result.is_ok() {
                        report.send_replace(Reached { newest: Some(at), trouble: None });
                        shipping.restart(at, lost_from);
                    }
                    let _ = answer.send(result);
                }
            }
        }
        let Some(anchor) = newest else { continue };
        // What an earlier line covers needs none of its own.
        if anchor.seq <= file.last {
            continue;
        }
        while let Err(error) = file.append(anchor) {
            let trouble = format!("{}: {error}", file.path.display());
            if report.borrow().trouble.is_none() {
                tracing::error!(trouble, "an anchor of the audit trail cannot be written; trying again");
            }
            report.send_modify(|reached| reached.trouble = Some(trouble));
            std::thread::sleep(PAUSE_AFTER_ERROR);
        }
        report.send_replace(Reached { newest: Some(anchor), trouble: None });
        shipping.send(anchor);
    }
}

/// The one that covers the other.
fn later(one: Option<Anchor>, other: Anchor) -> Anchor {
    one.filter(|one| one.seq >= other.seq).unwrap_or(other)
}

/// The file itself.
pub(super) struct AnchorFile {
    path: PathBuf,
    file: File,
    trail: Uuid,
    last: i64,
    /// Bytes that are known to be whole lines.
    length: u64,
}

impl AnchorFile {
    pub(super) fn open(path: &Path, trail: Uuid) -> io::Result<(Self, Option<Anchor>)> {
        if let Some(dir) = path.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        }
        let mut file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).open(path)?;
        let length = whole_lines(&mut file)?;
        file.set_len(length)?;
        let mut this = Self { path: path.to_owned(), file, trail, last: 0, length };
        if length == 0 {
            this.begin()?;
            return Ok((this, None));
        }
        let header = this.header()?;
        if header != header_line(trail) {
            let problem = format!("it is of another trail: it begins with '{}'", header.trim_end());
            return Err(io::Error::new(io::ErrorKind::InvalidData, problem));
        }
        let last = this.newest()?;
        this.last = last.map_or(0, |anchor| anchor.seq);
        Ok((this, last))
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
        if self.file.metadata()?.len() > self.length {
            self.catch_up()?;
            if self.last >= anchor.seq {
                return Ok(());
            }
        }
        // What a failed attempt left of a line.
        self.file.set_len(self.length)?;
        self.file.write_all(line.as_bytes())?;
        self.file.sync_data()?;
        self.length += line.len() as u64;
        self.last = anchor.seq;
        Ok(())
    }

    /// Another daemon wrote to the same file while this one was stopped, or a failed attempt left a part of a line.
    fn catch_up(&mut self) -> io::Result<()> {
        self.length = whole_lines(&mut self.file)?;
        self.file.set_len(self.length)?;
        self.last = self.newest()?.map_or(0, |anchor| anchor.seq);
        Ok(())
    }

    pub(super) fn restart(&mut self, at: Anchor, lost_from: i64) -> io::Result<()> {
        let aside = (1..)
            .map(|n| self.path.with_extension(format!("until-{}.{n}", self.last)))
            .find(|path| !path.exists())
            .unwrap_or_default();
        fs::rename(&self.path, &aside)?;
        self.file =
            OpenOptions::new().read(true).append(true).create_new(true).mode(0o600).open(&self.path)?;
        self.length = 0;
        self.last = 0;
        self.begin()?;
        let mut kept = String::new();
        for anchor in read(&aside)?.take_while(|anchor| anchor.as_ref().is_ok_and(|a| a.seq < lost_from)) {
            kept += &line(anchor?);
        }
        self.file.write_all(kept.as_bytes())?;
        self.length += kept.len() as u64;
        self.append(at)
    }
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

/// The length up to the end of the last whole line.
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

/// The anchors of a file in their order, one at a time: the file can be of any length.
pub(super) fn read(path: &Path) -> io::Result<impl Iterator<Item = io::Result<Anchor>>> {
    let (mut file, mut line) = (BufReader::new(File::open(path)?), String::new());
    // The header; who it is of was checked when the file was opened.
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
        read(path).unwrap().map(|anchor| anchor.unwrap().seq).collect()
    }

    #[tokio::test]
    async fn what_was_reached_is_in_the_file_and_found_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit/anchors");
        let trail = Uuid::from_u128(1);
        let (anchors, none) = Anchors::open(&path, trail, Shipping::nowhere()).unwrap();
        assert_eq!(none, None);
        anchors.reach(anchor(2)).await;
        anchors.reach(anchor(5)).await;
        // Covered by the one before.
        anchors.reach(anchor(4)).await;
        assert_eq!((seqs(&path), anchors.reached().seq()), (vec![2, 5], 5));
        // Two writers of one file, as when a daemon is stopped for a while: none takes the other's anchors away.
        let (second, last) = Anchors::open(&path, trail, Shipping::nowhere()).unwrap();
        assert_eq!(last, Some(anchor(5)));
        second.reach(anchor(7)).await;
        anchors.reach(anchor(6)).await;
        assert_eq!(seqs(&path), [2, 5, 7]);
        anchors.reach(anchor(8)).await;
        assert_eq!(seqs(&path), [2, 5, 7, 8]);
        let other = Anchors::open(&path, Uuid::from_u128(2), Shipping::nowhere()).unwrap_err().to_string();
        assert!(other.contains("another trail"), "{other}");
    }

    #[tokio::test]
    async fn a_line_that_a_crash_cut_is_dropped() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("anchors");
        let trail = Uuid::from_u128(1);
        let (anchors, _) = Anchors::open(&path, trail, Shipping::nowhere()).unwrap();
        anchors.reach(anchor(2)).await;
        let whole = fs::read(&path).unwrap();
        for length in whole.len() - 40..whole.len() {
            fs::write(&path, &whole[..length]).unwrap();
            let (file, last) = AnchorFile::open(&path, trail).unwrap();
            assert_eq!((last, file.last), (None, 0), "{length} of {} bytes", whole.len());
        }
        for length in 0..10 {
            fs::write(&path, &whole[..length]).unwrap();
            AnchorFile::open(&path, trail).unwrap();
            assert!(fs::read_to_string(&path).unwrap().starts_with(HEADER));
        }
    }

    #[test]
    fn what_a_failed_write_left_of_a_line_is_written_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("anchors");
        let (mut file, _) = AnchorFile::open(&path, Uuid::from_u128(1)).unwrap();
        file.append(anchor(2)).unwrap();
        file.file.write_all(b"3 0303").unwrap();
        file.append(anchor(3)).unwrap();
        assert_eq!(seqs(&path), [2, 3]);
    }

    #[test]
    fn an_end_that_is_no_anchor_is_not_taken_for_an_empty_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("anchors");
        let (mut file, _) = AnchorFile::open(&path, Uuid::from_u128(1)).unwrap();
        file.append(anchor(2)).unwrap();
        let whole = fs::metadata(&path).unwrap().len();
        OpenOptions::new().write(true).open(&path).unwrap().set_len(whole + 200).unwrap();
        assert!(AnchorFile::open(&path, Uuid::from_u128(1)).is_err());
        assert_eq!(fs::metadata(&path).unwrap().len(), whole + 200, "nothing is taken away");
    }

    #[tokio::test]
    async fn an_acknowledged_loss_begins_another_file_and_keeps_the_old_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("anchors");
        let (anchors, _) = Anchors::open(&path, Uuid::from_u128(1), Shipping::nowhere()).unwrap();
        anchors.reach(anchor(2)).await;
        anchors.reach(anchor(9)).await;
        anchors.restart(anchor(8), 8).await.unwrap();
        anchors.reach(anchor(10)).await;
        assert_eq!(seqs(&path), [2, 8, 10]);
        assert_eq!(seqs(&dir.path().join("anchors.until-9.1")), [2, 9]);
    }
}
