//! Archives of tenants: made with `pg_dump`, read back with `pg_restore`.

pub mod dump;
pub mod dump_role;
pub mod login;
pub mod programs;
