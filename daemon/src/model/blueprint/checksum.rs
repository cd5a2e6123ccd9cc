//! The checksum of a blueprint, which makes a stored version immutable. This encoding is a contract.
//!
//! SHA-256 over, in this order: `frame("tenantry.blueprint.v1")`, the number of files as 8 bytes, and for each file
//! `frame(path)` and `frame(content)`. `frame(x)` is the length of `x` in bytes, as 8 bytes, followed by `x` itself.
//! Numbers are big-endian, texts are UTF-8, and nothing is normalised. The files are the manifest, the migrations and the
//! seed, sorted by the bytes of their paths; other files of the folder are not part of a blueprint. The checksum must not
//! depend on file order.

use std::fmt;
use std::str::FromStr;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

use super::SourceFile;

const DOMAIN: &[u8] = b"tenantry.blueprint.v1";

/// A SHA-256, shown as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Checksum([u8; 32]);

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a checksum is 64 lower-case hexadecimal digits")]
pub struct ChecksumError;

impl Checksum {
    pub fn of(content: &[u8]) -> Self {
        Self(Sha256::digest(content).into())
    }

    /// The checksum of a whole blueprint, from its files in any order.
    pub fn of_files<'a>(files: impl IntoIterator<Item = &'a SourceFile>) -> Self {
        let mut files: Vec<&SourceFile> = files.into_iter().collect();
        files.sort_by(|a, b| a.path.as_bytes().cmp(b.path.as_bytes()));
        let mut hash = Sha256::new();
        frame(&mut hash, DOMAIN);
        hash.update((files.len() as u64).to_be_bytes());
        for file in files {
            frame(&mut hash, file.path.as_bytes());
            frame(&mut hash, file.content.as_bytes());
        }
        Self(hash.finalize().into())
    }

    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

fn frame(hash: &mut Sha256, bytes: &[u8]) {
    hash.update((bytes.len() as u64).to_be_bytes());
    hash.update(bytes);
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Checksum({self})")
    }
}

impl FromStr for Checksum {
    type Err = ChecksumError;

    fn from_str(text: &str) -> Result<Self, ChecksumError> {
        let bytes = HEXLOWER.decode(text.as_bytes()).map_err(|_| ChecksumError)?;
        bytes.try_into().map(Self).map_err(|_| ChecksumError)
    }
}

#[cfg(test)]
#[path = "tests/checksum.rs"]
mod tests;
