//! Ships anchors to a second place: a file elsewhere, and lines for the machine's log service.
//!
//! They protect against an attacker who controls the database and the files of this machine, so they are sent at once
//! and never read back. If the second place is unavailable, nothing stops. The log says so, and the next anchor
//! covers those that were missed.

use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use uuid::Uuid;

use super::anchor_file::{Anchor, AnchorFile, Side};

const PAUSE_AFTER_ERROR: Duration = Duration::from_secs(1);
/// Facility `authpriv`, severity `notice`, as numbered by RFC 5424.
const PRIORITY: u8 = 10 * 8 + 5;

/// The additional places that anchors are sent to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Elsewhere {
    /// A file, usually on another file system.
    pub copy: Option<PathBuf>,
    /// The socket of a log service, usually `/dev/log`.
    pub syslog: Option<PathBuf>,
}

/// The sender's handle.
#[derive(Debug)]
pub(super) struct Shipping {
    orders: Option<mpsc::Sender<(Anchor, Begin)>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Begin {
    On,
    /// Begins a new file after a loss that starts at this event.
    Anew(i64),
}

impl Shipping {
    #[cfg(test)]
    pub(super) const fn nowhere() -> Self {
        Self { orders: None }
    }

    pub(super) fn start(elsewhere: Elsewhere, trail: Uuid) -> std::io::Result<Self> {
        if elsewhere == Elsewhere::default() {
            return Ok(Self { orders: None });
        }
        let (orders, inbox) = mpsc::channel();
        std::thread::Builder::new()
            .name("anchor-shipping".to_owned())
            .spawn(move || ShippingPlaces { elsewhere, trail, file: None }.ship_all(&inbox))?;
        Ok(Self { orders: Some(orders) })
    }

    pub(super) fn send(&self, anchor: Anchor) {
        if let Some(orders) = &self.orders {
            let _ = orders.send((anchor, Begin::On));
        }
    }

    pub(super) fn restart(&self, at: Anchor, lost_from: i64) {
        if let Some(orders) = &self.orders {
            let _ = orders.send((at, Begin::Anew(lost_from)));
        }
    }
}

struct ShippingPlaces {
    elsewhere: Elsewhere,
    trail: Uuid,
    /// Opened when it is needed, and opened again after an error.
    file: Option<AnchorFile>,
}

impl ShippingPlaces {
    fn ship_all(mut self, inbox: &mpsc::Receiver<(Anchor, Begin)>) {
        // The anchor that the file still lacks.
        let mut owed: Option<(Anchor, Begin)> = None;
        let mut is_failing = false;
        loop {
            let next = match owed {
                Some(_) => inbox.recv_timeout(PAUSE_AFTER_ERROR),
                None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
            };
            match next {
                Ok((anchor, begin)) => {
                    self.tell_syslog(anchor);
                    let begin = match (begin, owed) {
                        (Begin::On, Some((_, owed))) => owed,
                        (begin, _) => begin,
                    };
                    owed = Some((anchor, begin));
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            let Some((anchor, begin)) = owed else { continue };
            match self.copy(anchor, begin) {
                Ok(()) => {
                    if std::mem::take(&mut is_failing) {
                        tracing::info!("anchors reach their second place again");
                    }
                    owed = None;
                }
                Err(error) => {
                    self.file = None;
                    if !std::mem::replace(&mut is_failing, true) {
                        tracing::warn!(%error, "an anchor does not reach its second place; trying again");
                    }
                }
            }
        }
    }

    fn copy(&mut self, anchor: Anchor, begin: Begin) -> std::io::Result<()> {
        let Some(path) = &self.elsewhere.copy else { return Ok(()) };
        let mut file = match self.file.take() {
            Some(file) => file,
            // The directory must exist: if its file system is not mounted, it would be created on this machine.
            None if path.parent().is_some_and(|dir| !dir.is_dir()) => {
                return Err(std::io::Error::from(std::io::ErrorKind::NotFound));
            }
            None => AnchorFile::open(path, Side::Elsewhere, self.trail)?.0,
        };
        match begin {
            Begin::Anew(lost_from) => file.restart(anchor, lost_from)?,
            Begin::On => file.append(anchor)?,
        }
        self.file = Some(file);
        Ok(())
    }

    fn tell_syslog(&self, anchor: Anchor) {
        let Some(path) = &self.elsewhere.syslog else { return };
        let line = format!(
            "<{PRIORITY}>tenantryd[{}]: audit anchor trail={} seq={} hash={}",
            std::process::id(),
            self.trail,
            anchor.seq,
            data_encoding::HEXLOWER.encode(&anchor.hash)
        );
        let sent = UnixDatagram::unbound().and_then(|socket| {
            // A log service that does not read must not delay the file.
            socket.set_nonblocking(true)?;
            socket.send_to(line.as_bytes(), path)
        });
        if let Err(error) = sent {
            tracing::debug!(%error, "an anchor did not reach the log service");
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn anchors_arrive_in_a_file_and_at_a_log_service() {
        let dir = tempfile::tempdir().unwrap();
        let syslog = UnixDatagram::bind(dir.path().join("log")).unwrap();
        syslog.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let copy = dir.path().join("away/anchors");
        std::fs::create_dir(dir.path().join("away")).unwrap();
        let elsewhere = Elsewhere { copy: Some(copy.clone()), syslog: Some(dir.path().join("log")) };
        let shipping = Shipping::start(elsewhere, Uuid::from_u128(1)).unwrap();
        shipping.send(Anchor { seq: 3, hash: [3; 32] });
        shipping.send(Anchor { seq: 4, hash: [4; 32] });
        let mut line = [0; 256];
        for seq in [3, 4] {
            let length = syslog.recv(&mut line).unwrap();
            let text = std::str::from_utf8(&line[..length]).unwrap();
            assert!(
                text.starts_with("<85>tenantryd[") && text.contains(&format!(" seq={seq} hash=0{seq}")),
                "{text}"
            );
        }
        // The line for the log goes out just before the line for the file.
        shipping.send(Anchor { seq: 5, hash: [5; 32] });
        syslog.recv(&mut line).unwrap();
        let newest =
            super::super::anchor_file::read(&copy, Side::Elsewhere).unwrap().last().unwrap().unwrap().seq;
        assert!(newest >= 4, "{newest}");
    }

    #[test]
    fn a_copy_on_a_disk_that_gives_it_another_owner_is_gone_on_with() {
        if !nix::unistd::geteuid().is_root() {
            // Only root can change the owner of a file.
            return;
        }
        let dir = tempfile::tempdir().unwrap();
        let (copy, trail) = (dir.path().join("anchors"), Uuid::from_u128(1));
        let (mut file, _) = AnchorFile::open(&copy, Side::Elsewhere, trail).unwrap();
        file.append(Anchor { seq: 1, hash: [1; 32] }).unwrap();
        std::os::unix::fs::chown(&copy, Some(65_534), None).unwrap();
        assert!(AnchorFile::open(&copy, Side::Own, trail).is_err(), "on this machine it is nobody else's");
        let (mut file, last) = AnchorFile::open(&copy, Side::Elsewhere, trail).unwrap();
        assert_eq!(last.map(|anchor| anchor.seq), Some(1));
        file.restart(Anchor { seq: 2, hash: [2; 32] }, 2).unwrap();
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&copy, &link).unwrap();
        assert!(AnchorFile::open(&link, Side::Elsewhere, trail).is_err(), "a link is none");
    }
}
