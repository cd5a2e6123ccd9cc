//! Tampering through the real database: a trail of thousands of events, with each class at 200 places of it.

use tenantry_harness::Env;
use tenantry_harness::trail::generate;
use tenantry_harness::trail::tamper::{Class, Tamperer};
use tenantry_harness::trail::verdict;

const EVENTS: i64 = 2_000;
const TOLD: usize = 5;

/// How many tamperings were not found or not named correctly, and how many there were.
pub(crate) async fn in_the_database(places: usize, seed: u64) -> (usize, usize) {
    let mut env = Env::new().await;
    generate::append_signed(&mut env, EVENTS, 0).await;
    let whole = verdict(&env, Vec::new()).await;
    assert_eq!(whole.broken, None, "before anything was done");
    let mut tamperer = Tamperer::of(&env).await;
    let (mut missed, mut done) = (0, 0);
    for class in Class::ALL {
        let begin = std::time::Instant::now();
        let before = missed;
        for place in 0..places {
            tamperer.save().await;
            let last = tamperer.last;
            let (at, other) = spread(seed, place, places, last - i64::from(class.needs_a_next()), last);
            tamperer.tamper(class, at, other).await;
            let found = verdict(&env, Vec::new()).await.broken.map(|found| (found.seq, found.kind));
            done += 1;
            if found != Some(class.expected(at, last)) {
                missed += 1;
                if missed - before <= TOLD {
                    println!("  {class:?} at event {at} of {last}: {found:?}");
                }
            }
            tamperer.put_back(class).await;
        }
        let whole = verdict(&env, Vec::new()).await;
        assert_eq!(whole.broken, None, "put back after {class:?}");
        // Many tamperings leave many dead rows, which would slow down the next ones.
        sqlx::raw_sql("vacuum control.audit_event, control.audit_detail, control.audit_checkpoint")
            .execute(&mut env.control().await)
            .await
            .unwrap();
        println!(
            "{class:?}: {places} places, {} missed, {:.0} s",
            missed - before,
            begin.elapsed().as_secs_f64()
        );
    }
    (missed, done)
}

/// Places over the whole trail, including its first and last event, and a later one for classes that need two.
fn spread(seed: u64, place: usize, places: usize, most: i64, last: i64) -> (i64, i64) {
    let step = most as f64 / places as f64;
    let jitter =
        (seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(place as u64 * 1_442_695_040_888_963_407)
            >> 33) as f64
            / f64::from(u32::MAX >> 1);
    let at = match place {
        0 => 1,
        place if place + 1 == places => most,
        place => ((place as f64 + jitter) * step) as i64 + 1,
    }
    .clamp(1, most);
    (at, (at + 1 + (last - at - 1) / 2).min(last))
}
