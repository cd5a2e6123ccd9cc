//! Manifests: what is read from them, and what is reported about an invalid one. A fault must name key and line, and must
//! not hide the next one.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;

const GOOD: &str = "name = \"shop\"\nversion = \"1.2\"\ntitle = \"Shop\"\n";

fn check(content: &str, expect: &[(u32, &str)]) {
    let mut findings = Findings::default();
    read(content, &mut findings);
    let found = findings.into_sorted();
    assert_eq!(found.len(), expect.len(), "{content}\n{found:#?}");
    for (finding, (line, part)) in found.iter().zip(expect) {
        assert!(finding.line == Some(*line) && finding.message.contains(part), "{line} {part}: {finding:?}");
        assert_eq!((finding.code.as_str(), finding.file.as_deref()), ("manifest", Some(MANIFEST)));
    }
}

#[test]
fn a_whole_manifest_is_read() {
    let mut findings = Findings::default();
    let content = format!(
        "{GOOD}tenancy = \"schema\"\nextensions = [\"citext\", \"uuid-ossp\"]\nseed = [\n  \"seed/a.sql\",\n]\n\
         [settings.seats]\ntitle = \"Seats\"\ndefault = 0x10\nmin = 1\nmax = 1_000\n"
    );
    let manifest = read(&content, &mut findings);
    assert!(findings.into_sorted().is_empty());
    assert_eq!(manifest.name.unwrap().as_str(), "shop");
    assert_eq!(manifest.version, Some(BlueprintVersion::new(1, 2)));
    assert_eq!(manifest.extensions, ["citext", "uuid-ossp"]);
    assert_eq!((manifest.seed[0].path.as_str(), manifest.seed[0].line), ("seed/a.sql", 7));
    let seats = Setting { title: "Seats".into(), default: 16, min: 1, max: 1_000 };
    assert_eq!(manifest.settings["seats"], seats);
}

#[test]
fn every_blueprint_has_the_limits_that_the_pipeline_sets() {
    for (name, bounds) in [(CONNECTION_LIMIT, (20, 1, 200)), (TEMP_FILE_LIMIT, (1_024, 16, 1_048_576))] {
        let limit = |content: &str| read(content, &mut Findings::default()).settings.remove(name).unwrap();
        let implied = limit(GOOD);
        assert_eq!((implied.default, implied.min, implied.max), bounds);
        let own = limit(&format!("{GOOD}[settings.{name}]\ntitle = \"C\"\ndefault = 50\nmin = 20\nmax = 90"));
        assert_eq!((own.default, own.min, own.max), (50, 20, 90));
    }
}

#[test]
fn faults_are_named_with_key_and_line() {
    check("", &[(1, "key name is missing"), (1, "key version is missing"), (1, "key title is missing")]);
    check("name = \"shop\nversion", &[(1, "not TOML"), (2, "not TOML")]);
    check(&format!("{GOOD}colour = 1"), &[(4, "key colour is not known here; known are name")]);
    check(&format!("{GOOD}name = \"again\""), &[(4, "duplicate key")]);
    check(
        "name = \"S\"\nversion = \"1\"\ntitle = \"\"",
        &[(1, "name: blueprint name 'S'"), (2, "MAJOR.MINOR"), (3, "title")],
    );
    check(
        "name = 1\nversion = 1.0\ntitle = \"T\"",
        &[(1, "name must be a text"), (2, "version must be a text")],
    );
    for known in ["shared", "database"] {
        check(&format!("{GOOD}tenancy = \"{known}\""), &[]);
    }
    check(&format!("{GOOD}tenancy = \"islands\""), &[(4, "does not exist")]);
    check(
        &format!("{GOOD}extensions = [\"a;b\", 1]\nseed = \"x\""),
        &[(4, "each entry"), (4, "a;b"), (5, "list of texts")],
    );
    check(&format!("{GOOD}extensions = [\n\"citext\",\n\"citext\"]"), &[(6, "twice")]);
}

#[test]
fn a_contract_names_the_version_that_does_without() {
    let read = |content: &str| read(&format!("{GOOD}{content}"), &mut Findings::default()).contract;
    let after = BlueprintVersion::new(1, 1);
    let soak = Duration::from_secs(7 * 86_400);
    assert_eq!(
        read("phase = \"contract\"\nafter = \"1.1\"\nsoak = \"7d\"\n"),
        Some(Contract { after, soak })
    );
    let at_once = Contract { after, soak: Duration::ZERO };
    assert_eq!(read("phase = \"contract\"\nafter = \"1.1\"\n"), Some(at_once));
    assert_eq!(read(""), None);
    check(&format!("{GOOD}phase = \"expand\""), &[(4, "phase \"expand\" does not exist")]);
    check(&format!("{GOOD}phase = \"contract\""), &[(4, "needs the version from which on")]);
    check(
        &format!("{GOOD}after = \"1.1\"\nsoak = \"1d\""),
        &[(4, "after is for versions with"), (5, "soak is for")],
    );
    let contract = format!("{GOOD}phase = \"contract\"\nafter = ");
    check(&format!("{contract}\"1.2\""), &[(5, "must be an earlier version than this one, and is 1.2")]);
    check(&format!("{contract}\"new\""), &[(5, "after: ")]);
    check(&format!("{contract}\"1.1\"\nsoak = \"soon\""), &[(6, "soak \"soon\" is not a length of time")]);
    check(&format!("{contract}\"1.1\"\nsoak = 7"), &[(6, "soak must be a text")]);
}

#[test]
fn faults_of_settings_are_named() {
    let setting = |rest: &str| format!("{GOOD}\n[settings.seats]\n{rest}");
    check(&setting("title = \"S\"\ndefault = 1"), &[(5, "settings.seats lacks min, max")]);
    check(
        &setting("title = \"S\"\ndefault = 9\nmin = 1\nmax = 5"),
        &[(5, "default 9 is not within min 1 and max 5")],
    );
    check(
        &setting("title = \"S\"\ndefault = 1.5\nmin = 1\nmax = 5"),
        &[(7, "settings.seats.default must be a whole number")],
    );
    check(&setting("title = \"S\"\ndefault = 1\nmin = 1\nmax = 5\nunit = \"x\""), &[(10, "key unit")]);
    check(&format!("{GOOD}settings = 1"), &[(4, "settings must be tables")]);
    check(&format!("{GOOD}[settings]\nseats = 1"), &[(5, "settings.seats must be a table")]);
    check(&format!("{GOOD}[settings.\"a b\"]\ntitle = \"S\""), &[(4, "'a b' is not allowed")]);
    let limit = "[settings.connection_limit]\ntitle = \"C\"\ndefault = 5\nmin = 0\nmax = 9";
    check(&format!("{GOOD}{limit}"), &[(4, "within 1 and 200")]);
    let limit = "[settings.temp_file_limit_mb]\ntitle = \"T\"\ndefault = 16\nmin = 16\nmax = 1048577";
    check(&format!("{GOOD}{limit}"), &[(4, "within 16 and 1048576")]);
}

#[test]
fn control_characters_do_not_reach_a_terminal() {
    let mut findings = Findings::default();
    read(&format!("{GOOD}tenancy = \"\\u001b[31m\\u202e\""), &mut findings);
    let message = findings.into_sorted().remove(0).message;
    assert!(!message.contains('\u{1b}') && !message.contains('\u{202e}'), "{message:?}");
}
