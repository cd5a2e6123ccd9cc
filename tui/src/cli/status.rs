//! `status`: the state of the daemon, its control database and the targets. A problem that it reports also sets its exit
//! status.
//! It prints what it knows before it complains, so that a broken part does not hide the others.

use tenantry_protocol::session::Health;
use tenantry_protocol::{ApiError, ErrorCode};
use time::OffsetDateTime;

use super::Context;
use super::error::CliError;
use super::output::document::Status;
use crate::client::ClientError;
use crate::{format, text, trail};

pub(in crate::cli) async fn run(context: &Context) -> Result<(), CliError> {
    let client = context.client().await?;
    let health = client.health().await?;
    let hello = client.hello();
    if context.output.is_json() {
        context.output.document(&Status { session: hello, health: &health })?;
    } else {
        let label = if hello.label.is_empty() { String::new() } else { format!(" · {}", hello.label) };
        context.output.lines(&format!(
            "you       {}, {}{label}\n{}",
            hello.actor,
            format::role(hello.role),
            lines(&health)
        ))?;
    }
    match &health.control.problem {
        Some(problem) if !health.control.reachable => Err(if context.output.is_json() {
            // The document is printed; only the sentence and the exit status remain.
            CliError::Unhealthy(text::line(problem))
        } else {
            ClientError::Api(ApiError::new(ErrorCode::Unavailable, problem.clone())).into()
        }),
        _ => match health.control.trail.as_ref().and_then(trail::wrong) {
            Some(broken) => Err(CliError::Attention(format!(
                "the audit trail is not what it was, {}: {}",
                trail::trouble(broken),
                text::line(&broken.message)
            ))),
            None => Ok(()),
        },
    }
}

fn lines(health: &Health) -> String {
    let latency = |ms: Option<f64>| ms.map(format::duration).unwrap_or_else(|| "no answer".to_owned());
    let mut lines = vec![
        format!(
            "daemon    {} (pid {}), {}, up {}",
            health.daemon.version,
            health.daemon.pid,
            format::mode(health.daemon.mode),
            format::age(health.daemon.started_at, OffsetDateTime::now_utc())
        ),
        format!(
            "control   {} {}, epoch {}, audit at {}",
            if health.control.reachable { "✓" } else { "✗" },
            latency(health.control.latency_ms),
            health.control.epoch,
            health.control.audit_seq
        ),
    ];
    if let Some(holder) = &health.control.standing_by_for {
        lines.push(format!(
            "          stands by for {holder}: reads are answered, changes are not; takes over when its lease lapses"
        ));
    }
    if let Some(standing) = &health.control.trail {
        lines.push(format!("audit     {}", trail::standing(standing, OffsetDateTime::now_utc())));
    }
    for target in &health.targets {
        lines.push(format!(
            "target    {} {} {}, PostgreSQL {}, {} tenants{}",
            if target.reachable { "✓" } else { "✗" },
            target.name,
            latency(target.latency_ms),
            target.server_version.as_deref().unwrap_or("?"),
            target.tenants,
            target.problem.as_ref().map(|problem| format!("\n          {problem}")).unwrap_or_default()
        ));
    }
    let tenants: Vec<String> =
        health.tenants.iter().map(|(state, count)| format!("{count} {}", state.replace('_', " "))).collect();
    lines.push(format!(
        "tenants   {}",
        if tenants.is_empty() { "none".to_owned() } else { tenants.join(", ") }
    ));
    lines.push(format!("running   {} operations", health.operations_running));
    lines.join("\n")
}
