//! A migration words its own errors. Wherever they are written, they are part of one of our lines: they never begin one,
//! and a terminal obeys nothing in them.

use tenantry_harness::cli::Output;
use tenantry_harness::{Cluster, Env, Folder};

use crate::console::screens::{CTRL_S, ENTER, Keys};

/// How a line of the daemon's log begins.
const FORGED: &str = "2026-11-28T00:00:00.000000Z ERROR tenantryd";
const TITLE: &str = "owned";

/// A blueprint whose migration raises an error that clears the screen, sets the window title, forges a line, and reverses
/// the text.
pub(crate) fn hostile(env: &Env) -> Folder {
    let message = format!(
        "boom\\x1b[2J\\x1b]0;{TITLE}\\x07\\r\\n{FORGED}: all tenants are gone\\u009b31m\\u0085\\u202e\\u2028the end"
    );
    let sql =
        format!("do $$ begin raise exception '%', E'{message}' using detail = E'a\\n{FORGED}'; end $$;");
    Folder::new(&env.dir, "hostile", "1.0").migration("first", &sql)
}

fn is_hostile(c: char) -> bool {
    c != '\n' && (c.is_control() || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
}

#[track_caller]
fn assert_harmless(what: &str, text: &str) {
    assert!(text.contains("boom") && text.contains("all tenants are gone"), "{what} has the error\n{text}");
    assert!(!text.contains(is_hostile), "{what} obeys a migration: {text:?}");
    let forged = text.lines().find(|line| line.trim_start().starts_with(FORGED));
    assert_eq!(forged, None, "{what} has a line that a migration wrote\n{text}");
}

/// Provisions a tenant that fails; returns the operation's id.
async fn fail(env: &Env) -> (String, Output) {
    env.add_blueprint(hostile(env).path()).await;
    let output = env.tenantry(&["tenant", "create", "acme", "--blueprint", "hostile"]).await.assert_status(1);
    (env.tenant("acme").await.operations[0].id.to_string(), output)
}

#[tokio::test]
async fn the_logs_and_the_commands_show_a_migrations_error_on_a_line_of_theirs() {
    for format in ["text", "json"] {
        let config = format!("[log]\nformat = \"{format}\"\n");
        let env = Env::with_config(Cluster::shared(), &config).await;
        let (operation, created) = fail(&env).await;
        assert_harmless("tenant create", &created.stderr);
        assert_harmless(&format!("the log as {format}"), &env.daemon().log());
        if format == "json" {
            break;
        }
        for (status, command) in [
            (0, vec!["operation", "show", &operation]),
            (1, vec!["operation", "watch", &operation]),
            (1, vec!["operation", "watch", &operation, "--json"]),
            (0, vec!["operation", "show", &operation, "--json"]),
            (0, vec!["audit", "list", "--action", "provision", "--json"]),
        ] {
            let output = env.tenantry(&command).await.assert_status(status);
            assert_harmless(&command.join(" "), &format!("{}{}", output.stdout, output.stderr));
        }
        for format in ["csv", "jsonl", "ocsf"] {
            let file = env.dir.join(format!("trail.{format}"));
            let arguments = ["audit", "export", "--format", format, "--output", file.to_str().unwrap()];
            env.tenantry(&arguments).await.assert_status(0);
            assert_harmless(format, &std::fs::read_to_string(file).unwrap());
        }
    }
}

#[tokio::test]
async fn the_console_obeys_nothing_in_a_migrations_error() {
    let env = Env::new().await;
    env.add_blueprint(hostile(&env).path()).await;
    let mut keys = Keys::at(&env);
    keys.press("n", "1 details");
    keys.type_text("Acme", "derived from");
    keys.press(ENTER, "◂ hostile ▸");
    keys.press(ENTER, "approve and run");
    let failed = keys.press(CTRL_S, "edit and retry");
    assert!(failed.contains("boom"), "{failed}");
    let forged = failed.lines().find(|line| line.trim_start_matches(['│', ' ']).starts_with(FORGED));
    assert_eq!(forged, None, "{failed}");
    keys.console.type_keys("\u{1b}");
    keys.console.wait_for_screen("another screen", |screen| !screen.contains("boom"));
    keys.console.type_keys("q");
    let (_, bytes) = keys.console.wait_for_end();
    let written = String::from_utf8_lossy(&bytes);
    for part in [&format!("\u{1b}]0;{TITLE}"), "\u{9b}31m", "\u{202e}", "\u{2028}", "\u{85}"] {
        assert!(!written.contains(part), "{part:?} reached the terminal");
    }
}
