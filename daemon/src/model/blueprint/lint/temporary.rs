//! Which statements need temporary tables, as far as their words tell.

/// Whether the text has a word for temporary tables, or a statement that makes one by itself. A word in a text or a comment counts
/// as well: the privilege does no harm.
pub fn mentions_temporary(statement: &str) -> bool {
    let mut is_refresh = false;
    for word in statement.split(|c: char| !c.is_alphanumeric() && c != '_') {
        let is = |words: &[&str]| words.iter().any(|one| one.eq_ignore_ascii_case(word));
        if is(&["temp", "temporary", "pg_temp"]) || is_refresh && is(&["concurrently"]) {
            return true;
        }
        is_refresh |= is(&["refresh"]);
    }
    false
}

#[cfg(test)]
mod tests {
    use super::mentions_temporary;

    #[test]
    fn temporary_tables_are_found_by_their_words() {
        for sql in [
            "create TEMP table a (id int)",
            "create temporary view v as select 1",
            "do $$begin create temp table a as select 1; end$$",
            "select 1 into temp a",
            "create function pg_temp.f() returns int language sql as 'select 1'",
            "refresh materialized view concurrently v",
        ] {
            assert!(mentions_temporary(sql), "{sql}");
        }
        for sql in [
            "create table temperature (temperature int, template text, is_temp int)",
            "refresh materialized view v",
            "create index concurrently i on a (refresh)",
        ] {
            assert!(!mentions_temporary(sql), "{sql}");
        }
    }
}
