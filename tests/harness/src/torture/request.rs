//! What an operator requests, under a key, over a connection that may not survive it.

use std::path::Path;
use std::time::{Duration, Instant};

use tarpc::context::Context;
use tenantry_protocol::TenantryClient;
use tenantry_protocol::blueprint::{BlueprintUpload, UploadedFile};
use tenantry_protocol::error::ApiError;
use tenantry_protocol::operation::{CancelRequest, RetryRequest};
use tenantry_protocol::tenant::{
    FinishRotationRequest, IssueCredentialsRequest, ProvisionRequest, RetireRequest, RollbackRequest,
    RotateCredentialsRequest, TenantChangeRequest, UpdateTenantRequest, UpgradeTenantRequest,
};
use tenantry_protocol::upgrade::{DowngradeRequest, UpgradeChangeRequest, UpgradeRequest};
use tokio::net::UnixStream;
use uuid::Uuid;

use crate::rpc;

pub const BLUEPRINT: &str = "small";
/// The version that tenants are provisioned from. Some blueprints have a later one.
pub const FIRST_VERSION: &str = "1.0";
/// A blueprint with a file outside the transaction, and one after it.
pub const OUTSIDE: &str = "outside";
/// A blueprint whose tables tenants share.
pub const SHARED: &str = "shared";
/// A blueprint with a database for each tenant.
pub const DATABASES: &str = "databases";

/// Longer than the daemon keeps a caller waiting for the answer to a lost COMMIT.
const ANSWER: Duration = Duration::from_secs(20);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scenario {
    Provision,
    /// Of a blueprint with a file outside the transaction.
    ProvisionOutside,
    /// Of a blueprint whose tables tenants share.
    ProvisionShared,
    /// Of a blueprint whose tenants have databases of their own.
    ProvisionDatabase,
    Rollback,
    /// Of a tenant of shared tables.
    RollbackShared,
    /// Of a tenant with a database of its own.
    RollbackDatabase,
    /// With its data in a file first.
    RollbackArchived,
    /// While the tenant's application works.
    RollbackInUse,
    Suspend,
    Resume,
    Update,
    Retire,
    RetireArchived,
    /// Retired without a grace period, so that the purge follows at once.
    Purge,
    Issue,
    Rotate,
    Finish,
    /// To the next version of its blueprint.
    Upgrade,
    /// The same for a tenant with a database of its own.
    UpgradeDatabase,
    /// To a version with a file outside the transaction.
    UpgradeOutside,
    /// Several tenants, in waves.
    UpgradeFleet,
    /// The same to a version with a file outside the transaction.
    UpgradeFleetOutside,
    /// Several tenants of the later version, back to the first.
    DowngradeFleet,
    /// Several tenants of shared tables, which get the version together.
    UpgradePool,
    /// The same, back to the first version.
    DowngradePool,
    Retry(Uuid),
}

impl Scenario {
    /// The scenarios that are broken.
    pub const ALL: [Self; 15] = [
        Self::Provision,
        Self::ProvisionDatabase,
        Self::Rollback,
        Self::RollbackDatabase,
        Self::RollbackArchived,
        Self::RollbackInUse,
        Self::Suspend,
        Self::Resume,
        Self::Update,
        Self::Retire,
        Self::RetireArchived,
        Self::Purge,
        Self::Issue,
        Self::Rotate,
        Self::Finish,
    ];
    /// Those that only change secrets.
    pub const SECRETS: [Self; 3] = [Self::Issue, Self::Rotate, Self::Finish];

    /// Those that bring a tenant to a later version.
    pub const UPGRADES: [Self; 3] = [Self::Upgrade, Self::UpgradeDatabase, Self::UpgradeOutside];

    /// Those that bring several tenants to another version.
    pub const FLEETS: [Self; 3] = [Self::UpgradeFleet, Self::UpgradeFleetOutside, Self::DowngradeFleet];

    /// Those that bring the tenants of shared tables to another version.
    pub const POOLS: [Self; 2] = [Self::UpgradePool, Self::DowngradePool];

    /// Those that make a tenant.
    pub const PROVISIONS: [Self; 4] =
        [Self::Provision, Self::ProvisionOutside, Self::ProvisionShared, Self::ProvisionDatabase];

    /// Makes and removes a tenant of the scenario's tenancy. The first tenant of each tenancy leaves something permanent:
    /// our bookkeeping, a template, a pool.
    pub const fn first(self) -> [Self; 2] {
        match self {
            Self::ProvisionShared | Self::RollbackShared | Self::UpgradePool | Self::DowngradePool => {
                [Self::ProvisionShared, Self::RollbackShared]
            }
            Self::ProvisionDatabase | Self::RollbackDatabase | Self::UpgradeDatabase => {
                [Self::ProvisionDatabase, Self::RollbackDatabase]
            }
            _ => [Self::Provision, Self::Rollback],
        }
    }

    /// The scenarios that make the tenant it applies to.
    pub fn preparation(self) -> &'static [Self] {
        match self {
            Self::Provision | Self::ProvisionOutside | Self::ProvisionShared | Self::ProvisionDatabase => &[],
            Self::RollbackShared => &[Self::ProvisionShared, Self::Issue, Self::Rotate],
            Self::UpgradeOutside => &[Self::ProvisionOutside, Self::Issue, Self::Rotate],
            Self::RollbackDatabase | Self::UpgradeDatabase => {
                &[Self::ProvisionDatabase, Self::Issue, Self::Rotate]
            }
            Self::Issue => &[Self::Provision],
            Self::Rotate => &[Self::Provision, Self::Issue],
            Self::Resume => &[Self::Provision, Self::Issue, Self::Rotate, Self::Suspend],
            _ => &[Self::Provision, Self::Issue, Self::Rotate],
        }
    }

    /// What makes each tenant of a fleet.
    pub(super) const fn of_one_tenant(self) -> Self {
        match self {
            Self::UpgradeFleetOutside => Self::ProvisionOutside,
            Self::UpgradePool | Self::DowngradePool => Self::ProvisionShared,
            _ => Self::Provision,
        }
    }

    /// The blueprint that is provisioned or upgraded.
    const fn blueprint(self) -> &'static str {
        match self {
            Self::ProvisionOutside | Self::UpgradeFleetOutside => OUTSIDE,
            Self::ProvisionShared | Self::UpgradePool | Self::DowngradePool => SHARED,
            Self::ProvisionDatabase => DATABASES,
            _ => BLUEPRINT,
        }
    }

    /// Whether it makes an archive, which needs the server's own programs, in a version that can dump it.
    pub const fn archives(self) -> bool {
        matches!(self, Self::RollbackArchived | Self::RetireArchived)
    }

    /// The same scenario if no archive can be made.
    pub const fn without_archive(self) -> Self {
        match self {
            Self::RollbackArchived => Self::Rollback,
            Self::RetireArchived => Self::Retire,
            other => other,
        }
    }
}

/// What the daemon answered; an error says that the answer was lost.
type Answer = Result<Result<(), ApiError>, String>;

/// Sends the request; an error is a sentence, from the daemon or about the connection.
pub async fn send(socket: &Path, scenario: Scenario, slug: &str, key: &str) -> Result<(), String> {
    let stream = UnixStream::connect(socket).await.map_err(|error| error.to_string())?;
    let client = rpc::over(stream);
    client
        .hello(context(), rpc::hello(tenantry_protocol::PROTOCOL_VERSION))
        .await
        .map_err(lost)?
        .map_err(refused)?;
    let key = Some(key.to_owned());
    let slug = slug.to_owned();
    ask(&client, scenario, slug, key).await
}

async fn ask(
    client: &TenantryClient,
    scenario: Scenario,
    slug: String,
    key: Option<String>,
) -> Result<(), String> {
    match scenario {
        Scenario::Provision
        | Scenario::ProvisionOutside
        | Scenario::ProvisionShared
        | Scenario::ProvisionDatabase => provision(client, scenario, slug, key).await?,
        Scenario::Rollback
        | Scenario::RollbackShared
        | Scenario::RollbackDatabase
        | Scenario::RollbackArchived
        | Scenario::RollbackInUse => {
            let (confirm, discard_data) = (slug.clone(), !scenario.archives());
            let request = RollbackRequest { slug, confirm, discard_data, idempotency_key: key };
            client.rollback(context(), request).await.map_err(lost)?.map(drop)
        }
        Scenario::Suspend => {
            let request = TenantChangeRequest { slug, idempotency_key: key };
            client.suspend(context(), request).await.map_err(lost)?.map(drop)
        }
        Scenario::Resume => {
            let request = TenantChangeRequest { slug, idempotency_key: key };
            client.resume(context(), request).await.map_err(lost)?.map(drop)
        }
        Scenario::Update => update(client, slug, key).await?,
        Scenario::Retire | Scenario::RetireArchived | Scenario::Purge => {
            let (confirm, discard_data) = (slug.clone(), !scenario.archives());
            let grace_s = Some(if scenario == Scenario::Purge { 0 } else { 1_000_000 });
            let request = RetireRequest { slug, confirm, grace_s, discard_data, idempotency_key: key };
            client.retire(context(), request).await.map_err(lost)?.map(drop)
        }
        Scenario::Issue => {
            let request = IssueCredentialsRequest { slug, idempotency_key: key };
            client.issue_credentials(context(), request).await.map_err(lost)?.map(drop)
        }
        Scenario::Rotate => {
            let request = RotateCredentialsRequest { slug, idempotency_key: key };
            client.rotate_credentials(context(), request).await.map_err(lost)?.map(drop)
        }
        Scenario::Finish => {
            let request = FinishRotationRequest { slug, idempotency_key: key };
            client.finish_rotation(context(), request).await.map_err(lost)?.map(drop)
        }
        Scenario::Upgrade | Scenario::UpgradeDatabase | Scenario::UpgradeOutside => {
            upgrade(client, slug, key).await?
        }
        Scenario::UpgradeFleet
        | Scenario::UpgradeFleetOutside
        | Scenario::UpgradePool
        | Scenario::DowngradeFleet
        | Scenario::DowngradePool => of_a_fleet(client, scenario, key).await?,
        Scenario::Retry(operation) => {
            let request = RetryRequest { operation: operation.to_string(), idempotency_key: key };
            client.retry(context(), request).await.map_err(lost)?.map(drop)
        }
    }
    .map_err(refused)
}

async fn provision(
    client: &TenantryClient,
    scenario: Scenario,
    slug: String,
    idempotency_key: Option<String>,
) -> Answer {
    let request = ProvisionRequest {
        slug,
        blueprint: scenario.blueprint().to_owned(),
        version: Some(FIRST_VERSION.to_owned()),
        seed: true,
        idempotency_key,
        ..ProvisionRequest::default()
    };
    Ok(client.provision(context(), request).await.map_err(lost)?.map(drop))
}

async fn update(client: &TenantryClient, slug: String, idempotency_key: Option<String>) -> Answer {
    let request = UpdateTenantRequest {
        slug,
        display_name: Some("Renamed".to_owned()),
        labels: [("tier".to_owned(), Some("gold".to_owned()))].into(),
        settings: [("connection_limit".to_owned(), 7)].into(),
        idempotency_key,
    };
    Ok(client.update_tenant(context(), request).await.map_err(lost)?.map(drop))
}

async fn upgrade(client: &TenantryClient, slug: String, idempotency_key: Option<String>) -> Answer {
    let request = UpgradeTenantRequest { slug, version: None, idempotency_key };
    Ok(client.upgrade_tenant(context(), request).await.map_err(lost)?.map(drop))
}

/// The pilot, then two waves.
async fn of_a_fleet(client: &TenantryClient, scenario: Scenario, idempotency_key: Option<String>) -> Answer {
    let upgrade = UpgradeRequest {
        blueprint: scenario.blueprint().to_owned(),
        wave_percent: Some(50),
        width: Some(2),
        idempotency_key,
        ..UpgradeRequest::default()
    };
    if !matches!(scenario, Scenario::DowngradeFleet | Scenario::DowngradePool) {
        return Ok(client.upgrade(context(), upgrade).await.map_err(lost)?.map(drop));
    }
    let upgrade = UpgradeRequest { version: Some(FIRST_VERSION.to_owned()), ..upgrade };
    let request = DowngradeRequest { upgrade, confirm: scenario.blueprint().to_owned() };
    Ok(client.downgrade(context(), request).await.map_err(lost)?.map(drop))
}

/// What an operator does to an upgrade of many tenants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hand {
    Resume,
    Retry,
}

/// Resumes the upgrade, or tries again what failed.
pub(super) async fn lay_hand(socket: &Path, upgrade: Uuid, hand: Hand) -> Result<(), String> {
    let stream = UnixStream::connect(socket).await.map_err(|error| error.to_string())?;
    let client = rpc::over(stream);
    let hello = client.hello(context(), rpc::hello(tenantry_protocol::PROTOCOL_VERSION));
    hello.await.map_err(lost)?.map_err(refused)?;
    let request = UpgradeChangeRequest { upgrade: Some(upgrade.to_string()) };
    let answer = match hand {
        Hand::Resume => client.upgrade_resume(context(), request).await,
        Hand::Retry => client.upgrade_retry(context(), request).await,
    };
    answer.map_err(lost)?.map(drop).map_err(refused)
}

/// Requests an operation's cancellation. Any result is fine.
pub async fn cancel(socket: &Path, operation: Uuid) {
    let Ok(stream) = UnixStream::connect(socket).await else { return };
    let client = rpc::over(stream);
    let request = CancelRequest { operation: operation.to_string() };
    if let Ok(Ok(_)) = client.hello(context(), rpc::hello(tenantry_protocol::PROTOCOL_VERSION)).await {
        let _ = client.cancel(context(), request).await;
    }
}

/// Uploads a blueprint of SQL files from a folder and the folders below it.
pub async fn add_blueprint(socket: &Path, folder: &str) {
    let mut upload = BlueprintUpload::default();
    let mut folders = vec![Path::new(folder).to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
            upload.files.push(UploadedFile { path: name, content: std::fs::read_to_string(&path).unwrap() });
        }
    }
    // On a busy machine the daemon may not have reached its databases yet.
    let deadline = Instant::now() + ANSWER;
    loop {
        match rpc::client(socket).await.blueprint_add(context(), upload.clone()).await.unwrap() {
            Ok(report) => {
                assert!(report.added, "{report:?}");
                return;
            }
            Err(error) => assert!(Instant::now() < deadline, "{error:?}"),
        }
    }
}

fn context() -> Context {
    let mut context = tarpc::context::current();
    context.deadline = Instant::now() + ANSWER;
    context
}

fn lost(error: tarpc::client::RpcError) -> String {
    format!("the answer was lost: {error}")
}

fn refused(error: ApiError) -> String {
    format!("{:?}: {}", error.code, error.message)
}
