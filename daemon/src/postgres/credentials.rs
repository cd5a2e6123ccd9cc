//! The logins of a tenant on its target: the application's, with its secret, and the probe's.

use std::time::Duration;

use sqlx::Connection as _;
use tenantry_protocol::name::PlacementName;

use super::secret::Verifier;
use super::tenant_ddl::{self, LoginLimits};
use crate::postgres::connections::execute::execute;
use crate::postgres::error::{Error, Result, doing};
use crate::postgres::quote::{Value, render};
use crate::postgres::target::marker::{self, Mark, MarkerState};
use crate::postgres::target::sessions;
use crate::postgres::target::{Ready, Target};
use crate::postgres::tenancy::shared::pools::{self, Door};

/// How long a closed session may take to disappear.
const GOODBYE: Duration = Duration::from_secs(1);

/// Whether a secret could be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Issue {
    Done,
    /// The tenant is being removed, or was removed.
    NotActive,
}

/// Sets a new secret on a login role and opens the login, while the marker says that the tenant is active. The marker is held
/// meanwhile, so that a removal either closes the login after this or keeps this from opening it.
pub async fn issue(target: &Target, mark: Mark, role: &str, verifier: &Verifier) -> Result<Issue> {
    let mut connection = target.acquire().await?;
    let mut tx = connection.begin().await.map_err(doing("begin to set the secret"))?;
    if marker::hold(&mut tx, mark).await? != MarkerState::Active {
        return Ok(Issue::NotActive);
    }
    let values = [("role", Value::Identifier(role)), ("verifier", Value::Verifier(verifier))];
    execute(&mut tx, render(tenant_ddl::ISSUE, &values), "set the secret").await?;
    tx.commit().await.map_err(doing("commit the secret"))?;
    Ok(Issue::Done)
}

/// Closes a login and ends its sessions. Returns the number of sessions.
pub async fn close_slot(target: &Target, ready: &Ready, mark: Mark, role: &str) -> Result<u64> {
    let mut connection = target.acquire().await?;
    let mut tx = connection.begin().await.map_err(doing("begin to close the login"))?;
    marker::hold(&mut tx, mark).await?;
    let roles = [role.to_owned()];
    execute(&mut tx, render(tenant_ddl::CLOSE_SLOT, &[("role", Value::Identifier(role))]), "close the login")
        .await?;
    tx.commit().await.map_err(doing("commit the closing of the login"))?;
    sessions::end(&mut connection, ready, mark, &roles).await
}

/// Opens the probe's login with a new secret, because another daemon may have made the probe.
pub async fn open_probe(
    target: &Target,
    mark: Mark,
    placement: &PlacementName,
    verifier: &Verifier,
) -> Result<()> {
    let mut connection = target.acquire().await?;
    let mut tx = connection.begin().await.map_err(doing("begin to let the probe in"))?;
    marker::hold(&mut tx, mark).await?;
    let role = tenant_ddl::probe_role(placement);
    let values = [("role", Value::Identifier(&role)), ("verifier", Value::Verifier(verifier))];
    execute(&mut tx, render(tenant_ddl::ISSUE, &values), "let the probe in").await?;
    tx.commit().await.map_err(doing("commit the probe's login"))
}

/// Closes the probe's login of a standing tenant again, and makes sure that its sessions have ended.
pub async fn close_probe(
    target: &Target,
    ready: &Ready,
    mark: Mark,
    placement: &PlacementName,
) -> Result<()> {
    let mut connection = target.acquire().await?;
    let mut tx = connection.begin().await.map_err(doing("begin to lock the probe out"))?;
    marker::hold(&mut tx, mark).await?;
    let sql = render(tenant_ddl::CLOSE_PROBE, &[("placement", Value::Placement(placement))]);
    execute(&mut tx, sql, "lock the probe out").await?;
    tx.commit().await.map_err(doing("commit the probe's end"))?;
    let roles = [tenant_ddl::probe_role(placement)];
    // The probe has closed its session. Only a daemon that died during an attack leaves one to be ended. To end it, this
    // daemon has to join the role, which is more than it should need on a server where something is wrong.
    if sessions::are_gone(&mut connection, &roles, GOODBYE).await? {
        return Ok(());
    }
    sessions::end(&mut connection, ready, mark, &roles).await.map(|_| ())
}

/// The tenant is verified: sets its marker to active, and closes the probe's login.
pub async fn activate(target: &Target, mark: Mark, placement: &PlacementName) -> Result<()> {
    let mut connection = target.acquire().await?;
    let mut tx = connection.begin().await.map_err(doing("begin to activate"))?;
    marker::hold(&mut tx, mark).await?;
    let sql = render(tenant_ddl::CLOSE_PROBE, &[("placement", Value::Placement(placement))]);
    execute(&mut tx, sql, "close the probe's login").await?;
    marker::set_state(&mut tx, mark.build, MarkerState::Active).await?;
    tx.commit().await.map_err(doing("commit the activation"))
}

/// Opens the tenant's issued logins again, with the same secrets as before.
pub async fn open_logins(
    target: &Target,
    mark: Mark,
    placement: &PlacementName,
    roles: &[String],
) -> Result<()> {
    let mut connection = target.acquire().await?;
    let mut tx = connection.begin().await.map_err(doing("begin to open the logins"))?;
    let state = marker::hold(&mut tx, mark).await?;
    if !matches!(state, MarkerState::Active | MarkerState::Suspended) {
        return Err(Error::Refused(format!(
            "the placement is {} on its target: some of it may be gone",
            state.name()
        )));
    }
    for role in roles {
        let sql = render("alter role {role} login", &[("role", Value::Identifier(role))]);
        execute(&mut tx, sql, "open a login").await?;
    }
    pools::open_or_close(&mut tx, placement, Door::Open).await?;
    marker::set_state(&mut tx, mark.build, MarkerState::Active).await?;
    tx.commit().await.map_err(doing("commit the opening of the logins"))
}

/// Applies the limits from the settings to the tenant's login roles.
pub async fn limit(
    target: &Target,
    mark: Mark,
    placement: &PlacementName,
    limits: LoginLimits,
) -> Result<()> {
    let mut connection = target.acquire().await?;
    let mut tx = connection.begin().await.map_err(doing("begin to change the settings"))?;
    marker::hold(&mut tx, mark).await?;
    let values = [
        ("placement", Value::Placement(placement)),
        ("connection_limit", Value::Number(limits.connections)),
        ("temp_file_limit_mb", Value::Number(limits.temp_files_mb.unwrap_or_default())),
    ];
    execute(&mut tx, render(tenant_ddl::LIMIT, &values), "change the connection limit").await?;
    let files = limits.temp_files_mb.map_or(tenant_ddl::NO_TEMP_FILES, |_| tenant_ddl::TEMP_FILES);
    execute(&mut tx, render(files, &values), "change the limit of temporary files").await?;
    tx.commit().await.map_err(doing("commit the settings"))
}
