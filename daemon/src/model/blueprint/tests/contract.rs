//! Who is in the way of a version that takes something away, and until when.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;
use crate::model::blueprint::{SourceFile, parse};

fn second(contract: &str) -> Blueprint {
    let content = format!("name = \"shop\"\nversion = \"2.0\"\ntitle = \"Shop\"\n{contract}");
    let files = [("blueprint.toml", content.as_str()), ("V1__a.sql", "create table a (id int primary key);")];
    let files = files.map(|(path, content)| SourceFile { path: path.into(), content: content.into() });
    parse(&files).blueprint.unwrap()
}

fn day(day: i64) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp(day * 86_400).unwrap()
}

fn tenant(slug: &str, version: (u16, u16), since: i64) -> Standing<'_> {
    Standing { slug, version: BlueprintVersion::new(version.0, version.1), since: Some(day(since)) }
}

const CONTRACT: &str = "phase = \"contract\"\nafter = \"1.1\"\nsoak = \"7d\"\n";

#[test]
fn a_tenant_with_an_older_version_is_in_the_way() {
    let tenants = [tenant("acme", (1, 1), 0), tenant("birch", (1, 0), 0), tenant("cedar", (0, 9), 0)];
    let said = contract_obstacle(&second(CONTRACT), &tenants, day(90)).unwrap().to_string();
    assert!(
        said.contains("2 of 3 tenants have one of them, such as cedar with 0.9: upgrade to 1.1 first"),
        "{said}"
    );
    let said = contract_obstacle(&second(CONTRACT), &tenants[1..2], day(90)).unwrap().to_string();
    assert!(said.contains("and birch has 1.0: upgrade"), "{said}");
    assert_eq!(contract_obstacle(&second(""), &tenants, day(90)), None, "an ordinary version asks nothing");
    assert_eq!(contract_obstacle(&second(CONTRACT), &[], day(90)), None);
}

#[test]
fn the_soak_counts_from_the_last_tenant() {
    let tenants = [tenant("acme", (1, 1), 3), tenant("birch", (1, 2), 5), tenant("cedar", (2, 0), 9)];
    let young = contract_obstacle(&second(CONTRACT), &tenants, day(11)).unwrap();
    let said = young.to_string();
    assert!(matches!(young, ContractObstacle::Young { over, .. } if over == day(12)), "{said}");
    assert!(said.contains("birch") && said.contains("7 days"), "{said}");
    assert_eq!(contract_obstacle(&second(CONTRACT), &tenants, day(12)), None);
    let at_once = second("phase = \"contract\"\nafter = \"1.1\"\n");
    assert_eq!(contract_obstacle(&at_once, &tenants, day(5)), None);
    // A time that is not known is not held against the tenant.
    let unknown = [Standing { since: None, ..tenants[0] }];
    assert_eq!(contract_obstacle(&second(CONTRACT), &unknown, day(0)), None);
}

#[test]
fn a_soak_is_a_number_and_a_unit() {
    let days = |days: u64| Some(Duration::from_secs(days * 86_400));
    assert_eq!([soak("7d"), soak("1w"), soak("24h"), soak("366d")], [days(7), days(7), days(1), days(366)]);
    assert_eq!([soak("90m"), soak("0s")], [Some(Duration::from_secs(5_400)), Some(Duration::ZERO)]);
    for wrong in
        ["", "d", "7", "7 d", "-7d", "+7d", "7D", "1.5d", "367d", "99999999999999999999d", "١d", "7dd"]
    {
        assert_eq!(soak(wrong), None, "{wrong}");
    }
    assert_eq!(
        [in_words(Duration::from_secs(5_400)), in_words(Duration::from_secs(3_600))],
        ["90 minutes", "1 hour"]
    );
}
