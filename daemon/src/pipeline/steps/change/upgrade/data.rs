//! A file of shared tables that changes rows: it runs once as each tenant, within the transaction of the upgrade.
//!
//! The pool's owner stands for the canary, and runs the file last, with the row in the history. If it fails for one of them, the
//! transaction ends, and nothing is changed for any.

use std::time::{Duration, Instant};

use tenantry_protocol::name::PlacementName;

use crate::model::blueprint::Migration;
use crate::pipeline::context::ChangeRun;
use crate::pipeline::step_error::StepError;
use crate::pipeline::steps::file_account;
use crate::pipeline::tracker::{Tracker, millis};
use crate::postgres::build::as_tenant::TenantStatements;
use crate::postgres::build::runner::File;
use crate::postgres::control::upgrade_units;

/// How many tenants a log names.
const NAMED: usize = 5;

pub(super) async fn as_each_tenant(
    run: &mut ChangeRun,
    file: &Migration,
    tracker: &Tracker,
) -> Result<(), StepError> {
    let begin = Instant::now();
    let statements: Vec<String> = file.statements.iter().map(|statement| statement.text.clone()).collect();
    // What the files before it made must keep tenants apart before a tenant's rows are in it.
    let broken = run.open_build()?.cover_new().await?;
    if !broken.is_empty() {
        return Err(StepError::Uncovered(broken));
    }
    let tenants = run.open_build()?.tenants().await?;
    let ready = TenantStatements::new(&statements);
    let mut changed = ChangedRows::default();
    for tenant in &tenants {
        match run.open_build()?.apply_as(tenant, &ready).await {
            Ok(rows) => changed.count(tenant, rows),
            Err(error) => {
                let error = Box::new(file_account::step_error(file, error));
                return Err(StepError::OfTenant { tenant: name(run, tenant).await, error });
            }
        }
    }
    let note = file.note();
    let canary = File { path: note.file, checksum: &note.checksum, statements: &statements };
    let applied = run.open_build()?.apply(canary).await;
    applied.map_err(|error| file_account::step_error(file, error))?;
    run.open_build()?.open_to_files().await?;
    tracker.log(changed.told(run, file, begin.elapsed()).await);
    Ok(())
}

/// The rows that a file changed.
#[derive(Debug, Default)]
struct ChangedRows {
    tenants: usize,
    rows: u64,
    /// Those of the first tenants that had any.
    first: Vec<(PlacementName, u64)>,
}

impl ChangedRows {
    fn count(&mut self, tenant: &PlacementName, rows: u64) {
        self.tenants += 1;
        self.rows += rows;
        if rows > 0 && self.first.len() < NAMED {
            self.first.push((tenant.clone(), rows));
        }
    }

    /// A line for the log.
    async fn told(&self, run: &ChangeRun, file: &Migration, duration: Duration) -> String {
        let mut named = Vec::with_capacity(self.first.len() + 1);
        for (tenant, rows) in &self.first {
            named.push(format!("{} {rows}", name(run, tenant).await));
        }
        if self.first.iter().map(|(_, rows)| rows).sum::<u64>() < self.rows {
            named.push("and others".to_owned());
        }
        let of_whom = if named.is_empty() { String::new() } else { format!(" ({})", named.join(", ")) };
        format!(
            "{} applied as each of {} tenants in {:.0} ms: {} rows changed{of_whom}",
            file.path,
            self.tenants,
            millis(duration),
            self.rows
        )
    }
}

/// The tenant's slug, or its placement where the registry cannot tell.
async fn name(run: &ChangeRun, placement: &PlacementName) -> String {
    let slug = upgrade_units::slug_of(run.trail.control().pool(), placement).await;
    slug.ok().flatten().unwrap_or_else(|| placement.to_string())
}
