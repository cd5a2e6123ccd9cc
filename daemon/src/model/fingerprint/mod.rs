//! A placement's fingerprint: what the catalog says of its objects, in words that do not depend on the placement's name or age.
//!
//! An object has a kind, a name, a body and clauses. Body and clauses are SQL, or parts of SQL that [`repair`] completes. The
//! placement's name is written [`TENANT`] everywhere. There are no object numbers, comments, or positions of columns in it, so
//! that a tenant that was upgraded has the fingerprint of a new one.

mod compare;
mod detached;
mod repair;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

pub use compare::{Change, Difference, compare};
pub use detached::is_left_by_detachment;

/// What stands for the placement's name, also at the beginning of its roles' names.
pub const TENANT: &str = "$tenant";

/// The number of the way in which fingerprints are read. It is raised whenever a query is changed so that it answers otherwise,
/// and baselines of earlier numbers are made again.
pub const FORMAT: i32 = 1;

/// An object, as it is stored in a baseline. Of one kind, a name occurs once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Object {
    /// `table`, `column`, `function`, …: the word that SQL has for it, where it has one.
    pub kind: String,
    /// With its schema, as the server quotes it: `$tenant.orders`.
    pub name: String,
    /// The kind and name of the object that it comes and goes with.
    pub parent: Option<String>,
    /// How it is made.
    pub body: String,
    /// What is said of it in addition, each independent of the others.
    pub clauses: Vec<String>,
}

/// The objects of a placement by kind and name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fingerprint {
    objects: BTreeMap<String, Object>,
}

impl Object {
    /// `table $tenant.orders`
    pub fn label(&self) -> String {
        format!("{} {}", self.kind, self.name)
    }

    /// The name for people, without the schema that all objects have.
    pub fn short_name(&self) -> String {
        let schema = format!("{TENANT}.");
        self.name.replace(&schema, "")
    }

    /// The whole definition, for people.
    pub fn definition(&self) -> String {
        let body = (!self.body.is_empty()).then_some(&self.body);
        body.into_iter().chain(&self.clauses).map(String::as_str).collect::<Vec<_>>().join("\n")
    }
}

impl Fingerprint {
    pub fn new(objects: impl IntoIterator<Item = Object>) -> Self {
        Self { objects: objects.into_iter().map(|object| (object.label(), object)).collect() }
    }

    pub fn objects(&self) -> impl Iterator<Item = &Object> {
        self.objects.values()
    }

    pub fn len(&self) -> usize {
        self.objects.len()
    }

    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// SHA-256 over all objects, in hexadecimal.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        let mut part = |text: &str| {
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text);
        };
        for (label, object) in &self.objects {
            part(label);
            part(object.parent.as_deref().unwrap_or_default());
            part(&object.body);
            part(&object.clauses.len().to_string());
            object.clauses.iter().for_each(|clause| part(clause));
        }
        HEXLOWER.encode(&hash.finalize())
    }

    fn get(&self, label: &str) -> Option<&Object> {
        self.objects.get(label)
    }

    /// The objects that come and go with this one, directly or not.
    fn within<'a>(&'a self, label: &str) -> Vec<&'a Object> {
        let mut found: Vec<&Object> = Vec::new();
        let mut roots = vec![label.to_owned()];
        while let Some(root) = roots.pop() {
            for object in self.objects.values().filter(|object| object.parent.as_ref() == Some(&root)) {
                roots.push(object.label());
                found.push(object);
            }
        }
        found
    }
}
