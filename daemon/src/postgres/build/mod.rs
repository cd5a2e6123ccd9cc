//! Building a tenant in one transaction, and what belongs to it: its statements, its logins, and what runs outside of it.

mod bounds;
pub mod credentials;
pub mod outside_journal;
pub mod owner_login;
pub mod runner;
pub mod secret;
pub mod tenant_ddl;
