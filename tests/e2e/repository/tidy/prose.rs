//! Phrases that comments and documents are not written with: each has a plainer form, which says who does what.
//!
//! The list keeps the worst from coming back. It does not make prose good; readers do.

use super::source::{SourceFile, files, report};

/// Phrase and what to write in its place.
const PHRASES: &[(&str, &str)] = &[
    ("whoever", "name who it is"),
    ("whomever", "name who it is"),
    ("of before", "say 'earlier', or which version"),
    ("anything goes", "say what is allowed"),
    ("given up", "say cancelled or abandoned"),
    ("gives up", "say stops trying"),
    ("mend", "say fix or repair"),
    ("mends", "say fixes or repairs"),
    ("mended", "say fixed or repaired"),
    ("came to nothing", "say failed or was undone"),
    ("in the making", "say being made"),
    ("is let in", "say is admitted"),
    ("are let in", "say are admitted"),
    ("for long", "say for a long time, or for how long"),
    ("of use to nobody", "say unused"),
    ("of nobody", "say without an owner"),
];

/// `is no label` should be `is not a label`; these words after it make it good English.
const AFTER_NO: [&str; 4] = ["longer", "more", "other", "one"];

#[test]
fn comments_and_documents_are_written_plainly() {
    let mut found = Vec::new();
    for file in files().iter().filter(|file| is_prose(file)) {
        for (number, line) in file.text.lines().enumerate().filter(|(_, line)| holds_prose(file, line)) {
            if let Some(wrong) = wrong_with(line) {
                found.push((file.path.clone(), format!("line {}: {wrong}: {}", number + 1, line.trim())));
            }
        }
    }
    report("prose", found);
}

/// Migrations never change, not even their comments. This file has the phrases.
fn is_prose(file: &SourceFile) -> bool {
    let is_written = file.is_rust() || file.path.ends_with(".md");
    is_written && !file.path.ends_with("tidy/prose.rs") && !file.path.starts_with("tests/fixtures/")
}

fn holds_prose(file: &SourceFile, line: &str) -> bool {
    !file.is_rust() || line.trim_start().starts_with("//")
}

fn wrong_with(line: &str) -> Option<String> {
    let line = line.to_lowercase();
    let words: Vec<&str> =
        line.split(|c: char| !(c.is_alphanumeric() || c == '\'')).filter(|word| !word.is_empty()).collect();
    let phrase = PHRASES.iter().find(|(phrase, _)| {
        let phrase: Vec<&str> = phrase.split(' ').collect();
        words.windows(phrase.len()).any(|here| here == phrase)
    });
    if let Some((phrase, instead)) = phrase {
        return Some(format!("'{phrase}': {instead}"));
    }
    let negated = words.iter().enumerate().find(|(at, word)| {
        **word == "no"
            && *at > 0
            && ["is", "are", "was", "were"].contains(&words[at - 1])
            && (*at < 2 || words[at - 2] != "there")
            && words.get(at + 1).is_none_or(|next| !AFTER_NO.contains(next))
    });
    negated.map(|(at, _)| format!("'{} no …': say 'not a …'", words[at - 1]))
}

#[test]
fn a_phrase_is_found_whatever_stands_around_it() {
    for wrong in ["/// Whoever asks.", "It is no label.", "a table (of before)", "was mended"] {
        assert!(wrong_with(wrong).is_some(), "{wrong}");
    }
    for right in
        ["There is no label.", "it is no longer there", "an amendment", "before", "are no more than 5"]
    {
        assert_eq!(wrong_with(right), None, "{right}");
    }
}
