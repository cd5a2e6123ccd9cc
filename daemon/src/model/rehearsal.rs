//! What a rehearsal has seen of an upgrade: the locks that its files take, what they write anew, and how long they take.
//!
//! Pure. A manifest holds for the very files that were rehearsed together: a tenant that lacks others has none.

use std::time::Duration;

use super::fingerprint::Difference;

/// How strong a lock on a relation is, from the weakest to the strongest, in the server's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LockMode {
    AccessShare,
    RowShare,
    RowExclusive,
    ShareUpdateExclusive,
    Share,
    ShareRowExclusive,
    Exclusive,
    AccessExclusive,
}

impl LockMode {
    const ALL: [Self; 8] = [
        Self::AccessShare,
        Self::RowShare,
        Self::RowExclusive,
        Self::ShareUpdateExclusive,
        Self::Share,
        Self::ShareRowExclusive,
        Self::Exclusive,
        Self::AccessExclusive,
    ];

    /// As `lock table` has it.
    pub const fn sql(self) -> &'static str {
        match self {
            Self::AccessShare => "ACCESS SHARE",
            Self::RowShare => "ROW SHARE",
            Self::RowExclusive => "ROW EXCLUSIVE",
            Self::ShareUpdateExclusive => "SHARE UPDATE EXCLUSIVE",
            Self::Share => "SHARE",
            Self::ShareRowExclusive => "SHARE ROW EXCLUSIVE",
            Self::Exclusive => "EXCLUSIVE",
            Self::AccessExclusive => "ACCESS EXCLUSIVE",
        }
    }

    /// As `pg_locks` has it: `AccessShareLock`. None for a mode that this build does not know.
    pub fn of_lock_table(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mode| {
            let words = mode.sql().split(' ').flat_map(|word| {
                let (first, rest) = word.split_at(1);
                [first.to_owned(), rest.to_lowercase()]
            });
            name.strip_suffix("Lock").is_some_and(|name| name == words.collect::<String>())
        })
    }

    /// Whether it keeps the tenant from reading or writing.
    pub fn locks_out(self) -> bool {
        self > Self::ShareUpdateExclusive
    }
}

/// The strongest lock that files take on a relation that was there before them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RelationLock {
    /// Without its schema, as it was called before the files.
    pub name: String,
    /// `table`, `view`, …
    pub kind: &'static str,
    pub mode: LockMode,
}

/// Files that run in one transaction, and what that takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RehearsedTransaction {
    pub files: Vec<String>,
    /// In the order of the names.
    pub locks: Vec<RelationLock>,
    /// The relations that have another file after it, as `table orders`.
    pub rewritten: Vec<String>,
}

/// An upgrade that went through on a blank placement.
#[derive(Debug, Clone)]
pub struct Rehearsed {
    /// Without files that run outside of transactions.
    pub transactions: Vec<RehearsedTransaction>,
    /// What the upgraded placement has otherwise than a new one; empty if the two are the same.
    pub differences: Vec<Difference>,
    /// The fingerprint that the upgraded placement has.
    pub fingerprint: String,
    /// How long the files took, without the rows of a customer.
    pub duration: Duration,
}

impl Rehearsed {
    /// The tables that the transaction with these files locks its tenant out of, in the order of their names; empty if these files
    /// were not rehearsed together.
    pub fn manifest<'a>(&self, files: impl Iterator<Item = &'a str> + Clone) -> Vec<&RelationLock> {
        let known =
            self.transactions.iter().find(|one| one.files.iter().map(String::as_str).eq(files.clone()));
        let locks = known.into_iter().flat_map(|one| &one.locks);
        locks.filter(|lock| lock.kind == "table" && lock.mode.locks_out()).collect()
    }

    /// The strongest lock on each relation, in the order of the names.
    pub fn locks(&self) -> Vec<RelationLock> {
        let mut locks: Vec<RelationLock> = Vec::new();
        let mut all: Vec<&RelationLock> = self.transactions.iter().flat_map(|one| &one.locks).collect();
        all.sort();
        for lock in all {
            match locks.last_mut().filter(|last| last.name == lock.name) {
                Some(last) => last.mode = last.mode.max(lock.mode),
                None => locks.push(lock.clone()),
            }
        }
        locks
    }

    pub fn rewritten(&self) -> Vec<&str> {
        self.transactions.iter().flat_map(|one| &one.rewritten).map(String::as_str).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock(name: &str, kind: &'static str, mode: LockMode) -> RelationLock {
        RelationLock { name: name.to_owned(), kind, mode }
    }

    #[test]
    fn modes_are_known_by_the_names_of_the_lock_table_and_have_the_servers_order() {
        for (name, mode) in [
            ("AccessShareLock", LockMode::AccessShare),
            ("ShareUpdateExclusiveLock", LockMode::ShareUpdateExclusive),
            ("ShareRowExclusiveLock", LockMode::ShareRowExclusive),
            ("AccessExclusiveLock", LockMode::AccessExclusive),
        ] {
            assert_eq!(LockMode::of_lock_table(name), Some(mode));
        }
        assert_eq!(LockMode::of_lock_table("SIReadLock"), None);
        assert!(LockMode::Share.locks_out() && !LockMode::ShareUpdateExclusive.locks_out());
    }

    #[test]
    fn a_manifest_is_that_of_the_very_files_and_has_the_tables_that_are_locked() {
        let one = |file: &str, locks| RehearsedTransaction {
            files: vec![file.to_owned()],
            locks,
            rewritten: Vec::new(),
        };
        let rehearsed = Rehearsed {
            transactions: vec![
                one(
                    "V2",
                    vec![
                        lock("a", "table", LockMode::AccessExclusive),
                        lock("b", "table", LockMode::RowExclusive),
                        lock("v", "view", LockMode::AccessExclusive),
                    ],
                ),
                one("V4", vec![lock("b", "table", LockMode::Share)]),
            ],
            differences: Vec::new(),
            fingerprint: String::new(),
            duration: Duration::ZERO,
        };
        let names = |files: &[&str]| -> Vec<String> {
            let manifest = rehearsed.manifest(files.iter().copied());
            manifest.into_iter().map(|lock| lock.name.clone()).collect()
        };
        assert_eq!((names(&["V2"]), names(&["V4"])), (vec!["a".to_owned()], vec!["b".to_owned()]));
        assert!(names(&["V2", "V4"]).is_empty() && names(&[]).is_empty());
        assert_eq!(rehearsed.locks()[1], lock("b", "table", LockMode::Share));
        assert_eq!(rehearsed.locks().len(), 3);
    }
}
