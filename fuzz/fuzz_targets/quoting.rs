//! Whatever becomes part of SQL text.

#![no_main]

use tenantryd::postgres::quote::invariants;

libfuzzer_sys::fuzz_target!(|text: &str| {
    invariants::what_is_quoted_reads_back(text);
    invariants::no_value_opens_another_hole(text);
});
