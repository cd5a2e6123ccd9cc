//! A placement that is built to be looked at, and rolled back: nobody ever logs in to it.
//!
//! Invariant: it is made by the same statements as a tenant, except for its roles, which have no login, no group and no limits.

use super::runner::Build;
use crate::postgres::error::Result;
use crate::postgres::quote::{Value, render};
use crate::postgres::tenant_ddl;

impl Build {
    /// Makes the roles that statements can name.
    pub async fn create_blank_roles(&mut self) -> Result<()> {
        let values = [
            ("placement", Value::Placement(&self.placement)),
            ("provisioner", Value::Identifier(&self.provisioner)),
        ];
        let sql = render(tenant_ddl::BLANK_ROLES, &values);
        self.execute(sql, "create the roles of a blank placement").await
    }
}
