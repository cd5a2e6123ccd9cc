//! Whatever folder is uploaded as a blueprint: files begin with a line `=== PATH`, as in `fuzz/seeds/uploads`.

#![no_main]

use tenantryd::model::blueprint::{SourceFile, invariants};

libfuzzer_sys::fuzz_target!(|text: &str| {
    let files = text.split("=== ").skip(1).map(|file| {
        let (path, content) = file.split_once('\n').unwrap_or((file, ""));
        SourceFile { path: path.to_owned(), content: content.to_owned() }
    });
    invariants::an_upload_gets_an_answer(&files.collect::<Vec<_>>());
});
