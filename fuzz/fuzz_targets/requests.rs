//! Whatever stands in a request as display name, labels and settings: a line each, `NAME=VALUE`. The first line is the name;
//! the second says the range of the one setting that there is.

#![no_main]

use std::collections::BTreeMap;

use tenantryd::commands::request_invariants as invariants;
use tenantryd::model::blueprint::Setting;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let (name, rest) = text.split_once('\n').unwrap_or((text, ""));
    invariants::a_display_name_is_a_line(name);
    let pairs = |text: &str| -> BTreeMap<String, String> {
        text.split('\n').filter_map(|line| line.split_once('=')).map(|(a, b)| (a.into(), b.into())).collect()
    };
    invariants::labels_keep_to_their_grammar(&pairs(rest));
    let (range, rest) = rest.split_once('\n').unwrap_or((rest, ""));
    let mut range: Vec<i64> = range.split(' ').filter_map(|number| number.parse().ok()).take(3).collect();
    range.sort_unstable();
    let [min, default, max] = range[..] else { return };
    let seats = Setting { title: "Seats".to_owned(), default, min, max };
    let asked = pairs(rest).into_iter().filter_map(|(name, value)| Some((name, value.parse().ok()?))).collect();
    invariants::settings_keep_to_their_ranges(&BTreeMap::from([("seats".to_owned(), seats)]), &asked);
});
