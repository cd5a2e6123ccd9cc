//! Several files of a build in one message: each answer that is waited for costs as much as a small table.
//!
//! Invariant: what is checked between two files is checked by the server before the second begins, and ends the message if it is not
//! so. A bundle is all there or undone, and then its files come one by one: an error is told of the file that has it, and a file that
//! needs something between itself and the next gets it.

use std::time::{Duration, Instant};

use sqlx::Row as _;

use super::file_error::{FileError, numbered};
use super::runner::{Build, File};
use crate::postgres::error::doing_for_a_tenant;
use crate::postgres::target::marker::{self, Closed, Use};

const UNDO: &str = "rollback to savepoint tenantry_bundle; release savepoint tenantry_bundle";

impl Build {
    /// Applies these files and returns what each took. `None` if that cannot be done in one message: nothing of them has happened.
    pub async fn apply_together(&mut self, files: &[File<'_>]) -> Result<Option<Vec<Duration>>, FileError> {
        // A tenant in use has its locks bounded and looked at file by file.
        if self.has_temporary || self.in_use == Use::InUse {
            return Ok(None);
        }
        self.prepare_to_lock(&[]).await?;
        let Some(sql) = self.bundle(files) else { return Ok(None) };
        self.wrote = true;
        let answered = self.answers(sql).await.map_err(doing_for_a_tenant("apply migrations together"));
        let (took, closed) = match answered {
            Ok(answered) => answered,
            Err(error) if error.is_unreachable() => return Err(error.into()),
            Err(_) => {
                self.execute(UNDO.to_owned(), "take the migrations back").await?;
                return Ok(None);
            }
        };
        self.close_file(closed).await?;
        self.rank += i32::try_from(files.len()).unwrap_or(i32::MAX);
        Ok(Some(took))
    }

    /// The message; `None` without a function to run the files.
    fn bundle(&self, files: &[File<'_>]) -> Option<String> {
        let (runner, last) = (self.runner.as_deref()?, files.len().checked_sub(1)?);
        let mut sql = "savepoint tenantry_bundle; ".to_owned();
        for (number, (rank, file)) in (self.rank..).zip(files).enumerate() {
            sql += &self.running(&numbered(file.statements));
            let row = self.history_row(*file, rank);
            sql += &match number == last {
                true => marker::closing(self.identity(), self.in_use, row, self.rank),
                false => marker::ending(self.identity(), runner, row, self.rank),
            };
            sql += "; ";
        }
        Some(sql + "release savepoint tenantry_bundle")
    }

    /// What each file took, and what the last one left.
    async fn answers(&mut self, sql: String) -> sqlx::Result<(Vec<Duration>, Closed)> {
        let begin = Instant::now();
        let rows = sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).fetch_all(&mut *self.connection).await?;
        let (closed, others) = rows.split_last().ok_or(sqlx::Error::RowNotFound)?;
        // A row of the call that runs a file, and a row of what follows it.
        let ends = others.iter().skip(1).step_by(2);
        let micros = ends.map(|row| row.try_get(0)).collect::<sqlx::Result<Vec<i64>>>()?;
        let mut took: Vec<Duration> =
            micros.into_iter().map(|micros| Duration::from_micros(micros.unsigned_abs())).collect();
        took.push(begin.elapsed().saturating_sub(took.iter().sum()));
        Ok((took, Closed::read(closed)?))
    }
}
