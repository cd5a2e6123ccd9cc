//! The tool that a folder of migrations was written for. These tools are understood, and a folder follows one of them.
//!
//! The manifest may name the convention. Otherwise the file names show it, or the markers in the files where several
//! tools use the same names. A mix is never resolved by guessing. This module must not change the content of a file; the
//! sections do that.

use std::fmt;

use super::naming::Shape;
use super::sections::{Marker, Sections};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Convention {
    Flyway,
    Sqlx,
    Dbmate,
    Goose,
    GolangMigrate,
    Diesel,
    Hasura,
    Prisma,
    Drizzle,
    NodePgMigrate,
    SqlMigrate,
    Micrate,
    Rambler,
    Tern,
    MyBatis,
    Refinery,
    Numbered,
    Dated,
    /// One file that makes all of it, as pg_dump writes it.
    Dump,
}

/// The names of the conventions, as in `convention = "…"` in the manifest.
pub(super) const CONVENTIONS: &[(&str, Convention)] = &[
    ("flyway", Convention::Flyway),
    ("sqlx", Convention::Sqlx),
    ("dbmate", Convention::Dbmate),
    ("goose", Convention::Goose),
    ("golang-migrate", Convention::GolangMigrate),
    ("diesel", Convention::Diesel),
    ("hasura", Convention::Hasura),
    ("prisma", Convention::Prisma),
    ("drizzle", Convention::Drizzle),
    ("node-pg-migrate", Convention::NodePgMigrate),
    ("sql-migrate", Convention::SqlMigrate),
    ("micrate", Convention::Micrate),
    ("rambler", Convention::Rambler),
    ("tern", Convention::Tern),
    ("mybatis", Convention::MyBatis),
    ("refinery", Convention::Refinery),
    ("numbered", Convention::Numbered),
    ("dated", Convention::Dated),
    ("dump", Convention::Dump),
];

impl Convention {
    pub(super) fn from_name(name: &str) -> Option<Self> {
        CONVENTIONS.iter().find(|(known, _)| *known == name).map(|(_, convention)| *convention)
    }

    /// As in the manifest.
    pub(super) fn name(self) -> &'static str {
        CONVENTIONS.iter().find(|(_, convention)| *convention == self).map_or("", |(name, _)| *name)
    }

    /// The sections that the files of this convention are divided into.
    pub(super) const fn sections(self) -> Option<Sections> {
        match self {
            Self::Dbmate => Some(Sections::Dbmate),
            Self::Goose => Some(Sections::Goose),
            Self::NodePgMigrate => Some(Sections::NodePgMigrate),
            Self::SqlMigrate => Some(Sections::SqlMigrate),
            Self::Micrate => Some(Sections::Micrate),
            Self::Rambler => Some(Sections::Rambler),
            Self::Tern => Some(Sections::Tern),
            Self::MyBatis => Some(Sections::MyBatis),
            Self::Flyway
            | Self::Sqlx
            | Self::GolangMigrate
            | Self::Diesel
            | Self::Hasura
            | Self::Prisma
            | Self::Drizzle
            | Self::Refinery
            | Self::Numbered
            | Self::Dated
            | Self::Dump => None,
        }
    }

    /// Whether a file of this shape can belong to this convention.
    pub(super) const fn takes(self, shape: Shape) -> bool {
        matches!(
            (self, shape),
            (Self::Flyway | Self::Refinery, Shape::Flyway)
                | (Self::Sqlx, Shape::Underscore | Shape::Pair)
                | (
                    Self::Dbmate
                        | Self::NodePgMigrate
                        | Self::SqlMigrate
                        | Self::Micrate
                        | Self::Rambler
                        | Self::Tern
                        | Self::MyBatis
                        | Self::Numbered
                        | Self::Drizzle,
                    Shape::Underscore | Shape::Loose
                )
                | (Self::Goose, Shape::Underscore)
                | (Self::Numbered, Shape::Dotted)
                | (Self::Dump, Shape::Whole)
                | (Self::GolangMigrate, Shape::Pair)
                | (Self::Diesel | Self::Hasura, Shape::Folder)
                | (Self::Prisma, Shape::PrismaFolder)
                | (Self::Dated, Shape::Dated)
        )
    }

    /// How to take a file of this convention out of the transaction, for messages.
    pub(super) const fn how_to_take_out(self) -> &'static str {
        match self {
            Self::Flyway => {
                "a file V1__title.sql.conf beside V1__title.sql, with the line executeInTransaction=false"
            }
            Self::Sqlx | Self::Numbered | Self::Dated => "its first line is -- no-transaction",
            Self::Dbmate => "its section begins with -- migrate:up transaction:false",
            Self::Goose => "it has a line -- +goose NO TRANSACTION",
            Self::GolangMigrate | Self::Prisma => "as the file's only statement",
            Self::SqlMigrate => "its section begins with -- +migrate Up notransaction",
            Self::Tern => "it has a line ---- tern: disable-tx ----",
            Self::Dump => "which a dump has no way for: leave out CONCURRENTLY",
            Self::Hasura
            | Self::NodePgMigrate
            | Self::Refinery
            | Self::Drizzle
            | Self::Micrate
            | Self::Rambler
            | Self::MyBatis => {
                "which its tool knows no way for: leave out CONCURRENTLY, or say convention = \"numbered\" and begin the \
                 file with -- no-transaction"
            }
            Self::Diesel => "a metadata.toml beside it has the line run_in_transaction = false",
        }
    }

    /// Whether `-- no-transaction` at the beginning of a file is a directive in such a folder.
    pub(super) const fn knows_the_remark(self) -> bool {
        // Folders of sqlx can look like those of golang-migrate.
        matches!(self, Self::Sqlx | Self::Numbered | Self::Dated | Self::GolangMigrate)
    }

    /// Whether its tool sends a file to the server as it is, which opens no transaction block for a single statement.
    pub(super) const fn sends_files_whole(self) -> bool {
        matches!(self, Self::GolangMigrate | Self::Prisma)
    }

    /// Whether each of its migrations has a folder of its own.
    pub(super) const fn has_folders(self) -> bool {
        matches!(self, Self::Diesel | Self::Hasura | Self::Prisma)
    }

    /// A valid file name, for messages.
    pub(super) const fn example(self) -> &'static str {
        match self {
            Self::Flyway | Self::Refinery => "V1__title.sql",
            Self::Sqlx | Self::Numbered | Self::Drizzle => "0001_title.sql",
            Self::NodePgMigrate => "1704103200000_title.sql",
            Self::Dated => "2024-01-01_title.sql",
            Self::Hasura => "1704103200000_title/up.sql",
            Self::Prisma => "20240101120000_title/migration.sql",
            Self::Dbmate | Self::SqlMigrate | Self::Micrate | Self::Rambler | Self::MyBatis => {
                "20240101120000_title.sql"
            }
            Self::Tern => "001_title.sql",
            Self::Dump => "structure.sql",
            Self::Goose => "00001_title.sql",
            Self::GolangMigrate => "000001_title.up.sql",
            Self::Diesel => "2024-01-01-120000_title/up.sql",
        }
    }
}

impl fmt::Display for Convention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What is known about one migration before the convention of its folder is known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Evidence<'a> {
    pub(super) path: &'a str,
    pub(super) shape: Shape,
    pub(super) marker: Option<Marker>,
}

/// Two files of one folder that do not fit any single convention.
#[derive(Debug)]
pub(super) struct Mix<'a> {
    pub(super) first: (&'a str, &'static str),
    pub(super) second: (&'a str, &'static str),
}

/// The convention of all these files; `None` if there are no files.
pub(super) fn detect<'a>(files: &[Evidence<'a>]) -> Result<Option<Convention>, Mix<'a>> {
    let mut certain: Option<(Evidence<'a>, Convention)> = None;
    for file in files {
        let Some(own) = certain_of(file) else { continue };
        match certain {
            Some((first, known)) if known != own => return Err(mix(&first, file)),
            Some(_) => {}
            None => certain = Some((*file, own)),
        }
    }
    let any = |shape| files.iter().any(|file| file.shape == shape);
    let convention = match certain {
        // sqlx accepts pairs and single files side by side.
        Some((_, Convention::GolangMigrate)) if any(Shape::Underscore) => Convention::Sqlx,
        Some((_, convention)) => convention,
        None if files.is_empty() => return Ok(None),
        None if any(Shape::Loose) || any(Shape::Dotted) => Convention::Numbered,
        None => Convention::Sqlx,
    };
    let witness = certain.map(|(file, _)| file).or_else(|| files.first().copied());
    match (witness, files.iter().find(|file| !convention.takes(file.shape))) {
        (Some(witness), Some(stranger)) => Err(mix(&witness, stranger)),
        _ => Ok(Some(convention)),
    }
}

/// The one convention that a file can have, judged by itself; `None` for plain numbered names.
fn certain_of(file: &Evidence<'_>) -> Option<Convention> {
    match (file.shape, file.marker.map(|marker| marker.sections)) {
        (Shape::Flyway, _) => Some(Convention::Flyway),
        (Shape::Folder, _) => Some(Convention::Diesel),
        (Shape::PrismaFolder, _) => Some(Convention::Prisma),
        (Shape::Dated, _) => Some(Convention::Dated),
        (Shape::Pair, _) => Some(Convention::GolangMigrate),
        (Shape::Whole, _) => Some(Convention::Dump),
        (Shape::Underscore | Shape::Loose, Some(sections)) => match sections {
            Sections::Dbmate => Some(Convention::Dbmate),
            Sections::Goose => Some(Convention::Goose),
            Sections::NodePgMigrate => Some(Convention::NodePgMigrate),
            Sections::SqlMigrate => Some(Convention::SqlMigrate),
            Sections::Micrate => Some(Convention::Micrate),
            Sections::Rambler => Some(Convention::Rambler),
            Sections::Tern => Some(Convention::Tern),
            Sections::MyBatis => Some(Convention::MyBatis),
            Sections::Foreign(_) => None,
        },
        (Shape::Underscore | Shape::Loose, None) | (Shape::Dotted, _) => None,
    }
}

fn mix<'a>(first: &Evidence<'a>, second: &Evidence<'a>) -> Mix<'a> {
    Mix { first: (first.path, manner(first)), second: (second.path, manner(second)) }
}

/// How a file is written, for messages.
fn manner(file: &Evidence<'_>) -> &'static str {
    let by_name = match file.shape {
        Shape::Flyway => "Flyway",
        Shape::Folder => "diesel or Hasura",
        Shape::PrismaFolder => "Prisma",
        Shape::Pair => "golang-migrate or sqlx",
        Shape::Dated => "files named by dates",
        Shape::Loose | Shape::Dotted => "plain numbered files",
        Shape::Underscore => "sqlx or plain numbered files",
        Shape::Whole => "a dump",
    };
    match certain_of(file) {
        Some(convention) if convention.sections().is_some() => convention.name(),
        _ => by_name,
    }
}

#[cfg(test)]
#[path = "tests/convention.rs"]
mod tests;
