//! How values of the protocol are stored as JSON in the control database, apart from how they are sent.
//!
//! Each shape here names every field and variant of its type, so that a change of the protocol does not compile before somebody
//! has decided what becomes of stored rows. Fields and variants are added, with a default for rows that lack them, and never
//! changed: the tests hold frozen rows.

mod report;
mod states;
mod steps;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use report::StoredReport;
pub(super) use states::FailureShape;
pub use states::{StoredOperationState, StoredTenantState};
pub use steps::StoredStep;

/// Writes a list whose elements are stored as `W`.
fn write_each<W, T, S>(list: &[T], serializer: S) -> Result<S::Ok, S::Error>
where
    W: From<T> + Serialize,
    T: Clone,
    S: Serializer,
{
    serializer.collect_seq(list.iter().cloned().map(W::from))
}

/// Reads what [`write_each`] wrote.
fn read_each<'de, W, T, D>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    W: Deserialize<'de> + Into<T>,
    D: Deserializer<'de>,
{
    let list = Vec::<W>::deserialize(deserializer)?;
    Ok(list.into_iter().map(Into::into).collect())
}
