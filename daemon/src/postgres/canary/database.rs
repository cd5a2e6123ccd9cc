//! The canary of tenants with databases of their own: a database that belongs to no tenant and is made as theirs are.
//!
//! Invariant: remains of an interrupted attempt are removed first, so that there is one canary, and it is complete.

use tenantry_protocol::id::OperationId;
use tenantry_protocol::name::PlacementName;
use uuid::Uuid;

use crate::postgres::canary;
use crate::postgres::error::{Error, Result, doing};
use crate::postgres::removal::Removal;
use crate::postgres::target::databases::CanaryDatabase;
use crate::postgres::target::location::{Home, Site};
use crate::postgres::target::marker::{Mark, MarkerState, Owner};
use crate::postgres::target::{Ready, Target};
use crate::postgres::tenancy::database::databases;

/// The canary, made if it is missing or outdated. The caller must have the turn to make one.
pub async fn ensure(target: &Target, ready: &Ready, template: &str) -> Result<CanaryDatabase> {
    let found: Option<(Uuid, String, String)> = {
        let mut connection = target.acquire().await?;
        sqlx::query_as(
            "select operation_id, placement, state from tenantry.placement
             where kind = 'canary_database' and state <> 'removed'",
        )
        .fetch_optional(&mut *connection)
        .await
        .map_err(doing("look for the canary database"))?
    };
    if let Some((reservation, name, state)) = found {
        let placement = PlacementName::parse(&name).map_err(|error| Error::Corrupt {
            what: "the name of the canary database",
            why: error.to_string(),
        })?;
        let reservation = OperationId::from_uuid(reservation);
        let home = Home::database(target, &placement, reservation);
        if MarkerState::parse(&state)? == MarkerState::Active
            && canary::is_current(home.on(target), &placement).await?
        {
            return Ok(CanaryDatabase { placement, home });
        }
        remove(home.on(target), ready, mark(reservation), &placement).await?;
    }
    make(target, ready, template).await
}

/// No epoch fences the canary, because it belongs to no tenant.
const fn mark(build: OperationId) -> Mark {
    Mark { build, fence: 0 }
}

async fn remove(site: Site<'_>, ready: &Ready, mark: Mark, placement: &PlacementName) -> Result<()> {
    let (removal, _) = Removal::begin(site, ready, mark, placement).await?;
    removal.close_logins().await?;
    removal.end_sessions().await?;
    removal.drop_objects().await?;
    removal.drop_roles().await
}

async fn make(target: &Target, ready: &Ready, template: &str) -> Result<CanaryDatabase> {
    let placement = PlacementName::from_random(rand::random());
    let reservation = mark(OperationId::generate());
    let home = Home::database(target, &placement, reservation.build);
    databases::reserve(target, reservation, &placement, Owner::CanaryDatabase).await?;
    databases::create(target, ready, reservation, &placement, template).await?;
    canary::build(home.on(target), ready, mark(OperationId::generate()), &placement).await?;
    canary::activate(target, reservation, &placement).await?;
    Ok(CanaryDatabase { placement, home })
}
