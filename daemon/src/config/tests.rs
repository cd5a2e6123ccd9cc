//! Configurations as users write them, right and wrong, read from real files.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use clap::Parser;

use super::paths::{ServiceDirs, UserDirs};
use super::*;

const EXAMPLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/tenantryd.toml");

fn ordinary_user() -> Surroundings {
    Surroundings {
        root: false,
        service: ServiceDirs::default(),
        xdg_runtime_dir: Some("/run/user/1000".into()),
        user_dirs: Some(UserDirs {
            config: "/nonexistent/config".into(),
            data: "/home/u/.local/share/t".into(),
        }),
        temp_dir: "/tmp".into(),
    }
}

fn load_with(text: &str, arguments: &[&str]) -> Result<Config, String> {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "db.password", "hunter2\n", 0o600);
    write(dir.path(), "open.password", "hunter2\n", 0o644);
    let path = write(dir.path(), "t.toml", text, 0o644);
    let arguments =
        ["tenantryd", "--config", path.to_str().unwrap()].into_iter().chain(arguments.iter().copied());
    let arguments = Arguments::try_parse_from(arguments).unwrap();
    let shown = |error: ConfigError| error.to_string().replace(dir.path().to_str().unwrap(), "DIR");
    Config::load(&arguments, &ordinary_user()).map_err(shown)
}

fn load(text: &str) -> Result<Config, String> {
    load_with(text, &[])
}

fn write(dir: &Path, name: &str, text: &str, mode: u32) -> PathBuf {
    let path = dir.join(name);
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    path
}

fn refused(text: &str, parts: &[&str]) {
    let message = match load(text) {
        Err(message) => message,
        Ok(_) => panic!("accepted: {text}"),
    };
    for part in parts {
        assert!(message.contains(part), "{text}\n  gave: {message}\n  without: {part}");
    }
    assert!(!message.contains("hunter2"), "{message}");
}

fn embedded(config: &Config) -> &EmbeddedConfig {
    match &config.servers {
        Servers::Embedded(embedded) => embedded,
        Servers::Configured(_) => panic!("expected the private cluster"),
    }
}

const SERVERS: &str = r#"
[control]
url = "postgres://daemon@db0.example/control"
password_file = "db.password"
migrate_url = "postgres://owner@db0.example/control"
migrate_password_file = "db.password"
[[targets]]
name = "eu-1"
url = "postgres://prov@db1.example/app"
password_file = "db.password"
capacity = 10
[[targets]]
name = "eu-2"
url = "postgres://prov@db2.example/app"
password_file = "db.password"
maintenance = true
"#;

#[test]
fn the_example_is_right_and_its_defaults_are_the_defaults() {
    let example = fs::read_to_string(EXAMPLE).unwrap();
    let config = load(&example).unwrap();
    let nothing = load("").unwrap();
    assert_eq!(config.limits, nothing.limits);
    assert_eq!(config.limits, Limits::default());
    assert_eq!(config.log, nothing.log);
    assert_eq!(embedded(&config), embedded(&nothing));
}

#[test]
fn the_example_with_everything_switched_on_is_right() {
    let example = fs::read_to_string(EXAMPLE).unwrap();
    let is_key = |line: &str| line.starts_with('#') && (line.contains(" = ") || line.starts_with("#["));
    let on = |line: &str| {
        let key = line.trim_start_matches('#');
        let spaced = key.starts_with(' ');
        if is_key(line) && !spaced { key.to_owned() } else { line.to_owned() }
    };
    let text: String = example.lines().map(|line| on(line) + "\n").collect();
    let (own, rest) = text.split_once("\n[control]\n").unwrap();
    let (servers, embedded_on) = rest.split_once("\n[embedded]\n").unwrap();
    let passwords = ["control.password", "control-owner.password", "eu-1.password"];
    let servers = passwords.iter().fold(servers.to_owned(), |text, name| text.replace(name, "db.password"));
    let configured = load(&format!("{own}\n[control]\n{servers}")).unwrap();
    assert_eq!((configured.label.as_str(), configured.mode()), ("PRODUCTION", DaemonMode::Configured));
    let private = load(&format!("{own}\n[embedded]\n{embedded_on}")).unwrap();
    assert_eq!(embedded(&private).listen, Some("127.0.0.1:5433".parse().unwrap()));
}

#[test]
fn without_a_file_an_ordinary_user_gets_a_private_cluster() {
    let config = Config::load(&Arguments::default(), &ordinary_user()).unwrap();
    assert_eq!(config.mode(), DaemonMode::Embedded);
    assert_eq!(config.socket, Path::new("/run/user/1000/tenantry/tenantryd.sock"));
    assert_eq!(embedded(&config).data_dir, Path::new("/home/u/.local/share/t/cluster/data"));
    assert_eq!(embedded(&config).socket_dir, Path::new("/run/user/1000/tenantry/postgres"));
    assert!(embedded(&config).durable && config.source.is_none());
}

#[test]
fn a_moved_state_directory_takes_the_clusters_socket_along() {
    let config = load_with("state_dir = '/from/file'", &["--state-dir", "/srv/t"]).unwrap();
    assert_eq!(config.state_dir, Path::new("/srv/t"));
    assert_eq!(embedded(&config).socket_dir, Path::new("/srv/t/cluster/run"));
}

#[test]
fn root_keeps_its_things_in_the_systems_places() {
    let root = Surroundings { root: true, ..ordinary_user() };
    assert_eq!(root.default_config().unwrap(), Path::new("/etc/tenantry/tenantryd.toml"));
    assert_eq!(root.default_state_dir().unwrap(), Path::new("/var/lib/tenantry"));
    assert_eq!(root.default_socket(Path::new("/x")), Path::new("/run/tenantry/tenantryd.sock"));
    assert_eq!(root.cluster_socket_dir(Path::new("/x")), Path::new("/x/cluster/run"));
}

#[test]
fn a_service_keeps_its_things_where_systemd_says() {
    let service = ServiceDirs {
        config: Some("/etc/tenantry".into()),
        state: Some("/var/lib/tenantry".into()),
        runtime: Some("/run/tenantry".into()),
        credentials: None,
    };
    let surroundings = Surroundings { service, ..ordinary_user() };
    assert_eq!(surroundings.default_config().unwrap(), Path::new("/etc/tenantry/tenantryd.toml"));
    let state_dir = surroundings.default_state_dir().unwrap();
    assert_eq!(state_dir, Path::new("/var/lib/tenantry"));
    assert_eq!(surroundings.default_socket(&state_dir), Path::new("/run/tenantry/tenantryd.sock"));
    assert_eq!(surroundings.cluster_socket_dir(&state_dir), Path::new("/var/lib/tenantry/cluster/run"));
}

#[test]
fn an_ephemeral_daemon_lives_in_a_directory_that_goes_with_it() {
    let arguments = Arguments { ephemeral: true, ..Arguments::default() };
    let config = Config::load(&arguments, &ordinary_user()).unwrap();
    assert_eq!(config.mode(), DaemonMode::Ephemeral);
    let dir = config.state_dir.clone();
    assert!(dir.is_dir() && config.socket.starts_with(&dir) && !embedded(&config).durable);
    drop(config);
    assert!(!dir.exists());
}

#[test]
fn servers_are_read_with_their_passwords() {
    let config = load(SERVERS).unwrap();
    let Servers::Configured(servers) = &config.servers else { panic!("expected servers") };
    assert_eq!(servers.control.runtime.user(), "daemon");
    assert_eq!(servers.control.owner.as_ref().unwrap().user(), "owner");
    let names: Vec<_> = servers.targets.iter().map(|target| target.name.as_str()).collect();
    assert_eq!(names, ["eu-1", "eu-2"]);
    assert_eq!((servers.targets[0].capacity, servers.targets[1].maintenance), (Some(10), true));
    assert!(servers.targets[0].connection.has_password());
    assert!(!format!("{config:?}").contains("hunter2"));
}

#[test]
fn a_mistyped_file_is_refused_at_its_line() {
    refused("lable = 'X'", &["DIR/t.toml:1:1: ", "unknown field `lable`", "`label`"]);
    refused("\n[limits]\nlock_timeout = 5", &[":3:1: ", "lock_timeout_ms"]);
    refused("[log]\nlevel = 'loud'", &[":2:", "`info`"]);
    refused("label = ", &[":1:"]);
    refused("[control]\nurl = 5", &[":2:", "string"]);
}

#[test]
fn values_out_of_bounds_are_refused_with_the_bounds() {
    refused("label = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ'", &[":1: label", "at most 24"]);
    refused("label = \"a\\u001bb\"", &["label", "printable"]);
    refused("state_dir = 'here'", &["state_dir", "absolute"]);
    refused("[limits]\nlock_timeout_ms = 1", &[":2: limits.lock_timeout_ms must be from 10 to 600000"]);
    let limits = "[limits]\nmax_connections_per_target = 4\nmax_operations_per_target = 5";
    refused(limits, &[":3: limits.max_operations_per_target must be from 1 to 4"]);
    refused("[embedded]\nlisten = '0.0.0.0:5433'", &[":2: embedded.listen", "not a loopback"]);
    refused("[embedded]\nlisten = 'localhost'", &["127.0.0.1:5433"]);
    refused("[embedded]\nlisten = '127.0.0.1:80'", &["1024"]);
}

#[test]
fn a_socket_path_that_is_too_long_is_refused_before_anything_is_made() {
    let long = "x".repeat(101);
    refused(&format!("socket = '/run/{long}/s'"), &["the system allows 107", "shorter"]);
    refused(&format!("state_dir = '/srv/{long}'"), &["state_dir", ".s.PGSQL.5432", "107"]);
}

#[test]
fn servers_are_whole_or_absent() {
    refused("[control]\nurl = 'postgres://u@h/d'", &["[control] is given, but no [[targets]]"]);
    refused(
        "[[targets]]\nname = 'abc'\nurl = 'postgres://u@h/d'",
        &["[[targets]] are given, but no [control]"],
    );
    refused(&format!("{SERVERS}\n[embedded]\n"), &["[embedded] can't stand beside"]);
    refused(&SERVERS.replace("eu-2", "eu-1"), &[":13: targets.name", "two targets"]);
    refused(&SERVERS.replace("eu-2", "EU 2"), &[":13: targets.name", "lower-case"]);
    refused(&SERVERS.replace("capacity = 10", "capacity = 0"), &["targets.capacity must be from 1"]);
    let error = load_with(SERVERS, &["--ephemeral"]).unwrap_err();
    assert!(error.contains("can't be used with --ephemeral"), "{error}");
}

#[test]
fn passwords_in_the_wrong_place_are_refused_unread() {
    let with = |old: &str, new: &str| SERVERS.replacen(old, new, 1);
    refused(
        &with("db.password", "none.password"),
        &[":4: control.password_file DIR/none.password", "can't be read"],
    );
    refused(&with("db.password", "open.password"), &["readable by every user", "chmod 0600"]);
    refused(&with("daemon@", "daemon:hunter2@"), &[":3: control.url", "mode 0644", "password_file"]);
    refused(&with("migrate_url = \"postgres://owner@db0.example/control\"", ""), &["without migrate_url"]);
}

#[test]
fn people_nobody_knows_are_refused() {
    let config = load("[access]\nadmins = ['root']\nviewers = ['@daemon']").unwrap();
    assert_eq!(config.access.role_of(0, &[]), Some(tenantry_protocol::session::Role::Admin));
    refused("[access]\nadmins = ['no-such-user']", &[":2: access.admins", "the user 'no-such-user'"]);
    refused("[access]\nviewers = ['@no-such-group']", &["access.viewers", "the group '@no-such-group'"]);
}

#[test]
fn a_file_that_is_named_must_exist() {
    let arguments = Arguments { config: Some("/nonexistent/t.toml".into()), ..Arguments::default() };
    let error = Config::load(&arguments, &ordinary_user()).unwrap_err().to_string();
    assert!(error.contains("/nonexistent/t.toml") && error.contains("--config"), "{error}");
}
