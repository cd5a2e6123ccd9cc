//! Between the wire and tarpc: clamps deadlines, closes silent connections, and counts the open ones.
//!
//! Deadlines are clamped here because tarpc's own hooks run too late: a distant deadline panics its timer.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use futures::{Sink, Stream};
use tarpc::ClientMessage;
use tokio::time::{Sleep, sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

/// No request lives longer; the longest long poll is 30 s.
const LONGEST_REQUEST: Duration = Duration::from_secs(60);
/// The time after connecting within which the first request must arrive.
const FIRST_REQUEST: Duration = Duration::from_secs(10);
/// How long a connection may be silent. A console polls at least every 30 s.
const LONGEST_SILENCE: Duration = Duration::from_secs(600);

/// Connections of one user at a time; this includes root and the daemon's own user.
const CONNECTIONS_PER_UID: usize = 64;
const CONNECTIONS: usize = 256;

/// A transport with near deadlines and bounded silence.
pub(super) struct Guarded<T> {
    inner: T,
    silence: Pin<Box<Sleep>>,
    /// From then on no request is accepted; earlier ones are still answered.
    stop: Pin<Box<WaitForCancellationFutureOwned>>,
}

/// The open connections, by user.
#[derive(Debug, Default)]
pub(super) struct Connections {
    open: Mutex<HashMap<u32, usize>>,
}

/// A connection's place; released when it is dropped.
#[derive(Debug)]
pub(super) struct ConnectionPlace {
    connections: Arc<Connections>,
    uid: u32,
}

impl<T> Guarded<T> {
    pub(super) fn new(inner: T, stop: CancellationToken) -> Self {
        let stop = Box::pin(stop.cancelled_owned());
        Self { inner, silence: Box::pin(sleep(FIRST_REQUEST)), stop }
    }
}

impl<T, Request, E> Stream for Guarded<T>
where
    T: Stream<Item = Result<ClientMessage<Request>, E>> + Unpin,
{
    type Item = Result<ClientMessage<Request>, E>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.stop.as_mut().poll(cx).is_ready() {
            return Poll::Ready(None);
        }
        match Pin::new(&mut self.inner).poll_next(cx) {
            Poll::Ready(Some(Ok(mut message))) => {
                if let ClientMessage::Request(request) = &mut message {
                    let latest = Instant::now() + LONGEST_REQUEST;
                    request.context.deadline = request.context.deadline.min(latest);
                }
                let next = tokio::time::Instant::now() + LONGEST_SILENCE;
                self.silence.as_mut().reset(next);
                Poll::Ready(Some(Ok(message)))
            }
            Poll::Pending => match self.silence.as_mut().poll(cx) {
                Poll::Ready(()) => Poll::Ready(None),
                Poll::Pending => Poll::Pending,
            },
            other => other,
        }
    }
}

impl<T, Response, E> Sink<Response> for Guarded<T>
where
    T: Sink<Response, Error = E> + Unpin,
{
    type Error = E;

    fn poll_ready(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), E>> {
        Pin::new(&mut self.inner).poll_ready(cx)
    }

    fn start_send(mut self: Pin<&mut Self>, item: Response) -> Result<(), E> {
        Pin::new(&mut self.inner).start_send(item)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), E>> {
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<(), E>> {
        Pin::new(&mut self.inner).poll_close(cx)
    }
}

impl Connections {
    /// A place for one more connection of `uid`; none if that user, or all users together, have reached the limit.
    pub(super) fn enter(connections: &Arc<Self>, uid: u32) -> Option<ConnectionPlace> {
        let mut open = connections.open.lock().unwrap_or_else(PoisonError::into_inner);
        let total: usize = open.values().sum();
        let own = open.entry(uid).or_insert(0);
        // The common limit does not apply to root, which is the user that can end a flood.
        if (total >= CONNECTIONS && uid != 0) || *own >= CONNECTIONS_PER_UID {
            return None;
        }
        *own += 1;
        Some(ConnectionPlace { connections: Arc::clone(connections), uid })
    }
}

impl Drop for ConnectionPlace {
    fn drop(&mut self) {
        let mut open = self.connections.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = open.get_mut(&self.uid) {
            *own -= 1;
            if *own == 0 {
                open.remove(&self.uid);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_user_cannot_take_every_place() {
        let connections = Arc::new(Connections::default());
        let mut places: Vec<ConnectionPlace> =
            (0..CONNECTIONS_PER_UID).filter_map(|_| Connections::enter(&connections, 7)).collect();
        assert_eq!(places.len(), CONNECTIONS_PER_UID);
        assert!(Connections::enter(&connections, 7).is_none());
        assert!(Connections::enter(&connections, 8).is_some());
        places.pop();
        assert!(Connections::enter(&connections, 7).is_some());
    }
}
