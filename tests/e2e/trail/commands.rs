//! The trail's commands without a daemon: mistakes are answered with a sentence that says what to do, and exports are
//! checked by a person who holds the key.

use std::path::{Path, PathBuf};

use tenantry_harness::cli::{run, tenantry_command};
use tenantry_harness::scratch::Scratch;
use tenantry_harness::{Env, Output};

/// A home without a daemon.
struct Alone(Scratch);

impl Alone {
    fn new() -> Self {
        Self(Scratch::new())
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    async fn tenantry(&self, arguments: &[&str]) -> Output {
        let socket = self.0.path().join("none.sock");
        let arguments = [&["--socket", socket.to_str().unwrap()], arguments].concat();
        run(tenantry_command(&arguments, self.0.path())).await
    }
}

#[tokio::test]
async fn what_cannot_be_meant_is_refused_with_what_could_be() {
    let alone = Alone::new();
    for (line, says) in [
        ("audit list --since yesterday", "2026-11-20"),
        ("audit list --outcome fine", "denied"),
        ("audit verify --file x.jsonl", "--key"),
        ("audit export --format xml", "jsonl"),
        ("audit redact --tenant acme --confirm amce", "--confirm acme"),
        ("audit prune --keep-days 90", "--confirm"),
        ("audit hold matter-7", "--reason"),
        ("audit export --json", "--output"),
    ] {
        let arguments: Vec<&str> = line.split(' ').collect();
        alone.tenantry(&arguments).await.assert_status(2).assert_says(&["tenantry:", says]);
    }
}

#[tokio::test]
async fn an_error_is_a_document_with_its_field() {
    let alone = Alone::new();
    let refused =
        alone.tenantry(&["audit", "redact", "--actor", "ops1", "--confirm", "ops2", "--json"]).await;
    let refused = refused.assert_status(2).json();
    assert_eq!(
        (&refused["error"]["code"], &refused["error"]["field"]),
        (&"invalid_argument".into(), &"confirm".into())
    );
}

#[tokio::test]
async fn files_that_are_no_keys_anchors_or_exports_are_named_before_anybody_is_asked() {
    let alone = Alone::new();
    let export = alone.file("trail.jsonl", "");
    let private = alone.file("private.pem", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    let wrong = alone.file("wrong.pem", "hello\n");
    let folder = alone.0.path().join("folder");
    std::fs::create_dir(&folder).unwrap();
    for (key, says) in [
        (&private, "it is a private key"),
        (&wrong, "tenantry audit key"),
        (&alone.0.path().join("missing.pem"), "missing.pem"),
        (&folder, "folder"),
    ] {
        let line = ["audit", "verify", "--file", export.to_str().unwrap(), "--key", key.to_str().unwrap()];
        alone.tenantry(&line).await.assert_status(2).assert_says(&["tenantry:", says]);
    }
    let anchors = alone.file("anchors", "tenantry-anchors 2 something\n");
    let line = ["audit", "verify", "--anchors", anchors.to_str().unwrap()];
    alone.tenantry(&line).await.assert_status(2).assert_says(&["anchors", "tenantry-anchors 1"]);
}

/// A key that signed nothing here: the example of RFC 8410.
const STRANGER: &str = "-----BEGIN PUBLIC KEY-----\n\
    MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n\
    -----END PUBLIC KEY-----\n";

#[tokio::test]
async fn an_export_is_verified_without_a_daemon_and_what_was_done_to_it_is_named() {
    let mut env = Env::new().await;
    env.provision("acme").await;
    let (export, csv) = (env.dir.join("trail.jsonl"), env.dir.join("trail.csv"));
    env.tenantry(&["audit", "export", "--output", export.to_str().unwrap()]).await.assert_status(0);
    let again = env.tenantry(&["audit", "export", "--output", export.to_str().unwrap()]).await;
    again.assert_status(2).assert_says(&["trail.jsonl", "exists already"]);
    let words = ["audit", "export", "--tenant", "acme", "--format", "csv"];
    let table = env.tenantry(&words).await.assert_status(0).stdout;
    std::fs::write(&csv, &table).unwrap();
    assert!(table.lines().count() > 2 && table.lines().skip(1).all(|line| line.contains("acme")), "{table}");
    let alone = Alone::new();
    let key = env.tenantry(&["audit", "key"]).await.assert_status(0).stdout;
    let (key, stranger) = (alone.file("key.pem", &key), alone.file("stranger.pem", STRANGER));
    env.take_daemon().stop().await;

    let verify = async |file: &Path, key: &Path| {
        let words = ["audit", "verify", "--file", file.to_str().unwrap(), "--key", key.to_str().unwrap()];
        alone.tenantry(&words).await
    };
    let whole = verify(&export, &key).await.assert_status(0);
    assert!(
        whole.stdout.contains("✓ the trail is whole") && whole.stdout.contains("cannot promise"),
        "{whole}"
    );
    verify(&export, &stranger).await.assert_status(6).assert_says(&["forged at"]);
    verify(&csv, &key).await.assert_status(2).assert_says(&["trail.csv", "jsonl"]);

    let text = std::fs::read_to_string(&export).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    let without = |gone: usize| {
        let left =
            lines.iter().enumerate().filter(|(at, _)| *at != gone).map(|(_, line)| format!("{line}\n"));
        left.collect::<String>()
    };
    let third = lines.iter().position(|line| line.contains("\"seq\":3,")).unwrap();
    for (name, changed, says) in [
        ("edited", text.replacen("acme", "acne", 1), "edited at"),
        ("removed", without(third), "removed at 3"),
        ("cut", without(lines.len() - 1), "cut at"),
    ] {
        let changed = alone.file(name, &changed);
        verify(&changed, &key).await.assert_status(6).assert_says(&[says]);
    }
}
