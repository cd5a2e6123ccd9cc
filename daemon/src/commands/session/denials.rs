//! Refused calls on their way to the audit trail. The first ones are events of their own; a flood of them is only counted, and
//! the count becomes one event.

use std::sync::Arc;

use tenantry_protocol::session::Role;

use crate::model::audit_chain::{Entry, Outcome};

use super::access::name;
use crate::commands::audit::repeats::RepeatKind;
use crate::commands::{App, Caller};

impl App {
    /// Runs in a task of its own, as all recording of denials does, so that a denial is recorded even if the caller hangs
    /// up.
    pub(super) async fn record_denial(self: &Arc<Self>, caller: &Caller, needed: Role, action: &'static str) {
        tracing::warn!(uid = caller.uid, action, "denied");
        let (actor, what) = (self.actor(caller), RepeatKind::Denied(action));
        let Some(unrecorded) = self.repeats.count(&actor, what, None) else { return };
        let mut entry = Entry::new(action, actor).fact("needs", name(needed));
        entry.outcome = Some(Outcome::Denied);
        if unrecorded > 0 {
            entry = entry.fact("unrecorded", unrecorded);
        }
        let app = Arc::clone(self);
        let record = async move {
            // The answer is "denied" even if it cannot be recorded: a denied request has no effect that would need a
            // record.
            if let Err(error) = app.record_alone(&entry).await {
                tracing::error!(error = %error.explain(), "a denial could not be recorded");
                app.repeats.put_back(&entry.actor, what, None, unrecorded + 1);
            }
        };
        self.in_a_task(record).await;
    }
}
