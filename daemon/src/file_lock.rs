//! A lock on a file, released when it is dropped.
//!
//! Closing the file is not enough for that: a child that was just forked holds a copy of the file until it executes its
//! own program, and the copy shares the lock. The lock is therefore released explicitly.

use std::fs::{File, TryLockError};

/// The lock is held as long as this value lives; it ends with the process, too.
#[derive(Debug)]
pub(crate) struct FileLock(File);

impl FileLock {
    /// # Errors
    ///
    /// `WouldBlock` if another process holds the lock.
    pub(crate) fn take(file: File) -> Result<Self, (File, TryLockError)> {
        match file.try_lock() {
            Ok(()) => Ok(Self(file)),
            Err(error) => Err((file, error)),
        }
    }

    pub(crate) fn file(&mut self) -> &mut File {
        &mut self.0
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        // If this fails, the lock is released when the last copy of the file is closed.
        let _ = self.0.unlock();
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_copy_of_the_file_does_not_hold_the_lock() {
        let path = tempfile::NamedTempFile::new().unwrap().into_temp_path();
        let file = File::open(&path).unwrap();
        let copy = file.try_clone().unwrap();
        let held = FileLock::take(file).unwrap();
        let (_, refused) = FileLock::take(File::open(&path).unwrap()).unwrap_err();
        assert!(matches!(refused, TryLockError::WouldBlock));
        drop(held);
        assert!(FileLock::take(File::open(&path).unwrap()).is_ok());
        drop(copy);
    }
}
