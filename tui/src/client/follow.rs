//! Follows one operation to its end, across lost events and lost connections.
//!
//! Invariant: what [`Follower::finish`] returns is final. It never ends an operation. Only the caller decides to stop
//! waiting, and the operation then goes on in the daemon.

use std::time::Duration;

use tenantry_protocol::id::OperationId;
use tenantry_protocol::operation::Operation;
use tenantry_protocol::watch::{Event, EventBody, WatchRequest};
use time::OffsetDateTime;
use tokio::time::{Instant, sleep};

use super::{Client, ClientError};

/// The length of one long poll. If it passes without news, the operation is read again, so that nothing depends on one event.
const POLL_MS: u64 = 5_000;
const BACKOFF_FIRST: Duration = Duration::from_millis(100);
const BACKOFF_LAST: Duration = Duration::from_secs(3);

/// A place in the daemon's stream of events, taken before the operation is requested.
#[derive(Debug)]
pub(crate) struct Follower {
    client: Client,
    cursor: u64,
}

impl Follower {
    /// Takes the place: every event from now on will be seen.
    pub(crate) async fn begin(client: &Client) -> Result<Self, ClientError> {
        let now = client.watch(WatchRequest::default()).await?;
        Ok(Self { client: client.clone(), cursor: now.cursor })
    }

    /// The connection that is in use now, which is a new one if the first was lost.
    pub(crate) const fn client(&self) -> &Client {
        &self.client
    }

    /// Waits until `operation` is final. `news` is called with every event of it, and with one of the same shape each time
    /// the operation is read again.
    pub(crate) async fn finish(
        &mut self,
        mut operation: Operation,
        news: &mut (dyn FnMut(&Event) + Send),
    ) -> Result<Operation, ClientError> {
        let id = operation.id;
        let patience = Duration::from_millis(operation.budget_ms.max(1_000));
        news(&self.reading(&operation));
        while !operation.state.is_final() {
            match self.next(id).await {
                Ok(events) => {
                    for event in events {
                        news(&event);
                        if let EventBody::Operation { operation: newer } = event.body {
                            operation = *newer;
                        }
                    }
                }
                Err(error) if error.is_loss() => {
                    self.client = reconnect(&self.client, Some(patience), error).await?;
                    operation = self.client.operation(id.to_string()).await?;
                    news(&self.reading(&operation));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(operation)
    }

    /// The next events of the operation. If there were none, or if some were lost, the operation is read again.
    async fn next(&mut self, id: OperationId) -> Result<Vec<Event>, ClientError> {
        let request =
            WatchRequest { cursor: Some(self.cursor), operation: Some(id.to_string()), wait_ms: POLL_MS };
        let answer = self.client.watch(request).await?;
        self.cursor = answer.cursor;
        let mut events: Vec<Event> =
            answer.events.into_iter().filter(|event| is_of(&event.body, id)).collect();
        if answer.resync || events.is_empty() {
            let operation = self.client.operation(id.to_string()).await?;
            events.push(self.reading(&operation));
        }
        Ok(events)
    }

    /// An operation that was read, in the shape of an event.
    fn reading(&self, operation: &Operation) -> Event {
        let body = EventBody::Operation { operation: Box::new(operation.clone()) };
        Event { cursor: self.cursor, at: OffsetDateTime::now_utc(), body }
    }
}

/// Tries again until `patience` has passed, then returns the first error; without a `patience` it tries for ever.
pub(crate) async fn reconnect(
    client: &Client,
    patience: Option<Duration>,
    lost: ClientError,
) -> Result<Client, ClientError> {
    let until = patience.map(|patience| Instant::now() + patience);
    let mut pause = BACKOFF_FIRST;
    loop {
        match client.reconnect().await {
            Ok(client) => return Ok(client),
            Err(error) if !error.is_loss() && !matches!(error, ClientError::NotTenantryd { .. }) => {
                return Err(error);
            }
            Err(_) if until.is_some_and(|until| Instant::now() + pause >= until) => return Err(lost),
            Err(_) => {}
        }
        sleep(pause).await;
        pause = (pause * 2).min(BACKOFF_LAST);
    }
}

/// Whether the event belongs to this operation.
fn is_of(body: &EventBody, id: OperationId) -> bool {
    match body {
        EventBody::Operation { operation } => operation.id == id,
        EventBody::Log { operation_id, .. } => *operation_id == id,
        _ => false,
    }
}
