//! A lock on a file, let go when it is dropped.
//!
//! Closing the file is not enough for that: a child that was just forked holds a copy of it until it becomes its own
//! program, and the lock is the copy's too. So it is let go by name.

use std::fs::{File, TryLockError};

/// Held as long as it lives; it ends with the process, too.
#[derive(Debug)]
pub(crate) struct FileLock(File);

impl FileLock {
    /// # Errors
    ///
    /// `WouldBlock` if somebody else holds it.
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
        // If it fails, closing the file lets go of it as soon as the last copy is closed.
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
