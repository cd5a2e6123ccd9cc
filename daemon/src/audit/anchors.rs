//! The anchor file: after each commit, the number and the hash of the newest audit event are written to a file outside the
//! database. A caller goes on only when the line is on disk.
//!
//! A line covers everything before it, so commits that arrive together share one line. A failed write is logged and tried again
//! without an end; until it succeeds, every change waits, and reading goes on.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use tokio::sync::watch;
use uuid::Uuid;

use crate::private_path;

use super::anchor_file::{Anchor, AnchorFile, Side};
use super::shipping::Shipping;

const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(200);

/// How far the file has come.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Reached {
    pub(super) newest: Option<Anchor>,
    /// Why the last write failed. It is retried.
    pub(super) trouble: Option<String>,
}

impl Reached {
    /// The `seq` of the newest anchor, or 0 if there is none.
    pub(super) fn seq(&self) -> i64 {
        self.newest.map_or(0, |anchor| anchor.seq)
    }
}

/// The writer's handle. The file is closed when the last clone is dropped.
#[derive(Debug, Clone)]
pub(super) struct Anchors {
    path: PathBuf,
    orders: mpsc::Sender<AnchorOrder>,
    reached: watch::Receiver<Reached>,
    /// The file was shortened or removed, and was begun anew. The trail does not say so yet.
    pub(super) began_anew: Arc<AtomicBool>,
}

enum AnchorOrder {
    Anchor(Anchor),
    /// Sets the file aside and begins another one. The anchor is where it continues; the number is the first lost event.
    Restart(Anchor, i64, tokio::sync::oneshot::Sender<io::Result<()>>),
}

impl Anchors {
    /// Opens the file, or begins it. A line that a crash cut off is dropped. Returns the newest anchor in the file.
    pub(super) fn open(path: &Path, trail: Uuid, shipping: Shipping) -> io::Result<(Self, Option<Anchor>)> {
        if let Some(dir) = path.parent() {
            private_path::make_directory(dir)?;
        }
        let (file, last) = AnchorFile::open(path, Side::Own, trail)?;
        let (orders, inbox) = mpsc::channel();
        let (report, reached) = watch::channel(Reached { newest: last, trouble: None });
        let began_anew = Arc::clone(&file.began_anew);
        std::thread::Builder::new()
            .name("anchors".to_owned())
            .spawn(move || write_all(file, &inbox, &report, &shipping))?;
        Ok((Self { path: path.to_owned(), orders, reached, began_anew }, last))
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn reached(&self) -> Reached {
        self.reached.borrow().clone()
    }

    /// Returns when this anchor or a later one is on disk.
    pub(super) async fn reach(&self, anchor: Anchor) {
        // The writer is gone only when the process ends.
        if self.orders.send(AnchorOrder::Anchor(anchor)).is_ok() {
            let _ = self.reached.clone().wait_for(|reached| reached.seq() >= anchor.seq).await;
        }
    }

    /// Restarts the file after an acknowledged loss. The old file is kept under another name. The new file takes over its
    /// anchors before `lost_from` and continues at `at`.
    pub(super) async fn restart(&self, at: Anchor, lost_from: i64) -> io::Result<()> {
        let (answer, answered) = tokio::sync::oneshot::channel();
        let gone = || io::Error::other("the writer of anchors has ended");
        self.orders.send(AnchorOrder::Restart(at, lost_from, answer)).map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }
}

fn write_all(
    mut file: AnchorFile,
    inbox: &mpsc::Receiver<AnchorOrder>,
    report: &watch::Sender<Reached>,
    shipping: &Shipping,
) {
    while let Ok(order) = inbox.recv() {
        let mut newest = None;
        for order in std::iter::once(order).chain(inbox.try_iter()) {
            match order {
                AnchorOrder::Anchor(anchor) => newest = Some(later(newest, anchor)),
                AnchorOrder::Restart(at, lost_from, answer) => {
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
        // An anchor that an earlier line covers needs no line of its own.
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

/// The later anchor, which covers the other one.
fn later(one: Option<Anchor>, other: Anchor) -> Anchor {
    one.filter(|one| one.seq >= other.seq).unwrap_or(other)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::super::anchor_file::read;
    use super::*;

    fn anchor(seq: i64) -> Anchor {
        Anchor { seq, hash: [u8::try_from(seq).unwrap(); 32] }
    }

    fn seqs(path: &Path) -> Vec<i64> {
        read(path, Side::Own).unwrap().map(|anchor| anchor.unwrap().seq).collect()
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
        // The previous anchor covers this one.
        anchors.reach(anchor(4)).await;
        assert_eq!((seqs(&path), anchors.reached().seq()), (vec![2, 5], 5));
        // Two writers of one file, as when a daemon was stopped for a while: neither removes the anchors of the other.
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
