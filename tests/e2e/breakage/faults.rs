//! A few of the ways to break an operation; `make torture` has all of them.

use tenantry_harness::torture::arena::{Arena, Trial};
use tenantry_harness::torture::request::Scenario;
use tenantry_harness::torture::script::{Cut, Fault, Moment, Rule};
use tenantry_harness::{Cluster, Version, binaries};

/// The operation is there as a whole or not at all, whatever these rules break.
/// Returns the operation's end.
async fn stands(arena: &mut Arena, scenario: Scenario, daemons: usize, rules: Vec<Rule>) -> String {
    let count = rules.len();
    let trial = Trial { scenario, rules, daemons, company: 0 };
    let verdict = arena.run(&trial).await;
    assert!(verdict.violations.is_empty(), "{trial:?}: {verdict:#?}");
    assert_eq!(
        verdict.struck, count,
        "everything was broken that should be: {trial:?}: {:#?}",
        verdict.trace
    );
    verdict.end
}

fn after(place: &str, fault: Fault) -> Rule {
    at(place, Moment::After, fault)
}

fn before(place: &str, fault: Fault) -> Rule {
    at(place, Moment::Before, fault)
}

fn at(place: &str, moment: Moment, fault: Fault) -> Rule {
    Rule::At { place: Some(place.to_owned()), moment: Some(moment), skip: 0, fault }
}

async fn arena() -> Arena {
    Arena::open(Cluster::private(Version::Packaged)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_daemon_killed_after_any_step_leaves_all_of_the_operation_or_nothing() {
    let mut arena = arena().await;
    for place in ["intent", "migrations", "commit", "outcome"] {
        stands(&mut arena, Scenario::Provision, 1, vec![after(place, Fault::Kill)]).await;
    }
    stands(&mut arena, Scenario::Rollback, 1, vec![after("drop_objects", Fault::Kill)]).await;
    stands(&mut arena, Scenario::Rotate, 1, vec![after("set_secret", Fault::Kill)]).await;
    let undo = [after("verify", Fault::Refuse), after("undo.drop_objects", Fault::Kill)];
    stands(&mut arena, Scenario::Provision, 1, undo.to_vec()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_runs_outside_the_transaction_is_all_there_or_not_at_all_wherever_it_breaks() {
    let mut arena = arena().await;
    for place in ["outside.login", "outside.history", "outside.file"] {
        stands(&mut arena, Scenario::ProvisionOutside, 1, vec![after(place, Fault::Kill)]).await;
    }
    for fault in [Fault::Refuse, Fault::Cut] {
        stands(&mut arena, Scenario::ProvisionOutside, 1, vec![after("outside.statement", fault)]).await;
    }
    stands(&mut arena, Scenario::ProvisionOutside, 1, vec![after("outside.batch", Fault::Refuse)]).await;
    stands(&mut arena, Scenario::ProvisionOutside, 2, vec![after("outside.statement", Fault::Stop)]).await;
    // After the commits of the intent, the build and the login: the record of a statement.
    stands(&mut arena, Scenario::ProvisionOutside, 1, vec![Rule::Commit { skip: 9, cut: Cut::Late }]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_tenant_of_shared_tables_is_all_there_or_not_at_all_wherever_it_breaks() {
    let mut arena = arena().await;
    for place in ["pool", "commit"] {
        stands(&mut arena, Scenario::ProvisionShared, 1, vec![after(place, Fault::Kill)]).await;
    }
    stands(&mut arena, Scenario::ProvisionShared, 1, vec![after("join", Fault::Lost)]).await;
    stands(&mut arena, Scenario::RollbackShared, 1, vec![after("drop_objects", Fault::Restart)]).await;
    let undo = [after("verify", Fault::Refuse), after("undo.drop_objects", Fault::Kill)];
    stands(&mut arena, Scenario::ProvisionShared, 1, undo.to_vec()).await;
    stands(&mut arena, Scenario::RollbackShared, 1, vec![after("drop_roles", Fault::Kill)]).await;
    stands(&mut arena, Scenario::RollbackShared, 2, vec![after("drop_objects", Fault::Stop)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_tenants_own_database_is_whole_or_gone_wherever_a_daemon_dies() {
    let mut arena = arena().await;
    for place in ["reserve", "create_database", "commit"] {
        stands(&mut arena, Scenario::ProvisionDatabase, 1, vec![after(place, Fault::Kill)]).await;
    }
    stands(&mut arena, Scenario::ProvisionDatabase, 1, vec![before("create_database.made", Fault::Kill)])
        .await;
    let end = stands(&mut arena, Scenario::ProvisionDatabase, 1, vec![after("verify", Fault::Kill)]).await;
    assert_eq!(end, "succeeded", "everything was built");
    for place in ["drop_objects.database", "drop_roles"] {
        stands(&mut arena, Scenario::RollbackDatabase, 1, vec![after(place, Fault::Kill)]).await;
    }
    stands(&mut arena, Scenario::RollbackDatabase, 1, vec![before("drop_objects.database", Fault::Kill)])
        .await;
    let undo = [after("verify", Fault::Refuse), after("drop_objects.database", Fault::Kill)];
    stands(&mut arena, Scenario::ProvisionDatabase, 1, undo.to_vec()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_tenants_own_database_is_whole_or_gone_however_its_making_breaks() {
    let mut arena = arena().await;
    for fault in [Fault::Lost, Fault::Cancel] {
        stands(&mut arena, Scenario::ProvisionDatabase, 1, vec![after("create_database.made", fault)]).await;
    }
    let stopped = vec![after("create_database.made", Fault::Stop)];
    stands(&mut arena, Scenario::ProvisionDatabase, 2, stopped).await;
    // The commits of the reservation, the opening and the build.
    for (skip, cut) in [(1, Cut::Late), (3, Cut::Answer), (4, Cut::Late)] {
        stands(&mut arena, Scenario::ProvisionDatabase, 1, vec![Rule::Commit { skip, cut }]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_change_whose_last_step_fails_leaves_the_tenant_as_it_was() {
    let mut arena = arena().await;
    for (scenario, place) in [
        (Scenario::Suspend, "end_sessions"),
        (Scenario::Resume, "open_logins"),
        (Scenario::Update, "apply_settings"),
        (Scenario::Rotate, "set_secret"),
    ] {
        stands(&mut arena, scenario, 1, vec![after(place, Fault::Refuse)]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_upgrade_is_all_there_or_not_at_all_wherever_it_breaks() {
    let mut arena = arena().await;
    for place in ["upgrade.file", "upgrade.commit"] {
        stands(&mut arena, Scenario::Upgrade, 1, vec![after(place, Fault::Kill)]).await;
    }
    let end = stands(&mut arena, Scenario::Upgrade, 1, vec![after("upgrade.file", Fault::Refuse)]).await;
    assert_eq!(end, "rolled_back");
    // What was committed is not undone, even if the answer was lost for good, and does not count as a failure.
    let end = stands(&mut arena, Scenario::Upgrade, 1, vec![after("upgrade.commit", Fault::Refuse)]).await;
    assert_eq!(end, "succeeded");
    // After the commits of the intent and the settings: that of the files.
    stands(&mut arena, Scenario::Upgrade, 1, vec![Rule::Commit { skip: 2, cut: Cut::Late }]).await;
    stands(&mut arena, Scenario::UpgradeDatabase, 2, vec![after("upgrade.file", Fault::Stop)]).await;
    // Behind the first COMMIT there is only the way forward, by the same daemon, by the next, or by a person.
    for fault in [Fault::Kill, Fault::Lost] {
        let end =
            stands(&mut arena, Scenario::UpgradeOutside, 1, vec![after("outside.statement", fault)]).await;
        assert_eq!(end, "succeeded");
    }
    for fault in [Fault::Kill, Fault::Cut, Fault::Stop] {
        let daemons = if fault == Fault::Stop { 2 } else { 1 };
        let rules = vec![after("outside.batch", fault)];
        assert_eq!(stands(&mut arena, Scenario::UpgradeOutside, daemons, rules).await, "succeeded");
    }
    for place in ["outside.login", "outside.batch"] {
        let rules = vec![after(place, Fault::Refuse)];
        assert_eq!(stands(&mut arena, Scenario::UpgradeOutside, 1, rules).await, "needs_attention");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_undo_that_is_refused_asks_for_a_person_at_once_and_the_command_that_it_names_leads_out() {
    let mut arena = arena().await;
    for (scenario, place) in [
        (Scenario::Resume, "open_logins"),
        (Scenario::Retire, "end_sessions"),
        (Scenario::Rollback, "end_sessions"),
        (Scenario::Rotate, "set_secret"),
    ] {
        let rules = vec![after(place, Fault::Refuse), after("undo.restore", Fault::Refuse)];
        assert_eq!(stands(&mut arena, scenario, 1, rules).await, "needs_attention", "{scenario:?}");
    }
    let rules = vec![after("verify", Fault::Refuse), after("undo.settle", Fault::Refuse)];
    assert_eq!(stands(&mut arena, Scenario::Provision, 1, rules).await, "needs_attention");
    // A step whose outcome is unknown is tried again, and may succeed.
    let rules = vec![after("verify", Fault::Refuse), after("undo.settle", Fault::Panic)];
    assert_eq!(stands(&mut arena, Scenario::Provision, 1, rules).await, "rolled_back");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_removal_is_taken_up_where_it_has_no_way_back_and_never_promises_one() {
    let mut arena = arena().await;
    for (scenario, killed) in
        [(Scenario::RollbackDatabase, "drop_objects.database"), (Scenario::Rollback, "drop_roles")]
    {
        let rules = vec![before(killed, Fault::Kill), before("drop_objects", Fault::Cancel)];
        let end = stands(&mut arena, scenario, 1, rules).await;
        assert_eq!(end, "succeeded", "{scenario:?}: a cancel comes too late");
        let rules = vec![before(killed, Fault::Kill), before("drop_objects", Fault::Refuse)];
        assert_eq!(stands(&mut arena, scenario, 1, rules).await, "needs_attention", "{scenario:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_daemon_stopped_in_the_middle_and_resumed_after_another_took_over_changes_nothing() {
    let mut arena = arena().await;
    stands(&mut arena, Scenario::Provision, 2, vec![after("migrations", Fault::Stop)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_commit_that_is_cut_anywhere_happened_or_not_and_the_operation_knows() {
    let mut arena = arena().await;
    // The commits of a provision: the intent, the build, the activation, the outcome.
    for (skip, cut) in (0..4).zip([Cut::Late, Cut::Answer, Cut::Before, Cut::After]) {
        stands(&mut arena, Scenario::Provision, 1, vec![Rule::Commit { skip, cut }]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_operation_or_a_take_over_that_panicked_is_taken_up_by_the_same_daemon() {
    let mut arena = arena().await;
    for place in ["intent", "outcome"] {
        stands(&mut arena, Scenario::Provision, 1, vec![after(place, Fault::Panic)]).await;
    }
    // A daemon that panics while it takes over stands by, and takes over again.
    let takes_over = before("anchor", Fault::Panic);
    let end = stands(&mut arena, Scenario::Provision, 2, vec![after("seed", Fault::Kill), takes_over]).await;
    assert_eq!(end, "succeeded", "taken up in the end");
}

#[test]
fn the_daemon_that_is_shipped_has_no_points_where_it_could_be_broken() {
    let has_points = |program| {
        let program = std::fs::read(program).unwrap();
        let name = b"TENANTRY_FAULT_SOCKET";
        program.windows(name.len()).any(|bytes| bytes == name)
    };
    assert!(has_points(binaries::tenantryd_with_faults()), "the text is what tells the two apart");
    assert!(!has_points(binaries::tenantryd()));
}

/// The task ends between the COMMIT of the retirement and its announcement, so that nothing tells of a purge that is due.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_purge_that_nobody_was_told_of_is_begun_all_the_same() {
    let mut arena = arena().await;
    // The first anchor is that of the intent.
    let unannounced =
        Rule::At { place: Some("anchor".into()), moment: Some(Moment::After), skip: 1, fault: Fault::Panic };
    assert_eq!(stands(&mut arena, Scenario::Purge, 1, vec![unannounced]).await, "succeeded");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_upgrade_of_many_brings_each_to_the_version_once_wherever_it_breaks() {
    let mut arena = arena().await;
    stands(&mut arena, Scenario::UpgradeFleet, 1, vec![after("upgrade.begin", Fault::Kill)]).await;
    let between = vec![before("upgrade.wave", Fault::Panic), after("upgrade.wave", Fault::Lost)];
    stands(&mut arena, Scenario::UpgradeFleet, 1, between).await;
    stands(&mut arena, Scenario::UpgradeFleet, 2, vec![before("upgrade.end", Fault::Stop)]).await;
    // A tenant that needs a person, all of whose files were committed: the retry runs none of them again.
    let asking = vec![after("upgrade", Fault::Panic), before("undo.restore", Fault::Refuse)];
    stands(&mut arena, Scenario::UpgradeFleet, 1, asking).await;
    // Shared tables, all tenants at once.
    stands(&mut arena, Scenario::UpgradePool, 1, vec![after("upgrade.commit", Fault::Kill)]).await;
    // Back again.
    let files = vec![after("upgrade.file", Fault::Kill), after("upgrade.commit", Fault::Lost)];
    stands(&mut arena, Scenario::DowngradeFleet, 1, files).await;
}
