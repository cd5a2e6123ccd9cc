//! `health`: what runs, what answers, and how quickly. It must answer within milliseconds, whatever is down.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::join_all;
use tenantry_protocol::error::ApiError;
use tenantry_protocol::session::{ControlHealth, DaemonHealth, Health, HealthRequest};
use tenantry_protocol::target::TargetHealth;

use crate::postgres;
use crate::postgres::control::counts::TenantCounts;
use crate::postgres::target::Target;

use crate::commands::{App, Caller};

/// A target that does not answer within this time is reported as unreachable; status promises 200 ms.
pub(in crate::commands) const PATIENCE: Duration = Duration::from_millis(150);
/// The same for a check, which is waited for: a target that is merely busy can take tenants.
pub(in crate::commands) const CHECK_PATIENCE: Duration = Duration::from_secs(5);
/// Nothing works without the control database, so a busy machine must not be taken for a broken one.
const CONTROL_PATIENCE: Duration = Duration::from_secs(1);

pub async fn health(app: &Arc<App>, _: &Caller, _request: HealthRequest) -> Result<Health, ApiError> {
    let pings = join_all(app.targets.iter().map(|target| ping(target, PATIENCE)));
    let ((control, counts), pings) = tokio::join!(control(app), pings);
    let mut states = BTreeMap::new();
    for (state, _, count) in counts.iter().flat_map(|counts| counts.iter()) {
        *states.entry(state.to_owned()).or_insert(0) += count;
    }
    let mut targets = Vec::with_capacity(app.targets.len());
    for (target, ping) in app.targets.iter().zip(pings) {
        targets.push(target_health(target, ping, counts.as_deref()));
    }
    Ok(Health {
        daemon: DaemonHealth {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            mode: app.mode,
            started_at: app.started_at,
        },
        control,
        targets,
        tenants: states,
        operations_running: app.engine.running() as u64,
    })
}

/// The time of one round trip to a target, or why it failed.
pub(in crate::commands) async fn ping(target: &Target, patience: Duration) -> Result<Duration, String> {
    match tokio::time::timeout(patience, target.ping()).await {
        Ok(Ok(duration)) => Ok(duration),
        Ok(Err(error)) => Err(error.explain()),
        Err(_) => Err(format!("no answer within {} ms", patience.as_millis())),
    }
}

pub(in crate::commands) fn target_health(
    target: &Target,
    ping: Result<Duration, String>,
    counts: Option<&TenantCounts>,
) -> TargetHealth {
    let known = target.known();
    TargetHealth {
        name: target.name().clone(),
        reachable: ping.is_ok(),
        latency_ms: ping.as_ref().ok().map(|duration| duration.as_secs_f64() * 1_000.0),
        problem: ping.err(),
        server_version: known.map(|ready| ready.server_version.clone()),
        tenants: counts.map_or(0, |counts| counts.living(target.name())),
    }
}

/// The newest event. If this daemon does not know the trail's end, it reads it; if that takes long, only a later request
/// sees the result.
async fn newest_event(app: &App) -> postgres::Result<i64> {
    let (seq, is_known) = app.trail.glance().await?;
    if !is_known {
        let trail = Arc::clone(&app.trail);
        let look = app.engine.tasks().spawn(async move {
            if let Err(error) = trail.look_at_end().await {
                tracing::error!(error = %error.explain(), "the trail's end cannot be read");
            }
        });
        let _ = tokio::time::timeout(CONTROL_PATIENCE / 2, look).await;
    }
    Ok(seq)
}

async fn control(app: &App) -> (ControlHealth, Option<Arc<TenantCounts>>) {
    let begin = Instant::now();
    let ask = async {
        app.control.ping().await?;
        let latency = begin.elapsed();
        Ok((latency, newest_event(app).await?, app.control.tenant_counts().await?))
    };
    let epoch = app.control.epoch();
    let down = |problem| ControlHealth {
        reachable: false,
        latency_ms: None,
        problem: Some(problem),
        epoch,
        standing_by_for: app.control.standing_by_for(),
        audit_seq: 0,
        trail: Some(app.trail.status(0)),
    };
    match tokio::time::timeout(CONTROL_PATIENCE, ask).await {
        Ok(Ok((latency, audit_seq, counts))) => {
            let latency_ms = Some(latency.as_secs_f64() * 1_000.0);
            let standing_by_for = app.control.standing_by_for();
            let health = ControlHealth {
                reachable: true,
                latency_ms,
                problem: None,
                epoch,
                standing_by_for,
                audit_seq,
                trail: Some(app.trail.status(audit_seq)),
            };
            (health, Some(counts))
        }
        Ok(Err::<_, postgres::Error>(error)) => (down(error.explain()), None),
        Err(_) => (down(format!("no answer within {} ms", CONTROL_PATIENCE.as_millis())), None),
    }
}
