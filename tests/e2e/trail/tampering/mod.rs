//! The trail against those who can write to its tables: the tampering is found and named, and nothing is built on it.

mod ends;

use std::time::Duration;

use tenantry_harness::daemon::Daemon;
use tenantry_harness::rpc::context;
use tenantry_harness::scratch::Scratch;
use tenantry_harness::trail::tamper::{Class, Tamperer};
use tenantry_harness::trail::{anchors_of, generate, verdict};
use tenantry_harness::{Cluster, Env, Version, binaries, eventually, small_disk};
use tenantry_protocol::audit::BreakKind;

#[tokio::test]
async fn a_trail_is_whole_signed_and_anchored_to_its_end() {
    let env = Env::new().await;
    env.provision("acme").await;
    let whole = verdict(&env, Vec::new()).await;
    assert_eq!(whole.broken, None);
    assert!(whole.to_seq >= 5 && whole.from_seq == 1);
    assert_eq!((whole.signed_to, whole.anchored_to), (Some(whole.to_seq), Some(whole.to_seq)));
    assert!(!whole.limits.is_empty(), "a verdict says what it cannot promise");
    // The verification itself is on record, too.
    let again = verdict(&env, anchors_of(&env)).await;
    assert_eq!((again.broken, again.to_seq), (None, whole.to_seq + 1));
}

#[tokio::test]
async fn each_way_of_tampering_is_found_and_named_where_it_was_done() {
    let env = Env::new().await;
    env.provision("acme").await;
    env.rollback("acme").await;
    let mut tamperer = Tamperer::of(&env).await;
    for class in Class::ALL {
        // The first event, one in the middle, the last one but one, and the last.
        for place in 0..4 {
            tamperer.save().await;
            let last = tamperer.last;
            let at = [1, last / 2, last - 1, last][place];
            if at == last && class.needs_a_next() {
                continue;
            }
            tamperer.tamper(class, at, last).await;
            let found = verdict(&env, Vec::new()).await.broken;
            let found = found.map(|found| (found.seq, found.kind));
            assert_eq!(found, Some(class.expected(at, last)), "{class:?} at event {at} of {last}");
            tamperer.put_back(class).await;
            let whole = verdict(&env, Vec::new()).await;
            assert_eq!(whole.broken, None, "put back after {class:?} at event {at} of {last}");
        }
    }
}

#[tokio::test]
async fn nothing_is_changed_on_top_of_a_head_that_the_daemon_did_not_write() {
    let env = Env::new().await;
    env.provision("acme").await;
    let mut tamperer = Tamperer::of(&env).await;
    for class in [Class::Append, Class::Restore, Class::Rewrite] {
        tamperer.save().await;
        let (at, last) = (tamperer.last - 1, tamperer.last);
        tamperer.tamper(class, at, last).await;
        let refused = env.tenantry(&["tenant", "suspend", "acme"]).await.assert_status(5);
        assert!(refused.stderr.contains("nothing can be changed"), "{class:?}: {}", refused.stderr);
        let trail = env.rpc().await.audit(context(), Default::default()).await.unwrap().unwrap().trail;
        assert_eq!(trail.trouble.map(|trouble| trouble.kind), Some(class.expected(at, last).1), "{class:?}");
        assert_eq!(env.tenant("acme").await.tenant.state.name(), "active", "reading goes on");
        tamperer.put_back(class).await;
        env.tenantry(&["tenant", "suspend", "acme"]).await.assert_status(0);
        env.tenantry(&["tenant", "resume", "acme"]).await.assert_status(0);
    }
}

#[tokio::test]
async fn a_restored_backup_is_noticed_at_the_start_and_takes_an_administrators_word() {
    let mut env = Env::new().await;
    env.provision("acme").await;
    let mut tamperer = Tamperer::of(&env).await;
    let kept = tamperer.last;
    env.tenantry(&["tenant", "suspend", "acme"]).await.assert_status(0);
    env.tenantry(&["tenant", "resume", "acme"]).await.assert_status(0);
    let elsewhere = anchors_of(&env);
    env.take_daemon().stop().await;
    tamperer.save().await;
    let lost = kept + 1;
    tamperer.tamper(Class::Restore, lost, lost).await;
    env.start_daemon().await;

    let health = env.tenantry(&["rpc", "health"]).await.json();
    assert_eq!(health["control"]["trail"]["trouble"]["kind"], "cut", "{health}");
    assert_eq!(health["control"]["trail"]["trouble"]["seq"], lost);
    env.tenantry(&["tenant", "suspend", "acme"]).await.assert_status(5);
    let found = verdict(&env, Vec::new()).await.broken.unwrap();
    assert_eq!((found.seq, found.kind), (lost, BreakKind::Cut));

    let acknowledge = |seq: i64| format!(r#"{{"seq":{seq},"reason":"restored after a disk failure"}}"#);
    env.tenantry(&["rpc", "audit_acknowledge", &acknowledge(lost + 1)]).await.assert_status(5);
    env.tenantry(&["rpc", "audit_acknowledge", &acknowledge(lost)]).await.assert_status(0);
    env.tenantry(&["tenant", "suspend", "acme"]).await.assert_status(0);
    let whole = verdict(&env, Vec::new()).await;
    assert_eq!((whole.broken, whole.acknowledged.len()), (None, 1));
    // A person who kept anchors elsewhere is told of the loss, and not of another break.
    let whole = verdict(&env, elsewhere).await;
    assert_eq!((whole.broken, whole.acknowledged.len()), (None, 1));
    // A later start has nothing to report.
    env.take_daemon().kill().await;
    env.start_daemon().await;
    env.tenantry(&["tenant", "resume", "acme"]).await.assert_status(0);
}

#[tokio::test]
async fn a_head_that_no_backup_has_is_put_back_by_hand_and_takes_an_administrators_word() {
    let mut env = Env::new().await;
    env.provision("acme").await;
    env.take_daemon().kill().await;
    let mut session = env.control().await;
    sqlx::query("delete from control.audit_head").execute(&mut session).await.unwrap();
    let text = std::fs::read_to_string(env.dir.join("state/audit/anchors")).unwrap();
    let trail = text.lines().next().unwrap().rsplit(' ').next().unwrap();
    let newest = anchors_of(&env).pop().unwrap();
    env.start_daemon().await;
    env.tenantry(&["tenant", "suspend", "acme"]).await.assert_status(5).assert_says(&["control.audit_head"]);
    sqlx::query(
        "insert into control.audit_head (trail, seq, hash) values ($1::text::uuid, $2, decode($3, 'hex'))",
    )
    .bind(trail)
    .bind(newest.seq)
    .bind(&newest.hash)
    .execute(&mut session)
    .await
    .unwrap();
    let found = verdict(&env, Vec::new()).await.broken.unwrap();
    assert_eq!((found.seq, found.kind), (newest.seq, BreakKind::Forged), "{}", found.message);
    let seq = newest.seq.to_string();
    let acknowledge = ["audit", "acknowledge", &seq, "--reason", "the head was put back by hand"];
    env.tenantry(&acknowledge).await.assert_status(0);
    env.tenantry(&["tenant", "suspend", "acme"]).await.assert_status(0);
    assert_eq!(verdict(&env, Vec::new()).await.broken, None);
}

#[tokio::test]
async fn whoever_has_the_database_and_the_key_and_the_anchors_is_caught_by_anchors_kept_elsewhere() {
    let mut env = Env::new().await;
    env.provision("acme").await;
    let elsewhere = anchors_of(&env);
    env.take_daemon().stop().await;
    let mut tamperer = Tamperer::of(&env).await;
    let at = 3;
    tamperer.tamper(Class::RewriteAndSign, at, at).await;
    std::fs::remove_file(env.dir.join("state/audit/anchors")).unwrap();
    env.start_daemon().await;
    assert_eq!(verdict(&env, Vec::new()).await.broken, None, "nothing here can tell");
    let found = verdict(&env, elsewhere).await.broken.unwrap();
    assert_eq!(found.kind, BreakKind::Rewritten);
    assert!(found.seq <= at, "{found:?}");
}

#[tokio::test]
async fn a_rotated_key_is_vouched_for_by_the_one_before() {
    let mut env = Env::on(Cluster::shared()).await;
    let before = env.tenantry(&["rpc", "audit_key"]).await.json();
    env.provision("acme").await;
    let after = env.tenantry(&["rpc", "audit_rotate_key"]).await.json();
    assert_ne!(before["id"], after["id"]);
    assert_eq!(verdict(&env, Vec::new()).await.broken, None, "right after the rotation");
    env.rollback("acme").await;
    let whole = verdict(&env, Vec::new()).await;
    assert_eq!((whole.broken, whole.signed_to), (None, Some(whole.to_seq)));
    env.take_daemon().kill().await;
    env.start_daemon().await;
    env.provision("globex").await;
    assert_eq!(env.tenantry(&["rpc", "audit_key"]).await.json()["id"], after["id"]);
    assert_eq!(verdict(&env, Vec::new()).await.broken, None);
    // The daemon does not sign with a key file that is not the trail's own.
    env.take_daemon().stop().await;
    std::fs::remove_file(env.dir.join("state/audit/key")).unwrap();
    env.start_daemon().await;
    let refused = env.tenantry(&["tenant", "suspend", "globex"]).await.assert_status(5);
    assert!(refused.stderr.contains("key"), "{}", refused.stderr);
}

#[tokio::test]
async fn while_an_anchor_cannot_be_written_nothing_is_changed_and_nothing_is_lost() {
    let scratch = Scratch::new();
    let mut env = Env::prepare(Cluster::shared()).await;
    let anchors = scratch.text("disk/audit/anchors");
    env.write_config(&format!("[audit]\nanchor_file = \"{anchors}\""), &[("local", env.target_url())]);
    let command = small_disk::command(&scratch, "1m", &binaries::tenantryd()).await;
    let config = env.config_path();
    let daemon = Daemon::run(command, &["--config", config.to_str().unwrap()], &env.dir, &[]).await;
    env.adopt(daemon.unwrap_or_else(|ended| panic!("{}\n{}", ended.status, ended.log)));
    env.provision("acme").await;
    env.provision("globex").await;

    // The disk as only the daemon sees it.
    let ballast = format!("/proc/{}/root{}/ballast", env.daemon().announcement.pid, scratch.text("disk"));
    std::fs::write(&ballast, vec![0; 2 << 20]).unwrap_err();
    // The file's last page still takes some anchors. A change that is running when it is full waits; later ones are refused
    // at once.
    let rename = async |slug: &str| loop {
        // A change that waits for its anchor is left waiting.
        let arguments = ["tenant", "update", slug, "--name", "Another"];
        match tokio::time::timeout(Duration::from_secs(5), env.tenantry(&arguments)).await {
            Ok(refused) if refused.stderr.contains("anchor") => return refused,
            _ => {}
        }
    };
    let refused = tokio::select! {
        refused = rename("acme") => refused,
        refused = rename("globex") => refused,
    };
    refused.assert_status(3).assert_says(&["without it nothing is changed", "make room"]);
    assert_eq!(env.tenantry(&["tenant", "list"]).await.status, 0, "reading goes on");

    std::fs::remove_file(&ballast).unwrap();
    eventually("changes are made again", async || {
        let renamed = env.tenantry(&["tenant", "update", "acme", "--name", "The last"]).await;
        (renamed.status == 0).then_some(())
    })
    .await;
    let whole = verdict(&env, Vec::new()).await;
    assert_eq!((whole.broken, whole.anchored_to), (None, Some(whole.to_seq)));
}

#[tokio::test]
async fn an_event_that_was_planted_far_out_is_found_at_once() {
    let mut env = Env::new().await;
    env.provision("acme").await;
    let last = verdict(&env, Vec::new()).await.to_seq;
    sqlx::raw_sql(
        "create table control.audit_event_far partition of control.audit_event
           for values from (1000000000000000) to (9223372036854775807);
         do $$ begin
           execute format('alter table control.audit_event_far owner to %I',
                          (select relowner::regrole::text from pg_class where oid = 'control.audit_event'::regclass));
         end $$;
         insert into control.audit_event (seq, prev_hash, payload, hash)
           select n, prev_hash, payload, hash from control.audit_event, unnest('{1000000000000000,9223372036854775806}'::bigint[]) n
           where seq = 1",
    )
    .execute(&mut env.control().await)
    .await
    .unwrap();
    let found = verdict(&env, Vec::new()).await.broken.unwrap();
    // The verification itself is on record.
    assert_eq!((found.seq, found.kind), (last + 2, BreakKind::Removed));
    env.take_daemon().kill().await;
    env.start_daemon().await;
    eventually("the start finds it, too", async || {
        let health = env.tenantry(&["rpc", "health"]).await.json();
        (!health["control"]["trail"]["trouble"].is_null()).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_anchor_that_is_half_written_is_no_reason_not_to_verify() {
    use std::io::Write as _;

    let env = Env::new().await;
    env.provision("acme").await;
    let anchors = env.dir.join("state/audit/anchors");
    // The state on a full disk before the next attempt.
    std::fs::OpenOptions::new().append(true).open(&anchors).unwrap().write_all(b"99 0a1b").unwrap();
    assert_eq!(verdict(&env, Vec::new()).await.broken, None);
}

#[tokio::test]
async fn a_head_that_was_changed_hides_no_event_from_whoever_reads() {
    let env = Env::new().await;
    env.provision("acme").await;
    let mut tamperer = Tamperer::of(&env).await;
    tamperer.save().await;
    for seq in [1, 0, i64::MIN, i64::MAX] {
        tamperer.guarded(&format!("update control.audit_head set seq = '{seq}'::bigint;")).await;
        for more in [&[][..], &["--since", "2020-01-01"], &["--until", "2100-01-01"]] {
            let listed = env.tenantry(&[&["audit", "list", "--json"], more].concat()).await.json();
            assert_eq!(listed["events"][0]["seq"], tamperer.last, "a head of {seq}, {more:?}");
        }
    }
}

#[tokio::test]
async fn signatures_behind_a_cut_tell_of_it_even_where_a_range_of_reading_ends() {
    // The number of events that are read at once: the daemon looks for what is behind them in no other range.
    const RANGE: i64 = 20_000;
    let mut env = Env::on(Cluster::private(Version::Packaged)).await;
    let last: i64 = sqlx::query_scalar("select seq from control.audit_head")
        .fetch_one(&mut env.control().await)
        .await
        .unwrap();
    generate::append_signed(&mut env, RANGE + 1_000 - last, 0).await;
    env.take_daemon().kill().await;
    let mut session = env.control().await;
    let cut = format!(
        "alter table control.audit_event_p0 disable trigger audit_event_is_immutable;
         delete from control.audit_event where seq > {RANGE};
         alter table control.audit_event_p0 enable always trigger audit_event_is_immutable;
         update control.audit_head h set seq = c.seq, hash = c.hash, key = c.key, signature = c.signature
           from control.audit_checkpoint c where c.seq = {RANGE};"
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(cut)).execute(&mut session).await.unwrap();
    let anchors = env.dir.join("state/audit/anchors");
    let text = std::fs::read_to_string(&anchors).unwrap();
    let is_left =
        |line: &&str| line.split(' ').next().unwrap().parse::<i64>().map_or(true, |seq| seq <= RANGE);
    let left: Vec<&str> = text.lines().filter(is_left).collect();
    std::fs::write(&anchors, left.join("\n") + "\n").unwrap();
    env.start_daemon().await;
    let found = verdict(&env, Vec::new()).await.broken.unwrap();
    assert_eq!((found.seq, found.kind), (RANGE + 1, BreakKind::Cut));
}
