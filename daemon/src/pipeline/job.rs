//! The requests to the engine: a tenant to create, or a change of an existing tenant.

use std::sync::Arc;

use tenantry_protocol::chain::Link;
use tenantry_protocol::id::{OperationId, UpgradeId};
use tenantry_protocol::tenant::Tenant;
use tokio::sync::Semaphore;

use crate::model::blueprint::Blueprint;
use crate::model::operation::{Kind, Seeding};
use crate::postgres::control::operations::IdempotencyKey;
use crate::postgres::control::tenants::NewTenant;
use crate::postgres::secret::Verifier;
use crate::postgres::target::Target;

use super::arguments::OperationArguments;
use crate::model::audit_chain::Actor;

/// The request that an operation came with; empty for the daemon's own operations.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asked<'a> {
    pub key: Option<IdempotencyKey<'a>>,
    /// SHA-256 of the request.
    pub request: Option<Link>,
    /// The operation that is retried.
    pub retry_of: Option<OperationId>,
    /// The upgrade of many tenants that the operation is a part of.
    pub upgrade: Option<UpgradeId>,
}

/// A tenant to be created; everything in it has been checked.
#[derive(Debug)]
pub struct ProvisionJob<'a> {
    pub actor: Actor,
    pub tenant: NewTenant,
    pub blueprint: Arc<Blueprint>,
    pub target: Arc<Target>,
    pub seed: Seeding,
    pub plan_hash: &'a str,
    pub asked: Asked<'a>,
}

/// A change of an existing tenant, up to its removal.
#[derive(Debug)]
pub struct ChangeJob<'a> {
    pub actor: Actor,
    pub kind: Kind,
    pub tenant: Tenant,
    pub target: Arc<Target>,
    /// The key of the marker of the tenant's build.
    pub build: OperationId,
    pub arguments: OperationArguments,
    /// Of the secret that is to be set, if any; it is stored nowhere else.
    pub secret: Option<Verifier>,
    pub asked: Asked<'a>,
    /// Where it waits for its turn, with others that are on record, before it asks for a place on the target.
    pub lane: Option<Arc<Semaphore>>,
}
