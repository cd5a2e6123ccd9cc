//! Whatever is typed where a name is wanted.

#![no_main]

use tenantryd::model::blueprint::invariants;

libfuzzer_sys::fuzz_target!(|text: &str| invariants::only_names_of_the_grammar_are_names(text));
