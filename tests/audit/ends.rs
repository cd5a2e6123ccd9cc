//! States of the trail's end: each is made, is noticed at one place first, and then has the same verdict everywhere.

use tenantry_harness::Env;
use tenantry_harness::bars::Bar;
use tenantry_harness::trail::ends::{End, Place, look};

pub(crate) async fn everywhere() -> Vec<Bar> {
    let begin = std::time::Instant::now();
    let mut env = Env::new().await;
    env.provision("acme").await;
    env.provision("globex").await;
    let (mut wrong, mut seen) = (0, 0);
    for end in End::ALL {
        for first in Place::ALL {
            let lines = look(&mut env, end, first).await;
            wrong += usize::from(!lines.is_empty());
            seen += 1;
            lines.iter().for_each(|line| println!("  {line}"));
        }
    }
    println!(
        "{} states of the trail's end, each seen from {} places first, in {:.0} s",
        End::ALL.len(),
        Place::ALL.len(),
        begin.elapsed().as_secs_f64()
    );
    let least = (End::ALL.len() * Place::ALL.len()) as f64;
    vec![
        Bar::at_least("states_of_the_end_seen", f64::from(seen), least),
        Bar::at_most("states_of_the_end_with_other_verdicts", wrong as f64, 0.0),
    ]
}
