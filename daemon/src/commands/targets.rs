//! `targets`: the configured targets; with `check`, also the result of reading their privileges and limits again.

use std::sync::Arc;

use tenantry_protocol::error::ApiError;
use tenantry_protocol::plan::{Finding, Severity};
use tenantry_protocol::target::{Target as WireTarget, TargetsRequest, TargetsResponse};

use crate::postgres::preparation;
use crate::postgres::preparation::check;
use crate::postgres::target::Target;

use super::session::health::{CHECK_PATIENCE, PATIENCE, ping, target_health};
use super::{App, Caller, errors};

pub async fn targets(
    app: &Arc<App>,
    _: &Caller,
    request: TargetsRequest,
) -> Result<TargetsResponse, ApiError> {
    let chosen = match &request.name {
        Some(name) => vec![app.target(name)?],
        None => app.targets.iter().collect(),
    };
    let counts = app.control.tenant_counts().await.map_err(errors::control)?;
    let mut targets = Vec::with_capacity(chosen.len());
    for target in chosen {
        let (findings, patience) =
            if request.check { (check(target).await, CHECK_PATIENCE) } else { (Vec::new(), PATIENCE) };
        targets.push(WireTarget {
            health: target_health(target, ping(target, patience).await, Some(&counts)),
            address: target.address(),
            capacity: target.options().capacity,
            findings,
        });
    }
    Ok(TargetsResponse { targets })
}

/// Looks at the target as if it were new, which is the purpose of the check.
async fn check(target: &Target) -> Vec<Finding> {
    target.forget();
    let result = match preparation::ready(target).await {
        Ok(ready) => check::findings(target, &ready).await,
        Err(error) => Err(error),
    };
    result.unwrap_or_else(|error| {
        let message = errors::target(target.name(), error).message;
        vec![Finding::new(Severity::Error, "not_usable", message)]
    })
}
