//! Migrations in a programming language, which cannot run here. They are known by their names: nothing is read.

use std::path::Path;

/// What tools run besides SQL.
const CODE: [&str; 14] =
    ["cs", "ex", "exs", "go", "groovy", "java", "js", "kt", "mjs", "php", "py", "rb", "rs", "ts"];

/// A migration in a programming language, by its name: a number or Flyway's `V1__` before the title. Others are the application's.
pub(super) fn is_code_of_a_migration(path: &Path) -> bool {
    let is_code = path
        .extension()
        .and_then(|extension| extension.to_str())
        .is_some_and(|extension| CODE.contains(&extension.to_ascii_lowercase().as_str()));
    let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or("");
    let has_a_number = |name: &str| name.starts_with(|c: char| c.is_ascii_digit());
    let folder = path.parent().and_then(Path::file_name).and_then(|name| name.to_str()).unwrap_or("");
    // `20240101120000_a/migration.ts` is named by its folder, as the SQL of Prisma and diesel is.
    let begins_with_a_number =
        has_a_number(stem) || (["migration", "up"].contains(&stem) && has_a_number(folder));
    let is_flyways = stem.starts_with(['V', 'R', 'B', 'U']) && stem.contains("__");
    // What these tools take for tests.
    let ends: &[&str] = match path.extension().and_then(|extension| extension.to_str()) {
        Some("go") => &["_test"],
        Some("rb" | "exs") => &["_test", "_spec"],
        Some("js" | "mjs" | "ts") => &[".test", ".spec"],
        _ => &[],
    };
    let is_test = ends.iter().any(|end| stem.ends_with(end));
    is_code && !is_test && (begins_with_a_number || is_flyways)
}
