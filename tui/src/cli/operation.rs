//! `operation list | show | watch | cancel | retry`.
//!
//! `watch ID` ends with the operation and takes its exit status; `watch` alone follows everything until interrupted.

use tenantry_protocol::operation::{
    CancelRequest, Operation as Done, OperationState, OperationsRequest, OperationsResponse, RetryRequest,
};
use tenantry_protocol::watch::{Event, EventBody, WatchRequest};
use tenantry_protocol::{ApiError, ErrorCode};

use super::Context;
use super::args::Operation;
use super::change::{self, Change};
use super::error::{CliError, failure_sentence, undone};
use super::outcome::outcome;
use super::output::document::OperationCancelled;
use super::output::progress;
use crate::client::{ClientError, Follower, reconnect};
use crate::format;

/// Operations in a list if no limit is given.
const USUAL: u32 = 50;

pub(super) const HEADER: [&str; 7] =
    ["operation", "kind", "tenant", "state", "requested (UTC)", "took", "by"];

pub(in crate::cli) async fn run(context: &Context, command: Operation) -> Result<(), CliError> {
    match command {
        Operation::List { tenant, unfinished, limit } => {
            let answer =
                list(context, OperationsRequest { slug: tenant, unfinished, limit, before: None }).await?;
            if context.output.is_json() {
                return context.output.document(&answer);
            }
            context.output.table(&HEADER, answer.operations.iter().map(row).collect())
        }
        Operation::Show { id } => {
            let operation = context.client().await?.operation(id).await?;
            if context.output.is_json() {
                return context.output.document(&operation);
            }
            show(context, &operation)
        }
        Operation::Watch { id: Some(id) } => watch_one(context, id).await,
        Operation::Watch { id: None } => watch_all(context).await,
        Operation::Cancel { id, no_wait } => cancel(context, id, no_wait).await,
        Operation::Retry { id, sending } => {
            let request = RetryRequest { operation: id, idempotency_key: sending.idempotency_key };
            change::run(context, Change::Retry(request), sending.no_wait, outcome).await
        }
    }
}

/// As many operations as were asked for. One answer holds only as many as fit, so this may take several.
async fn list(context: &Context, mut request: OperationsRequest) -> Result<OperationsResponse, CliError> {
    let client = context.client().await?;
    let limit = request.limit.unwrap_or(USUAL);
    let mut all = OperationsResponse { operations: Vec::new(), next: None };
    loop {
        let had = u32::try_from(all.operations.len()).unwrap_or(u32::MAX);
        request.limit = Some(limit.saturating_sub(had));
        let page = client.operations(request.clone()).await?;
        let is_last = page.operations.is_empty();
        all.operations.extend(page.operations);
        all.next = page.next.filter(|_| !is_last && all.operations.len() < limit as usize);
        let Some(next) = all.next else { return Ok(all) };
        request.before = Some(next.to_string());
    }
}

pub(super) fn row(operation: &Done) -> Vec<String> {
    vec![
        operation.id.to_string(),
        operation.title(),
        operation.slug.to_string(),
        format::operation_state(&operation.state),
        format::timestamp(operation.requested_at),
        operation.duration_ms.map(format::duration).unwrap_or_else(|| "–".to_owned()),
        operation.actor.clone(),
    ]
}

fn show(context: &Context, operation: &Done) -> Result<(), CliError> {
    context.output.lines(&format!(
        "{} of {} on {}: {}\n  id {}, by {}, {} UTC",
        operation.title(),
        operation.slug,
        operation.target,
        format::operation_state(&operation.state),
        operation.id,
        operation.actor,
        format::timestamp(operation.requested_at)
    ))?;
    let rows = operation.steps.iter().map(|step| {
        let count = format::step_count(step);
        vec![
            format!("{} {}", format::step_glyph(step.status), format::step_word(step.status)),
            step.step.clone(),
            step.title.clone(),
            count.unwrap_or_default(),
            step.duration_ms.map(format::duration).unwrap_or_default(),
        ]
    });
    context.output.table(&["status", "step", "what", "count", "took"], rows.collect())?;
    if operation.state.failure().is_some() {
        context.output.lines(&failure_sentence(operation))?;
    }
    Ok(())
}

async fn watch_one(context: &Context, id: String) -> Result<(), CliError> {
    let client = context.client().await?;
    let mut follower = Follower::begin(&client).await?;
    let operation = client.operation(id).await?;
    if !context.output.is_json() {
        let (operation, _) = progress::wait(context, follower, operation).await?;
        return show(context, &operation);
    }
    let mut outcome = Ok(());
    let finished = follower
        .finish(operation, &mut |event| {
            if outcome.is_ok() {
                outcome = context.output.document_line(event);
            }
        })
        .await?;
    outcome?;
    match finished.state {
        OperationState::Succeeded => Ok(()),
        // The last line says it all; only the sentence and the exit status remain.
        OperationState::NeedsAttention { .. } => Err(CliError::Attention(failure_sentence(&finished))),
        _ => Err(CliError::Findings(failure_sentence(&finished))),
    }
}

/// Asks for the operation to be cancelled and waits for that. The undo is what was asked for, so it counts as success.
async fn cancel(context: &Context, id: String, no_wait: bool) -> Result<(), CliError> {
    let client = context.client().await?;
    let follower = Follower::begin(&client).await?;
    let operation = client.cancel(CancelRequest { operation: id }).await?;
    if no_wait {
        if context.output.is_json() {
            let asked = OperationCancelled { operation: &operation, duration_ms: None };
            return context.output.document(&asked);
        }
        return context.output.lines(&format!(
            "asked; it ends at its next safe point. Follow it with `tenantry operation watch {}`",
            operation.id
        ));
    }
    let ended = match progress::wait(context, follower, operation).await {
        Ok((operation, _)) => operation,
        Err(CliError::Failed(operation)) => *operation,
        Err(error) => return Err(error),
    };
    let what = format!("the {} of {}", ended.kind.name().replace('_', " "), ended.slug);
    match &ended.state {
        OperationState::Cancelled | OperationState::RolledBack { .. } if context.output.is_json() => {
            let duration_ms = ended.duration_ms;
            context.output.document(&OperationCancelled { operation: &ended, duration_ms })
        }
        OperationState::Cancelled => context.output.lines(&format!("{what} is cancelled; nothing had begun")),
        OperationState::RolledBack { .. } => {
            context.output.lines(&format!("{what} is cancelled; {}", undone(&ended)))
        }
        OperationState::Succeeded => Err(ClientError::Api(ApiError::new(
            ErrorCode::Precondition,
            format!("{what} had come to its end before it could be stopped: it succeeded"),
        ))
        .into()),
        _ => Err(CliError::Failed(Box::new(ended))),
    }
}

/// Everything from now on, also across lost connections, until someone interrupts it.
async fn watch_all(context: &Context) -> Result<(), CliError> {
    let mut client = context.client().await?;
    let mut cursor = Some(client.watch(WatchRequest::default()).await?.cursor);
    loop {
        let request = WatchRequest { cursor, operation: None, wait_ms: 20_000 };
        let answer = match client.watch(request).await {
            Ok(answer) => answer,
            Err(error) if error.is_loss() => {
                context.output.note("the connection to the daemon is lost; trying again until it is back …");
                client = reconnect(&client, None, error).await?;
                context.output.note("connected again");
                continue;
            }
            Err(error) => return Err(error.into()),
        };
        cursor = Some(answer.cursor);
        if answer.resync {
            context.output.note("some events were missed");
        }
        for event in answer.events {
            if context.output.is_json() {
                context.output.document_line(&event)?;
            } else if let Some(line) = sentence(&event) {
                context.output.lines(&format!("{} {line}", format::clock(event.at)))?;
            }
        }
    }
}

fn sentence(event: &Event) -> Option<String> {
    match &event.body {
        EventBody::Operation { operation } => Some(format!(
            "{} of {}: {}",
            operation.kind.name().replace('_', " "),
            operation.slug,
            format::operation_state(&operation.state)
        )),
        EventBody::Log { line, .. } => Some(line.clone()),
        EventBody::Tenant { tenant } => {
            Some(format!("{}: {}", tenant.slug, format::tenant_state(&tenant.state)))
        }
        EventBody::Blueprint { name, version } => Some(format!("blueprint {name} {version} was added")),
        EventBody::Audit { seq } => Some(format!("audit trail at {seq}")),
        EventBody::Upgrade { upgrade } => Some(format!(
            "{} of {} to {}: {}, {} of {} ended",
            upgrade.course.noun(),
            upgrade.blueprint,
            upgrade.version,
            upgrade.state.name(),
            upgrade.counts.ended(),
            upgrade.counts.all()
        )),
        EventBody::Other => None,
    }
}
