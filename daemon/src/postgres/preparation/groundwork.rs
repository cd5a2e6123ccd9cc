//! What tenants with databases of their own need on a target: the template, and the canary database that they attack. It is
//! made when the first such tenant needs it.
//!
//! Invariant: a row of the target is locked meanwhile, so that two daemons cannot make it at the same time.

use std::sync::Arc;
use std::time::Duration;

use sqlx::Connection as _;

use super::extensions::{self, MissingExtension};
use crate::postgres::canary::database;
use crate::postgres::connections::execute::execute;
use crate::postgres::error::{Result, doing};
use crate::postgres::target::databases::Groundwork;
use crate::postgres::target::{Ready, Target};
use crate::postgres::tenancy::database::template;

/// How long to wait for another caller's attempt to make it.
const PATIENCE: Duration = Duration::from_secs(20);

/// The template and the canary, made if they are missing.
pub async fn groundwork(target: &Target, ready: &Ready) -> Result<Arc<Groundwork>> {
    let make = Box::pin(make(target, ready));
    target.groundwork().get_or_find(PATIENCE, "prepare for databases", make).await
}

/// The name of the template, and the extensions among `wanted` that it does not have.
pub async fn missing_extensions(
    target: &Target,
    ready: &Ready,
    wanted: &[String],
) -> Result<(String, Vec<MissingExtension>)> {
    let template = groundwork(target, ready).await?.template.clone();
    let mut connection = target.connect_to(&template).await?;
    let missing = extensions::missing(&mut connection, wanted).await;
    connection.close().await.ok();
    Ok((template, missing?))
}

async fn make(target: &Target, ready: &Ready) -> Result<Groundwork> {
    // A separate connection, because the work takes its connections from the pool, which may be small.
    let mut connection = target.connect_to(target.database()).await?;
    let mut turn = connection.begin().await.map_err(doing("begin to prepare for databases"))?;
    execute(
        &mut turn,
        "select from tenantry.target_identity for update".to_owned(),
        "wait for the turn to prepare",
    )
    .await?;
    let template = template::ensure(target, ready).await?;
    let canary = database::ensure(target, ready, &template).await?;
    turn.commit().await.map_err(doing("end the turn to prepare"))?;
    connection.close().await.ok();
    Ok(Groundwork { template, canary })
}
