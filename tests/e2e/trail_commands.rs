//! What people get wrong about the trail's commands, where no daemon is needed to say so: each answer is a sentence that
//! says what to do, and nothing is asked of anybody.

use std::path::PathBuf;

use crate::harness::Output;
use crate::harness::cli::{run, tenantry_command};
use crate::harness::scratch::Scratch;

/// Nobody's home, and no daemon anywhere.
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
