//! `schema [NAME]`: the JSON Schema of a method's request and answer, or of the document that a command prints. It is
//! generated from the types themselves without asking a daemon, so it describes what this release knows.

use tenantry_protocol::schema::methods;

use super::error::CliError;
use super::output::Output;
use super::output::document::{self, DocumentSchema, MethodSchemas, SchemaNames};

pub(in crate::cli) fn run(output: Output, words: &[String]) -> Result<(), CliError> {
    let name = words.join(" ");
    if name.is_empty() {
        return list(output);
    }
    if let Some(found) = methods().into_iter().find(|method| method.method == name) {
        let (request, response) = (found.request, found.response);
        return output.json(&MethodSchemas { method: name, request, response });
    }
    if let Some((_, document)) = document::all().into_iter().find(|(command, _)| *command == name) {
        return output.json(&DocumentSchema { command: name, document });
    }
    let SchemaNames { methods, documents } = names();
    Err(CliError::invalid(
        "name",
        format!(
            "nothing is called '{name}'; the methods are {}; the documents are those of {}",
            methods.join(", "),
            documents.join(", ")
        ),
    ))
}

fn names() -> SchemaNames {
    SchemaNames {
        methods: methods().iter().map(|method| method.method.to_owned()).collect(),
        documents: document::all().iter().map(|(command, _)| (*command).to_owned()).collect(),
    }
}

fn list(output: Output) -> Result<(), CliError> {
    let names = names();
    if output.is_json() {
        return output.document(&names);
    }
    let method = |name: &String| vec![name.clone(), "the request and the answer of a method".to_owned()];
    let document = |name: &String| {
        let what = match name.as_str() {
            "error" => "what any command prints with --json when it fails".to_owned(),
            "operation watch" | "audit list --follow" => {
                "what it prints with --json, on each line".to_owned()
            }
            _ => "what it prints with --json".to_owned(),
        };
        vec![name.clone(), what]
    };
    let rows = names.methods.iter().map(method).chain(names.documents.iter().map(document));
    output.table(&["name", "schema of"], rows.collect())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::CommandFactory;

    use super::super::args::Arguments;
    use super::*;

    /// What these print is not a document of ours: a method's answer, a shell's script, a page.
    const WITHOUT: [&str; 4] = ["rpc", "completions", "man", "help"];

    fn leaves(command: &clap::Command, words: &str, found: &mut BTreeSet<String>) {
        for inner in command.get_subcommands().filter(|inner| !WITHOUT.contains(&inner.get_name())) {
            let words = format!("{words} {}", inner.get_name());
            if inner.has_subcommands() {
                leaves(inner, &words, found);
            } else {
                found.insert(words.trim_start().to_owned());
            }
        }
    }

    #[test]
    fn every_command_has_a_document_and_every_document_a_command() {
        let mut commands = BTreeSet::new();
        leaves(&Arguments::command(), "", &mut commands);
        let documents = names().documents.into_iter().filter(|name| name != "error" && !name.contains(" --"));
        assert_eq!(documents.collect::<BTreeSet<_>>(), commands);
    }

    #[test]
    fn a_name_means_one_thing() {
        let names = names();
        let both: Vec<_> = names.methods.iter().filter(|name| names.documents.contains(name)).collect();
        assert!(both.is_empty(), "{both:?}");
    }
}
