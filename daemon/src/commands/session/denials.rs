//! Denials on their way to the audit trail; a flood of them is counted.

use std::sync::Arc;

use tenantry_protocol::session::Role;

use crate::model::audit_chain::{Entry, Outcome};

use super::access::name;
use crate::commands::audit::repeats::RepeatKind;
use crate::commands::{App, Caller};

impl App {
    /// In a task of its own, as all that is recorded of denials: a caller that hangs up is denied all the same.
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
            // The answer is "denied" whether or not it can be recorded: nothing happens that would need a trail.
            if let Err(error) = app.record_alone(&entry).await {
                tracing::error!(error = %error.explain(), "a denial could not be recorded");
                app.repeats.put_back(&entry.actor, what, None, unrecorded + 1);
            }
        };
        self.in_a_task(record).await;
    }
}
