//! Fuzzy search: the letters of the needle in their order, with anything between them; best first.
//! Pure. Typing errors are not forgiven, because the operator acts on what is found here.

use frizbee::{Config, Matcher};

/// Indices of the names that match, best first; if the needle is empty, all of them in their order.
pub(crate) fn search(needle: &str, names: &[String]) -> Vec<usize> {
    let needle = needle.trim();
    if needle.is_empty() {
        return (0..names.len()).collect();
    }
    let config = Config::default().max_typos(Some(0));
    let found = Matcher::new(needle, &config).match_list(names);
    found.into_iter().map(|found| found.index as usize).collect()
}
