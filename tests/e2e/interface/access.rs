//! Who may do what: users that the configuration names, users that it does not, and what the audit trail records of both.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;
use tenantry_harness::cli::{Output, run, tenantry_command};
use tenantry_harness::daemon::Daemon;
use tenantry_harness::scratch::Scratch;
use tenantry_harness::{Cluster, Env, binaries, eventually, rpc};
use tenantry_protocol::audit::AuditVerifyRequest;
use tenantry_protocol::methods::Method;
use tenantry_protocol::service::METHODS;
use tenantry_protocol::session::Role;
use tokio::process::Command;

/// An account that every system has and that owns nothing.
pub(crate) const SOMEBODY: &str = "nobody";

/// A daemon whose socket another user's processes can reach.
pub(crate) struct Shared {
    pub(crate) env: Env,
    scratch: Scratch,
    pub(crate) daemon: Daemon,
}

impl Shared {
    pub(crate) async fn start(lines: &str) -> Self {
        let mut env = Env::with_config(Cluster::shared(), lines).await;
        env.take_daemon().stop().await;
        let scratch = Scratch::new();
        // A checkout may lie in a folder that is closed to others.
        binaries::copy_program(&binaries::tenantry(), &scratch.join("tenantry"));
        let daemon = Self::launch(&env, &scratch).await;
        Self { env, scratch, daemon }
    }

    async fn launch(env: &Env, scratch: &Scratch) -> Daemon {
        let (config, socket) = (env.config_path(), scratch.text("run/d.sock"));
        Daemon::start(&["--config", config.to_str().unwrap(), "--socket", &socket], &env.dir).await
    }

    /// Ends the daemon in order, and starts the next one.
    async fn restart(self) -> Self {
        let Self { env, scratch, daemon } = self;
        daemon.stop().await;
        let daemon = Self::launch(&env, &scratch).await;
        Self { env, scratch, daemon }
    }

    /// Events with that action, newest first.
    pub(crate) async fn events(&self, action: &str) -> Vec<Value> {
        let trail = self.tenantry(&["audit", "list", "--json"]).await.assert_status(0).json();
        let events = trail["events"].as_array().unwrap().iter();
        events.filter(|event| event["action"] == action).cloned().collect()
    }

    /// The client, run by the user who runs the tests.
    pub(crate) async fn tenantry(&self, arguments: &[&str]) -> Output {
        let mut all = vec!["--socket", self.daemon.socket().to_str().unwrap()];
        all.extend(arguments);
        run(tenantry_command(&all, &self.env.dir)).await
    }

    /// The client, run by another user, who reaches the socket only through a group.
    pub(crate) async fn tenantry_of_somebody(&self, arguments: &[&str]) -> Output {
        let mut command = as_somebody(&self.scratch.join("tenantry"));
        command.args(["--socket", self.daemon.socket().to_str().unwrap()]).args(arguments);
        command.env("HOME", self.scratch.path()).env_remove("TENANTRY_SOCKET");
        let output = run(command).await;
        let became = !["setpriv:", "sudo: "].iter().any(|program| output.stderr.contains(program));
        assert!(became, "this test becomes {SOMEBODY}, and this machine does not let it\n{output}");
        output
    }
}

/// Becoming another user requires root or sudo.
fn as_somebody(program: &Path) -> Command {
    let group = nix::unistd::getegid();
    let mut words = vec!["setpriv".to_owned(), format!("--reuid={SOMEBODY}"), format!("--regid={group}")];
    if !nix::unistd::geteuid().is_root() {
        words.splice(0..0, ["sudo".to_owned(), "-n".to_owned()]);
    }
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).arg("--clear-groups").arg(program).current_dir("/");
    command
}

#[tokio::test]
async fn a_user_whom_nobody_named_is_denied_and_the_trail_has_it_once() {
    let shared = Shared::start("").await;
    for _ in 0..3 {
        let denied = shared.tenantry_of_somebody(&["tenant", "list", "--json"]).await.assert_status(4);
        assert_eq!(denied.json()["error"]["code"], "denied", "{denied}");
        denied.assert_says(&[SOMEBODY, "[access]"]);
    }
    let trail = shared.tenantry(&["audit", "list", "--json"]).await.assert_status(0).json();
    let events: Vec<&Value> = trail["events"].as_array().unwrap().iter().collect();
    let denials: Vec<_> = events.iter().filter(|event| event["outcome"] == "denied").collect();
    assert_eq!(denials.len(), 1, "a flood of denials is one event: {trail}");
    assert!(denials[0]["actor"].as_str().unwrap().starts_with(SOMEBODY), "{trail}");
    assert_eq!(denials[0]["action"], "hello");
}

#[tokio::test]
async fn a_viewer_looks_and_changes_nothing() {
    let shared = Shared::start(&format!("[access]\nviewers = [\"{SOMEBODY}\"]\n")).await;
    shared.tenantry_of_somebody(&["tenant", "list"]).await.assert_status(0);
    let create = ["tenant", "create", "acme", "--blueprint", "projects@1.0"];
    let denied = shared.tenantry_of_somebody(&create).await.assert_status(4);
    denied.assert_says(&["operator", "viewer", SOMEBODY]);
    let listed = shared.tenantry(&["tenant", "list", "--json"]).await.assert_status(0).json();
    assert_eq!(listed["total"], 0, "{listed}");
}

/// Denies `somebody` each method that requires more than `role`, before anything is read, and finds each denial on record.
async fn each_higher_method_is_denied(role: Role, list: &str) {
    let shared = Shared::start(&format!("[access]\n{list} = [\"{SOMEBODY}\"]\n")).await;
    let higher: Vec<&Method> = METHODS.iter().filter(|method| method.role > role).collect();
    assert!(higher.len() >= 5, "{higher:?}");
    for method in &higher {
        let path = binaries::project_dir().join(format!("tests/golden/{}.request.json", method.name));
        let frame: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let message = frame["Request"]["message"].as_object().unwrap().values().next().unwrap();
        // What it names does not exist: a daemon that looked it up first would say so.
        let denied =
            shared.tenantry_of_somebody(&["rpc", method.name, &message["request"].to_string()]).await;
        denied.assert_status(4).assert_says(&[method.action, SOMEBODY]);
    }
    let list = ["audit", "list", "--outcome", "denied", "--limit", "500", "--json"];
    let trail = shared.tenantry(&list).await.assert_status(0).json();
    let recorded: BTreeSet<&str> =
        trail["events"].as_array().unwrap().iter().map(|event| event["action"].as_str().unwrap()).collect();
    let denied: BTreeSet<&str> = higher.iter().map(|method| method.action).collect();
    assert_eq!(recorded, denied);
}

#[tokio::test]
async fn a_viewer_is_denied_each_method_of_higher_roles_and_each_denial_is_on_record() {
    each_higher_method_is_denied(Role::Viewer, "viewers").await;
}

#[tokio::test]
async fn an_operator_is_denied_each_method_of_administrators_and_each_denial_is_on_record() {
    each_higher_method_is_denied(Role::Operator, "operators").await;
}

#[tokio::test]
async fn an_operator_provisions_under_its_own_name() {
    let shared = Shared::start(&format!("[access]\noperators = [\"{SOMEBODY}\"]\n")).await;
    let create = ["tenant", "create", "acme", "--blueprint", "projects@1.0", "--json"];
    shared.tenantry_of_somebody(&create).await.assert_status(0);
    let trail = shared.tenantry(&["audit", "list", "--json"]).await.assert_status(0).json();
    let made = trail["events"].as_array().unwrap().iter().find(|event| event["action"] == "provision");
    let actor = made.expect("the provision is in the trail")["actor"].as_str().unwrap();
    assert!(actor.starts_with(SOMEBODY), "{trail}");
}

#[tokio::test]
async fn denials_that_are_only_counted_are_on_record_before_long_though_no_other_follows() {
    let shared = Shared::start("").await;
    for _ in 0..3 {
        shared.tenantry_of_somebody(&["tenant", "list"]).await.assert_status(4);
    }
    let counted = eventually("the count is on record", async || shared.events("denials").await.pop()).await;
    assert_eq!(
        (&counted["facts"]["action"], &counted["facts"]["count"]),
        (&"hello".into(), &"2".into()),
        "{counted}"
    );
    assert_eq!(counted["outcome"], "denied");
    assert!(counted["actor"].as_str().unwrap().starts_with(SOMEBODY), "{counted}");
}

#[tokio::test]
async fn denials_that_are_only_counted_are_on_record_when_the_daemon_ends() {
    let shared = Shared::start("").await;
    for _ in 0..4 {
        shared.tenantry_of_somebody(&["tenant", "list"]).await.assert_status(4);
    }
    let shared = shared.restart().await;
    let counts: Vec<Value> =
        shared.events("denials").await.iter().map(|event| event["facts"]["count"].clone()).collect();
    assert_eq!(counts, ["3"]);
}

#[tokio::test]
async fn a_verification_that_repeats_its_verdict_is_counted_and_the_count_is_on_record() {
    const ASKED: u64 = 12;
    let shared = Shared::start(&format!("[access]\nviewers = [\"{SOMEBODY}\"]\n")).await;
    for _ in 0..ASKED {
        shared.tenantry_of_somebody(&["audit", "verify"]).await.assert_status(0);
    }
    let recorded = shared.events("audit.verify").await.len();
    let shared = shared.restart().await;
    let events = shared.events("audit.verify").await;
    // The first verification is recorded, and then one event for each ten seconds it took, which is a count or carries one.
    assert!(recorded < 6, "{recorded} events of {ASKED} verifications");
    let number =
        |event: &Value, fact: &str| event["facts"][fact].as_str().and_then(|n| n.parse::<u64>().ok());
    let told = |event: &Value| number(event, "count").unwrap_or(1 + number(event, "unrecorded").unwrap_or(0));
    assert_eq!(events.iter().map(told).sum::<u64>(), ASKED, "none goes uncounted: {events:?}");
    assert!(events.iter().all(|event| event["actor"].as_str().unwrap().starts_with(SOMEBODY)), "{events:?}");
}

#[tokio::test]
async fn who_joins_a_running_verification_is_on_record_as_who_began_it() {
    let shared = Shared::start(&format!("[access]\nviewers = [\"{SOMEBODY}\"]\n")).await;
    let mut holder = shared.env.cluster.superuser(&shared.env.control_db).await;
    let hold = "begin; lock table control.audit_detail in access exclusive mode";
    sqlx::raw_sql(hold).execute(&mut holder).await.unwrap();
    let joining = async {
        let waits = "select exists (select from pg_locks where not granted and relation = 'control.audit_detail'::regclass)";
        eventually("it runs", async || {
            let mut looker = shared.env.cluster.superuser(&shared.env.control_db).await;
            sqlx::query_scalar::<_, bool>(waits).fetch_one(&mut looker).await.unwrap().then_some(())
        })
        .await;
        let rpc = rpc::client(shared.daemon.socket()).await;
        let ask = AuditVerifyRequest { anchors: Vec::new(), trail: None };
        let joined = rpc.audit_verify(rpc::context(), ask).await.unwrap().unwrap();
        sqlx::raw_sql("rollback").execute(&mut holder).await.unwrap();
        joined
    };
    let (began, _) = tokio::join!(shared.tenantry_of_somebody(&["audit", "verify"]), joining);
    began.assert_status(0);
    let events = eventually("both are on record", async || {
        let events = shared.events("audit.verify").await;
        (events.len() == 2).then_some(events)
    })
    .await;
    let of_somebody = |event: &&Value| event["actor"].as_str().is_some_and(|name| name.starts_with(SOMEBODY));
    assert_eq!(events.iter().filter(of_somebody).count(), 1, "{events:?}");
}
