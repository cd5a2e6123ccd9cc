//! Runs a lint of the catalog, whose rows a tenant can make any number of: of each no more is described, counted and fetched
//! than is kept.

use sqlx::{AssertSqlSafe, PgConnection, Row as _};
use tenantry_protocol::isolation::{LONGEST_EVIDENCE, MOST_OF_A_LINT};

/// Rows that are counted, however many there are.
const MOST_COUNTED: usize = 1_000;

/// From here on the server compiles nothing on this connection: where a tenant made very much, it would take seconds for it.
pub async fn prepare(connection: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::raw_sql("set jit = off").execute(connection).await.map(drop)
}

/// The first rows of a query that gives a text each, and how many more there are of the first [`MOST_COUNTED`].
pub async fn first(connection: &mut PgConnection, lint: &str) -> Result<(Vec<String>, u32), sqlx::Error> {
    let sql = format!(
        "select case when length(evidence) > {LONGEST_EVIDENCE} then left(evidence, {LONGEST_EVIDENCE} - 1) || '…'
                     else evidence end, count(*) over ()
         from (select evidence from ({lint}) found(evidence) limit {MOST_COUNTED}) counted limit {MOST_OF_A_LINT}"
    );
    let (mut texts, mut counted) = (Vec::new(), 0);
    for row in sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(connection).await? {
        texts.push(row.try_get(0)?);
        counted = row.try_get::<i64, _>(1)?.unsigned_abs();
    }
    let more = counted.saturating_sub(texts.len() as u64);
    Ok((texts, u32::try_from(more).unwrap_or(u32::MAX)))
}
