//! `man`: the manual pages, generated from the grammar itself, so that they describe only what the commands do. Pages go to
//! standard output or into an existing folder; a page that is there already is overwritten.

use std::path::Path;

use clap::CommandFactory;

use super::args::Arguments;
use super::error::CliError;
use super::output;

pub(in crate::cli) fn run(directory: Option<&Path>) -> Result<(), CliError> {
    let Some(directory) = directory else {
        let mut page = Vec::new();
        clap_mangen::Man::new(Arguments::command()).render(&mut page).map_err(CliError::Output)?;
        return output::verbatim(&page);
    };
    clap_mangen::generate_to(Arguments::command(), directory).map_err(|error| CliError::File {
        doing: "cannot write the manual pages to",
        path: directory.to_owned(),
        problem: match error.kind() {
            std::io::ErrorKind::NotFound => "the folder does not exist; make it first".to_owned(),
            _ => error.to_string(),
        },
    })
}
