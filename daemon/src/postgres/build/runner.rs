//! The one transaction in which a tenant is made.
//!
//! Invariants: no byte of a migration executes where RESET ROLE, SET SESSION AUTHORIZATION or COMMIT reaches the provisioner,
//! and nothing that a migration left behind runs at COMMIT. Role statements and migrations are sent in separate messages, and
//! COMMIT is sent alone. If a build is dropped, its connection is dropped with it.

use std::time::{Duration, Instant};

use sqlx::PgConnection;
use tenantry_protocol::id::OperationId;
use tenantry_protocol::name::PlacementName;

use super::file_error::{FileError, numbered, told_of_foreign};
use super::outside_journal;
use crate::model::rehearsal::RelationLock;
use crate::postgres::connections::execute::execute;
use crate::postgres::error::{Error, Result, doing};
use crate::postgres::pool_ddl;
use crate::postgres::quote::{Value, render};
use crate::postgres::secret::Verifier;
use crate::postgres::target::location::Site;
use crate::postgres::target::lookout::BuildSession;
use crate::postgres::target::marker::{self, BuildIdentity, Closed, HistoryRow, Mark, Owner, Use};
use crate::postgres::target::{Ready, TargetConnection, WEAR_OF_A_BUILD, WEAR_OF_AN_UPGRADE};
use crate::postgres::tenant_ddl::{self, LoginLimits};

/// The open transaction of a build.
#[derive(Debug)]
pub struct Build {
    pub(in crate::postgres) connection: TargetConnection,
    pub(in crate::postgres) placement: PlacementName,
    pub(in crate::postgres) provisioner: String,
    /// A file so far has words for temporary tables.
    pub(super) has_temporary: bool,
    /// Where the objects are.
    pub(super) database: String,
    /// The statements that make the roles. `group` is the role whose members may connect.
    roles: &'static str,
    pub(in crate::postgres) group: String,
    /// The pool whose tables the tenant shares; none if the tenant has its own tables.
    pub(in crate::postgres) pool: Option<PlacementName>,
    pub(in crate::postgres) deferral: Deferral,
    /// The transaction's id. It reveals a file that ends the transaction.
    pub(super) xid: String,
    /// The server process of this connection.
    pub(in crate::postgres) backend: i32,
    /// The build or the upgrade whose files these are, in the history.
    operation: OperationId,
    /// The next file's rank in the history.
    pub(super) rank: i32,
    pub(super) in_use: Use,
    /// The session may act as the owner.
    pub(super) is_owner: bool,
    /// Statements wait briefly for locks, as [`tenant_ddl::WAIT_BRIEFLY`] has it, until the end of a file resets that.
    pub(super) waits_briefly: bool,
    /// Whether statements ran since it was last asked what of other owners they wrote to.
    pub(super) wrote: bool,
    /// What is to be locked before the next file's first statement.
    pub(super) locks: Vec<RelationLock>,
    /// The version of the function that runs the files; none before the first file, and after a file has changed the function.
    pub(super) runner: Option<String>,
    /// The tables with triggers that were not checked since the last file. They may have pending events.
    pub(super) restless: Vec<String>,
}

/// When the tables' deferrable constraints are checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::postgres) enum Deferral {
    AsDeclared,
    /// At once. The end of the previous file set this, and the server keeps it until the transaction ends.
    Lost,
}

/// A migration or seed file, in the form in which it is executed.
#[derive(Debug, Clone, Copy)]
pub struct File<'a> {
    pub path: &'a str,
    /// SHA-256 in hexadecimal.
    pub checksum: &'a str,
    pub statements: &'a [String],
}

impl Build {
    /// Opens the transaction; its first statement is the marker.
    pub async fn begin(
        site: Site<'_>,
        ready: &Ready,
        mark: Mark,
        placement: &PlacementName,
        owner: Owner,
    ) -> Result<Self> {
        let mut connection = site.acquire().await?;
        sqlx::raw_sql("begin").execute(&mut *connection).await.map_err(doing("begin the build"))?;
        marker::insert_marker(&mut connection, mark, placement, owner).await?;
        let identity = identify(&mut connection).await?;
        Ok(Self::within(connection, site, ready, placement, mark.build, identity))
    }

    /// The build in the transaction that is open on this connection, before its first file.
    pub(super) fn within(
        connection: TargetConnection,
        site: Site<'_>,
        ready: &Ready,
        placement: &PlacementName,
        operation: OperationId,
        (xid, backend): (String, i32),
    ) -> Self {
        Self {
            connection,
            placement: placement.clone(),
            provisioner: ready.provisioner.clone(),
            has_temporary: false,
            database: site.database().to_owned(),
            roles: site.roles(),
            group: site.connecting_role(ready),
            pool: None,
            deferral: Deferral::AsDeclared,
            restless: Vec::new(),
            xid,
            backend,
            operation,
            rank: 0,
            in_use: Use::Unused,
            is_owner: true,
            waits_briefly: false,
            wrote: true,
            locks: Vec::new(),
            runner: None,
        }
    }

    /// Opens a transaction for one more file of a tenant that was committed before its last file. `None` if that
    /// file is already in the history.
    pub async fn reopen(
        site: Site<'_>,
        ready: &Ready,
        mark: Mark,
        placement: &PlacementName,
        rank: i32,
    ) -> Result<Option<Self>> {
        let mut connection = site.acquire().await?;
        sqlx::raw_sql("begin")
            .execute(&mut *connection)
            .await
            .map_err(doing("begin the file's transaction"))?;
        // This waits for an earlier transaction of the file whose COMMIT was lost.
        outside_journal::hold(&mut connection, site, mark, Use::Unused).await?;
        if outside_journal::is_applied(&mut connection, placement, rank).await? {
            execute(&mut connection, "rollback".to_owned(), "leave the file's transaction").await?;
            return Ok(None);
        }
        let identity = identify(&mut connection).await?;
        let mut build = Self::within(connection, site, ready, placement, mark.build, identity);
        build.rank = rank;
        build.join_owner().await?;
        Ok(Some(build))
    }

    /// Lets the session act as the owner, until the transaction ends.
    pub(in crate::postgres) async fn join_owner(&mut self) -> Result<()> {
        let values = [
            ("placement", Value::Placement(&self.placement)),
            ("provisioner", Value::Identifier(&self.provisioner)),
        ];
        let sql = render(tenant_ddl::JOIN_OWNER, &values);
        self.execute(sql, "join the owner").await?;
        self.is_owner = true;
        Ok(())
    }

    pub async fn create_roles(&mut self, limits: LoginLimits, probe: &Verifier) -> Result<()> {
        let template = self.roles;
        self.make_roles(template, &self.placement.clone(), limits, probe).await
    }

    /// Makes the roles by the template. `pool` is the placement whose tables the tenant shares, or its own
    /// placement if it shares none.
    pub(in crate::postgres) async fn make_roles(
        &mut self,
        template: &str,
        pool: &PlacementName,
        limits: LoginLimits,
        probe: &Verifier,
    ) -> Result<()> {
        let files = limits.temp_files_mb.map_or("", |_| tenant_ddl::TEMP_FILES);
        let sql = render(
            &[template, files].concat(),
            &[
                ("placement", Value::Placement(&self.placement)),
                ("group", Value::Identifier(&self.group)),
                ("provisioner", Value::Identifier(&self.provisioner)),
                ("pool", Value::Placement(pool)),
                ("connection_limit", Value::Number(limits.connections)),
                ("temp_file_limit_mb", Value::Number(limits.temp_files_mb.unwrap_or_default())),
                ("verifier", Value::Verifier(probe)),
            ],
        );
        self.execute(sql, "create the tenant's roles").await
    }

    pub async fn create_schema(&mut self) -> Result<()> {
        let sql = render(tenant_ddl::SCHEMA, &[("placement", Value::Placement(&self.placement))]);
        self.execute(sql, "create the tenant's schema").await
    }

    /// Applies one file as the owner, checks that it stayed within its bounds, and writes its row in the history.
    pub async fn apply(&mut self, file: File<'_>) -> Result<Duration, FileError> {
        let begin = Instant::now();
        let (has_temporary, before) = self.lend_temporary(file.statements).await?;
        let locks = std::mem::take(&mut self.locks);
        let lock = self.prepare_to_lock(&locks).await?;
        if self.in_use == Use::InUse && !self.waits_briefly {
            self.execute(tenant_ddl::WAIT_BRIEFLY.to_owned(), "bound the waits for locks").await?;
        }
        if self.deferral == Deferral::Lost {
            let home = self.pool.as_ref().unwrap_or(&self.placement);
            let sql = render(tenant_ddl::DEFER, &[("home", Value::Placement(home))]);
            self.execute(sql, "defer what is declared so").await?;
        }
        let mut statements = numbered(file.statements);
        statements.splice(0..0, before.into_iter().chain(lock));
        let closing =
            marker::closing(self.identity(), self.in_use, self.history_row(file, self.rank), self.rank);
        let closed = self.call_runner(&statements, has_temporary, &closing).await?;
        let duration = begin.elapsed();
        self.close_file(closed).await?;
        self.rank += 1;
        Ok(duration)
    }

    /// Lets the provisioner read the canary, to take its fingerprint.
    pub async fn open_canary(&mut self) -> Result<()> {
        let values = [
            ("placement", Value::Placement(&self.placement)),
            ("provisioner", Value::Identifier(&self.provisioner)),
        ];
        self.execute(render(tenant_ddl::CANARY_FINGERPRINT, &values), "open the canary to its fingerprint")
            .await
    }

    /// Revokes the provisioner's membership and commits. An error here says nothing about the outcome; the marker does.
    pub async fn commit(mut self, site: Site<'_>) -> Result<()> {
        // The caller has already done this after the last file, to report an error with the name of that file.
        self.check_deferred_triggers().await.map_err(|error| match error {
            FileError::Database(error) => error,
            other => Error::Refused(other.to_string()),
        })?;
        let values = [
            ("placement", Value::Placement(&self.placement)),
            ("provisioner", Value::Identifier(&self.provisioner)),
        ];
        let wear = self.wear();
        let seal = if self.pool.is_some() { pool_ddl::SHARED_SEAL } else { tenant_ddl::SEAL };
        let seal = render(seal, &values);
        match self.wrote {
            true => self.check_writes_and(&seal).await?,
            false => self.execute(seal, "seal the build").await?,
        }
        sqlx::raw_sql("commit").execute(&mut *self.connection).await.map_err(doing("commit the build"))?;
        site.take_back(self.connection, self.backend, wear).await;
        Ok(())
    }

    const fn wear(&self) -> u32 {
        match self.in_use {
            Use::Unused => WEAR_OF_A_BUILD,
            Use::InUse => WEAR_OF_AN_UPGRADE,
        }
    }

    /// The rank of the next file in the history.
    pub const fn next_rank(&self) -> i32 {
        self.rank
    }

    /// The session of the open transaction, to look at what the files did.
    pub fn connection(&mut self) -> &mut PgConnection {
        &mut self.connection
    }

    /// The identity of this session, to look at it from another connection.
    pub fn session(&self) -> BuildSession {
        BuildSession { backend: self.backend, xid: self.xid.clone() }
    }

    /// Ends the transaction where nothing was to be done in it.
    pub async fn leave(mut self, site: Site<'_>) -> Result<()> {
        self.execute("rollback".to_owned(), "leave the transaction").await?;
        let wear = self.wear();
        site.take_back(self.connection, self.backend, wear).await;
        Ok(())
    }

    /// Abandons the transaction and its connection. A statement that is still running would go on and keep all its locks until
    /// the server next writes to the connection. So its server process is ended, too.
    pub async fn abandon(self, site: Site<'_>) {
        let session = self.session();
        drop(self.connection.detach());
        if let Err(error) = site.target.lookout().end(&session).await {
            // The tombstone waits for the transaction in any case.
            tracing::warn!(error = %error.explain(), "an abandoned build's session could not be ended");
        }
    }

    pub(super) fn identity(&self) -> BuildIdentity<'_> {
        BuildIdentity {
            provisioner: &self.provisioner,
            placement: &self.placement,
            home: self.pool.as_ref().unwrap_or(&self.placement),
            xid: &self.xid,
        }
    }

    pub(super) fn history_row<'a>(&self, file: File<'a>, rank: i32) -> HistoryRow<'a> {
        HistoryRow {
            rank,
            operation: self.operation,
            file: file.path,
            checksum: file.checksum,
            statements: i32::try_from(file.statements.len()).unwrap_or(i32::MAX),
        }
    }

    /// Checks that nothing of the file is left for COMMIT, and that the session is the provisioner's again.
    pub(super) async fn close_file(&mut self, closed: Closed) -> Result<(), FileError> {
        self.waits_briefly = false;
        if let Some(foreign) = &closed.foreign_writes {
            if !foreign.is_empty() {
                return Err(FileError::Unsafe(told_of_foreign(foreign)));
            }
            self.wrote = false;
        }
        if self.runner != closed.runner {
            self.runner = None;
        }
        if closed.any_deferrable {
            self.deferral = Deferral::Lost;
        }
        let problem = match (closed.within_bounds, closed.writable, closed.schema_stands) {
            (false, _, _) => "the migration left its transaction or its role",
            (_, false, _) => "the migration made its transaction read only, so that nothing could follow it",
            (_, _, false) => "the migration dropped or gave away the tenant's own schema",
            (true, true, true) => {
                self.restless = closed.triggered_tables;
                // If work can be deferred at all, this reports the file that did it.
                if closed.any_deferrable {
                    self.check_deferred_triggers().await?;
                }
                return self.check_pool_at_rest().await;
            }
        };
        Err(FileError::Unsafe(problem.to_owned()))
    }

    pub(super) async fn clean_up(&mut self) -> Result<()> {
        self.waits_briefly = false;
        self.execute(marker::CLEAN_UP.to_owned(), "clean up after the migration").await
    }

    pub(super) async fn execute(&mut self, sql: String, what: &'static str) -> Result<()> {
        execute(&mut self.connection, sql, what).await
    }
}

/// The id of the open transaction, and the server process that runs it.
async fn identify(connection: &mut PgConnection) -> Result<(String, i32)> {
    sqlx::query_as("select (pg_current_xact_id()::xid)::text, pg_backend_pid()")
        .persistent(false)
        .fetch_one(connection)
        .await
        .map_err(doing("identify the transaction"))
}
