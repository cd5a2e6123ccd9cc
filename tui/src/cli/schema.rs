//! `schema [NAME]`: the JSON Schema of a method's request and answer, or of the document that a command prints.
//! Made from the types themselves; asks no daemon, so it tells what this release knows.

use tenantry_protocol::schema::methods;

use super::document::{self, DocumentSchema, MethodSchemas, SchemaNames};
use super::error::CliError;
use super::output::Output;

pub(super) fn run(output: Output, words: &[String]) -> Result<(), CliError> {
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
            "operation watch" => "what it prints with --json, on each line".to_owned(),
            _ => "what it prints with --json".to_owned(),
        };
        vec![name.clone(), what]
    };
    let rows = names.methods.iter().map(method).chain(names.documents.iter().map(document));
    output.table(&["name", "schema of"], rows.collect())
}
