//! A tenant's own database: reserved, made from the template, opened, and dropped.
//!
//! There are two markers. The first is the reservation, a row on the target. It stands for the tenant from before its database is
//! made until after it is dropped, and every change locks it and raises its fence to the number of the daemon's term. The second is
//! the marker of the build. It is a row within the database, and says whether the build was committed. Invariant: once the fence of
//! the reservation is raised, the database either accepts connections and may contain a build, or no other daemon will open it.

// CREATE DATABASE cannot run in a transaction, so no marker guards it. Its owner guards it instead: the database is made for
// the tenant's owner role, by a provisioner that is a member of that role only meanwhile. A late statement is refused because
// the membership or the role is missing. One that is still running holds the role, which then cannot be dropped first. A new
// database is closed. The transaction that opens it makes the provisioner its owner, revokes the membership, and holds the
// reservation at its daemon's fence.
//
// So settling means raising the reservation's fence and then, if the database is open, asking the marker of the build
// in it, because no build can begin in a closed one. A void build is built again under another marker in the same
// database, by the same steps, which find the database there. If the reservation itself was never committed, a removal
// buries it like any other marker.

use sqlx::{Connection as _, PgConnection};
use tenantry_protocol::name::PlacementName;

use crate::fault;
use crate::postgres::connections::execute::execute;
use crate::postgres::error::{Result, doing};
use crate::postgres::quote::{Value, render};
use crate::postgres::target::location::Site;
use crate::postgres::target::marker::{self, Mark, MarkerState, Owner};
use crate::postgres::target::settlement::{self, Settled};
use crate::postgres::target::{Ready, Target};
use crate::postgres::tenant_ddl;

/// How far a database of this name has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum StandingDatabase {
    Absent,
    /// Made, but not opened yet.
    Closed,
    Open,
    /// Its drop was interrupted. Nobody can enter it, and it can only be dropped.
    Invalid,
}

/// Reserves the placement, with the role that its database is made for. May be repeated.
pub async fn reserve(target: &Target, mark: Mark, placement: &PlacementName, owner: Owner) -> Result<()> {
    take(target, mark, placement, owner).await?.require_building()
}

/// Takes the reservation, and makes it if it is missing. Returns its state.
async fn take(target: &Target, mark: Mark, placement: &PlacementName, owner: Owner) -> Result<MarkerState> {
    let mut connection = target.acquire().await?;
    let waiting = settlement::backend(&mut connection).await?;
    settlement::displacing(target, waiting, mark.build, async {
        let mut tx = connection.begin().await.map_err(doing("begin to reserve the placement"))?;
        let state = marker::claim(&mut tx, mark, placement, owner).await?;
        if state == MarkerState::Building && !role_exists(&mut tx, placement).await? {
            let sql = render(tenant_ddl::RESERVE, &[("placement", Value::Placement(placement))]);
            execute(&mut tx, sql, "create the owner's role").await?;
        }
        tx.commit().await.map_err(doing("commit the reservation"))?;
        Ok(state)
    })
    .await
}

/// Finds out what became of a build within a database. From then on the caller holds the reservation, at its own fence.
pub async fn settle(
    site: Site<'_>,
    standing: Mark,
    mark: Mark,
    placement: &PlacementName,
    owner: Owner,
) -> Result<Settled> {
    // If the reservation is already active, the tenant was built, and its daemon only did not get as far as reporting it.
    take(site.target, standing, placement, owner).await?;
    if !is_open(site.target, placement).await? {
        return Ok(Settled::Void);
    }
    settlement::displace(site, mark.build, placement).await
}

/// Makes the database, closed to everyone except the provisioner, and opens it. May be repeated. Returns whether it was there.
pub async fn create(
    target: &Target,
    ready: &Ready,
    mark: Mark,
    placement: &PlacementName,
    template: &str,
) -> Result<bool> {
    let values = [
        ("placement", Value::Placement(placement)),
        ("provisioner", Value::Identifier(&ready.provisioner)),
        ("template", Value::Identifier(template)),
    ];
    let mut connection = target.acquire().await?;
    let was_there = look(&mut connection, placement).await? != StandingDatabase::Absent;
    if !was_there {
        let mut tx = connection.begin().await.map_err(doing("begin to make the database"))?;
        hold_reserved(&mut tx, mark).await?;
        execute(&mut tx, render(tenant_ddl::JOIN_OWNER, &values), "join the owner").await?;
        tx.commit().await.map_err(doing("commit the membership of the owner"))?;
        let sql = render(tenant_ddl::CREATE_DATABASE, &values);
        let making =
            async { exists_is_fine(execute(&mut connection, sql, "make the tenant's database").await) };
        fault::around("create_database.made", making).await?;
    }
    let mut tx = connection.begin().await.map_err(doing("begin to open the database"))?;
    hold_reserved(&mut tx, mark).await?;
    if look(&mut tx, placement).await? == StandingDatabase::Closed {
        // The attempt that made it may have ended before this one began, and so may a removal.
        execute(&mut tx, render(tenant_ddl::JOIN_OWNER, &values), "join the owner").await?;
        execute(&mut tx, render(tenant_ddl::OPEN_DATABASE, &values), "open the tenant's database").await?;
    }
    tx.commit().await.map_err(doing("commit the opening of the database"))?;
    Ok(was_there)
}

/// Drops the database, in whatever state it is. The tenant's sessions must have ended already. May be repeated.
pub async fn drop_database(
    target: &Target,
    ready: &Ready,
    mark: Mark,
    placement: &PlacementName,
) -> Result<()> {
    let values =
        [("placement", Value::Placement(placement)), ("provisioner", Value::Identifier(&ready.provisioner))];
    let mut connection = target.acquire().await?;
    let mut tx = connection.begin().await.map_err(doing("begin to close the database"))?;
    let state = marker::hold(&mut tx, mark).await?;
    if !state.is_going() {
        marker::set_state(&mut tx, mark.build, MarkerState::Removing).await?;
    }
    let standing = look(&mut tx, placement).await?;
    let has_owner = role_exists(&mut tx, placement).await?;
    let sql = match (standing, has_owner) {
        (StandingDatabase::Absent | StandingDatabase::Invalid, false) => String::new(),
        // A late CREATE DATABASE then finds no membership.
        (StandingDatabase::Absent | StandingDatabase::Invalid, true) => tenant_ddl::LEAVE_OWNER.to_owned(),
        (_, true) => [tenant_ddl::JOIN_OWNER, tenant_ddl::CLOSE_DATABASE, tenant_ddl::LEAVE_OWNER].concat(),
        (_, false) => tenant_ddl::CLOSE_DATABASE.to_owned(),
    };
    execute(&mut tx, render(&sql, &values), "close the tenant's database").await?;
    tx.commit().await.map_err(doing("commit the closing of the database"))?;
    if standing == StandingDatabase::Absent {
        return Ok(());
    }
    // The daemon's own sessions, left by an interrupted attempt or by a look into the database. Nobody uses them any more.
    sqlx::query(
        "select pg_terminate_backend(pid) from pg_stat_activity
         where datname = $1 and usename = current_user and pid <> pg_backend_pid()",
    )
    .bind(placement.as_str())
    .execute(&mut *connection)
    .await
    .map_err(doing("end our sessions in the tenant's database"))?;
    // The server waits a few seconds for sessions that are still there, and then reports a temporary error.
    let dropping =
        execute(&mut connection, render(tenant_ddl::DROP_DATABASE, &values), "drop the tenant's database");
    fault::around("drop_objects.database", dropping).await
}

/// Whether a build can be within the database, or could have been.
pub async fn is_open(target: &Target, placement: &PlacementName) -> Result<bool> {
    let mut connection = target.acquire().await?;
    Ok(look(&mut connection, placement).await? == StandingDatabase::Open)
}

/// Whether the provisioner has the right that CREATE DATABASE needs.
pub async fn may_create(target: &Target) -> Result<bool> {
    let mut connection = target.acquire().await?;
    sqlx::query_scalar("select rolcreatedb from pg_roles where rolname = current_user")
        .fetch_one(&mut *connection)
        .await
        .map_err(doing("look whether databases can be made"))
}

async fn look(connection: &mut PgConnection, placement: &PlacementName) -> Result<StandingDatabase> {
    // The server marks a database whose drop has begun with a connection limit that nobody can set.
    let found: Option<(bool, bool)> =
        sqlx::query_as("select datconnlimit = -2, datallowconn from pg_database where datname = $1")
            .bind(placement.as_str())
            .fetch_optional(connection)
            .await
            .map_err(doing("look for the tenant's database"))?;
    Ok(match found {
        None => StandingDatabase::Absent,
        Some((true, _)) => StandingDatabase::Invalid,
        Some((false, false)) => StandingDatabase::Closed,
        Some((false, true)) => StandingDatabase::Open,
    })
}

async fn role_exists(connection: &mut PgConnection, placement: &PlacementName) -> Result<bool> {
    sqlx::query_scalar("select exists (select from pg_roles where rolname = $1)")
        .bind(placement.as_str())
        .fetch_one(connection)
        .await
        .map_err(doing("look for the owner's role"))
}

/// Locks the reservation of a tenant that is still being made.
async fn hold_reserved(connection: &mut PgConnection, mark: Mark) -> Result<()> {
    marker::hold(connection, mark).await?.require_building()
}

/// Another attempt of the same operation was faster, or its answer was lost.
fn exists_is_fine(made: Result<()>) -> Result<()> {
    const DUPLICATE_DATABASE: &str = "42P04";
    // Two simultaneous attempts collide in the catalog's own index.
    const UNIQUE_VIOLATION: &str = "23505";
    match made {
        Err(error)
            if error
                .server()
                .is_some_and(|server| server.is_any(&[DUPLICATE_DATABASE, UNIQUE_VIOLATION])) =>
        {
            Ok(())
        }
        made => made,
    }
}
