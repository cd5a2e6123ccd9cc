//! `upgrades`, `upgrade_status`, `upgrade_units`: the upgrades of many tenants, and where each tenant is in one.

use std::sync::Arc;

use tenantry_protocol::brief::{self, PAGE_BYTES};
use tenantry_protocol::error::ApiError;
use tenantry_protocol::upgrade::{
    UnitState, UpgradeChangeRequest, UpgradeStatus, UpgradeUnitsRequest, UpgradeUnitsResponse,
    UpgradesRequest, UpgradesResponse,
};

use crate::commands::paging::limit;
use crate::commands::{App, Caller, errors};
use crate::postgres::control::{upgrade_units as stored_units, upgrades as stored};

pub async fn upgrades(
    app: &Arc<App>,
    _: &Caller,
    request: UpgradesRequest,
) -> Result<UpgradesResponse, ApiError> {
    let limit = limit(request.limit, 50, 200)?;
    let upgrades = stored::newest(app.control.pool(), limit).await.map_err(errors::control)?;
    Ok(UpgradesResponse { upgrades })
}

pub async fn upgrade_status(
    app: &Arc<App>,
    _: &Caller,
    request: UpgradeChangeRequest,
) -> Result<UpgradeStatus, ApiError> {
    let upgrade = app.find_upgrade(request.upgrade.as_deref()).await?;
    let failures = stored::failures(app.control.pool(), upgrade.id).await.map_err(errors::control)?;
    Ok(UpgradeStatus { upgrade, failures })
}

pub async fn upgrade_units(
    app: &Arc<App>,
    _: &Caller,
    request: UpgradeUnitsRequest,
) -> Result<UpgradeUnitsResponse, ApiError> {
    let limit = limit(request.limit, 200, 1_000)?;
    if let Some(unknown) = request.states.iter().find(|name| UnitState::parse(name) == UnitState::Other) {
        let known: Vec<&str> = UnitState::ALL.into_iter().map(UnitState::name).collect();
        let message = format!(
            "'{}' is no state of a tenant in an upgrade; there are: {}",
            unknown.escape_debug(),
            known.join(", ")
        );
        return Err(ApiError::invalid("states", message));
    }
    let after = request.after.as_deref().map(str::parse::<i64>).transpose();
    let after = after.map_err(|_| ApiError::invalid("after", "after is not the 'next' of a page"))?;
    let upgrade = app.find_upgrade(request.upgrade.as_deref()).await?;
    let page = stored_units::page(app.control.pool(), upgrade.id, &request.states, after, limit).await;
    let (positions, mut units): (Vec<i64>, Vec<_>) = page.map_err(errors::control)?.into_iter().unzip();
    let is_full = i64::try_from(units.len()).is_ok_and(|length| length == limit);
    let is_full = brief::fit(&mut units, PAGE_BYTES) || is_full;
    let last = units.len().checked_sub(1).and_then(|last| positions.get(last));
    let next = last.filter(|_| is_full).map(ToString::to_string);
    Ok(UpgradeUnitsResponse { units, next })
}
