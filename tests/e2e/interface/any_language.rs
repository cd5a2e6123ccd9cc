//! What docs/automation.md promises to other languages: its own script, run verbatim.

use std::process::Stdio;

use serde_json::Value;
use tenantry_harness::Env;
use tenantry_harness::binaries::project_dir;
use tokio::process::Command;

/// The document's code block in that language.
fn block(language: &str) -> String {
    let document = std::fs::read_to_string(project_dir().join("docs/automation.md")).unwrap();
    let (_, after) = document.split_once(&format!("```{language}\n")).expect("the document has such a block");
    after.split_once("```").expect("the block ends").0.to_owned()
}

async fn run_script(env: &Env, slug: &str) -> std::process::Output {
    Command::new("python3")
        .args(["-c", &block("python"), slug])
        .env("TENANTRY_SOCKET", env.socket())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .expect("python3 can be run")
}

#[tokio::test]
async fn the_documented_python_script_provisions_a_tenant() {
    let env = Env::new().await;
    let output = run_script(&env, "from-python").await;
    let state: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    assert_eq!(state["name"], "succeeded", "{output:?}");
    assert_eq!(env.tenant("from-python").await.tenant.state.name(), "active");
}

#[tokio::test]
async fn the_documented_python_script_says_what_was_refused() {
    let env = Env::new().await;
    let output = run_script(&env, "Not A Slug").await;
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).starts_with("invalid_argument: "), "{output:?}");
}
