//! What files opened: what the verification finds of a tenant after them and did not find before.

use sqlx::PgConnection;
use tenantry_protocol::isolation::Depth;
use tenantry_protocol::name::PlacementName;

use crate::isolation;
use crate::pipeline::step_error::StepError;
use crate::postgres::error::doing;

/// What the verification finds of the tenant as this session sees it. No other session may have a transaction open that changes
/// the tenant's objects, since this would wait for it.
pub(super) async fn open_now(
    connection: &mut PgConnection,
    placement: &PlacementName,
) -> Result<Vec<String>, StepError> {
    let looked = isolation::look(connection, placement, placement, Depth::Core).await;
    let found = looked.map_err(doing("look through the catalog"))?.findings;
    Ok(found.into_iter().map(|finding| finding.evidence).collect())
}

/// Refuses what is open and was not before.
pub(super) fn refuse_opened(now: Vec<String>, before: &[String]) -> Result<(), StepError> {
    let opened: Vec<String> = now.into_iter().filter(|one| !before.contains(one)).collect();
    if opened.is_empty() { Ok(()) } else { Err(StepError::Opens(opened)) }
}
