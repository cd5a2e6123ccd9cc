//! Where a tenant's objects live: in the target's own database, or in a database of the tenant's own. All code that looks into
//! a tenant, builds it or logs in as it uses this module.
//!
//! What belongs to the cluster (roles, sessions, memberships, databases) is changed over the target's own connections,
//! whatever the tenancy is, under the marker that [`Home::standing`] names.

use sqlx::postgres::{PgConnectOptions, PgPool};
use sqlx::{Connection as _, PgConnection};
use tenantry_protocol::blueprint::Tenancy;
use tenantry_protocol::id::{OperationId, TenantId};
use tenantry_protocol::name::PlacementName;

use super::marker::Mark;
use super::{Ready, Target, TargetConnection};
use crate::postgres::error::{Result, doing};
use crate::postgres::secret::Password;
use crate::postgres::tenant_ddl;

/// Connections to a tenant's own database at a time: that of the build, and one that looks at what the build waits for.
const CONNECTIONS: u32 = 3;

/// The database of a placement.
#[derive(Debug, Clone)]
pub enum Home {
    /// The target's database.
    Target,
    /// Its own database, with the placement's name. The pool lives as long as the operation, and
    /// connects only when it is used.
    Database { placement: PlacementName, reservation: OperationId, pool: PgPool },
}

/// The home of a placement on its target.
#[derive(Debug, Clone, Copy)]
pub struct Site<'a> {
    pub target: &'a Target,
    home: &'a Home,
}

/// The name of the database that a tenant's objects live in.
pub fn database_of<'a>(target: &'a Target, tenancy: Tenancy, placement: &'a PlacementName) -> &'a str {
    match tenancy {
        Tenancy::Database => placement.as_str(),
        _ => target.database(),
    }
}

impl Home {
    pub fn new(target: &Target, tenancy: Tenancy, placement: &PlacementName, tenant: TenantId) -> Self {
        match tenancy {
            Tenancy::Database => Self::database(target, placement, OperationId::from_uuid(tenant.as_uuid())),
            _ => Self::Target,
        }
    }

    /// A database of the placement's own, under the marker `reservation` on the target.
    pub fn database(target: &Target, placement: &PlacementName, reservation: OperationId) -> Self {
        let pool = target.pool_of(placement.as_str(), CONNECTIONS);
        Self::Database { placement: placement.clone(), reservation, pool }
    }

    /// The marker on the target that every change of the placement holds. Normally it is the marker of the build. If
    /// that marker is within a database, which comes and goes, it is the marker of the reservation, which stays
    /// whatever becomes of the builds.
    pub const fn standing(&self, mark: Mark) -> Mark {
        match self {
            Self::Target => mark,
            Self::Database { reservation, .. } => Mark { build: *reservation, fence: mark.fence },
        }
    }

    pub const fn on<'a>(&'a self, target: &'a Target) -> Site<'a> {
        Site { target, home: self }
    }
}

impl Site<'_> {
    /// A connection of the provisioner to the database with the objects.
    pub async fn acquire(&self) -> Result<TargetConnection> {
        match self.home {
            Home::Target => self.target.acquire().await,
            Home::Database { pool, .. } => {
                Box::pin(pool.acquire()).await.map_err(doing("connect to the tenant's database"))
            }
        }
    }

    /// A connection to read the catalog with, which keeps its plans if the database is that of many tenants. It must be left as it
    /// was.
    pub async fn read(&self) -> Result<TargetConnection> {
        match self.home {
            Home::Target => self.target.read().await,
            Home::Database { .. } => self.acquire().await,
        }
    }

    /// Takes back a connection on which a build was committed.
    pub async fn take_back(&self, connection: TargetConnection, backend: i32, wear: u32) {
        match self.home {
            Home::Target => self.target.take_back(connection, backend, wear).await,
            // The pool lives only as long as the operation.
            Home::Database { .. } => drop(connection),
        }
    }

    pub(in crate::postgres) fn database(&self) -> &str {
        match self.home {
            Home::Target => self.target.database(),
            Home::Database { placement, .. } => placement.as_str(),
        }
    }

    /// Whether the database is the tenant's own.
    pub const fn is_own_database(&self) -> bool {
        matches!(self.home, Home::Database { .. })
    }

    /// The role whose members may connect to the database.
    pub fn connecting_role(&self, ready: &Ready) -> String {
        match self.home {
            Home::Target => ready.group.clone(),
            Home::Database { placement, .. } => tenant_ddl::app_role(placement),
        }
    }

    /// The statements that make a tenant's roles here.
    pub const fn roles(&self) -> &'static str {
        match self.home {
            Home::Target => tenant_ddl::ROLES,
            Home::Database { .. } => tenant_ddl::ROLES_OF_DATABASE,
        }
    }

    /// A session as one of a tenant's own roles, by the same connection as the tenant's application.
    pub async fn login(&self, role: &str, password: &Password) -> Result<PgConnection> {
        self.login_with(role, password, "tenantry-probe", []).await
    }

    /// The same for another database of the server.
    pub async fn login_to(&self, database: &str, role: &str, password: &Password) -> Result<PgConnection> {
        self.enter(database, role, password, "tenantry-probe", []).await
    }

    /// The same with this application name, and with settings that the role's own settings do not override.
    pub async fn login_with<const N: usize>(
        &self,
        role: &str,
        password: &Password,
        application: &str,
        settings: [(&str, String); N],
    ) -> Result<PgConnection> {
        self.enter(self.database(), role, password, application, settings).await
    }

    async fn enter<const N: usize>(
        &self,
        database: &str,
        role: &str,
        password: &Password,
        application: &str,
        settings: [(&str, String); N],
    ) -> Result<PgConnection> {
        let options = self
            .connection()
            .clone()
            .database(database)
            .username(role)
            .password(password.expose())
            .application_name(application)
            .statement_cache_capacity(0)
            .options(settings);
        Box::pin(PgConnection::connect_with(&options)).await.map_err(doing("log in as the tenant"))
    }

    pub(in crate::postgres) const fn connection(&self) -> &PgConnectOptions {
        &self.target.options().connection
    }
}
