//! What the registry says of a tenant and of its operations, read as an administrator would.

use sqlx::{ConnectOptions as _, Connection as _, PgConnection};
use uuid::Uuid;

use super::request::Scenario;
use crate::Env;

/// An operation as the registry has it.
#[derive(Debug, Clone)]
pub struct EndedOperation {
    pub id: Uuid,
    pub state: String,
}

impl EndedOperation {
    pub fn is_final(&self) -> bool {
        !matches!(self.state.as_str(), "queued" | "running" | "unwinding")
    }
}

/// A connection to the registry that is queried again and again. It is opened again when it breaks, since the server itself
/// may be what was broken.
#[derive(Debug, Default)]
pub struct Watcher(Option<PgConnection>);

impl Watcher {
    /// The operation that the key led to; for a purge, the one that follows its retirement.
    pub async fn by_key(
        &mut self,
        env: &Env,
        scenario: Scenario,
        key: &str,
    ) -> sqlx::Result<Option<EndedOperation>> {
        let mut connection = match self.0.take() {
            Some(connection) => connection,
            None => env.cluster.options(&env.control_db).connect().await?,
        };
        let found = by_key(&mut connection, scenario, key).await?;
        self.0 = Some(connection);
        Ok(found)
    }
}

async fn by_key(
    control: &mut PgConnection,
    scenario: Scenario,
    key: &str,
) -> sqlx::Result<Option<EndedOperation>> {
    let found: Option<(Uuid, String)> = sqlx::query_as(
        "select coalesce(p.id, o.id),
                case when p.id is null and $2 and o.state = 'succeeded' then 'running' else coalesce(p.state, o.state) end
         from control.idempotency_key k
         join control.operation o on o.id = k.operation_id
         left join lateral (select id, state from control.operation
                            where $2 and tenant_id = o.tenant_id and kind = 'purge' order by id desc limit 1) p on true
         where k.key = $1",
    )
    .bind(key)
    .bind(scenario == Scenario::Purge)
    .fetch_optional(control)
    .await?;
    Ok(found.map(|(id, state)| EndedOperation { id, state }))
}

pub async fn placement(env: &Env, slug: &str) -> Option<String> {
    let mut control = env.control().await;
    let placement = "select placement from control.tenant where slug = $1 order by id desc limit 1";
    let placement = sqlx::query_scalar(placement).bind(slug).fetch_optional(&mut control).await.unwrap();
    control.close().await.unwrap();
    placement
}

pub async fn is_living(env: &Env, slug: &str) -> bool {
    let mut control = env.control().await;
    let living = "select exists (select from control.tenant where slug = $1 and state not in ('rolled_back', 'retired'))";
    let living = sqlx::query_scalar(living).bind(slug).fetch_one(&mut control).await.unwrap();
    control.close().await.unwrap();
    living
}
