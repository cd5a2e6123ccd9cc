//! The lease of the control database: one daemon at a time may write, for as long as it gives signs of life.
//!
//! The epoch is the fence. Taking it waits for open transactions of the previous daemon and refuses all later ones. The lease
//! only decides when another daemon tries to take it. Taking it too early would be impolite, but never wrong.

use std::fs;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};
use sqlx::{Connection as _, PgConnection};

use crate::postgres::error::{Error, Result, doing};

/// A daemon's process, as other daemons see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// For display: `pid 4711 on db1`.
    pub name: String,
    /// For other daemons on the same machine: the boot id, the process namespace, the process id and the start time.
    process: String,
}

/// The result of an attempt to take the fence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Takeover {
    Mine,
    /// Another daemon holds it and shows signs of life.
    Theirs {
        holder: String,
    },
}

/// This daemon's hold on the fence.
#[derive(Debug, Default)]
pub struct Lease {
    held: RwLock<Held>,
}

#[derive(Debug, Default, Clone)]
struct Held {
    /// 0 if this daemon never had one.
    epoch: i64,
    /// Until when the last sign of life is valid, on this machine's clock; none once another daemon has the fence.
    good_until: Option<Duration>,
    /// The daemon that has the fence instead, if known.
    other: Option<String>,
    /// The daemon that had the fence before this one; none in a new control database.
    before: Option<String>,
}

impl Holder {
    /// The holder for this process.
    pub fn of_this_process(host: &str) -> Self {
        let pid = std::process::id();
        Self { name: format!("pid {pid} on {host}"), process: process_identity(pid).unwrap_or_default() }
    }
}

impl Lease {
    /// The epoch under which this daemon may write now.
    pub fn epoch(&self) -> Result<i64> {
        let held = self.read();
        match held.good_until {
            Some(until) if now() < until => Ok(held.epoch),
            Some(_) => Err(Error::LeaseLapsed),
            None => Err(Error::Fenced),
        }
    }

    /// The last epoch that this daemon had; 0 if none.
    pub fn last_epoch(&self) -> i64 {
        self.read().epoch
    }

    /// The daemon that has the fence instead of this one.
    pub fn other(&self) -> Option<String> {
        self.read().other
    }

    /// The daemon that had the fence before this one.
    pub fn before(&self) -> Option<String> {
        self.read().before
    }

    /// Takes the fence if nobody has it, or if its holder is dead or has been silent for longer than its lease.
    pub async fn take(
        &self,
        connection: &mut PgConnection,
        holder: &Holder,
        lease: Duration,
    ) -> Result<Takeover> {
        let begin = now();
        let (seen, name, process, is_free): (i64, String, String, bool) = sqlx::query_as(
            "select e.epoch, e.holder, e.holder_process,
                    h.released or h.epoch <> e.epoch or h.beat_at < now() - make_interval(secs => e.lease_ms / 1000.0)
             from control.epoch e, control.heartbeat h",
        )
        .fetch_one(&mut *connection)
        .await
        .map_err(doing("look who holds the fence"))?;
        if !is_free && !is_dead(&process) {
            self.write(|held| held.other = Some(name.clone()));
            return Ok(Takeover::Theirs { holder: name });
        }
        let mut tx = connection.begin().await.map_err(doing("begin to take the fence"))?;
        let epoch: Option<i64> = sqlx::query_scalar(
            "update control.epoch set epoch = epoch + 1, holder = $2, holder_process = $3, lease_ms = $4, taken_at = now()
             where epoch = $1 returning epoch",
        )
        .bind(seen)
        .bind(&holder.name)
        .bind(&holder.process)
        .bind(i64::try_from(lease.as_millis()).unwrap_or(i64::MAX))
        .fetch_optional(&mut *tx)
        .await
        .map_err(doing("take the fence"))?;
        let Some(epoch) = epoch else {
            return Ok(Takeover::Theirs { holder: name });
        };
        sqlx::query("update control.heartbeat set epoch = $1, beat_at = clock_timestamp(), released = false")
            .bind(epoch)
            .execute(&mut *tx)
            .await
            .map_err(doing("give the first sign of life"))?;
        tx.commit().await.map_err(doing("commit the taking of the fence"))?;
        // The time before the statements counts. So the lease is shorter here than in the database,
        // however long the network took.
        self.write(|held| {
            let before = Some(name).filter(|name| !name.is_empty());
            *held = Held { epoch, good_until: Some(begin + lease), other: None, before };
        });
        Ok(Takeover::Mine)
    }

    /// Gives a sign of life. Returns [`Error::Fenced`] once another daemon has the fence.
    pub async fn beat(&self, connection: &mut PgConnection, lease: Duration) -> Result<()> {
        let begin = now();
        let epoch = self.last_epoch();
        let holder: Option<Option<String>> = sqlx::query_scalar(
            "update control.heartbeat set beat_at = clock_timestamp()
             where epoch = $1 and exists (select from control.epoch e where e.epoch = $1)
             returning null::text",
        )
        .bind(epoch)
        .fetch_optional(&mut *connection)
        .await
        .map_err(doing("give a sign of life"))?;
        if holder.is_some() {
            self.write(|held| held.good_until = Some(begin + lease));
            return Ok(());
        }
        let other: Option<String> = sqlx::query_scalar("select holder from control.epoch")
            .fetch_optional(connection)
            .await
            .map_err(doing("look who holds the fence"))?;
        self.write(|held| (held.good_until, held.other) = (None, other));
        Err(Error::Fenced)
    }

    /// Releases the fence, so that nobody has to wait for the lease to end.
    pub async fn release(&self, connection: &mut PgConnection) -> Result<()> {
        let epoch = self.last_epoch();
        self.write(|held| held.good_until = None);
        sqlx::query("update control.heartbeat set released = true where epoch = $1")
            .bind(epoch)
            .execute(connection)
            .await
            .map(|_| ())
            .map_err(doing("give the fence up"))
    }

    fn read(&self) -> Held {
        self.held.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn write(&self, change: impl FnOnce(&mut Held)) {
        change(&mut self.held.write().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Time since the machine was started, including sleep: a laptop knows after a sleep that its lease is over.
fn now() -> Duration {
    clock_gettime(ClockId::CLOCK_BOOTTIME).map_or(Duration::MAX, Duration::from)
}

/// Whether the daemon with this identity was on this machine and is no longer alive.
fn is_dead(process: &str) -> bool {
    let Some(pid) = process.split(' ').nth(2).and_then(|pid| pid.parse().ok()) else { return false };
    let here = |identity: &str| identity.split(' ').take(2).map(str::to_owned).collect::<Vec<_>>();
    let Some(own) = process_identity(std::process::id()) else { return false };
    here(&own) == here(process) && process_identity(pid).as_deref() != Some(process)
}

/// The boot id, process namespace, process id and start time in ticks; `None` if there is no such process.
fn process_identity(pid: u32) -> Option<String> {
    let boot = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = fs::read_link("/proc/self/ns/pid").ok()?;
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before this is in parentheses and can contain anything. A zombie counts as ended.
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    let state = fields.next()?;
    let started = fields.nth(18)?;
    (state != "Z").then(|| format!("{} {} {pid} {started}", boot.trim(), namespace.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_lives_is_not_dead_and_one_of_another_machine_is_not_judged() {
        let own = Holder::of_this_process("here").process;
        assert!(!own.is_empty() && !is_dead(&own));
        assert!(!is_dead("other-boot pid:[1] 4711 1"));
        assert!(!is_dead(""));
        let started_earlier = format!("{} 1", own.rsplit_once(' ').map_or("", |(front, _)| front));
        assert!(is_dead(&started_earlier), "the number was given to another process");
    }

    #[test]
    fn without_a_lease_nobody_may_write() {
        assert!(matches!(Lease::default().epoch(), Err(Error::Fenced)));
    }
}
