//! An upgrade that a request names, and what watchers are told of it.

use std::str::FromStr as _;

use tenantry_protocol::error::{ApiError, ErrorCode};
use tenantry_protocol::id::UpgradeId;
use tenantry_protocol::upgrade::Upgrade;
use tenantry_protocol::watch::EventBody;

use crate::commands::{App, errors};
use crate::postgres::control::upgrades;

impl App {
    /// The upgrade with this id, or the newest one.
    pub(super) async fn find_upgrade(&self, id: Option<&str>) -> Result<Upgrade, ApiError> {
        let pool = self.control.pool();
        let found = match id {
            Some(id) => {
                let wrong = |_| {
                    let message = format!(
                        "'{}' is no id of an upgrade: see `tenantry upgrade list`",
                        id.escape_debug()
                    );
                    ApiError::invalid("upgrade", message)
                };
                upgrades::by_id(pool, UpgradeId::from_str(id).map_err(wrong)?)
                    .await
                    .map_err(errors::control)?
            }
            None => upgrades::newest(pool, 1).await.map_err(errors::control)?.pop(),
        };
        found.ok_or_else(|| {
            let message = match id {
                Some(id) => format!("there is no upgrade {id}: see `tenantry upgrade list`"),
                None => {
                    "no upgrade was begun yet: begin one with `tenantry blueprint upgrade NAME`".to_owned()
                }
            };
            ApiError::new(ErrorCode::NotFound, message).on_field("upgrade")
        })
    }

    /// The upgrade after a change that was recorded as `seq`. Wakes the round, and tells watchers.
    pub(super) async fn upgrade_changed(&self, id: UpgradeId, seq: i64) -> Result<Upgrade, ApiError> {
        // Read before the round goes on from it.
        let upgrade = upgrades::by_id(self.control.pool(), id).await.map_err(errors::control);
        self.upgrades_changed.send_modify(|changes| *changes += 1);
        self.events.publish(EventBody::Audit { seq });
        let upgrade = upgrade?;
        let upgrade = upgrade.ok_or_else(errors::internal)?;
        self.events.publish(EventBody::Upgrade { upgrade: Box::new(upgrade.clone()) });
        Ok(upgrade)
    }
}
