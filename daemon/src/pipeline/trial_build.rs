//! Builds a version on a target in a transaction that is rolled back, to find what reading its files cannot tell.
//!
//! Invariant: nothing is left of it, not even an extension, and no version is stored for it.

use super::admission;
use super::drift::blank::{Blank, BlankError};
use super::rehearsal::TrialGround;
use super::warden::Warden;
use crate::model::blueprint::Blueprint;
use crate::postgres::Error;
use crate::postgres::fingerprint::FingerprintReading;
use crate::postgres::preparation;

/// How the build ended.
#[derive(Debug)]
pub enum TrialBuild {
    /// How many objects a tenant has; none if there are too many to count.
    Built { objects: Option<usize> },
    /// A file could not be applied, or the tables do not keep tenants apart.
    Refused { file: Option<String>, line: Option<u32>, why: String },
}

pub(super) async fn try_build(ground: TrialGround<'_>, blueprint: &Blueprint) -> Result<TrialBuild, Error> {
    let TrialGround { control, places, target, budget, stop } = ground;
    let ready = preparation::ready(target).await?;
    let mut place = places.take(target, admission::locks_of_a_build(blueprint.tables), None).await;
    let warden = place.as_mut().and_then(|place| place.room.take()).map(Warden::new);
    let fence = control.may_write()?;
    let blank = Blank { target, ready: &ready, blueprint, fence, warden };
    let refused = |why: String| TrialBuild::Refused { file: None, line: None, why };
    let built = tokio::select! {
        built = tokio::time::timeout(budget, blank.whole()) => built,
        () = stop.cancelled() => return Ok(refused("it was stopped".to_owned())),
    };
    Ok(match built {
        Ok(Ok(FingerprintReading::Whole(fingerprint))) => {
            TrialBuild::Built { objects: Some(fingerprint.len()) }
        }
        Ok(Ok(FingerprintReading::TooMuch)) => TrialBuild::Built { objects: None },
        Ok(Err(BlankError::File { file, line, why })) => TrialBuild::Refused { file: Some(file), line, why },
        Ok(Err(BlankError::Database(error))) if error.is_unreachable() => return Err(error),
        Ok(Err(BlankError::Database(error))) => refused(error.explain()),
        Ok(Err(error)) => refused(error.to_string()),
        Err(_) => {
            refused(format!("the files did not end within the {} s that an operation has", budget.as_secs()))
        }
    })
}
