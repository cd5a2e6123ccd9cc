//! What the grammar accepts and refuses.

#![allow(clippy::unwrap_used, clippy::panic)]

use clap::CommandFactory;
use tenantry_protocol::audit::AuditFilter;
use time::macros::datetime;

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
        "tenantry tenant drift",
        "tenantry tenant drift acme --all",
        "tenantry tenant drift acme --target local",
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

fn audit(line: &str) -> Audit {
    let Some(Command::Audit(audit)) = parse(line).unwrap().command else { panic!("{line}") };
    *audit
}

#[test]
fn an_audit_filter_has_every_field_and_times_in_three_forms() {
    let Audit::List(list) = audit(
        "tenantry audit list --tenant acme --tenant-id 0193 --actor ops1 --action credentials.* --outcome denied \
         --since 2026-11-01 --until 2026-11-01 --operation 0194 --text refused --limit 7",
    ) else {
        panic!()
    };
    let filter = AuditFilter::from(list.filter);
    let said = |text: &str| Some(text.to_owned());
    let wanted = AuditFilter {
        slug: said("acme"),
        tenant_id: said("0193"),
        actor: said("ops1"),
        action: said("credentials.*"),
        outcome: said("denied"),
        since: Some(datetime!(2026-11-01 0:00 UTC)),
        until: Some(datetime!(2026-11-02 0:00 UTC)),
        operation_id: said("0194"),
        text: said("refused"),
    };
    assert_eq!(filter, wanted);
    for time in ["3h", "2026-11-01T10:00:00Z"] {
        assert!(parse(&format!("tenantry audit export --since {time} --output x")).is_ok(), "{time}");
    }
}

#[test]
fn audit_commands_refuse_what_cannot_be_meant() {
    for line in [
        "tenantry audit list --since yesterday",
        "tenantry audit list --outcome fine",
        "tenantry audit list --follow --before 7",
        "tenantry audit show 0",
        "tenantry audit verify --file x.jsonl",
        "tenantry audit verify --key x.pem",
        "tenantry audit export --format xml",
        "tenantry audit export --force",
        "tenantry audit acknowledge",
        "tenantry audit redact --confirm acme",
        "tenantry audit redact --tenant acme",
        "tenantry audit redact --tenant acme --actor ops1 --confirm acme",
        "tenantry audit hold matter-7",
        "tenantry audit prune --confirm",
        "tenantry audit prune --keep-days 90",
        "tenantry audit prune --keep-days 90 --before 2026-01-01 --confirm",
    ] {
        assert!(parse(line).is_err(), "{line}");
    }
    assert!(parse("tenantry audit prune --keep-days 90 --dry-run").is_ok());
}
