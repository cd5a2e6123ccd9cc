//! What the grammar takes and refuses.

#![allow(clippy::unwrap_used, clippy::panic)]

use clap::CommandFactory;

use super::*;

fn parse(line: &str) -> Result<Arguments, clap::Error> {
    Arguments::try_parse_from(line.split_whitespace())
}

#[test]
fn the_grammar_is_consistent() {
    Arguments::command().debug_assert();
}

#[test]
fn global_flags_work_before_and_after_the_command() {
    for line in [
        "tenantry --json --socket /s status",
        "tenantry status --socket /s --json",
        "tenantry --json status --socket /s",
    ] {
        let arguments = parse(line).unwrap();
        assert!(arguments.global.json, "{line}");
        assert_eq!(arguments.global.socket, Some(PathBuf::from("/s")), "{line}");
    }
}

#[test]
fn create_takes_settings_labels_and_a_version() {
    let line = "tenantry tenant create acme --blueprint projects@1.2 --set connection_limit=20 --label plan=gold=x --seed";
    let Some(Command::Tenant(Tenant::Create(create))) = parse(line).unwrap().command else { panic!() };
    assert_eq!(create.settings, [("connection_limit".to_owned(), 20)]);
    assert_eq!(create.labels, [("plan".to_owned(), "gold=x".to_owned())]);
    assert!(create.seed);
    assert_eq!(name_and_version(&create.blueprint), ("projects".to_owned(), Some("1.2".to_owned())));
}

#[test]
fn wrong_values_are_usage_errors() {
    for line in [
        "tenantry tenant create acme",
        "tenantry tenant create acme --blueprint p --set x=many",
        "tenantry tenant create acme --blueprint p --label x",
        "tenantry tenant create acme --blueprint p --plan --no-wait",
        "tenantry operation list --limit 0",
        "tenantry tenant list --state asleep",
        "tenantry completions cmd.exe",
        "tenantry tenant credentials acme",
        "tenantry tenant update acme",
        "tenantry tenant retire acme",
        "tenantry tenant retire acme --confirm acme --grace 3w",
        "tenantry tenant retire acme --confirm acme --grace ä",
        "tenantry operation cancel",
    ] {
        assert!(parse(line).is_err(), "{line}");
    }
}

#[test]
fn credentials_take_the_name_before_the_action() {
    assert!(parse("tenantry tenant credentials acme issue --json").is_ok());
}

#[test]
fn a_grace_is_a_number_with_a_unit() {
    for (text, seconds) in [("30d", 2_592_000), ("12h", 43_200), ("90m", 5_400), ("45s", 45), ("0", 0)] {
        let line = format!("tenantry tenant retire acme --confirm acme --grace {text}");
        let Some(Command::Tenant(Tenant::Retire(retire))) = parse(&line).unwrap().command else { panic!() };
        assert_eq!(retire.grace, Some(seconds), "{line}");
    }
}
