//! The console in a pseudo terminal, by keys alone.

use tenantry_harness::console::Console;
use tenantry_harness::rpc::context;
use tenantry_harness::{Env, Folder};
use tenantry_protocol::operation::CancelRequest;
use tenantry_protocol::tenant::Credentials;

pub(crate) const ESCAPE: &str = "\u{1b}";
pub(crate) const ENTER: &str = "\r";
pub(crate) const CTRL_S: &str = "\u{13}";
pub(crate) const CTRL_X: &str = "\u{18}";
/// From a cold start to an existing tenant, without the text that is typed.
const KEYS_TO_A_TENANT: usize = 12;

pub(crate) fn open(env: &Env) -> Console {
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

/// Enter moves on from each field; the plan's hash is only on the last page.
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

/// Presses keys, waits for what they lead to, and counts them.
pub(crate) struct Keys {
    pub(crate) console: Console,
    pressed: usize,
}

impl Keys {
    pub(crate) fn at(env: &Env) -> Self {
        Self { console: open(env), pressed: 0 }
    }

    #[track_caller]
    pub(crate) fn press(&mut self, key: &str, leads_to: &str) -> String {
        self.pressed += 1;
        self.console.type_keys(key);
        self.console.wait_for_text(leads_to)
    }

    #[track_caller]
    pub(crate) fn type_text(&mut self, text: &str, leads_to: &str) -> String {
        self.console.type_keys(text);
        self.console.wait_for_text(leads_to)
    }
}

/// The text on the screen that follows a word at the beginning of a line.
fn fact(screen: &str, name: &str) -> String {
    let line = screen.lines().find_map(|line| line.trim_start().strip_prefix(name));
    line.unwrap_or_else(|| panic!("no {name} in\n{screen}")).trim().to_owned()
}

#[tokio::test]
async fn the_whole_journey_is_made_by_keys_alone() {
    let env = Env::new().await;
    let mut keys = Keys::at(&env);

    keys.press("n", "1 details");
    keys.type_text("Acme GmbH", "acme-gmbh");
    keys.press(ENTER, "connection limit");
    keys.press(ENTER, "approve and run");
    keys.press(CTRL_S, "acme-gmbh is active");
    assert!(keys.pressed <= KEYS_TO_A_TENANT, "{} keys", keys.pressed);
    let made = env.tenant("acme-gmbh").await.tenant;
    assert_eq!(made.state.name(), "active");

    let shown = keys.press("c", "shown this once");
    let login = Credentials {
        slug: made.slug.clone(),
        role: fact(&shown, "role"),
        password: Some(fact(&shown, "password")),
        host: fact(&shown, "host"),
        port: fact(&shown, "port").parse().unwrap(),
        database: fact(&shown, "database"),
        issued_at: made.created_at,
    };
    env.psql(&login, "select count(*) from users").await.assert_status(0);
    keys.press("y", "sent to your terminal");
    let closed = keys.press(ESCAPE, "c sets a new secret");
    assert!(!closed.contains(login.password.as_deref().unwrap()), "the secret is still there\n{closed}");

    let trail = keys.press("a", "credentials.issue");
    assert!(trail.contains("tenant:acme-gmbh") && trail.contains("provision"), "{trail}");
    keys.press(ESCAPE, "c sets a new secret");
    keys.press(ENTER, "isolation");
    let asked = keys.press("R", "26 tables");
    for effect in [made.placement.as_str(), "An archive is made", &login.role, "Acme GmbH"] {
        assert!(asked.contains(effect), "{effect} is not named\n{asked}");
    }
    keys.type_text("acme-gmbh", "ctrl-x");
    keys.press(ENTER, "enter removes nothing");
    assert_eq!(env.tenant("acme-gmbh").await.tenant.state.name(), "active");
    keys.press(CTRL_X, "rollback of acme-gmbh: done");
    env.assert_clean_slate(&made.placement).await;
    keys.press(ESCAPE, "rolled back");

    keys.console.type_keys("\u{3}");
    let (status, bytes) = keys.console.wait_for_end();
    assert_eq!(status.exit_code(), 0);
    let written = String::from_utf8_lossy(&bytes);
    assert!(written.contains("\u{1b}]52;c;"), "the copy went to the terminal");
}

#[tokio::test]
async fn what_was_typed_before_the_dialog_is_not_for_it() {
    let env = Env::new().await;
    env.provision("acme").await;
    let mut console = open(&env);
    console.wait_for_text("active");
    // One burst, as from somebody who typed ahead or pasted into the wrong window.
    console.type_keys(&format!("Racme{CTRL_X}"));
    console.wait_for_text("Roll back: type the name first");
    console.type_keys("ac");
    console.wait_for_text("roll it back: ac");
    assert_eq!(env.tenant("acme").await.tenant.state.name(), "active");
    console.type_keys(ESCAPE);
    console.wait_for_text("cancelled: nothing was done to acme");
}

#[tokio::test]
async fn a_failed_provision_is_mended_and_tried_again() {
    let env = Env::new().await;
    let broken = Folder::new(&env.dir, "broken", "1.0").migration("wrong", "create tabel x (id int);");
    env.add_blueprint(broken.path()).await;
    let mut keys = Keys::at(&env);
    keys.press("n", "1 details");
    keys.type_text("Acme", "derived from");
    keys.press(ENTER, "◂ broken ▸");
    keys.press(ENTER, "approve and run");
    let failed = keys.press(CTRL_S, "edit and retry");
    for part in ["V1__wrong.sql:1", "42601", "undone: nothing is left on local"] {
        assert!(failed.contains(part), "{part} is not said\n{failed}");
    }
    keys.press("r", "◂ broken ▸");
    keys.press("l", "◂ ledger ▸");
    keys.press("l", "◂ projects ▸");
    keys.press(ENTER, "approve and run");
    keys.press(CTRL_S, "acme is active");
    assert_eq!(env.tenant("acme").await.tenant.blueprint.as_str(), "projects");
}

#[tokio::test]
async fn the_palette_reaches_every_tenant_from_every_screen() {
    let env = Env::new().await;
    env.provision("acme").await;
    env.provision("globex").await;
    let mut keys = Keys::at(&env);
    keys.console.wait_for_text("globex");
    keys.press("a", "provision");
    keys.press(":", "command 1 of");
    keys.type_text("tenant glo", "tenant globex");
    keys.press(ENTER, "isolation");
    keys.console.wait_for_text("tenants › globex");
    keys.press(":", "command 1 of");
    keys.type_text("audit tenant:acme", "audit tenant:acme");
    let trail = keys.press(ENTER, "filter: tenant:acme");
    assert!(!trail.contains("globex"), "{trail}");
}

#[tokio::test]
async fn a_lost_daemon_leaves_a_dialog_that_says_so_and_does_nothing() {
    let mut env = Env::new().await;
    env.provision("acme").await;
    let mut keys = Keys::at(&env);
    keys.console.wait_for_text("active");
    keys.press("R", "Type its name");
    env.take_daemon().stop().await;
    keys.console.wait_for_text("✗ lost");
    keys.type_text("acme", "ctrl-x");
    keys.press(CTRL_X, "there is no connection to the daemon now");
    env.start_daemon().await;
    keys.console.wait_for_text("● live");
    assert_eq!(env.tenant("acme").await.tenant.state.name(), "active");
    keys.press(CTRL_X, "rollback of acme: done");
}

#[tokio::test]
async fn a_provision_that_died_with_the_daemon_is_shown_and_can_be_retried() {
    let mut env = Env::new().await;
    let slow = Folder::new(&env.dir, "slow", "1.0").migration("wait", "select pg_sleep(600);");
    env.add_blueprint(slow.path()).await;
    let mut keys = Keys::at(&env);
    let create = ["tenant", "create", "acme", "--blueprint", "slow", "--no-wait", "--json"];
    env.tenantry(&create).await.assert_status(0);
    keys.console.wait_for_text("◐ provisioning");
    env.take_daemon().kill().await;
    let stale = keys.console.wait_for_text("✗ lost");
    assert!(stale.contains("acme"), "what was there stays\n{stale}");
    env.start_daemon().await;
    // The next daemon builds it again. Once cancelled, it is not a living tenant any more, but an operator who saw it run
    // is told.
    keys.console.wait_for_text("◐ provisioning");
    let listed = env.tenantry(&["operation", "list", "--json"]).await.assert_status(0).json();
    let id = listed["operations"][0]["id"].as_str().expect("the operation");
    let cancelled = env.rpc().await.cancel(context(), CancelRequest { operation: id.to_owned() }).await;
    cancelled.unwrap().unwrap();
    keys.console.wait_for_text("✗ rolled back");
    keys.press("o", "edit and retry");
    keys.press("r", "◂ slow ▸");
    keys.press(ENTER, "approve and run");
}

#[tokio::test]
async fn completions_and_manual_need_no_daemon() {
    let env = Env::new().await;
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = env.tenantry(&["completions", shell]).await.assert_status(0).stdout;
        assert!(script.contains("credentials") && script.contains("discard-data"), "{shell}: {script}");
    }
    let page = env.tenantry(&["man"]).await.assert_status(0).stdout;
    assert!(page.contains(".TH tenantry 1") && page.contains("130 interrupted"), "{page}");
    let folder = env.dir.join("man");
    let folder = folder.to_str().unwrap();
    env.tenantry(&["man", "--directory", folder]).await.assert_status(2).assert_says(&["make it first"]);
    std::fs::create_dir(folder).unwrap();
    env.tenantry(&["man", "--directory", folder]).await.assert_status(0);
    let page = std::fs::read_to_string(format!("{folder}/tenantry-tenant-rollback.1")).unwrap();
    assert!(page.contains("discard"), "{page}");
}
