//! The check that the server leaves on a partition which it detaches concurrently: it says what the bounds said.
//!
//! A blank placement is one transaction, in which the partition can only be detached in the plain form, which leaves no check. No
//! statement makes the same one, since the server writes constants there in a way that it does not read.

use super::compare::{Change, Difference};
use crate::model::blueprint::{Blueprint, Migration, OutsideWork, work_of};

/// Whether the difference is such a check, of a partition that the version's files detach.
pub fn is_left_by_detachment(difference: &Difference, version: &Blueprint) -> bool {
    let is_check = difference.found.as_ref().is_some_and(|found| found.starts_with("CHECK "));
    difference.change == Change::Extra
        && difference.kind == "constraint"
        && is_check
        && detached(version).any(|partition| is_servers_check(&difference.name, &partition))
}

/// `partition.partition_column_check`, with the quotes that the names need and a number where the name was taken.
fn is_servers_check(name: &str, partition: &str) -> bool {
    let quoted = format!("\"{}\"", partition.replace('"', "\"\""));
    let of_table = |table: &str| name.strip_prefix(table).and_then(|rest| rest.strip_prefix('.'));
    let Some(constraint) = of_table(partition).or_else(|| of_table(&quoted)) else { return false };
    let constraint = constraint.trim_matches('"').trim_end_matches(|c: char| c.is_ascii_digit());
    constraint.ends_with("_check")
}

fn detached(version: &Blueprint) -> impl Iterator<Item = String> {
    let outside = version.migrations.iter().filter(|file: &&Migration| file.is_outside());
    outside.flat_map(|file| &file.statements).filter_map(|statement| match work_of(statement) {
        Some(OutsideWork::Detach { partition, .. }) => Some(partition),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::is_servers_check;

    #[test]
    fn a_check_is_the_servers_by_its_table_and_the_form_of_its_name() {
        for (name, partition, expect) in [
            ("old.old_day_check", "old", true),
            ("old.old_check1", "old", true),
            ("\"Old\".\"Old_day_check\"", "Old", true),
            ("\"order\".order_day_check", "order", true),
            ("older.older_day_check", "old", false),
            ("old.positive", "old", false),
        ] {
            assert_eq!(is_servers_check(name, partition), expect, "{name}");
        }
    }
}
