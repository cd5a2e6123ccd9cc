//! Whatever stands in the files of a folder that is written for one of the tools. The first line is a number, which says for which;
//! what follows is divided at lines `===`, first what the manifest says more, then the files.

#![no_main]

use tenantryd::model::blueprint::invariants;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let (tool, rest) = text.split_once('\n').unwrap_or((text, ""));
    let mut parts = rest.split("===\n");
    let manifest = parts.next().unwrap_or("");
    let contents: Vec<&str> = parts.take(8).collect();
    invariants::a_folder_of_a_tool_gets_an_answer(tool.trim().parse().unwrap_or(0), manifest, &contents);
});
