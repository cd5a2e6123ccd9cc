//! Whatever a file of SQL holds.

#![no_main]

use tenantryd::model::blueprint::invariants;

libfuzzer_sys::fuzz_target!(|sql: &str| invariants::statements_are_pieces_of_their_file(sql));
