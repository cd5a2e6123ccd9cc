//! The planted misconfigurations, read from `planted.sql` and `planted_pool.sql`.

/// A misconfiguration, how to clear it, and the probes and lints that must all catch it.
#[derive(Debug, Clone, Copy)]
pub struct Planted {
    pub name: &'static str,
    /// `probe read, lint foreign_grants`
    pub caught_by: &'static str,
    pub plant: &'static str,
    pub clear: &'static str,
}

impl Planted {
    /// `probe read`, `lint foreign_grants`
    pub fn catchers(&self) -> impl Iterator<Item = &'static str> {
        self.caught_by.split(", ")
    }
}

/// Probes for which nothing is planted, and why nothing can be.
pub const NOT_PLANTED: &[(&str, &str)] = &[
    ("session_authorization", ONLY_A_SUPERUSER),
    (
        "escalate",
        "its attacks pass for a superuser alone, from PostgreSQL 16 on, and the lint role_attributes finds that one",
    ),
    ("catalog_lock", TAKEN_FROM_ALL),
    ("catalog_write", TAKEN_FROM_ALL),
    (
        "replication",
        "the right is the login's own, and the daemon opens no login that an administrator gave it: the verification ends \
         and says so, and the lint role_attributes finds the other logins",
    ),
    ("event_trigger", ONLY_A_SUPERUSER),
    ("load_library", ONLY_A_SUPERUSER),
    (
        "subscription",
        "it takes a superuser before PostgreSQL 16, and a member of pg_create_subscription from there on: the lint \
         role_attributes and the probe role_memberships find them",
    ),
];

const ONLY_A_SUPERUSER: &str =
    "PostgreSQL lets a superuser alone do it, and the lint role_attributes finds that one";
const TAKEN_FROM_ALL: &str =
    "PostgreSQL ignores such a right on its own catalog in all roles but a superuser";

/// What can be wrong with any tenant and its server. Every one must be caught.
pub fn planted() -> Vec<Planted> {
    read(include_str!("planted.sql"))
}

/// What can be wrong with tables that tenants share.
pub fn planted_in_a_pool() -> Vec<Planted> {
    read(include_str!("planted_pool.sql"))
}

/// In the file, each begins with `--- NAME · WHO`, and ends with what follows `--- clear`.
fn read(text: &'static str) -> Vec<Planted> {
    let sections = text.split("\n--- ").skip(1).collect::<Vec<_>>();
    let pairs = sections.chunks_exact(2).map(|pair| {
        let (title, plant) = pair[0].split_once('\n').expect("a title and its statements");
        let (name, caught_by) = title.split_once(" · ").expect("a name and who must notice");
        let clear = pair[1].strip_prefix("clear\n").expect("how it goes again");
        Planted { name, caught_by, plant, clear }
    });
    pairs.collect()
}
