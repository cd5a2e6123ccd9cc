//! Runs a lint of the catalog. A tenant can create any number of its rows, so each step (describing, counting, fetching)
//! handles no more rows than are kept.

use sqlx::{AssertSqlSafe, PgConnection, Row as _};
use tenantry_protocol::isolation::{LONGEST_EVIDENCE, MOST_OF_A_LINT};

/// At most this many rows are counted.
const MOST_COUNTED: usize = 1_000;

/// The findings of one lint: the first texts, and how many more there are among the first [`MOST_COUNTED`].
pub type LintRows = (Vec<String>, u32);

/// Runs queries that return one text for each finding, over the CTEs in `shared`, as one statement.
pub async fn found(
    connection: &mut PgConnection,
    shared: &str,
    lints: &[String],
) -> Result<Vec<LintRows>, sqlx::Error> {
    let parts = lints.iter().enumerate().map(|(number, lint)| {
        format!(
            "(select {number}, case when length(evidence) > {LONGEST_EVIDENCE} then left(evidence, {LONGEST_EVIDENCE} - 1) || '…'
                     else evidence end, count(*) over ()
              from (select evidence from ({lint}) found(evidence) limit {MOST_COUNTED}) counted limit {MOST_OF_A_LINT})"
        )
    });
    let sql = format!("with recursive {shared} {}", parts.collect::<Vec<_>>().join("\nunion all\n"));
    let mut found = vec![LintRows::default(); lints.len()];
    for row in sqlx::raw_sql(AssertSqlSafe(sql)).fetch_all(connection).await? {
        let number = usize::try_from(row.try_get::<i32, _>(0)?).unwrap_or(usize::MAX);
        let counted = row.try_get::<i64, _>(2)?.unsigned_abs();
        // The number is one of those that were put into the statement.
        let Some((texts, more)) = found.get_mut(number) else { continue };
        texts.push(row.try_get(1)?);
        *more = u32::try_from(counted.saturating_sub(texts.len() as u64)).unwrap_or(u32::MAX);
    }
    Ok(found)
}
