//! What the effects about upgrades of many tenants ask of the daemon.

use tenantry_protocol::upgrade::{UpgradeChangeRequest, UpgradePlan, UpgradesRequest};

use super::super::action::Hand;
use super::super::event::{Effect, Event};
use super::super::state::upgrades;
use super::super::ticket::Ticket;
use super::{clean, fresh_key};
use crate::client::{Client, ClientError};
use crate::text;

/// `None` for an effect that is about something else.
pub(super) async fn call(effect: Effect, client: &Client) -> Option<Event> {
    match effect {
        Effect::LoadUpgrades => {
            let answer = client.upgrades(UpgradesRequest { limit: Some(upgrades::PAGE) }).await;
            Some(Event::Upgrades(clean(answer).map(|answer| text::wire(answer).upgrades)))
        }
        Effect::LoadUpgrade { ticket, id } => {
            let answer = client.upgrade_status(UpgradeChangeRequest { upgrade: Some(id.to_string()) }).await;
            let result = clean(answer.map(|status| Box::new(text::wire(status))));
            Some(Event::UpgradeStatus { ticket, result })
        }
        Effect::Steer { id, hand } => {
            let request = UpgradeChangeRequest { upgrade: Some(id.to_string()) };
            let answer = match hand {
                Hand::Pause => client.upgrade_pause(request).await,
                Hand::Resume => client.upgrade_resume(request).await,
                Hand::Cancel => client.upgrade_cancel(request).await,
                Hand::Retry => client.upgrade_retry(request).await,
            };
            Some(Event::Steered { hand, result: clean(answer.map(|upgrade| Box::new(text::wire(upgrade)))) })
        }
        Effect::PlanUpgrade { ticket, request } => Some(planned(ticket, client.upgrade_plan(*request).await)),
        Effect::RehearseUpgrade { ticket, request } => {
            Some(planned(ticket, client.upgrade_rehearse(*request).await))
        }
        Effect::BeginUpgrade { ticket, request } => {
            let answer = client.upgrade(*request).await;
            let result = clean(answer.map(|started| Box::new(text::wire(started.upgrade))));
            Some(Event::UpgradeBegun { ticket, result })
        }
        _ => None,
    }
}

fn planned(ticket: Ticket, answer: Result<UpgradePlan, ClientError>) -> Event {
    let result = clean(answer.map(|plan| Box::new(text::wire(plan))));
    Event::UpgradePlanned { ticket, key: fresh_key(), result }
}
