//! Invariants for any display name, labels and settings of a request: they are accepted or refused by the documented
//! rules, and a refusal is safe to print. For the property tests and the fuzz target.

use std::collections::BTreeMap;

use tenantry_protocol::error::ApiError;

use super::{LONGEST_DISPLAY_NAME, LONGEST_LABEL, check_display_name, check_labels, settings};
use crate::model::blueprint::Setting;
use crate::model::blueprint::invariants::is_safe_to_print;

pub fn a_display_name_is_a_line(name: &str) {
    let checked = check_display_name(name);
    refusal_is_safe(checked.as_ref().err());
    assert_eq!(checked.is_ok(), is_line(name, LONGEST_DISPLAY_NAME), "{name:?}");
}

pub fn labels_keep_to_their_grammar(labels: &BTreeMap<String, String>) {
    let checked = check_labels(labels);
    refusal_is_safe(checked.as_ref().err());
    let key = |key: &str| {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_./".contains(c);
        (1..=63).contains(&key.len()) && key.chars().all(plain)
    };
    let fits = labels.iter().all(|(name, value)| key(name) && is_line(value, LONGEST_LABEL));
    let bytes: usize = labels.iter().map(|(name, value)| name.len() + value.len()).sum();
    assert_eq!(checked.is_ok(), fits && labels.len() <= 64 && bytes <= 4_096, "{labels:?}");
}

/// Every known setting has a value in its range, and no other setting has one.
pub fn settings_keep_to_their_ranges(known: &BTreeMap<String, Setting>, asked: &BTreeMap<String, i64>) {
    match settings(known, asked) {
        Ok(settings) => {
            assert!(settings.keys().eq(known.keys()), "{settings:?}");
            for (name, value) in &settings {
                let Setting { default, min, max, .. } = &known[name];
                assert!((min..=max).contains(&value), "{name} is {value}");
                assert_eq!(value, asked.get(name).unwrap_or(default), "{name}");
            }
        }
        Err(error) => {
            refusal_is_safe(Some(&error));
            let wrong = |(name, value): (&String, &i64)| {
                known.get(name).is_none_or(|known| *value < known.min || *value > known.max)
            };
            assert!(asked.iter().any(wrong), "{asked:?}: {error:?}");
        }
    }
}

fn is_line(text: &str, longest: usize) -> bool {
    !text.trim().is_empty() && text.chars().count() <= longest && is_safe_to_print(text)
}

fn refusal_is_safe(error: Option<&ApiError>) {
    let Some(error) = error else { return };
    assert!(is_safe_to_print(&error.message), "{:?}", error.message);
    assert!(error.field.as_deref().is_none_or(is_safe_to_print), "{:?}", error.field);
}
