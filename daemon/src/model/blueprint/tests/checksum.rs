//! The encoding under a checksum is a contract; the value below was computed outside this code.
//! A change here would make every stored blueprint look changed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use super::*;

fn file(path: &str, content: &str) -> SourceFile {
    SourceFile { path: path.to_owned(), content: content.to_owned() }
}

#[test]
fn the_encoding_is_frozen() {
    let files = [file("blueprint.toml", "name = \"ä\"\n"), file("V1__a.sql", "select 1;\r\n")];
    assert_eq!(
        Checksum::of_files(&files).to_string(),
        "ec523c3a8737838f6276fa5b308bbf2e0956e1f7d8b567c37e477de4eebebd1a"
    );
}

#[test]
fn the_order_of_files_does_not_matter_and_everything_else_does() {
    let (a, b) = (file("a", "1"), file("b", "2"));
    let sum = Checksum::of_files([&a, &b]);
    assert_eq!(sum, Checksum::of_files([&b, &a]));
    for other in [
        Checksum::of_files([&a]),
        Checksum::of_files([&file("a", "2"), &file("b", "1")]),
        Checksum::of_files([&file("a", "1b"), &file("", "2")]),
        Checksum::of_files([&file("a1", ""), &b]),
        Checksum::of(b"a1b2"),
    ] {
        assert_ne!(sum, other);
    }
}

#[test]
fn a_checksum_reads_back_what_it_shows() {
    let sum = Checksum::of(b"x");
    assert_eq!(sum.to_string().parse(), Ok(sum));
    for bad in ["", "00", &"0".repeat(63), &"G".repeat(64), &"A".repeat(64)] {
        assert_eq!(bad.parse::<Checksum>(), Err(ChecksumError));
    }
}
