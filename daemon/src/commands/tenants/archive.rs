//! Whether an archive of a tenant is to be made, and whether that is possible: determined before the operation begins.

use tenantry_protocol::error::{ApiError, ErrorCode};
use tenantry_protocol::operation::OperationState;
use tenantry_protocol::tenant::Tenant;
use time::{Duration, OffsetDateTime};

use crate::model::operation::{Archiving, Kind};
use crate::postgres::Error;
use crate::postgres::control::operations;
use crate::postgres::preparation;

use crate::commands::{App, errors};

impl App {
    /// The kind of operation with the archive that the tenant needs: none for a tenant that was never active. Refuses the
    /// request if an archive is needed and cannot be made.
    pub(in crate::commands) async fn prepare_archive(
        &self,
        kind: Kind,
        tenant: &Tenant,
    ) -> Result<Kind, ApiError> {
        let without = match kind {
            Kind::Rollback { archive: Archiving::With } => Kind::Rollback { archive: Archiving::Without },
            Kind::Retire { archive: Archiving::With } => Kind::Retire { archive: Archiving::Without },
            other => return Ok(other),
        };
        if self.active_since(tenant).await?.is_none() {
            return Ok(without);
        }
        let target = self.target(tenant.target.as_str())?;
        let ready =
            preparation::ready(target).await.map_err(|error| errors::target(&tenant.target, error))?;
        match target.options().archives.prepare(ready.major()).await {
            Ok(_) => Ok(kind),
            Err(Error::Refused(message)) => {
                Err(ApiError::new(ErrorCode::Precondition, message).on_field("discard_data"))
            }
            Err(error) => Err(errors::target(&tenant.target, error)),
        }
    }

    /// The end of the provisioning that created the tenant; `None` if the tenant was never active.
    pub(super) async fn active_since(&self, tenant: &Tenant) -> Result<Option<OffsetDateTime>, ApiError> {
        let pool = self.control.pool();
        let Some(id) = operations::provision_of(pool, tenant.id).await.map_err(errors::control)? else {
            return Ok(None);
        };
        let provision = operations::by_id(pool, id).await.map_err(errors::control)?;
        Ok(provision.filter(|provision| provision.state == OperationState::Succeeded).map(|provision| {
            provision.requested_at
                + Duration::seconds_f64(provision.duration_ms.unwrap_or_default() / 1_000.0)
        }))
    }
}
