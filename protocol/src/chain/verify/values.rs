//! The values beside an event, held against what its payload commits to.

use serde::Deserialize;

use crate::chain::commitment;

/// What came of a comparison.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueCheck {
    /// All that are there are right; so many are gone.
    Right { redacted: u64 },
    /// One is another than the payload commits to, or is none of it.
    Wrong,
}

#[derive(Deserialize)]
struct Committed<'a> {
    #[serde(borrow, default)]
    commitments: Commitments<'a>,
}

#[derive(Deserialize, Default)]
struct Commitments<'a> {
    actor: Option<&'a str>,
    claimed: Option<&'a str>,
    slug: Option<&'a str>,
    detail: Option<&'a str>,
}

/// `values` are field, value, salt.
pub fn check_values<'v>(
    payload: &[u8],
    values: impl IntoIterator<Item = (&'v str, &'v str, &'v [u8])>,
) -> ValueCheck {
    let Ok(Committed { commitments }) = serde_json::from_slice(payload) else { return ValueCheck::Wrong };
    let mut open = [
        ("actor", commitments.actor),
        ("claimed", commitments.claimed),
        ("slug", commitments.slug),
        ("detail", commitments.detail),
    ];
    for (field, value, salt) in values {
        let Some((_, committed)) = open.iter_mut().find(|(name, _)| *name == field) else {
            return ValueCheck::Wrong;
        };
        let Some(committed) = committed.take() else { return ValueCheck::Wrong };
        if data_encoding::HEXLOWER.encode(&commitment(salt, value)) != committed {
            return ValueCheck::Wrong;
        }
    }
    let redacted = open.iter().filter(|(_, left)| left.is_some()).count();
    ValueCheck::Right { redacted: redacted as u64 }
}
