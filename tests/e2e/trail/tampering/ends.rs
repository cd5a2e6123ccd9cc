//! Every state of the trail's end has one verdict, from whichever place it is seen.

use tenantry_harness::trail::ends::{End, Place, look};
use tenantry_harness::{Env, eventually};

#[tokio::test]
async fn whatever_was_done_to_the_end_has_one_verdict_everywhere_and_nothing_is_added_to_it() {
    let mut env = Env::new().await;
    env.provision("acme").await;
    env.provision("globex").await;
    let mut wrong = Vec::new();
    for (end, place) in End::FOUND.into_iter().zip(Place::ALL.into_iter().cycle()) {
        wrong.extend(look(&mut env, end, place).await);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn anchors_that_were_taken_away_from_a_running_daemon_are_begun_anew_and_that_is_on_record() {
    let mut env = Env::new().await;
    env.provision("acme").await;
    let mut wrong = Vec::new();
    for (n, end) in [End::AnchorsEmptied, End::AnchorsGone].into_iter().enumerate() {
        wrong.extend(look(&mut env, end, Place::Append).await);
        let begun = eventually("it is on record", async || {
            let listed =
                env.tenantry(&["audit", "list", "--action", "audit.anchors_begun", "--json"]).await.json();
            let count = listed["events"].as_array().unwrap().len();
            (count > n).then_some(count)
        })
        .await;
        assert_eq!(begun, n + 1);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
