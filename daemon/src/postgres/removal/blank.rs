//! Removes a placement on which an upgrade was rehearsed, with its marker, so that nothing of it is left.
//!
//! Invariant: nobody ever logs in to it and nothing depends on it, so it goes without the care that a tenant's removal takes. It may
//! be in the database of a canary, which stays.

use sqlx::{Connection as _, PgConnection};
use tenantry_protocol::id::OperationId;
use tenantry_protocol::name::PlacementName;
use uuid::Uuid;

use super::Removal;
use crate::postgres::error::{Error, Result, doing};
use crate::postgres::target::location::Site;
use crate::postgres::target::marker::Mark;
use crate::postgres::target::settlement::{self, Settled};
use crate::postgres::target::{Ready, Target};

/// Drops its objects and roles, and then its marker, if it was ever committed. A session that still works on it is ended.
pub async fn remove_blank(
    site: Site<'_>,
    ready: &Ready,
    mark: Mark,
    placement: &PlacementName,
) -> Result<()> {
    let removal = Removal { site, ready, mark, placement, pool: None };
    let mut connection = site.acquire().await?;
    let waiting = settlement::backend(&mut connection).await?;
    let dropping = async {
        // A COMMIT whose answer was lost may come to the server only now.
        if settlement::ask(&mut connection, mark.build, placement).await? == Settled::Void {
            return Ok(());
        }
        removal.drop_tables(&mut connection).await?;
        removal.drop_free_roles(&mut connection).await?;
        sqlx::query("delete from tenantry.placement where operation_id = $1 and kind = 'rehearsal'")
            .bind(mark.build.as_uuid())
            .execute(&mut *connection)
            .await
            .map(|_| ())
            .map_err(doing("remove the marker of a rehearsal"))
    };
    settlement::displacing(site.target, waiting, mark.build, dropping).await
}

/// A placement of a rehearsal that nobody works on any more.
#[derive(Debug)]
pub struct LeftBehind {
    pub build: OperationId,
    pub placement: PlacementName,
    /// It is in the database of the canary, and not in the target's own.
    pub in_canary: bool,
}

/// The placements of rehearsals on a target. Nothing is prepared for the look, since a target may not be in use yet.
pub async fn left_behind(target: &Target) -> Result<Vec<LeftBehind>> {
    let mut connection = target.acquire().await?;
    let is_prepared: bool = sqlx::query_scalar("select to_regclass('tenantry.placement') is not null")
        .fetch_one(&mut *connection)
        .await
        .map_err(doing("look for the bookkeeping"))?;
    if !is_prepared {
        return Ok(Vec::new());
    }
    let mut found = rehearsals(&mut connection, false).await?;
    let canary: Option<String> = sqlx::query_scalar(
        "select placement from tenantry.placement where kind = 'canary_database' and state = 'active'",
    )
    .fetch_optional(&mut *connection)
    .await
    .map_err(doing("look for the canary database"))?;
    drop(connection);
    if let Some(canary) = canary {
        let mut connection = target.connect_to(&canary).await?;
        let within = rehearsals(&mut connection, true).await;
        connection.close().await.ok();
        found.extend(within?);
    }
    Ok(found)
}

async fn rehearsals(connection: &mut PgConnection, in_canary: bool) -> Result<Vec<LeftBehind>> {
    let rows: Vec<(Uuid, String)> =
        sqlx::query_as("select operation_id, placement from tenantry.placement where kind = 'rehearsal'")
            .fetch_all(connection)
            .await
            .map_err(doing("look for placements of rehearsals"))?;
    let corrupt =
        |error| Error::Corrupt { what: "the name of a rehearsal's placement", why: format!("{error}") };
    rows.into_iter()
        .map(|(build, name)| {
            let placement = PlacementName::parse(&name).map_err(corrupt)?;
            Ok(LeftBehind { build: OperationId::from_uuid(build), placement, in_canary })
        })
        .collect()
}
