//! Items that several callers bring at about the same time, and that one of them writes for all.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::sync::oneshot::error::TryRecvError;

/// How long the one that writes waits for others.
const LINGER: Duration = Duration::from_millis(20);

#[derive(Debug)]
pub(super) struct Joint<T> {
    waiting: Mutex<Vec<Waiting<T>>>,
    /// Held by the one that writes.
    writing: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Waiting<T> {
    item: T,
    /// Says that the item is written; dropped if it is not.
    told: oneshot::Sender<()>,
}

/// What became of a caller's item.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Written<R> {
    /// The caller wrote it, with those of others.
    Here(R),
    /// Another caller wrote it.
    Elsewhere,
    /// The caller that had it could not write it, or is gone.
    Not,
}

impl<T> Default for Joint<T> {
    fn default() -> Self {
        Self { waiting: Mutex::default(), writing: tokio::sync::Mutex::default() }
    }
}

impl<T> Joint<T> {
    /// Writes the item with all others that wait, or lets another caller do so. `write` gets at least this item, and returns `None` if
    /// it wrote nothing.
    pub(super) async fn write<R, F: Future<Output = Option<R>>>(
        &self,
        item: T,
        write: impl FnOnce(Vec<T>) -> F,
    ) -> Written<R> {
        let (told, mut answer) = oneshot::channel();
        self.lock().push(Waiting { item, told });
        let _writing = self.writing.lock().await;
        match answer.try_recv() {
            Ok(()) => return Written::Elsewhere,
            // Another caller took it and wrote nothing, so that it waits no more.
            Err(TryRecvError::Closed) => return Written::Not,
            Err(TryRecvError::Empty) => {}
        }
        tokio::time::sleep(LINGER).await;
        let taken = std::mem::take(&mut *self.lock());
        let (items, tellers): (Vec<T>, Vec<_>) =
            taken.into_iter().map(|waiting| (waiting.item, waiting.told)).unzip();
        let Some(written) = write(items).await else { return Written::Not };
        for told in tellers {
            // The one that waited is gone if the daemon lost the fence.
            told.send(()).ok();
        }
        Written::Here(written)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Waiting<T>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use futures::future::join_all;

    use super::*;

    #[tokio::test]
    async fn one_writes_what_several_bring() {
        let (joint, writes) = (Joint::default(), AtomicUsize::default());
        let bring = |item: usize| {
            joint.write(item, async |items| {
                writes.fetch_add(1, Ordering::Relaxed);
                Some(items)
            })
        };
        let written = join_all((0..4).map(bring)).await;
        assert_eq!(written[0], Written::Here(vec![0, 1, 2, 3]));
        assert!(written[1..].iter().all(|one| *one == Written::Elsewhere), "{written:?}");
        assert_eq!(writes.into_inner(), 1);
    }

    #[tokio::test]
    async fn nothing_counts_as_written_where_the_one_that_took_it_failed_and_later_ones_are() {
        let joint = Joint::default();
        let failed = join_all((0..3).map(|item| joint.write(item, async |_| None::<()>))).await;
        assert!(failed.iter().all(|one| *one == Written::Not), "{failed:?}");
        assert_eq!(joint.write(7, async |items| Some(items)).await, Written::Here(vec![7]));
    }

    #[tokio::test]
    async fn what_a_caller_took_that_ended_in_the_middle_counts_as_not_written() {
        let joint = Joint::default();
        let ended = joint.write(1, async |_| std::future::pending::<Option<()>>().await);
        let other = joint.write(2, async |_| Some(()));
        let (ended, other) = tokio::join!(tokio::time::timeout(LINGER * 5, ended), other);
        assert!(ended.is_err());
        assert_eq!(other, Written::Not);
    }
}
