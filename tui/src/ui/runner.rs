//! Joins the pure console to the outside: one ordered channel of events in, effects out, a frame when something changed.
//!
//! Invariant: nothing blocks between a key and its frame. Every task ends with the console.

mod calls;
mod trail;
mod upgrades;

use std::path::PathBuf;
use std::time::Duration;

use crossterm::event::{Event as TerminalEvent, EventStream, KeyEventKind};
use futures::StreamExt;
use tenantry_protocol::ApiError;
use tenantry_protocol::operation::Operation;
use time::OffsetDateTime;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, timeout_at};

use super::UiError;
use super::event::{Effect, Event};
use super::link::{self, Events};
use super::state::{Colours, State};
use super::terminal::TerminalScreen;
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
                    let task = self.tasks.spawn(calls::perform(other, client, self.events.clone()));
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

/// The console shows sentences, from whichever layer an error comes.
fn clean<T>(result: Result<T, ClientError>) -> Result<T, ApiError> {
    result.map_err(|error| ApiError {
        code: error.code(),
        message: text::line(&error.to_string()),
        field: error.field().map(text::line),
    })
}

fn fresh_key() -> String {
    format!("console-{}", uuid::Uuid::now_v7())
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
