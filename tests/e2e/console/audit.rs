//! The audit trail in a pseudo terminal: searched, read, verified and exported to a file, by keys alone.

use std::os::unix::fs::PermissionsExt as _;

use tenantry_harness::Env;
use tenantry_harness::trail::tamper::{Class, Tamperer};

use crate::console::screens::{ENTER, ESCAPE, Keys};

const TAB: &str = "\t";
const BACKSPACE: &str = "\u{7f}";

#[tokio::test]
async fn the_trail_is_searched_read_verified_and_exported_by_keys_alone() {
    let env = Env::new().await;
    env.provision("acme").await;
    env.provision("globex").await;
    let mut keys = Keys::at(&env);
    keys.console.wait_for_text("globex");

    keys.press("a", "· live");
    keys.press("/", "filter:");
    keys.type_text("tenant:acme action:provision outcome:ok since:1h", "since:1h");
    let found = keys.press(ENTER, "1 event");
    assert!(found.contains("provision") && !found.contains("globex"), "{found}");
    let event = keys.press(ENTER, "audit › ");
    assert!(
        event.contains("outcome    ok") && event.contains("acme") && event.contains("operation"),
        "{event}"
    );
    keys.press(ENTER, "provision acme");
    keys.press(ESCAPE, "audit › ");
    keys.press(ESCAPE, "1 event");

    keys.press("v", "✓ the trail is whole");
    keys.press("V", "audit › verification");
    keys.press(ESCAPE, "chain ✓ verified to");

    let file = env.dir.join("acme.jsonl");
    keys.press("e", "audit-acme-");
    keys.press(TAB, "▌file");
    keys.type_text(&BACKSPACE.repeat(40), "▌file");
    keys.type_text(file.to_str().unwrap(), "acme.jsonl");
    keys.press(ENTER, "✓ 1 event in ");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains("\"type\":\"header\"") && text.contains("\"type\":\"end\""), "{text}");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);

    // Once nothing narrows the list, new events appear without another key; the export itself is among them.
    let all = keys.press(ESCAPE, "audit.export");
    assert!(all.contains("globex"), "{all}");
    env.rollback("globex").await;
    let row = keys.console.wait_for_screen("the rollback", |screen| {
        screen
            .lines()
            .any(|line| line.contains("rollback ") && line.contains("globex") && line.contains("ok"))
    });
    assert!(row.contains("· live"), "{row}");
}

#[tokio::test]
async fn a_trail_that_was_tampered_with_alarms_every_screen_and_every_command_that_looks() {
    let env = Env::new().await;
    env.provision("acme").await;
    let mut keys = Keys::at(&env);
    keys.console.wait_for_text("acme");
    let mut tamperer = Tamperer::of(&env).await;
    tamperer.save().await;
    let last = tamperer.last;
    tamperer.tamper(Class::EditPayload, 3, last).await;

    keys.press("a", "· live");
    keys.press("v", "chain ✗ edited at 3");
    let list = keys.press(ESCAPE, "✗ audit trail edited at 3");
    assert!(list.contains("acme"), "{list}");
    let anchors = env.dir.join("state/audit/anchors");
    let against = ["audit", "verify", "--anchors", anchors.to_str().unwrap()];
    let found = env.tenantry(&against).await.assert_status(6).assert_says(&["edited at 3"]);
    assert!(found.stdout.contains("✗ the trail is not what it was: edited at 3"), "{found}");
    env.tenantry(&["status"]).await.assert_status(6).assert_says(&["edited at 3"]);

    tamperer.put_back(Class::EditPayload).await;
    env.tenantry(&against).await.assert_status(0);
    env.tenantry(&["status"]).await.assert_status(0);
    keys.press("a", "chain ✓ verified to");
    let list = keys.press(ESCAPE, "enter open");
    assert!(!list.contains("audit trail edited"), "{list}");
}
