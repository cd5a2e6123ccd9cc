//! A statement outside of transactions, as it runs where nobody else uses the tables.

use crate::model::blueprint::{OutsideWork, Statement, first_word, work_of};

/// The statement without CONCURRENTLY, which would wait for every snapshot in the database, such as that of a dump that takes hours.
pub fn plain_form(statement: &Statement) -> String {
    match work_of(statement) {
        Some(OutsideWork::CreateIndex { .. } | OutsideWork::DropIndex | OutsideWork::Reindex) => {
            without_concurrently(&statement.text)
        }
        _ => statement.text.clone(),
    }
}

/// The statement as it can run in a transaction, where its effect on the catalog counts and time does not; none if it changes
/// nothing that a later file could see.
pub fn blank_form(statement: &Statement) -> Option<String> {
    match work_of(statement) {
        Some(OutsideWork::CreateIndex { .. } | OutsideWork::DropIndex | OutsideWork::Detach { .. }) => {
            Some(without_concurrently(&statement.text))
        }
        Some(OutsideWork::Batch(batched)) => repeated(&statement.text, batched.at_most),
        Some(OutsideWork::Reindex | OutsideWork::Maintain) => None,
        Some(OutsideWork::AddValue | OutsideWork::Validate) => Some(statement.text.clone()),
        None => unlisted(&statement.text),
    }
}

/// A statement that no file outside of transactions may have for tenants that stand.
fn unlisted(text: &str) -> Option<String> {
    let first = first_word(text).to_ascii_lowercase();
    let is_of_an_index = || {
        let mut words =
            text.split_whitespace().map(str::to_ascii_lowercase).skip(1).skip_while(|word| word == "unique");
        words.next().is_some_and(|word| word == "index")
    };
    match first.as_str() {
        "vacuum" | "analyze" | "reindex" => None,
        "create" | "drop" if is_of_an_index() => Some(without_concurrently(text)),
        _ => Some(text.to_owned()),
    }
}

/// The batch, repeated until it changes no row: a later file may check what it has filled. None if the text has the quotes that it
/// would stand in.
fn repeated(text: &str, at_most: u32) -> Option<String> {
    const QUOTE: &str = "$tenantry_batch$";
    let is_free = !text.contains(QUOTE) && !text.contains("$tenantry_turns$");
    is_free.then(|| {
        format!(
            "do $tenantry_turns$ declare changed bigint; begin
                 for turn in 1..{at_most} loop
                     execute {QUOTE}{text}{QUOTE};
                     get diagnostics changed = row_count;
                     exit when changed = 0;
                 end loop;
                 if changed > 0 then
                     raise exception 'the statement still changed rows when it had run {at_most} times';
                 end if;
             end $tenantry_turns$"
        )
    })
}

/// The text without its first word `concurrently`. Comments, quoted names and what is in parentheses do not count: there it is an
/// option with a value.
fn without_concurrently(text: &str) -> String {
    const WORD: &str = "concurrently";
    let mut at = 0;
    while let Some(rest) = text.get(at..) {
        let Some(first) = rest.chars().next() else { break };
        let length = match first {
            '-' if rest.starts_with("--") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            '"' => rest[1..].find('"').map_or(rest.len(), |end| end + 2),
            '(' => rest.find(')').map_or(rest.len(), |end| end + 1),
            _ if is_of_a_word(first) => rest.find(|c| !is_of_a_word(c)).unwrap_or(rest.len()),
            _ => first.len_utf8(),
        };
        if rest[..length].eq_ignore_ascii_case(WORD) {
            return format!("{}{}", &text[..at], rest[length..].trim_start());
        }
        at += length;
    }
    text.to_owned()
}

fn is_of_a_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '$'
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::{repeated, without_concurrently};

    #[test]
    fn a_batch_is_repeated_as_one_statement_unless_its_text_could_end_the_quotes_around_it() {
        let batch = "update a set b = 1 where c in (select c from a where b is null limit 10)";
        let form = repeated(batch, 10).unwrap();
        assert!(form.starts_with("do $tenantry_turns$ ") && form.ends_with(" $tenantry_turns$"), "{form}");
        assert!(form.contains(&["execute $tenantry_batch$", batch, "$tenantry_batch$;"].concat()), "{form}");
        for text in ["update a set b = '$tenantry_batch$'", "update a set b = '$tenantry_turns$'"] {
            assert_eq!(repeated(text, 10), None);
        }
    }

    #[test]
    fn code_and_texts_keep_the_word() {
        for text in [
            "create view v as select 'built concurrently' as how",
            "create function f() returns void language sql as $$ refresh materialized view concurrently v $$",
        ] {
            assert_eq!(super::unlisted(text).as_deref(), Some(text));
        }
        let expect = Some("create unique\n index i on a (b)".to_owned());
        assert_eq!(super::unlisted("create unique\n index concurrently i on a (b)"), expect);
    }

    #[test]
    fn only_the_word_itself_is_left_out() {
        for (text, expect) in [
            ("create index concurrently a on b (c)", "create index a on b (c)"),
            ("DROP INDEX CONCURRENTLY IF EXISTS a", "DROP INDEX IF EXISTS a"),
            (
                "/* concurrently */ create unique index\n  Concurrently a on b (concurrently)",
                "/* concurrently */ create unique index\n  a on b (concurrently)",
            ),
            ("create index \"concurrently\" on b (c)", "create index \"concurrently\" on b (c)"),
            ("reindex (verbose) table concurrently a", "reindex (verbose) table a"),
            ("reindex (concurrently) table a", "reindex (concurrently) table a"),
        ] {
            assert_eq!(without_concurrently(text), expect);
        }
    }
}
