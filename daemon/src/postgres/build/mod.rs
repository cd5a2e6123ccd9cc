//! Building a tenant in one transaction, and what belongs to it: its runner, and what runs outside of it.

mod bounds;
pub mod outside_journal;
pub mod owner_login;
pub mod runner;
