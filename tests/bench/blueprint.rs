//! What is provisioned: a generated application of 40 tables, or any folder.

use std::fmt::Write as _;
use std::path::Path;

use tenantry_protocol::blueprint::{BlueprintUpload, UploadedFile};

use crate::Result;

const TABLES: usize = 40;
const TABLES_A_FILE: usize = 5;
/// The other half of the 80 indexes belong to the primary keys.
const FOREIGN_KEYS: usize = 30;

#[derive(Debug)]
pub(crate) struct Blueprint {
    pub(crate) name: String,
    pub(crate) manifest: String,
    /// Path and SQL, in order.
    pub(crate) files: Vec<(String, String)>,
}

impl Blueprint {
    /// 40 tables, 80 indexes, 30 foreign keys, 5 views, 4 functions, 6 triggers, a few rows, in 10 files.
    pub(crate) fn of_forty_tables() -> Self {
        let mut files: Vec<String> = (0..TABLES).step_by(TABLES_A_FILE).map(tables).collect();
        files.push(views_and_functions());
        files.push(triggers_and_rows());
        let named = files.into_iter().enumerate();
        Self {
            name: "forty".to_owned(),
            manifest: "name = \"forty\"\nversion = \"1.0\"\ntitle = \"Forty tables\"\n".to_owned(),
            files: named.map(|(at, sql)| (format!("V{}__part.sql", at + 1), sql)).collect(),
        }
    }

    /// A folder of `V<n>__<title>.sql` files with a `blueprint.toml`.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let manifest = std::fs::read_to_string(path.join("blueprint.toml"))?;
        let name = manifest.lines().find_map(|line| line.strip_prefix("name = ")).unwrap_or("\"folder\"");
        let mut files = Vec::new();
        for entry in std::fs::read_dir(path)? {
            let file = entry?.file_name().to_string_lossy().into_owned();
            if let Some(number) = file.strip_prefix('V').and_then(|rest| rest.split_once("__")) {
                files.push((
                    number.0.parse::<u32>()?,
                    file.clone(),
                    std::fs::read_to_string(path.join(&file))?,
                ));
            }
        }
        files.sort();
        let files = files.into_iter().map(|(_, file, sql)| (file, sql)).collect();
        Ok(Self { name: name.trim_matches('"').to_owned(), manifest, files })
    }

    pub(crate) fn tables(&self) -> usize {
        self.files.iter().map(|(_, sql)| sql.to_lowercase().matches("create table").count()).sum()
    }

    pub(crate) fn upload(&self) -> BlueprintUpload {
        let manifest = UploadedFile { path: "blueprint.toml".to_owned(), content: self.manifest.clone() };
        let file = |(path, content): &(String, String)| UploadedFile {
            path: path.clone(),
            content: content.clone(),
        };
        BlueprintUpload { files: std::iter::once(manifest).chain(self.files.iter().map(file)).collect() }
    }

    /// All files as one text.
    pub(crate) fn sql(&self) -> String {
        self.files.iter().map(|(_, sql)| sql.as_str()).collect::<Vec<_>>().join("\n")
    }
}

fn tables(first: usize) -> String {
    let mut sql = String::new();
    for number in first..first + TABLES_A_FILE {
        // Every table except the first ten refers to an earlier one.
        let refers = number.checked_sub(TABLES - FOREIGN_KEYS);
        let reference = refers.map_or("parent_id bigint".to_owned(), |parent| {
            format!("parent_id bigint constraint entity_{number}_parent_fk references entity_{parent} (id) on delete cascade")
        });
        let _ = write!(
            sql,
            "create table entity_{number} (
    id bigint generated always as identity constraint entity_{number}_pk primary key,
    name text not null constraint entity_{number}_name_present check (name <> ''),
    state text not null default 'new' constraint entity_{number}_state_known check (state in ('new', 'open', 'done')),
    amount numeric(12, 2) not null default 0,
    payload jsonb not null default '{{}}',
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    {reference}
);
create index entity_{number}_by_parent on entity_{number} (parent_id, created_at);
"
        );
    }
    sql
}

fn views_and_functions() -> String {
    let mut sql = String::new();
    for number in 0..5 {
        let child = number + 10;
        let _ = writeln!(
            sql,
            "create view summary_{number} with (security_invoker = true) as
    select p.id, p.name, count(c.id) as children, coalesce(sum(c.amount), 0) as amount
    from entity_{number} p left join entity_{child} c on c.parent_id = p.id group by p.id;"
        );
    }
    for number in 0..3 {
        let _ = writeln!(
            sql,
            "create function total_{number}() returns numeric language sql stable as
    'select coalesce(sum(amount), 0) from entity_{number}';"
        );
    }
    sql.push_str(
        "create function touch() returns trigger language plpgsql as
$$ begin new.updated_at := now(); return new; end $$;\n",
    );
    sql
}

fn triggers_and_rows() -> String {
    let mut sql = String::new();
    for number in 0..6 {
        let _ = writeln!(
            sql,
            "create trigger entity_{number}_touch before update on entity_{number} for each row execute function touch();
insert into entity_{number} (name, amount) values ('first', 1), ('second', 2);"
        );
    }
    sql
}
