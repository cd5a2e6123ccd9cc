//! `meta/_journal.json` of drizzle-kit, which says which files are migrations, and in which order.

use serde::Deserialize;

use crate::model::blueprint::SourceFile;
use crate::model::blueprint::findings::Findings;

pub(super) const JOURNAL: &str = "meta/_journal.json";

#[derive(Deserialize)]
struct Journal {
    #[serde(default)]
    dialect: Option<String>,
    entries: Vec<ListedFile>,
}

#[derive(Deserialize)]
struct ListedFile {
    tag: String,
}

/// The paths of the migrations in their order; none if the journal cannot be read, which is a finding.
pub(super) fn read(file: &SourceFile, findings: &mut Findings) -> Option<Vec<String>> {
    match serde_json::from_str::<Journal>(&file.content) {
        Ok(journal) => {
            if let Some(other) = journal.dialect.filter(|dialect| dialect != "postgresql" && dialect != "pg")
            {
                let message =
                    format!("the journal says dialect {other:?}, and only PostgreSQL is spoken here");
                findings.file_error("journal", &file.path, message);
            }
            Some(journal.entries.into_iter().map(|entry| format!("{}.sql", entry.tag)).collect())
        }
        Err(error) => {
            let message =
                format!("drizzle's journal cannot be read: {error}. Restore it, or say another convention");
            findings.file_error("journal", &file.path, message);
            None
        }
    }
}
