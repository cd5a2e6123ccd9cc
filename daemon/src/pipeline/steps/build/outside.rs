//! Runs the files from the first one that cannot run in a transaction. Such a file runs statement by statement as the
//! tenant's owner itself; each of the others runs in a transaction of its own. The seed comes last.
//!
//! The journal on the target records what was done. Any daemon can therefore repeat this step, and first cleans up after
//! an interrupted attempt. Undone by the removal of the whole tenant, which closes the owner's login and ends its
//! session.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tenantry_protocol::plan::PlanSql;

use super::files;
use crate::fault;
use crate::model::blueprint::{Migration, OutsideWork, Statement, work_of};
use crate::model::operation::{Seeding, Step};
use crate::pipeline::context::ProvisionRun;
use crate::pipeline::plan_sql::{self, Recipe, ours};
use crate::pipeline::step_error::StepError;
use crate::pipeline::steps::{Attempt, BuildStep, StepFuture, file_account};
use crate::pipeline::tracker::Tracker;
use crate::postgres;
use crate::postgres::build::file_error::FileError;
use crate::postgres::build::outside_journal as journal;
use crate::postgres::build::outside_journal::{JournalEntry, StatementStanding};
use crate::postgres::build::owner_login::{self, Blocker, Invalid, OwnerSession, Purpose};
use crate::postgres::build::runner::Build;
use crate::postgres::error::ServerError;
use crate::postgres::target::marker::HistoryRow;
use crate::postgres::tenant_ddl;

/// A statement may use this share of the remaining time; the rest is for finding out why it did not end.
const SHARE: f64 = 0.9;
/// How often to check what a statement waits for.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How far the step has come.
struct Counter<'a> {
    tracker: &'a Tracker,
    done: usize,
    total: usize,
}

pub(in crate::pipeline) struct RunOutside;

impl BuildStep for RunOutside {
    /// The files behind the commit. Files that cannot run in a transaction run within a login of the owner's.
    fn sql(&self, of: Recipe<'_>) -> Vec<PlanSql> {
        let mut sql = Vec::new();
        for migration in of.blueprint.outside() {
            if migration.is_outside() {
                let (open, close) = (ours(tenant_ddl::OPEN_OWNER), ours(tenant_ddl::CLOSE_OWNER));
                sql.extend([open, plan_sql::file(migration), close]);
            } else {
                sql.push(plan_sql::file(migration));
            }
        }
        if of.seed == Seeding::With {
            sql.extend(plan_sql::files(&of.blueprint.seed));
        }
        sql
    }

    fn run<'a>(&'a self, run: &'a mut ProvisionRun, attempt: Attempt<'a>) -> StepFuture<'a> {
        Box::pin(all_files(run, attempt))
    }
}

async fn all_files(run: &mut ProvisionRun, Attempt { tracker, left }: Attempt<'_>) -> Result<(), StepError> {
    // Rolls back what an earlier attempt left open.
    run.abandon().await;
    let deadline = Instant::now() + left.mul_f64(SHARE);
    let blueprint = Arc::clone(&run.blueprint);
    let seed: &[Migration] = if run.seed == Seeding::With { &blueprint.seed } else { &[] };
    let all: Vec<&Migration> = blueprint.outside().iter().chain(seed).collect();
    let total = all.iter().map(|file| if file.is_outside() { file.statements.len() } else { 1 }).sum();
    let mut counter = Counter { tracker, done: 0, total };
    tracker.counted(Step::Outside, 0, total);
    for (number, file) in all.into_iter().enumerate() {
        let rank = i32::try_from(blueprint.inside().len() + number).unwrap_or(i32::MAX);
        if file.is_outside() {
            by_statement(run, file, rank, deadline, &mut counter).await?;
        } else {
            fault::around("outside.file", in_a_transaction(run, file, rank, tracker)).await?;
            counter.count();
        }
    }
    Ok(())
}

/// Runs a file that follows one outside the transaction, in the same way as the files of the build, and commits it
/// separately.
async fn in_a_transaction(
    run: &mut ProvisionRun,
    file: &Migration,
    rank: i32,
    tracker: &Tracker,
) -> Result<(), StepError> {
    let ready = run.ready().await?;
    let opened = Build::reopen(run.site(), &ready, run.mark, &run.tenant.placement, rank).await?;
    let Some(build) = opened else { return Ok(()) };
    // Stored here so that an undo finds it.
    run.build = Some(build);
    let duration = files::apply_one(run, file).await?;
    files::at_rest(run, file).await?;
    let build = run.take_build()?;
    build.commit(run.site()).await?;
    tracker.log(file_account::applied(file, duration));
    Ok(())
}

/// Runs a file outside the transaction, within a login of the owner's that is closed however this ends.
async fn by_statement(
    run: &mut ProvisionRun,
    file: &Migration,
    rank: i32,
    deadline: Instant,
    counter: &mut Counter<'_>,
) -> Result<(), StepError> {
    let begin = Instant::now();
    let ready = run.ready().await?;
    if journal::is_file_done(run.site(), &run.tenant.placement, rank).await? {
        counter.skip(file.statements.len());
        return Ok(());
    }
    let mut session = None;
    let worked = statements(run, file, rank, deadline, &mut session, counter).await;
    if let Some(session) = session {
        session.end().await;
    }
    // Before the file is on record as done: a daemon that takes over the operation in between closes the login again.
    let closed = owner_login::close(run.site(), &ready, run.mark, &run.tenant.placement).await;
    worked?;
    closed?;
    let checksum = file.checksum.to_string();
    let row = HistoryRow {
        rank,
        operation: run.mark.build,
        file: &file.path,
        checksum: &checksum,
        statements: i32::try_from(file.statements.len()).unwrap_or(i32::MAX),
        duration_us: i64::try_from(begin.elapsed().as_micros()).unwrap_or(i64::MAX),
    };
    let done = async {
        journal::file_done(run.site(), run.mark, &run.tenant.placement, row).await.map_err(StepError::from)
    };
    fault::around("outside.history", done).await?;
    counter.tracker.log(file_account::applied(file, begin.elapsed()));
    Ok(())
}

/// Runs the statements that are not done yet; the login is opened for the first of them.
async fn statements(
    run: &mut ProvisionRun,
    file: &Migration,
    rank: i32,
    deadline: Instant,
    session: &mut Option<OwnerSession>,
    counter: &mut Counter<'_>,
) -> Result<(), StepError> {
    let ready = run.ready().await?;
    for (number, statement) in file.statements.iter().enumerate() {
        let work = work_of(statement)
            .ok_or(StepError::OutOfOrder { lacks: "a statement that can be in no transaction" })?;
        let entry = JournalEntry {
            mark: run.mark,
            placement: &run.tenant.placement,
            rank,
            statement: i32::try_from(number).unwrap_or(i32::MAX),
        };
        // The login comes first: opening it ends any session that still works on the statement.
        if session.is_none() {
            let open =
                owner_login::open(run.site(), &ready, run.mark, &run.tenant.placement, Purpose::Outside);
            *session = Some(fault::around("outside.login", open).await?);
        }
        let session = session.as_mut().ok_or(StepError::OutOfOrder { lacks: "the owner's login" })?;
        let standing = journal::begin(run.site(), entry).await?;
        if standing != StatementStanding::Done {
            let one = one_statement(
                run,
                session,
                (file, number, statement),
                (work, standing),
                deadline,
                counter.tracker,
            );
            fault::around("outside.statement", one).await?;
            journal::done(run.site(), entry).await?;
        }
        counter.count();
    }
    Ok(())
}

async fn one_statement(
    run: &ProvisionRun,
    session: &mut OwnerSession,
    (file, number, statement): (&Migration, usize, &Statement),
    (work, standing): (OutsideWork, StatementStanding),
    deadline: Instant,
    tracker: &Tracker,
) -> Result<(), StepError> {
    if standing == StatementStanding::Begun {
        make_good(run, session, &work, deadline).await?;
    }
    let backend = session.backend;
    let waited_for: Mutex<Option<Blocker>> = Mutex::default();
    let watch = async {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            // A failed look is not reported, since the answer is only for a message.
            if let Ok(now) = owner_login::blocker(run.site(), backend).await {
                let mut before = waited_for.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(blocker) = now.as_ref().filter(|now| Some(*now) != before.as_ref()) {
                    tracker.log(format!("{} waits for {blocker}", file.path));
                }
                *before = now;
            }
        }
    };
    let ran = tokio::select! {
        ran = session.execute(&statement.text, left(deadline)) => ran,
        never = watch => never,
    };
    let Err(error) = ran else { return Ok(()) };
    let server = match error.server() {
        Some(server) if !error.is_unreachable() => server,
        _ => return Err(error.into()),
    };
    match () {
        () if standing == StatementStanding::Begun && is_done_already(&work, &server) => Ok(()),
        // Only the deadline cancels the statement: other code that knows the backend's pid uses it only to end the
        // operation.
        () if server.is("57014") && left(deadline) < LOOK_EVERY => {
            let waited_for = waited_for.into_inner().unwrap_or_else(PoisonError::into_inner);
            Err(StepError::OutOfTime { file: file.path.clone(), line: statement.line, waited_for })
        }
        () => {
            let position = server.position;
            Err(file_account::step_error(
                file,
                FileError::Statement { statement: Some(number), position, server },
            ))
        }
    }
}

/// Removes what an interrupted attempt left half-made.
async fn make_good(
    run: &ProvisionRun,
    session: &mut OwnerSession,
    work: &OutsideWork,
    deadline: Instant,
) -> postgres::Result<()> {
    let which = match work {
        OutsideWork::CreateIndex { name } => Invalid::Named(name),
        OutsideWork::Reindex => Invalid::OfReindex,
        OutsideWork::DropIndex | OutsideWork::AddValue | OutsideWork::Maintain => return Ok(()),
    };
    session.drop_invalid(run.site(), &run.tenant.placement, which, left(deadline)).await.map(drop)
}

/// Whether the server's refusal shows that the previous attempt completed. (Alternatively, the name was always taken: the
/// file can then never work, and the daemon died between the statement's record and the statement.)
fn is_done_already(work: &OutsideWork, server: &ServerError) -> bool {
    match work {
        OutsideWork::CreateIndex { .. } => server.is("42P07"),
        OutsideWork::AddValue => server.is("42710"),
        OutsideWork::DropIndex => server.is("42704"),
        OutsideWork::Reindex | OutsideWork::Maintain => false,
    }
}

fn left(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

impl Counter<'_> {
    fn count(&mut self) {
        self.skip(1);
    }

    fn skip(&mut self, count: usize) {
        self.done += count;
        self.tracker.counted(Step::Outside, self.done, self.total);
    }
}
