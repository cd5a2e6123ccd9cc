//! Runs a file that cannot run in a transaction, statement by statement, as the tenant's owner itself. Builds and upgrades use it.
//!
//! The journal on the target records what was done. Any daemon can therefore run the file again, and first cleans up after an
//! interrupted attempt.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tenantry_protocol::id::OperationId;
use tenantry_protocol::name::PlacementName;

use crate::fault;
use crate::model::blueprint::{Checksum, Migration, OutsideWork, Statement, plain_form, work_of};
use crate::model::operation::Step;
use crate::pipeline::step_error::StepError;
use crate::pipeline::steps::batches::BatchRun;
use crate::pipeline::steps::file_account;
use crate::pipeline::steps::make_way::until_it_holds_up;
use crate::pipeline::steps::opened::{open_now, refuse_opened};
use crate::pipeline::tracker::Tracker;
use crate::postgres;
use crate::postgres::build::detachment::{self, Detachment};
use crate::postgres::build::file_error::FileError;
use crate::postgres::build::outside_journal as journal;
use crate::postgres::build::outside_journal::{Binds, JournalEntry, StatementStanding};
use crate::postgres::build::owner_login::{self, Blocker, Invalid, OwnerSession, Purpose};
use crate::postgres::error::ServerError;
use crate::postgres::target::Ready;
use crate::postgres::target::location::Site;
use crate::postgres::target::marker::{HistoryRow, Mark, Use};

/// A statement may use this share of the remaining time; the rest is for finding out why it did not end.
const SHARE: f64 = 0.9;
/// How often to check what a statement waits for.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How far the step has come.
pub(super) struct Counter<'a> {
    pub(super) tracker: &'a Tracker,
    pub(super) step: Step,
    pub(super) done: usize,
    pub(super) total: usize,
}

impl Counter<'_> {
    /// These files are left to do.
    pub(super) fn expect(&mut self, files: &[&Migration]) {
        self.total = self.done + files.iter().map(|file| weight(file)).sum::<usize>();
        self.skip(0);
    }

    pub(super) fn count(&mut self) {
        self.skip(1);
    }

    /// These files were rolled back.
    pub(super) fn again(&mut self, files: &[&Migration]) {
        self.done -= files.iter().map(|file| weight(file)).sum::<usize>().min(self.done);
    }

    fn skip(&mut self, count: usize) {
        self.done += count;
        self.tracker.counted(self.step, self.done, self.total);
    }
}

/// How much a file counts: each statement outside a transaction by itself, any other file as one.
pub(super) fn weight(file: &Migration) -> usize {
    if file.is_outside() { file.statements.len() } else { 1 }
}

/// When statements have to end in a step that has `left`.
pub(super) fn deadline(left: Duration) -> Instant {
    Instant::now() + left.mul_f64(SHARE)
}

/// The tenant whose files run.
pub(super) struct OutsideRun<'a> {
    pub(super) site: Site<'a>,
    pub(super) ready: &'a Ready,
    /// The marker of the tenant's build.
    pub(super) mark: Mark,
    pub(super) placement: &'a PlacementName,
    /// The build or the upgrade, in the history.
    pub(super) operation: OperationId,
    pub(super) in_use: Use,
    /// What is open before the file. None while the tenant is made: it is attacked before it is handed over.
    pub(super) open: Option<&'a [String]>,
    pub(super) deadline: Instant,
}

impl OutsideRun<'_> {
    /// Runs the file within a login of the owner's that is closed however this ends.
    pub(super) async fn file(
        &self,
        file: &Migration,
        rank: i32,
        counter: &mut Counter<'_>,
    ) -> Result<(), StepError> {
        let begin = Instant::now();
        if journal::is_file_done(self.site, self.placement, rank).await? {
            counter.skip(file.statements.len());
            return Ok(());
        }
        let mut session = None;
        let worked = self.statements(file, rank, &mut session, counter).await;
        if let Some(session) = session {
            session.end().await;
        }
        // Before the file is on record as done: a daemon that takes over the operation in between closes the login again.
        let closed = owner_login::close(self.site, self.ready, self.mark, self.placement).await;
        worked?;
        closed?;
        if let Some(before) = self.open {
            // What it did is committed, and stays out of the history until nothing is open.
            let now = open_now(&mut *self.site.acquire().await?, self.placement).await?;
            refuse_opened(now, before)?;
        }
        let checksum = file.checksum.to_string();
        let row = HistoryRow {
            rank,
            operation: self.operation,
            file: &file.path,
            checksum: &checksum,
            statements: i32::try_from(file.statements.len()).unwrap_or(i32::MAX),
        };
        let done = async {
            let Self { site, mark, in_use, placement, .. } = *self;
            let noted = journal::file_done(site, mark, in_use, placement, row, begin.elapsed()).await;
            noted.map_err(StepError::from)
        };
        fault::around("outside.history", done).await?;
        counter.tracker.log(file_account::applied(file, begin.elapsed()));
        Ok(())
    }

    /// Runs the statements that are not done yet; the login is opened for the first of them.
    async fn statements(
        &self,
        file: &Migration,
        rank: i32,
        session: &mut Option<OwnerSession>,
        counter: &mut Counter<'_>,
    ) -> Result<(), StepError> {
        for (number, statement) in file.statements.iter().enumerate() {
            let work = work_of(statement)
                .ok_or(StepError::OutOfOrder { lacks: "a statement that can be in no transaction" })?;
            let checksum = Checksum::of(statement.text.as_bytes()).to_string();
            let entry = JournalEntry {
                mark: self.mark,
                in_use: self.in_use,
                placement: self.placement,
                rank,
                file: &file.path,
                checksum: &checksum,
                statement: i32::try_from(number).unwrap_or(i32::MAX),
                binds: if matches!(work, OutsideWork::Batch(_)) {
                    Binds::ToNothing
                } else {
                    Binds::ToItsText
                },
            };
            // The login comes first: opening it ends any session that still works on the statement.
            if session.is_none() {
                let purpose = Purpose::Outside(self.in_use);
                let open = owner_login::open(self.site, self.ready, self.mark, self.placement, purpose);
                *session = Some(fault::around("outside.login", open).await?);
            }
            let session = session.as_mut().ok_or(StepError::OutOfOrder { lacks: "the owner's login" })?;
            let standing = journal::begin(self.site, entry).await?;
            if standing != StatementStanding::Done {
                let one = self.one(session, (file, number, statement), (&work, standing), counter);
                let ran = fault::around("outside.statement", one).await;
                if let Err(StepError::Migration { .. }) = &ran
                    && self.in_use == Use::InUse
                    && self.left_nothing(&work, standing).await?
                {
                    // The server refused it, and the tenant stays: a later version may have another text here.
                    self.make_good(session, &work).await?;
                    journal::forget(self.site, entry).await?;
                }
                ran?;
                journal::done(self.site, entry).await?;
            }
            counter.count();
        }
        Ok(())
    }

    /// Runs the statement in the way of its kind.
    async fn one(
        &self,
        session: &mut OwnerSession,
        (file, number, statement): (&Migration, usize, &Statement),
        (work, standing): (&OutsideWork, StatementStanding),
        counter: &Counter<'_>,
    ) -> Result<(), StepError> {
        let of = (file, number, statement);
        match work {
            OutsideWork::Batch(batched) => {
                let run = BatchRun {
                    site: self.site,
                    ready: self.ready,
                    mark: self.mark,
                    placement: self.placement,
                    in_use: self.in_use,
                    deadline: self.deadline,
                    file,
                    number,
                    statement,
                    tracker: counter.tracker,
                    step: counter.step,
                };
                run.run(session, *batched).await
            }
            OutsideWork::Detach { table, partition } => {
                let names = (table.as_str(), partition.as_str());
                self.detach(session, of, (work, standing), names, counter.tracker).await
            }
            _ => self.statement(session, of, (work, standing), counter.tracker).await,
        }
    }

    /// Detaches a partition, or does what an earlier attempt left of that. Those who use the partition itself can wait for it, and are
    /// made way for. The form is the same where nobody uses the tenant: it waits only for those who use the table, and leaves the
    /// partition a check that the plain form does not.
    async fn detach(
        &self,
        session: &mut OwnerSession,
        (file, number, statement): (&Migration, usize, &Statement),
        (work, standing): (&OutsideWork, StatementStanding),
        (table, partition): (&str, &str),
        tracker: &Tracker,
    ) -> Result<(), StepError> {
        let stands = detachment::standing(self.site, self.placement, table, partition).await?;
        let text = match stands {
            Detachment::Gone if standing == StatementStanding::Begun => return Ok(()),
            Detachment::Pending => detachment::finish(table, partition),
            Detachment::Attached | Detachment::Gone => statement.text.clone(),
        };
        let statement = Statement { text, ..statement.clone() };
        let (backend, blocker) = (session.backend, Mutex::default());
        let work = self.statement(session, (file, number, &statement), (work, standing), tracker);
        if self.in_use == Use::Unused {
            return work.await;
        }
        tokio::select! {
            biased;
            ran = work => ran,
            () = until_it_holds_up(self.site.target, backend, &blocker) => {
                owner_login::close(self.site, self.ready, self.mark, self.placement).await?;
                Err(StepError::InTheWay { file: file.path.clone() })
            }
        }
    }

    /// Whether nothing is left of a statement that the server refused, now or in an earlier attempt, once it is made good.
    async fn left_nothing(&self, work: &OutsideWork, standing: StatementStanding) -> postgres::Result<bool> {
        Ok(match work {
            OutsideWork::Batch(_) => standing == StatementStanding::New,
            OutsideWork::Detach { table, partition } => {
                let stands = detachment::standing(self.site, self.placement, table, partition).await?;
                stands != Detachment::Pending
            }
            _ => true,
        })
    }

    async fn statement(
        &self,
        session: &mut OwnerSession,
        (file, number, statement): (&Migration, usize, &Statement),
        (work, standing): (&OutsideWork, StatementStanding),
        tracker: &Tracker,
    ) -> Result<(), StepError> {
        if standing == StatementStanding::Begun {
            self.make_good(session, work).await?;
        }
        let backend = session.backend;
        let waited_for: Mutex<Option<Blocker>> = Mutex::default();
        let watch = async {
            loop {
                tokio::time::sleep(LOOK_EVERY).await;
                // A failed look is not reported, since the answer is only for a message.
                if let Ok(now) = owner_login::blocker(self.site, backend).await {
                    let mut before = waited_for.lock().unwrap_or_else(PoisonError::into_inner);
                    if let Some(blocker) = now.as_ref().filter(|now| Some(*now) != before.as_ref()) {
                        tracker.log(format!("{} waits for {blocker}", file.path));
                    }
                    *before = now;
                }
            }
        };
        let text = match self.in_use {
            Use::InUse => statement.text.clone(),
            Use::Unused => plain_form(statement),
        };
        let ran = tokio::select! {
            ran = session.execute(&text, left(self.deadline)) => ran,
            never = watch => never,
        };
        let Err(error) = ran else { return Ok(()) };
        let server = match error.server() {
            Some(server) if !error.is_unreachable() => server,
            _ => return Err(error.into()),
        };
        match () {
            () if standing == StatementStanding::Begun && is_done_already(work, &server) => Ok(()),
            // Only the deadline cancels the statement: other code that knows the backend's pid uses it only to end the
            // operation.
            () if server.is("57014") && left(self.deadline) < LOOK_EVERY => {
                let waited_for = waited_for.into_inner().unwrap_or_else(PoisonError::into_inner);
                Err(StepError::OutOfTime { file: file.path.clone(), line: statement.line, waited_for })
            }
            () => {
                let position = server.position;
                let error = FileError::Statement { statement: Some(number), position, server };
                Err(file_account::step_error(file, error))
            }
        }
    }

    /// Removes what an interrupted attempt left half-made.
    async fn make_good(&self, session: &mut OwnerSession, work: &OutsideWork) -> postgres::Result<()> {
        let which = match work {
            OutsideWork::CreateIndex { name } => Invalid::Named(name),
            OutsideWork::Reindex => Invalid::OfReindex,
            OutsideWork::DropIndex
            | OutsideWork::AddValue
            | OutsideWork::Maintain
            | OutsideWork::Validate
            | OutsideWork::Detach { .. }
            | OutsideWork::Batch(_) => return Ok(()),
        };
        let which = (which, self.in_use);
        session.drop_invalid(self.site, self.placement, which, left(self.deadline)).await.map(drop)
    }
}

/// Whether the server's refusal shows that the previous attempt completed. (Alternatively, the name was always taken: the
/// file can then never work, and the daemon died between the statement's record and the statement.)
fn is_done_already(work: &OutsideWork, server: &ServerError) -> bool {
    match work {
        OutsideWork::CreateIndex { .. } => server.is("42P07"),
        OutsideWork::AddValue => server.is("42710"),
        OutsideWork::DropIndex => server.is("42704"),
        OutsideWork::Reindex
        | OutsideWork::Maintain
        | OutsideWork::Validate
        | OutsideWork::Detach { .. }
        | OutsideWork::Batch(_) => false,
    }
}

fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}
