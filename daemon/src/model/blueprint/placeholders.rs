//! Flyway's placeholders, `${name}`, filled in with the values of the manifest.
//!
//! Flyway fills them in wherever they stand, also in strings and comments, before it reads the SQL; so does this. Invariant: a value has
//! no line end, so that a statement stays in its line. This module must not judge names or values; the manifest does.

use std::collections::BTreeMap;

use super::split::line_of;

/// A placeholder without a value.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unfilled<'a> {
    pub(super) name: &'a str,
    /// Counted from 1.
    pub(super) line: u32,
}

/// The text with the values, or each name that has none, where it stands first.
pub(super) fn fill_in<'a>(
    content: &'a str,
    values: &BTreeMap<String, String>,
) -> Result<String, Vec<Unfilled<'a>>> {
    let mut filled = String::with_capacity(content.len());
    let mut unfilled: Vec<Unfilled<'a>> = Vec::new();
    let mut rest = content;
    while let Some(at) = rest.find("${") {
        let (before, from) = rest.split_at(at);
        filled.push_str(before);
        let Some((name, behind)) = from[2..].split_once('}').filter(|(name, _)| is_name(name)) else {
            filled.push_str(&from[..2]);
            rest = &from[2..];
            continue;
        };
        match values.get(name.trim()) {
            Some(value) => filled.push_str(value),
            None if unfilled.iter().any(|known| known.name == name.trim()) => {}
            None => {
                let line = line_of(content, content.len() - from.len());
                unfilled.push(Unfilled { name: name.trim(), line });
            }
        }
        rest = behind;
    }
    filled.push_str(rest);
    if unfilled.is_empty() { Ok(filled) } else { Err(unfilled) }
}

/// The names of the placeholders in a text, but for Flyway's own.
pub fn placeholders_in(content: &str) -> Vec<String> {
    let found = fill_in(content, &BTreeMap::new()).err().unwrap_or_default();
    found.into_iter().map(|one| one.name.to_owned()).filter(|name| !name.contains(':')).collect()
}

/// What can be a name; braces around anything else are text.
pub(super) fn is_name(name: &str) -> bool {
    let name = name.trim();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':');
    !name.is_empty() && name.len() <= 100 && name.chars().all(plain)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn values() -> BTreeMap<String, String> {
        BTreeMap::from([("table".to_owned(), "orders".to_owned()), ("n".to_owned(), "$0${table}".to_owned())])
    }

    #[test]
    fn values_stand_wherever_a_placeholder_stood_and_are_not_read_again() {
        let filled = fill_in("create table ${table} (a text default '${ n }'); -- ${table}", &values());
        assert_eq!(filled.unwrap(), "create table orders (a text default '$0${table}'); -- orders");
        for same in ["select '$' || '{a}'", "select '${'", "select $1, $${ not a name }$$", "${}", "é${ü}"]
        {
            assert_eq!(fill_in(same, &values()).unwrap(), same);
        }
    }

    #[test]
    fn each_name_without_a_value_is_told_once_with_its_line() {
        let unfilled = fill_in("${a}\n${flyway:defaultSchema} ${a}\r\n'${b}'", &values()).unwrap_err();
        let found: Vec<(&str, u32)> = unfilled.iter().map(|one| (one.name, one.line)).collect();
        assert_eq!(found, [("a", 1), ("flyway:defaultSchema", 2), ("b", 3)]);
    }
}
