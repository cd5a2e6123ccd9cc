//! The names in a tenant's or a pool's schema that the daemon's SQL uses. The provisioner, the archiver, the verifier and
//! the lints call, read and resolve nothing that an owner of tenants' objects owns or could have replaced. Each name
//! allowed here is made anew in the transaction that calls it, runs no tenant's code, or is used in one of the tenant's own
//! logins.

use std::collections::BTreeSet;

use super::source::files;

/// The placeholders for a schema that is not the daemon's, in templates and formats.
const SCHEMAS: [&str; 8] = ["placement", "pool", "home", "own", "schema", "victim", "canary", "0"];

/// The file, the name it uses, and why that is safe.
const ALLOWED: &[(&str, &str, &str)] = &[
    ("postgres/tenant_ddl.rs", "{placement}.{placement}_run", RUNNER),
    ("postgres/build/owner_call.rs", "{0}.{0}_run", RUNNER),
    ("postgres/removal/preview.rs", "{placement}.tenantry_count", ANEW),
    ("postgres/pool_ddl.rs", "{placement}.tenantry_count", ANEW),
    ("postgres/tenancy/shared/tenant_rows.rs", "{placement}.tenantry_count", ANEW),
    ("postgres/pool_ddl.rs", "{placement}.{placement}_run", ANEW),
    ("postgres/build/as_tenant.rs", "{placement}.{placement}_run", ANEW),
    ("postgres/pool_ddl.rs", "{pool}.", "within that function, which runs as the tenant"),
    ("postgres/pool_ddl.rs", "{placement}.tenantry_at_rest", "dropped, where an earlier release made it"),
    ("postgres/pool_ddl.rs", "{placement}.tenantry_picture", "dropped, where an earlier release made it"),
    ("postgres/archive/dump_role.rs", "{schema}.{}", "the archiver logs in as a role of the tenant's"),
    ("postgres/tenant_ddl.rs", "{placement}.record", CANARY),
    ("postgres/tenant_ddl.rs", "{placement}.event", CANARY),
    ("postgres/tenant_ddl.rs", "{placement}.ticket", CANARY),
    ("postgres/canary/mod.rs", "{canary}.record", CANARY),
    ("postgres/canary/mod.rs", "{canary}.event", CANARY),
    ("postgres/canary/mod.rs", "{canary}.ticket", CANARY),
];
const RUNNER: &str = "made anew by the provisioner, and again whenever a file could have replaced it";
const ANEW: &str = "made anew in the transaction that calls it, and run as the tenant";
const CANARY: &str = "the canary is the daemon's own, and nobody's code runs in it";

/// The names in a text that are qualified with such a schema.
fn qualified(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for schema in SCHEMAS {
        let begin = format!("{{{schema}}}.");
        for (at, _) in text.match_indices(&begin) {
            let rest = &text[at + begin.len()..];
            let end = rest.find(|c: char| !(c.is_alphanumeric() || "_{}".contains(c))).unwrap_or(rest.len());
            found.insert(format!("{begin}{}", &rest[..end]));
        }
    }
    found
}

#[test]
fn the_daemon_names_nothing_of_a_tenants_that_it_did_not_just_make() {
    let mut wrong = Vec::new();
    let mut unused: BTreeSet<(&str, &str)> = ALLOWED.iter().map(|(file, name, _)| (*file, *name)).collect();
    for file in files().iter().filter(|file| file.is_rust() && file.path.starts_with("daemon/src/")) {
        // An attack runs in one of the tenant's logins.
        if file.path.contains("/isolation/probes/") {
            continue;
        }
        let path = file.path.trim_start_matches("daemon/src/");
        for name in qualified(&file.production_code()) {
            let allowed = ALLOWED.iter().find(|(file, allowed, _)| *file == path && *allowed == name);
            match allowed {
                Some((file, allowed, _)) => {
                    unused.remove(&(*file, *allowed));
                }
                None => wrong.push(format!("{path} names {name}")),
            }
        }
    }
    assert!(
        wrong.is_empty(),
        "run in a tenant's schema what was made in the same transaction:\n{}",
        wrong.join("\n")
    );
    assert!(unused.is_empty(), "nothing needs these exceptions any more: {unused:?}");
}

#[test]
fn names_are_found_wherever_they_stand() {
    let text = "select {pool}.picture() from {placement}.a_{0} join {home}.{}";
    assert_eq!(
        qualified(text).into_iter().collect::<Vec<_>>(),
        ["{home}.{}", "{placement}.a_{0}", "{pool}.picture"]
    );
}
