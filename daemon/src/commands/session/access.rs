//! The policy: which role a caller has now, and whether it is sufficient.
//!
//! The policy is read at each request, so that a change of the configuration applies from the next request on.

use std::sync::Arc;

use tenantry_protocol::error::{ApiError, ErrorCode};
use tenantry_protocol::methods::Method;
use tenantry_protocol::session::Role;

use crate::model::audit_chain::{Actor, Entry};
use crate::postgres;

use crate::commands::{App, Caller};

impl App {
    /// The caller's role at this moment; `None` for everyone whom the configuration does not name.
    pub(super) fn role_of(&self, caller: &Caller) -> Option<Role> {
        if caller.uid == 0 || caller.uid == self.own_uid {
            return Some(Role::Admin);
        }
        self.settings().access.role_of(caller.uid, &caller.gids)
    }

    /// The caller as an actor, for the record.
    pub(in crate::commands) fn actor(&self, caller: &Caller) -> Actor {
        Actor {
            uid: caller.uid,
            name: caller.display(),
            role: self.role_of(caller),
            claimed: Some(caller.claims()).filter(|claims| !claims.is_empty()),
        }
    }

    /// Admits the caller if its role is the method's or higher, and records a denial.
    pub(crate) async fn authorise(
        self: &Arc<Self>,
        caller: &Caller,
        method: Method,
    ) -> Result<Role, ApiError> {
        let (needed, action, role) = (method.role, method.action, self.role_of(caller));
        match role {
            Some(role) if role >= needed && role != Role::Other => Ok(role),
            _ => {
                self.record_denial(caller, needed, action).await;
                Err(denied(caller, role, needed, action))
            }
        }
    }

    /// Records an audit event that belongs to no other change.
    pub(in crate::commands) async fn record_alone(&self, entry: &Entry) -> postgres::Result<i64> {
        let mut tx = self.trail.begin().await?;
        let seq = tx.record(entry).await?;
        tx.commit("commit an audit event").await?;
        self.events.publish(tenantry_protocol::watch::EventBody::Audit { seq });
        Ok(seq)
    }
}

pub(super) const fn name(role: Role) -> &'static str {
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
