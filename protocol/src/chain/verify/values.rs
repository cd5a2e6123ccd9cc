//! Checks the values beside an event against the commitments in its payload.

use serde::Deserialize;

use crate::chain::{Link, commitment};

/// The result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ValueCheck {
    /// All values that are present are right; `redacted` is the number of missing ones.
    Right { redacted: u64 },
    /// A value differs from its commitment, or has none.
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

/// The commitments of a payload. A daemon writes them last, as an object of plain texts, which is found without reading
/// what precedes it. Inside a text this pattern cannot occur, since quotes are escaped there.
fn committed(payload: &[u8]) -> Option<Commitments<'_>> {
    let at = memchr::memrchr(b'{', payload)?;
    let (before, object) = payload.split_at(at);
    match object.strip_suffix(b"}}") {
        Some(_) if before.ends_with(b"\"commitments\":") => {
            serde_json::from_slice(&object[..object.len() - 1]).ok()
        }
        _ => serde_json::from_slice(payload).ok().map(|Committed { commitments }| commitments),
    }
}

/// `values` are triples of field, value and salt.
pub fn check_values<'v>(
    payload: &[u8],
    values: impl IntoIterator<Item = (&'v [u8], &'v [u8], &'v [u8])>,
) -> ValueCheck {
    let Some(commitments) = committed(payload) else { return ValueCheck::Wrong };
    let mut open = [
        ("actor", commitments.actor),
        ("claimed", commitments.claimed),
        ("slug", commitments.slug),
        ("detail", commitments.detail),
    ];
    for (field, value, salt) in values {
        let Some((_, committed)) = open.iter_mut().find(|(name, _)| name.as_bytes() == field) else {
            return ValueCheck::Wrong;
        };
        let Some(committed) = committed.take() else { return ValueCheck::Wrong };
        let mut hex = [0; 2 * size_of::<Link>()];
        data_encoding::HEXLOWER.encode_mut(&commitment(salt, value), &mut hex);
        if hex != committed.as_bytes() {
            return ValueCheck::Wrong;
        }
    }
    let redacted = open.iter().filter(|(_, left)| left.is_some()).count();
    ValueCheck::Right { redacted: redacted as u64 }
}
