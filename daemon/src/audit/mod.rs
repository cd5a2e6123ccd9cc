//! The audit trail's writer: turns an entry into a link of the chain, inside the caller's transaction.
//!
//! Fail closed: an entry that cannot be written fails the transaction that it belongs to. Call it last before the commit,
//! because it locks the chain's head.

use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::model::audit_chain::{self, Entry};
use crate::postgres::{self, audit_rows};

/// Appends `entry`; gives its `seq`.
pub async fn record(tx: &mut PgConnection, entry: &Entry) -> postgres::Result<i64> {
    let at_us = OffsetDateTime::now_utc().unix_timestamp_nanos() / 1_000;
    let sealed = audit_chain::seal(entry, i64::try_from(at_us).unwrap_or(i64::MAX), rand::random)
        .map_err(|error| postgres::Error::Corrupt { what: "an audit entry", why: error.to_string() })?;
    audit_rows::append(tx, &sealed).await
}
