//! The policy: which role a caller has now, and whether it is enough. Denials go to the audit trail, a few of them.

use std::sync::PoisonError;
use std::time::{Duration, Instant};

use tenantry_protocol::error::{ApiError, ErrorCode};
use tenantry_protocol::session::Role;

use crate::model::audit_chain::{Actor, Entry, Outcome};
use crate::postgres;

use super::{App, Caller};

/// Denials of the same caller and action within this time are one audit event, with their number on the next.
const DENIAL_INTERVAL: Duration = Duration::from_secs(10);
/// Pairs of caller and action that are remembered; beyond that denials are only counted in the log.
const DENIAL_PAIRS: usize = 1_024;

/// Denials of one caller and action since the last that was recorded.
#[derive(Debug)]
pub(super) struct Denials {
    recorded_at: Instant,
    unrecorded: u64,
}

impl App {
    /// The caller's role at this moment; `None` for everyone whom nobody named.
    pub(super) fn role_of(&self, caller: &Caller) -> Option<Role> {
        if caller.uid == 0 || caller.uid == self.own_uid {
            return Some(Role::Admin);
        }
        self.access.role_of(caller.uid, &caller.gids)
    }

    /// Who the caller is, for the record.
    pub(super) fn actor(&self, caller: &Caller) -> Actor {
        Actor {
            uid: caller.uid,
            name: caller.display(),
            role: self.role_of(caller),
            claimed: Some(caller.claims()).filter(|claims| !claims.is_empty()),
        }
    }

    /// Lets the caller through if its role is `needed` or higher.
    pub(super) async fn authorise(
        &self,
        caller: &Caller,
        needed: Role,
        action: &'static str,
    ) -> Result<Role, ApiError> {
        let role = self.role_of(caller);
        match role {
            Some(role) if role >= needed && role != Role::Other => Ok(role),
            _ => {
                self.record_denial(caller, needed, action).await;
                Err(denied(caller, role, needed, action))
            }
        }
    }

    async fn record_denial(&self, caller: &Caller, needed: Role, action: &'static str) {
        tracing::warn!(uid = caller.uid, action, "denied");
        let Some(unrecorded) = self.count_denial(caller.uid, action) else { return };
        let mut entry = Entry::new(action, self.actor(caller)).fact("needs", name(needed));
        entry.outcome = Some(Outcome::Denied);
        if unrecorded > 0 {
            entry = entry.fact("unrecorded", unrecorded);
        }
        // The answer is "denied" whether or not it can be recorded: nothing happens that would need a trail.
        if let Err(error) = self.record_alone(&entry).await {
            tracing::error!(error = %error.explain(), "a denial could not be recorded");
        }
    }

    /// How many went unrecorded before this one, if this one is to be recorded.
    fn count_denial(&self, uid: u32, action: &'static str) -> Option<u64> {
        let mut denials = self.denials.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if denials.len() >= DENIAL_PAIRS {
            denials.retain(|_, denials| now.duration_since(denials.recorded_at) < DENIAL_INTERVAL);
        }
        let full = denials.len() >= DENIAL_PAIRS;
        match denials.get_mut(&(uid, action)) {
            Some(known) if now.duration_since(known.recorded_at) < DENIAL_INTERVAL => {
                known.unrecorded += 1;
                None
            }
            Some(known) => {
                known.recorded_at = now;
                Some(std::mem::take(&mut known.unrecorded))
            }
            None if full => None,
            None => {
                denials.insert((uid, action), Denials { recorded_at: now, unrecorded: 0 });
                Some(0)
            }
        }
    }

    /// An audit event that belongs to no other change.
    pub(super) async fn record_alone(&self, entry: &Entry) -> postgres::Result<i64> {
        let mut tx = self.trail.begin().await?;
        let seq = tx.record(entry).await?;
        tx.commit("commit an audit event").await?;
        self.events.publish(tenantry_protocol::watch::EventBody::Audit { seq });
        Ok(seq)
    }
}

const fn name(role: Role) -> &'static str {
    match role {
        Role::Viewer => "viewer",
        Role::Operator => "operator",
        Role::Admin => "admin",
        Role::Other => "unknown",
    }
}

fn denied(caller: &Caller, role: Option<Role>, needed: Role, action: &str) -> ApiError {
    let needed = name(needed);
    let has = role.map_or("no role".to_owned(), |role| format!("the role {}", name(role)));
    ApiError::new(
        ErrorCode::Denied,
        format!(
            "{action} needs the role {needed}, and {} has {has}: an administrator adds the user or one of its groups \
             to [access] {needed}s in the daemon's configuration",
            caller.display()
        ),
    )
}
