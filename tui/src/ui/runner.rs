//! Joins the pure console to the outside: one ordered channel of events in, effects out, a frame when something changed.
//!
//! Invariant: nothing blocks between a key and its frame. Every task ends with the console.

mod trail;

use std::path::PathBuf;
use std::time::Duration;

use crossterm::event::{Event as TerminalEvent, EventStream, KeyEventKind};
use futures::StreamExt;
use tenantry_protocol::isolation::VerifyIsolationRequest;
use tenantry_protocol::operation::{CancelRequest, Operation, OperationsRequest, RetryRequest};
use tenantry_protocol::tenant::{IssueCredentialsRequest, OperationStarted, TenantChangeRequest};
use tenantry_protocol::{ApiError, ErrorCode};
use time::OffsetDateTime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, timeout_at};

use super::UiError;
use super::event::{Effect, Event};
use super::link::{self, Events};
use super::state::operations;
use super::state::{Colours, State};
use super::terminal::TerminalScreen;
use super::ticket::Ticket;
use super::update::update;
use super::view::view;
use crate::client::{Client, ClientError};
use crate::text;

/// The length of the event queue; a sender waits while it is full.
const QUEUE: usize = 1_024;
/// At most this many events are handled between two frames, so that a flood cannot keep the screen from being drawn.
const BATCH: usize = 512;
/// After this long without a key, nothing that was typed ahead is left.
const SILENCE: Duration = Duration::from_millis(30);
/// A person who never stops typing still sees the dialog.
const STALE_AT_MOST: Duration = Duration::from_millis(500);

/// What a console leaves behind when it is closed.
#[derive(Debug)]
pub(crate) struct Left {
    /// Operations that continue without it.
    pub(crate) operations: Vec<Operation>,
    /// An export that does not continue.
    pub(crate) export: Option<String>,
}

/// Shows the console until the operator leaves it.
pub(crate) async fn run(socket: PathBuf) -> Result<Left, UiError> {
    let (events, inbox) = mpsc::channel(QUEUE);
    let (current, client) = watch::channel(None);
    let mut tasks = JoinSet::new();
    let screen = TerminalScreen::enter()?;
    tasks.spawn(read_keys(events.clone()));
    tasks.spawn(await_signals(events.clone())?);
    tasks.spawn(link::keep(socket, events.clone(), current));
    let no_colours = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let colours = if no_colours { Colours::None } else { Colours::Sixteen };
    let size = crossterm::terminal::size().unwrap_or((80, 24));
    let mut state = State::new(OffsetDateTime::now_utc(), size, colours);
    state.folder = trail::folder();
    let mut runner =
        Runner { state, screen, events, inbox, client, tasks, input: Input::Fresh, export: None };
    runner.run().await?;
    let running = runner.state.operations.into_values().map(|live| live.operation);
    let operations = running.filter(|operation| !operation.state.is_final()).collect();
    Ok(Left { operations, export: runner.state.exporting.map(|exporting| exporting.name) })
}

#[derive(Debug)]
struct Runner {
    state: State,
    screen: TerminalScreen,
    events: Events,
    inbox: mpsc::Receiver<Event>,
    client: watch::Receiver<Option<Client>>,
    tasks: JoinSet<()>,
    input: Input,
    /// The export that was started last.
    export: Option<AbortHandle>,
}

/// Whether waiting keys may be meant for what is on the screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Input {
    Fresh,
    Stale,
}

/// Whether the console continues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flow {
    Go,
    Stop,
}

impl Runner {
    async fn run(&mut self) -> Result<(), UiError> {
        let mut last_tick = Instant::now();
        loop {
            if self.input == Input::Stale && self.drop_input().await? == Flow::Stop {
                return Ok(());
            }
            if self.state.dirty {
                self.state.dirty = false;
                let state = &self.state;
                self.screen.draw(|frame| view(state, frame))?;
            }
            let next_tick = last_tick + Duration::from_millis(self.state.tick_ms());
            let mut next = match timeout_at(next_tick, self.inbox.recv()).await {
                Ok(Some(event)) => Some(event),
                Ok(None) => return Ok(()),
                Err(_) => {
                    last_tick = Instant::now();
                    Some(Event::Tick(OffsetDateTime::now_utc()))
                }
            };
            let mut handled = 0;
            while let Some(event) = next {
                if self.handle(event)? == Flow::Stop {
                    return Ok(());
                }
                handled += 1;
                let go_on = handled < BATCH && self.input == Input::Fresh;
                next = if go_on { self.inbox.try_recv().ok() } else { None };
            }
            if self.state.dirty {
                // The frame shows the time at which it is drawn.
                update(&mut self.state, Event::Tick(OffsetDateTime::now_utc()));
            }
            // Finished effects are not kept.
            while self.tasks.try_join_next().is_some() {}
        }
    }

    fn handle(&mut self, event: Event) -> Result<Flow, UiError> {
        for effect in update(&mut self.state, event) {
            match effect {
                Effect::Quit => return Ok(Flow::Stop),
                Effect::Suspend => {
                    self.screen.suspend()?;
                    self.state.dirty = true;
                }
                Effect::Copy(text) => self.screen.copy(&text)?,
                Effect::DropInput => self.input = Input::Stale,
                // Dropping the task removes what was written.
                Effect::StopExport => drop(self.export.take().map(|task| task.abort())),
                other => {
                    let client = self.client.borrow().clone();
                    let is_export = matches!(other, Effect::Export { .. });
                    let task = self.tasks.spawn(perform(other, client, self.events.clone()));
                    if is_export {
                        self.export = Some(task);
                    }
                }
            }
        }
        Ok(Flow::Go)
    }

    /// Discards keys that were typed before the new dialog is visible. Everything else is handled as it comes.
    async fn drop_input(&mut self) -> Result<Flow, UiError> {
        let until = Instant::now() + STALE_AT_MOST;
        self.input = Input::Fresh;
        // Keys lie in three queues: ours, the reader's, and the terminal's. A moment without a key means that all three are
        // empty.
        while let Ok(Some(event)) = timeout_at(until.min(Instant::now() + SILENCE), self.inbox.recv()).await {
            let stale = matches!(event, Event::Key(_) | Event::Paste(_));
            if !stale && self.handle(event)? == Flow::Stop {
                return Ok(Flow::Stop);
            }
            if Instant::now() >= until {
                break;
            }
        }
        Ok(Flow::Go)
    }
}

/// Performs an effect and sends the answer back. A console that is gone needs no answer.
async fn perform(effect: Effect, client: Option<Client>, events: Events) {
    let Some(client) = client else {
        let error = ApiError::new(
            ErrorCode::Unavailable,
            "there is no connection to the daemon now; it is being tried again",
        );
        if let Some(answer) = refused(effect, error) {
            let _ = events.send(answer).await;
        }
        return;
    };
    let answer = match effect {
        Effect::LoadTenants => {
            let loaded = link::load_tenants(&client, &events).await;
            loaded.err().map(|error| Event::Lost(text::line(&error.to_string())))
        }
        Effect::LoadDetail(id) => {
            let detail = client.tenant(id.clone()).await.map(|detail| Box::new(text::wire(detail)));
            Some(Event::Detail { id, result: clean(detail) })
        }
        Effect::LoadOperation(id) => {
            let operation = client.operation(id.to_string()).await.ok();
            operation.map(|operation| Event::Operation(Box::new(text::wire(operation))))
        }
        Effect::LoadOperations => {
            let request = OperationsRequest { limit: Some(operations::PAGE), ..OperationsRequest::default() };
            let result = clean(client.operations(request).await);
            Some(Event::Operations(result.map(|answer| text::wire(answer).operations)))
        }
        Effect::LoadPreview(id) => {
            let preview = client.rollback_preview(id.to_string()).await;
            Some(Event::Preview { id, result: clean(preview.map(|preview| Box::new(text::wire(preview)))) })
        }
        Effect::Plan { ticket, request } => {
            let result = clean(client.plan(*request).await.map(|plan| Box::new(text::wire(plan))));
            Some(Event::Planned { ticket, key: fresh_key(), result })
        }
        Effect::Provision { ticket, request } => Some(begun(ticket, client.provision(*request).await)),
        Effect::Rollback { ticket, mut request } => {
            request.idempotency_key.get_or_insert_with(fresh_key);
            Some(begun(ticket, client.rollback(request).await))
        }
        Effect::IssueCredentials { ticket, slug } => {
            let request = IssueCredentialsRequest { slug, idempotency_key: None };
            Some(Event::Credentials { ticket, result: clean(client.issue_credentials(request).await) })
        }
        Effect::LoadAudit { .. }
        | Effect::LoadTrail
        | Effect::VerifyTrail(_)
        | Effect::Verification { .. }
        | Effect::Export { .. } => trail::perform(effect, &client, &events).await,
        other => change(other, &client).await,
    };
    if let Some(answer) = answer {
        let _ = events.send(answer).await;
    }
}

/// Changes of existing tenants, and of operations that run or ran.
async fn change(effect: Effect, client: &Client) -> Option<Event> {
    match effect {
        Effect::SuspendTenant { ticket, id } => {
            let request = TenantChangeRequest { slug: id.to_string(), idempotency_key: Some(fresh_key()) };
            Some(begun(ticket, client.suspend(request).await))
        }
        Effect::ResumeTenant { ticket, id } => {
            let request = TenantChangeRequest { slug: id.to_string(), idempotency_key: Some(fresh_key()) };
            Some(begun(ticket, client.resume(request).await))
        }
        Effect::Verify { ticket, id } => {
            let request = VerifyIsolationRequest { slug: id.to_string(), idempotency_key: Some(fresh_key()) };
            Some(begun(ticket, client.verify_isolation(request).await))
        }
        Effect::RetryOperation { ticket, id } => {
            let request = RetryRequest { operation: id.to_string(), idempotency_key: Some(fresh_key()) };
            Some(begun(ticket, client.retry(request).await))
        }
        Effect::Cancel(id) => {
            let cancelled = client.cancel(CancelRequest { operation: id.to_string() }).await;
            Some(Event::Cancelling(clean(cancelled.map(|operation| Box::new(text::wire(operation))))))
        }
        // The runner performs the others itself.
        _ => None,
    }
}

/// The answer to a request that starts an operation.
fn begun(ticket: Ticket, result: Result<OperationStarted, ClientError>) -> Event {
    let result = clean(result).map(|started| Box::new(text::wire(started.operation)));
    Event::Started { ticket, result }
}

/// The answer when the daemon cannot be asked.
fn refused(effect: Effect, error: ApiError) -> Option<Event> {
    match effect {
        Effect::Plan { ticket, .. } => Some(Event::Planned { ticket, key: fresh_key(), result: Err(error) }),
        Effect::Provision { ticket, .. }
        | Effect::Rollback { ticket, .. }
        | Effect::SuspendTenant { ticket, .. }
        | Effect::ResumeTenant { ticket, .. }
        | Effect::Verify { ticket, .. }
        | Effect::RetryOperation { ticket, .. } => Some(Event::Started { ticket, result: Err(error) }),
        Effect::Cancel(_) => Some(Event::Cancelling(Err(error))),
        Effect::IssueCredentials { ticket, .. } => Some(Event::Credentials { ticket, result: Err(error) }),
        Effect::LoadDetail(id) => Some(Event::Detail { id, result: Err(error) }),
        Effect::LoadPreview(id) => Some(Event::Preview { id, result: Err(error) }),
        Effect::LoadOperations => Some(Event::Operations(Err(error))),
        Effect::LoadAudit { ticket, before, .. } => Some(Event::Audit { ticket, before, result: Err(error) }),
        Effect::VerifyTrail(ticket) | Effect::Verification { ticket, .. } => {
            Some(Event::Verification { ticket, result: Err(error) })
        }
        Effect::Export { ticket, .. } => Some(Event::Exported { ticket, result: Err(error.message) }),
        _ => None,
    }
}

fn fresh_key() -> String {
    format!("console-{}", uuid::Uuid::now_v7())
}

/// The console shows sentences, whatever layer they come from.
fn clean<T>(result: Result<T, ClientError>) -> Result<T, ApiError> {
    result.map_err(|error| ApiError {
        code: error.code(),
        message: text::line(&error.to_string()),
        field: error.field().map(text::line),
    })
}

async fn read_keys(events: Events) {
    let mut stream = EventStream::new();
    // An error or the end means that the terminal is gone: continuing would spin.
    while let Some(Ok(event)) = stream.next().await {
        let event = match event {
            TerminalEvent::Key(key) if key.kind != KeyEventKind::Release => Event::Key(key),
            TerminalEvent::Paste(text) => Event::Paste(text),
            TerminalEvent::Resize(columns, rows) => Event::Resize(columns, rows),
            _ => continue,
        };
        if events.send(event).await.is_err() {
            return;
        }
    }
    let _ = events.send(Event::Terminate).await;
}

fn await_signals(events: Events) -> Result<impl Future<Output = ()> + Send, UiError> {
    let mut terminate = signal(SignalKind::terminate()).map_err(UiError::Signals)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(UiError::Signals)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(UiError::Signals)?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
            _ = interrupt.recv() => {}
        }
        let _ = events.send(Event::Terminate).await;
    })
}
