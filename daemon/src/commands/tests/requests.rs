//! Requests as people and attackers write them.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::invariants;
use crate::model::blueprint::Setting;

fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z0-9_./ -]{0,70}", any::<String>(), "[\u{202a}-\u{202e}\u{2066}\u{1b}a ]{0,5}"]
}

proptest! {
    #[test]
    fn a_display_name_is_a_line(name in text()) {
        invariants::a_display_name_is_a_line(&name);
    }

    #[test]
    fn labels_keep_to_their_grammar(labels in prop::collection::btree_map(text(), text(), 0..70)) {
        invariants::labels_keep_to_their_grammar(&labels);
    }

    #[test]
    fn settings_keep_to_their_ranges(
        asked in prop::collection::btree_map("(seats|connection_limit|[a-z\u{1b}]{0,3})", any::<i64>(), 0..3),
        min in -9_i64..9, more in 0_i64..9, rest in 0_i64..9
    ) {
        let setting = Setting { title: "Seats".to_owned(), default: min + more, min, max: min + more + rest };
        let known = BTreeMap::from([("seats".to_owned(), setting)]);
        invariants::settings_keep_to_their_ranges(&known, &asked);
        let near = asked.into_iter().map(|(name, value)| (name, value % 20)).collect();
        invariants::settings_keep_to_their_ranges(&known, &near);
    }
}
