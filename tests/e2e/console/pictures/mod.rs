//! The pictures of the console in docs/pictures: a tour by keys on a real daemon, drawn from what the terminal shows.
//!
//! `TENANTRY_DRAW=1` (`make pictures`) writes them. Without it the tour still runs, so that the pictures can always be
//! drawn. They contain no secret: the one that is shown is overwritten before anything is drawn.

mod palette;
mod svg;

use std::collections::BTreeMap;
use std::path::PathBuf;

use tenantry_harness::binaries::project_dir;
use tenantry_harness::rpc::context;
use tenantry_harness::{Env, Folder};
use tenantry_protocol::tenant::TenantChangeRequest;

use crate::console::screens::{CTRL_S, ENTER, Keys};
use svg::Picture;

/// Each picture's name and its text alternative, for readers who cannot see it.
const PICTURES: &[(&str, &str)] = &[
    ("tenants", "The list of tenants, each with its state, blueprint, target and age"),
    ("operation", "A provision that runs: its steps, how far it is, and its time against the budget"),
    ("plan", "The wizard's third step: the plan with its steps and its hash, before anything is done"),
    ("credentials", "Credentials of a new tenant, shown once, with what copies them"),
    ("failure", "A provision that failed: file and line, the cause, and that all of it was undone"),
    ("rollback", "The dialog before a rollback: what exactly will be removed, and the name being typed"),
    ("audit", "The audit trail: who did what to whom, with the details of the event that is selected"),
    ("palette", "The command palette with the commands that match what was typed"),
    ("help", "The keys that work on this screen"),
];

#[derive(Default)]
struct Album(BTreeMap<&'static str, Picture>);

impl Album {
    /// Takes the picture of that name once the text is on the screen.
    #[track_caller]
    fn take(&mut self, name: &'static str, keys: &Keys, when: &str) -> &mut Picture {
        assert!(PICTURES.iter().any(|(known, _)| *known == name), "no picture is called {name}");
        self.0.entry(name).insert_entry(Picture::of(&keys.console.wait_for_frame(when))).into_mut()
    }

    /// Draws all pictures, and writes them if that was requested.
    fn show(&self) {
        for (name, title) in PICTURES {
            let svg = self.0[name].to_svg(title);
            if std::env::var_os("TENANTRY_DRAW").is_some() {
                std::fs::write(folder().join(format!("{name}.svg")), svg).unwrap();
            }
        }
    }
}

#[tokio::test]
async fn the_console_is_as_the_pictures_show_it() {
    let env = Env::with_config(tenantry_harness::Cluster::shared(), "label = \"STAGING\"").await;
    furnish(&env).await;
    let mut album = Album::default();
    the_list(&env, &mut album);
    a_new_tenant(&env, &mut album);
    a_failure(&env, &mut album);
    a_removal(&env, &mut album);
    the_trail(&env, &mut album);
    album.show();
}

fn folder() -> PathBuf {
    project_dir().join("docs/pictures")
}

/// Makes tenants in several states, one of which is still being provisioned.
async fn furnish(env: &Env) {
    for (slug, name) in [
        ("globex", "Globex"),
        ("initech", "Initech"),
        ("umbrella", "Umbrella"),
        ("wayne", "Wayne Enterprises"),
    ] {
        let create = ["tenant", "create", slug, "--name", name, "--blueprint", "projects@1.0"];
        env.tenantry(&create).await.assert_status(0);
    }
    let request = TenantChangeRequest { slug: "umbrella".into(), idempotency_key: None };
    let suspended = env.rpc().await.suspend(context(), request).await.unwrap().unwrap();
    env.wait_for_operation(&suspended.operation.id.to_string(), "succeeded").await;
    let orders = Folder::new(&env.dir, "shop", "1.3")
        .migration("customers", "create table customers (id bigint primary key, name text not null);")
        .migration(
            "orders",
            "create table orders (\n    id bigint primary key,\n    customer_id bigint references customer (id)\n);\n",
        );
    env.add_blueprint(orders.path()).await;
    let slow = Folder::new(&env.dir, "analytics", "2.0")
        .migration("events", "create table events (id bigint primary key, at timestamptz not null);")
        .migration("sessions", "create table sessions (id bigint primary key);")
        .migration("backfill", "select pg_sleep(600);");
    env.add_blueprint(slow.path()).await;
    let create = ["tenant", "create", "stark", "--name", "Stark", "--blueprint", "analytics", "--no-wait"];
    env.tenantry(&create).await.assert_status(0);
}

fn the_list(env: &Env, album: &mut Album) {
    let mut keys = Keys::at(env);
    keys.console.wait_for_text("◐ provisioning");
    album.take("tenants", &keys, "wayne");
    keys.press("?", "scroll");
    album.take("help", &keys, "scroll");
    keys.press("\u{1b}", "wayne");
    keys.press(":", "command 1 of");
    keys.type_text("tenant", ": tenant");
    album.take("palette", &keys, ": tenant");
    keys.press("\u{1b}", "wayne");
    keys.press("O", "1 running");
    keys.press(ENTER, "leave it running");
    album.take("operation", &keys, "2 of 3");
}

fn a_new_tenant(env: &Env, album: &mut Album) {
    let mut keys = Keys::at(env);
    keys.press("n", "1 details");
    keys.type_text("Acme GmbH", "acme-gmbh");
    keys.press(ENTER, "connection limit");
    choose(&mut keys, "projects");
    keys.press(ENTER, "approve and run");
    album.take("plan", &keys, "approve and run");
    keys.press(CTRL_S, "acme-gmbh is active");
    let shown = keys.press("c", "shown this once");
    let secret = fact(&shown, "password").to_owned();
    let picture = album.take("credentials", &keys, "shown this once");
    picture.replace(&secret, "shown-here-instead-of-the-secret".chars().cycle());
    let (text, part) = (picture.text(), secret.get(..8).unwrap());
    assert!(!text.contains(part), "the secret is in the picture");
}

fn a_failure(env: &Env, album: &mut Album) {
    let mut keys = Keys::at(env);
    keys.press("n", "1 details");
    keys.type_text("Hooli", "derived from");
    keys.press(ENTER, "connection limit");
    choose(&mut keys, "shop");
    keys.press(ENTER, "approve and run");
    keys.press(CTRL_S, "edit and retry");
    album.take("failure", &keys, "undone");
}

fn a_removal(env: &Env, album: &mut Album) {
    let mut keys = Keys::at(env);
    keys.console.wait_for_text("globex");
    keys.press(":", "command 1 of");
    keys.type_text("tenant globex", "tenant globex");
    keys.press(ENTER, "isolation");
    keys.press("R", "25 tables");
    keys.type_text("globex", "ctrl-x");
    album.take("rollback", &keys, "ctrl-x");
}

fn the_trail(env: &Env, album: &mut Album) {
    let mut keys = Keys::at(env);
    keys.press("a", "credentials.issue");
    album.take("audit", &keys, "credentials.issue");
}

/// Steps through the blueprints to the requested one.
#[track_caller]
fn choose(keys: &mut Keys, blueprint: &str) {
    let chosen = |screen: &str| {
        screen.split_once("◂ ").and_then(|(_, rest)| Some(rest.split_once(" ▸")?.0.to_owned()))
    };
    loop {
        let now = chosen(&keys.console.wait_for_text("◂ ")).unwrap();
        if now == blueprint {
            return;
        }
        keys.console.type_keys("l");
        keys.console
            .wait_for_screen("another blueprint", |screen| chosen(screen).is_some_and(|new| new != now));
    }
}

/// The text on the screen that follows a word at the beginning of a line.
#[track_caller]
fn fact<'a>(screen: &'a str, name: &str) -> &'a str {
    let line = screen.lines().find_map(|line| line.trim_start().strip_prefix(name));
    line.unwrap_or_else(|| panic!("no {name} in\n{screen}")).trim()
}

#[test]
fn the_readme_shows_pictures_that_are_there() {
    let readme = std::fs::read_to_string(project_dir().join("README.md")).unwrap();
    let shown: Vec<&str> = readme
        .match_indices("](docs/pictures/")
        .filter_map(|(at, found)| readme[at + found.len()..].split_once(".svg)"))
        .map(|(name, _)| name)
        .collect();
    assert!(shown.len() >= 3, "the README shows the console: {shown:?}");
    for name in shown {
        assert!(PICTURES.iter().any(|(known, _)| *known == name), "{name}.svg is drawn by nothing");
        assert!(folder().join(format!("{name}.svg")).exists(), "{name}.svg is not there: make pictures");
    }
}
