//! The daemon's membership of a tenant's role. It lasts as long as the server requires it: to drop, to end a session, or to
//! alter.

use super::Ready;
use crate::postgres::quote::{Value, render};

impl Ready {
    /// The statement by which the daemon's role joins `role`.
    pub(in crate::postgres) fn join(&self, role: &str) -> String {
        self.membership("grant {role} to {provisioner}", role)
    }

    /// The statement by which the daemon's role leaves `role`.
    pub(in crate::postgres) fn leave(&self, role: &str) -> String {
        self.membership("revoke {role} from {provisioner}", role)
    }

    fn membership(&self, template: &str, role: &str) -> String {
        let provisioner = Value::Identifier(&self.provisioner);
        render(template, &[("role", Value::Identifier(role)), ("provisioner", provisioner)])
    }
}
