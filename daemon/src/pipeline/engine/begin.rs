//! How an operation begins: its intent is on record before it runs.

use std::sync::Arc;

use tenantry_protocol::id::{OperationId, TenantId, UpgradeId};
use tenantry_protocol::name::{Slug, TargetName};
use tenantry_protocol::operation::{Operation, OperationState};
use time::OffsetDateTime;

use crate::model::audit_chain::Actor;
use crate::model::operation::{Kind, Outside, Progress};
use crate::pipeline::arguments::OperationArguments;
use crate::pipeline::audit_entries::About;
use crate::pipeline::context::{ChangeParts, ChangeRun, ProvisionRun, Run};
use crate::pipeline::job::{ChangeJob, ProvisionJob};
use crate::pipeline::record::{self, Intent, RecordedIntent};
use crate::pipeline::tracker::{Claim, waiting_steps};
use crate::postgres;
use crate::postgres::target::marker::Mark;

use super::{COURTESY, Engine, PendingRun, Progressing};

/// A change that this process has claimed, before it is on record.
struct BegunChange {
    operation: Operation,
    mark: Mark,
    claim: Claim,
}

impl BegunChange {
    fn intent<'a>(&'a self, job: &'a ChangeJob<'a>) -> Intent<'a> {
        Intent {
            about: About {
                operation: &self.operation,
                kind: job.kind,
                actor: &job.actor,
                blueprint: (&job.tenant.blueprint, job.tenant.version),
            },
            plan_hash: None,
            arguments: &job.arguments,
            asked: job.asked,
        }
    }
}

impl Engine {
    /// Records the intent and starts the operation. Call it from a task that nobody cancels.
    pub async fn provision(&self, job: ProvisionJob<'_>) -> postgres::Result<Operation> {
        let (seed, outside) = (job.seed, Outside::of(&job.blueprint));
        let kind = Kind::Provision { seed, outside, tenancy: job.blueprint.tenancy };
        let operation =
            self.operation(kind, job.tenant.id, &job.tenant.slug, job.target.name().clone(), &job.actor);
        let intent = Intent {
            about: About { operation: &operation, kind, actor: &job.actor, blueprint: job.tenant.made_of() },
            plan_hash: Some(job.plan_hash),
            arguments: &OperationArguments::default(),
            asked: job.asked,
        };
        let mark = Mark { build: operation.id, fence: self.control.may_write()? };
        let claim = self.claim(operation.id)?;
        let recorded = Box::pin(record::intent(&self.trail, &intent, Some(&job.tenant))).await?;
        let run = ProvisionRun::new(mark, job.tenant, job.blueprint, job.target, (seed, outside));
        let (seq, tenant) = recorded.map_or((0, None), |recorded| (recorded.seq, recorded.tenant));
        self.announce(&operation, seq, tenant).await;
        let (run, actor) = (Run::Provision(Box::new(run)), job.actor);
        let work = PendingRun { claim, run, progress: Progress::new(kind), operation, actor, lane: None };
        let started = self.spawn(work, false).borrow().clone();
        Ok(started)
    }

    /// Records the intent and starts the change. Returns `None` if the tenant's state does not allow it. Call it from a
    /// task that nobody cancels.
    pub async fn change(&self, job: ChangeJob<'_>) -> postgres::Result<Option<Operation>> {
        let started = self.start_change(job).await?;
        Ok(started.map(|progress| progress.borrow().clone()))
    }

    /// Like [`Self::change`], but waits. Returns the operation as it ended, or as it stands if its undo takes longer than
    /// a moment. An operation that is left to be taken over is returned as it was last seen.
    pub async fn change_and_wait(&self, job: ChangeJob<'_>) -> postgres::Result<Option<Operation>> {
        let Some(mut progress) = self.start_change(job).await? else { return Ok(None) };
        let _ = progress.wait_for(|o| o.state.is_final() || o.state.failure().is_some()).await;
        // After a short wait, a quick undo has finished and does not block the caller's next request.
        let _ =
            tokio::time::timeout(COURTESY, progress.wait_for(|operation| operation.state.is_final())).await;
        Ok(Some(progress.borrow().clone()))
    }

    async fn start_change(&self, job: ChangeJob<'_>) -> postgres::Result<Option<Progressing>> {
        let begun = self.begin_change(&job)?;
        let Some(mut recorded) = Box::pin(record::intent(&self.trail, &begun.intent(&job), None)).await?
        else {
            return Ok(None);
        };
        self.announce(&begun.operation, recorded.seq, recorded.tenant.take()).await;
        Ok(Some(self.run_change(job, begun, recorded)))
    }

    /// Records the intents of upgrades that are parts of the same upgrade of many, and starts them. Returns the operations in the
    /// order of `jobs`, `None` for a tenant whose state does not allow it. Call it from a task that nobody cancels.
    pub async fn upgrade_many(
        &self,
        upgrade: UpgradeId,
        jobs: Vec<ChangeJob<'_>>,
    ) -> Vec<postgres::Result<Option<OperationId>>> {
        let begun: postgres::Result<Vec<BegunChange>> =
            jobs.iter().map(|job| self.begin_change(job)).collect();
        let begun = match begun {
            Ok(begun) => begun,
            // It has been fenced: each of them would meet the same.
            Err(_) => return jobs.iter().map(|_| Err(postgres::Error::Fenced)).collect(),
        };
        let intents: Vec<Intent<'_>> =
            jobs.iter().zip(&begun).map(|(job, begun)| begun.intent(job)).collect();
        let recorded = Box::pin(record::together::intents(&self.trail, upgrade, &intents)).await;
        drop(intents);
        let tenants: Vec<TenantId> = begun.iter().map(|begun| begun.operation.tenant_id).collect();
        let seqs = recorded.iter().filter_map(|recorded| Some(recorded.as_ref().ok()?.as_ref()?.seq));
        self.announce_all(&tenants, &seqs.collect::<Vec<_>>()).await;
        let started = jobs.into_iter().zip(begun).zip(recorded).map(|((job, begun), recorded)| {
            let Some(recorded) = recorded? else { return Ok(None) };
            let id = begun.operation.id;
            self.run_change(job, begun, recorded);
            Ok(Some(id))
        });
        started.collect()
    }

    fn begin_change(&self, job: &ChangeJob<'_>) -> postgres::Result<BegunChange> {
        let ChangeJob { tenant, target, build, .. } = job;
        let operation = Operation {
            versions: job.arguments.versions(),
            ..self.operation(job.kind, tenant.id, &tenant.slug, target.name().clone(), &job.actor)
        };
        let mark = Mark { build: *build, fence: self.control.may_write()? };
        let claim = self.claim(operation.id)?;
        Ok(BegunChange { operation, mark, claim })
    }

    fn run_change(&self, job: ChangeJob<'_>, begun: BegunChange, recorded: RecordedIntent) -> Progressing {
        let ChangeJob { actor, kind, tenant, target, arguments, secret, lane, .. } = job;
        let BegunChange { operation, mark, claim } = begun;
        let trail = Arc::clone(&self.trail);
        let parts = ChangeParts { id: operation.id, kind, trail, target, arguments, secret };
        let run = ChangeRun::new(mark, tenant, recorded.before, parts);
        let (run, progress) = (Run::Change(Box::new(run)), Progress::new(kind));
        self.spawn(PendingRun { claim, run, progress, operation, actor, lane }, false)
    }

    fn operation(
        &self,
        kind: Kind,
        tenant_id: TenantId,
        slug: &Slug,
        target: TargetName,
        actor: &Actor,
    ) -> Operation {
        Operation {
            id: OperationId::generate(),
            kind: kind.wire(),
            versions: None,
            tenant_id,
            slug: slug.clone(),
            target,
            state: OperationState::Queued,
            steps: waiting_steps(kind),
            actor: actor.name.clone(),
            requested_at: OffsetDateTime::now_utc(),
            duration_ms: None,
            budget_ms: u64::try_from(self.options.budget_of(kind).as_millis()).unwrap_or(u64::MAX),
        }
    }
}
