//! Runs a lint of the catalog. A tenant can create any number of its rows, so each step (describing, counting, fetching)
//! handles no more rows than are kept.

use sqlx::{AssertSqlSafe, PgConnection, Row as _};
use tenantry_protocol::isolation::{LONGEST_EVIDENCE, MOST_OF_A_LINT};

/// At most this many rows are counted.
const MOST_COUNTED: usize = 1_000;

/// The findings of one lint: the first texts, and how many more there are among the first [`MOST_COUNTED`].
pub type LintRows = (Vec<String>, u32);

/// Runs queries that return one text for each finding, over the CTEs in `shared`, as one statement. In a quoted text of theirs, `{name}`
/// stands for one of `names`, which are parameters: a session plans the statement once.
pub async fn found(
    connection: &mut PgConnection,
    shared: &str,
    lints: &[&str],
    names: &[(&str, &str)],
) -> Result<Vec<LintRows>, sqlx::Error> {
    let parts = lints.iter().enumerate().map(|(number, lint)| {
        format!(
            "(select {number}, case when length(evidence) > {LONGEST_EVIDENCE} then left(evidence, {LONGEST_EVIDENCE} - 1) || '…'
                     else evidence end, count(*) over ()
              from (select evidence from ({lint}) found(evidence) limit {MOST_COUNTED}) counted limit {MOST_OF_A_LINT})"
        )
    });
    // Names them all, so that each of them is a parameter of the statement.
    let given: Vec<String> = (1..=names.len()).map(|number| format!("${number}::text")).collect();
    let sql = format!(
        "with recursive given as (select {}), {shared} {}",
        given.join(", "),
        parts.collect::<Vec<_>>().join("\nunion all\n")
    );
    let mut query = sqlx::query(AssertSqlSafe(with_parameters(&sql, names)));
    for (_, value) in names {
        query = query.bind(*value);
    }
    let mut found = vec![LintRows::default(); lints.len()];
    for row in query.fetch_all(connection).await? {
        let number = usize::try_from(row.try_get::<i32, _>(0)?).unwrap_or(usize::MAX);
        let counted = row.try_get::<i64, _>(2)?.unsigned_abs();
        // The number is one of those that were put into the statement.
        let Some((texts, more)) = found.get_mut(number) else { continue };
        texts.push(row.try_get(1)?);
        *more = u32::try_from(counted.saturating_sub(texts.len() as u64)).unwrap_or(u32::MAX);
    }
    Ok(found)
}

/// Makes parameters of the names within quoted texts: `'{own}_app'` becomes `('' || $1 || '_app')`. The texts contain no quotes.
fn with_parameters(sql: &str, names: &[(&str, &str)]) -> String {
    let mut result = String::with_capacity(sql.len() * 2);
    for (number, part) in sql.split('\'').enumerate() {
        if number % 2 == 0 {
            result.push_str(part);
            continue;
        }
        let mut text = format!("'{part}'");
        for (at, (name, _)) in names.iter().enumerate() {
            text = text.replace(&format!("{{{name}}}"), &format!("' || ${} || '", at + 1));
        }
        match text.contains(" || ") {
            true => result.push_str(&format!("({text})")),
            false => result.push_str(&text),
        }
    }
    result
}

#[cfg(test)]
mod tests {
    use super::with_parameters;

    #[test]
    fn names_in_texts_become_parameters_and_nothing_else_changes() {
        let sql = "select 'a' where x !~ '^{own}_(b)$' and y{2} = '{home}'";
        let names = [("own", "t"), ("home", "u")];
        assert_eq!(
            with_parameters(sql, &names),
            "select 'a' where x !~ ('^' || $1 || '_(b)$') and y{2} = ('' || $2 || '')"
        );
    }
}
