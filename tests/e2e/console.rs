//! The console in a pseudo terminal, by keys alone.

use crate::harness::Env;
use crate::harness::console::Console;

const ESCAPE: &str = "\u{1b}";
const CTRL_S: &str = "\u{13}";

fn open(env: &Env) -> Console {
    let console = Console::start(&["--socket", env.socket().to_str().unwrap()], &env.dir);
    console.wait_for_text("tenants");
    console
}

#[tokio::test]
async fn tenants_are_listed_with_their_state() {
    let env = Env::new().await;
    env.provision("acme").await;
    env.provision("globex").await;
    let console = open(&env);
    let screen = console
        .wait_for_screen("both tenants", |screen| screen.contains("acme") && screen.contains("globex"));
    let row = screen.lines().find(|line| line.contains("acme")).unwrap();
    assert!(row.contains("active") && row.contains("projects 1.0") && row.contains("local"), "{screen}");
    assert!(screen.lines().next().unwrap().contains("admin"), "the role is always visible\n{screen}");
}

#[tokio::test]
async fn a_tenant_is_provisioned_by_keys_alone() {
    let env = Env::new().await;
    let mut console = open(&env);
    console.type_keys("n");
    console.wait_for_text("new tenant");
    console.type_keys("Acme GmbH");
    console.wait_for_text("acme-gmbh");
    console.type_keys("\r");
    console.wait_for_screen("the configuration", |screen| screen.contains("projects"));
    advance_to_the_plan(&mut console);
    console.wait_for_screen("the plan", |screen| screen.contains("roles") && screen.contains("migrations"));
    console.type_keys(CTRL_S);
    console.wait_for_screen("the end of the operation", |screen| {
        screen.contains("succeeded") || screen.contains("done")
    });
    assert_eq!(env.tenant("acme-gmbh").await.tenant.state.name(), "active");
    assert_eq!(env.tenant("acme-gmbh").await.tenant.display_name, "Acme GmbH");
}

/// Enter goes on from each field; the plan's hash is only on the last page.
fn advance_to_the_plan(console: &mut Console) {
    for _ in 0..12 {
        let screen = console.wait_for_text("new tenant");
        if screen.contains("plan ") && screen.contains("ctrl-s") {
            return;
        }
        console.type_keys("\r");
        console.wait_for_screen("a reaction to enter", |now| now != screen);
    }
}

#[tokio::test]
async fn escape_goes_back_without_losing_what_was_typed() {
    let env = Env::new().await;
    let mut console = open(&env);
    console.type_keys("n");
    console.wait_for_text("new tenant");
    console.type_keys("Acme GmbH");
    console.wait_for_text("acme-gmbh");
    console.type_keys("\r");
    console.wait_for_text("projects");
    console.type_keys(ESCAPE);
    console.wait_for_screen("the name again", |screen| {
        screen.contains("Acme GmbH") && screen.contains("acme-gmbh")
    });
}

#[tokio::test]
async fn every_size_shows_something_sensible() {
    let env = Env::new().await;
    env.provision("acme").await;
    let console = open(&env);
    console.wait_for_text("acme");
    for (rows, cols) in [(40, 120), (10, 40), (24, 80), (60, 200)] {
        console.resize(rows, cols);
        console.wait_for_screen(&format!("acme at {cols}x{rows}"), |screen| {
            screen.contains("acme")
                && screen.contains("tenants")
                && screen.lines().all(|line| line.chars().count() <= cols.into())
        });
    }
}

#[tokio::test]
async fn quitting_gives_the_terminal_back() {
    let env = Env::new().await;
    let mut console = open(&env);
    assert!(console.modes().0, "it uses the alternate screen");
    console.type_keys("q");
    let (status, bytes) = console.wait_for_end();
    assert_eq!(status.exit_code(), 0);
    let written = String::from_utf8_lossy(&bytes);
    let after = |needle: &str| written.rfind(needle);
    assert!(after("\u{1b}[?1049l") > after("\u{1b}[?1049h"), "leaves the alternate screen");
    assert!(after("\u{1b}[?25h") > after("\u{1b}[?25l"), "shows the cursor again");
}

#[tokio::test]
async fn a_daemon_that_goes_away_is_a_state_and_not_the_end() {
    let mut env = Env::new().await;
    env.provision("acme").await;
    let console = open(&env);
    console.wait_for_text("acme");
    env.take_daemon().stop().await;
    let screen = console.wait_for_screen("that the connection is lost", |screen| {
        screen.contains("lost") || screen.contains("reconnecting") || screen.contains("offline")
    });
    assert!(screen.contains("acme"), "what was there stays\n{screen}");
    env.start_daemon().await;
    console.wait_for_screen("the connection again", |screen| {
        !screen.contains("lost") && screen.contains("acme")
    });
}

#[tokio::test]
async fn without_a_terminal_it_names_the_subcommands() {
    let env = Env::new().await;
    env.tenantry(&[]).await.assert_status(2).assert_says(&["tenantry"]);
}
