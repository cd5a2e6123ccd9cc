//! The function in which the files of a placement run as its owner. It is made in the transaction that calls it.

use futures::TryStreamExt as _;
use sqlx::{Either, Row as _};

use super::file_error::{FileError, file_error};
use super::relations;
use super::runner::Build;
use super::temporary::{TAKEN_BACK_IN, in_the_way};
use crate::model::rehearsal::RelationLock;
use crate::postgres::error::{Result, doing, doing_for_a_tenant};
use crate::postgres::quote::{Value, literal, render};
use crate::postgres::target::marker::{Closed, Use};
use crate::postgres::tenant_ddl;

impl Build {
    /// Makes the function that runs the files, unless it stands as it was made, and returns the statement that takes these locks.
    pub(super) async fn prepare_to_lock(&mut self, locks: &[RelationLock]) -> Result<Option<String>> {
        let single = if let [lock] = locks { Some(lock) } else { None };
        let mut is_table = false;
        if self.runner.is_none() {
            let made = self.make_runner(single).await?;
            (self.runner, is_table) = (Some(made.0), made.1);
        }
        Ok(match single {
            // Its name is all that there is to look up, and nothing is held while it is waited for.
            Some(lock) if is_table => Some(relations::lock_one(lock)),
            _ => (!locks.is_empty()).then(|| relations::lock_all(locks)),
        })
    }

    /// Runs the statements of a file as the tenant's owner, within the function that [`Self::prepare_to_lock`] made. If they succeed,
    /// the provisioner's own statements follow in the same message, so that each file has one answer to wait for.
    ///
    /// The message has the file's text between quotes, and nothing that changes the role.
    pub(super) async fn call_runner(
        &mut self,
        statements: &[String],
        has_temporary: bool,
        closing: &str,
    ) -> Result<Closed, FileError> {
        self.wrote = true;
        let take_back = if has_temporary { self.take_back_temporary() } else { String::new() };
        let sql = format!("{} {take_back}{closing}", self.running(statements));
        let mut answers = sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).fetch_many(&mut *self.connection);
        let (mut done, mut last) = (0, Err(sqlx::Error::RowNotFound));
        loop {
            match answers.try_next().await {
                Ok(Some(Either::Left(_))) => done += 1,
                Ok(Some(Either::Right(row))) => last = Ok(row),
                Ok(None) => break,
                Err(error) if done > 0 => {
                    let error = doing("clean up after the migration and check its bounds")(error);
                    let takes_back = has_temporary && done <= TAKEN_BACK_IN;
                    return Err(if takes_back { in_the_way(error) } else { error.into() });
                }
                Err(error) => return Err(file_error(doing_for_a_tenant("apply the migration")(error))),
            }
        }
        Ok(last.and_then(|row| Closed::read(&row)).map_err(doing("read what the migration left"))?)
    }

    /// The call that runs these statements.
    pub(super) fn running(&self, statements: &[String]) -> String {
        let quoted: Vec<String> = statements.iter().map(|statement| literal(statement)).collect();
        format!("select {0}.{0}_run(array[{1}]::text[]);", self.placement, quoted.join(", "))
    }

    /// Makes a new function to run the files. Returns its version, and whether this relation is a table.
    async fn make_runner(&mut self, relation: Option<&RelationLock>) -> Result<(String, bool)> {
        let home = self.pool.as_ref().unwrap_or(&self.placement);
        let values = [
            ("placement", Value::Placement(&self.placement)),
            ("home", Value::Placement(home)),
            ("provisioner", Value::Identifier(&self.provisioner)),
        ];
        let join = if self.is_owner { "" } else { tenant_ddl::JOIN_OWNER };
        let brief = if self.in_use == Use::InUse { tenant_ddl::WAIT_BRIEFLY } else { "" };
        let mut sql = render(&[join, brief, tenant_ddl::RUNNER].concat(), &values);
        if let Some(relation) = relation {
            let (home, name) = (literal(home.as_str()), literal(&relation.name));
            sql.push_str(&format!("select tenantry.is_table({home}, {name})"));
        }
        let made = sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).fetch_all(&mut *self.connection).await;
        let mut made = made.map_err(doing("make the runner"))?;
        (self.is_owner, self.waits_briefly) = (true, self.in_use == Use::InUse);
        // The answers of the last statements.
        let mut answers = || -> sqlx::Result<(String, bool)> {
            let is_table = match (relation, made.pop_if(|_| relation.is_some())) {
                (Some(_), Some(row)) => row.try_get(0)?,
                _ => false,
            };
            Ok((made.last().ok_or(sqlx::Error::RowNotFound)?.try_get(0)?, is_table))
        };
        answers().map_err(doing("make the runner"))
    }
}
