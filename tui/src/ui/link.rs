//! The connection behind the console: connects, follows the daemon's events, and connects again after a loss.
//!
//! Invariant: the position in the stream of events is noted before anything is read, so that no event in between is missed. Control
//! characters in what arrives are replaced here, before anything is drawn.

use std::path::PathBuf;
use std::time::Duration;

use tenantry_protocol::audit::{AuditRequest, TrailStatus};
use tenantry_protocol::blueprint::BlueprintsRequest;
use tenantry_protocol::operation::OperationsRequest;
use tenantry_protocol::target::TargetsRequest;
use tenantry_protocol::tenant::TenantsRequest;
use tenantry_protocol::watch::WatchRequest;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep};

use super::event::Event;
use crate::client::{Client, ClientError};
use crate::text;

const PAUSE_FIRST: Duration = Duration::from_millis(250);
const PAUSE_LAST: Duration = Duration::from_secs(5);
/// The length of one long poll for events.
const POLL_MS: u64 = 25_000;
/// The greatest age of the trail's status.
const LOOK: Duration = Duration::from_secs(20);
/// Tenants per page.
const PAGE: u32 = 1_000;

pub(super) type Events = mpsc::Sender<Event>;
/// The connection in use; none while it is lost.
pub(super) type Current = watch::Sender<Option<Client>>;

/// Runs until the console is gone.
pub(super) async fn keep(socket: PathBuf, events: Events, current: Current) {
    let mut pause = PAUSE_FIRST;
    loop {
        let lost = match Client::connect(&socket).await {
            Ok(client) => {
                current.send_replace(Some(client.clone()));
                let lost = follow(&client, &events, &mut pause).await;
                current.send_replace(None);
                lost
            }
            Err(error) => Err(error),
        };
        let Err(reason) = lost else { return };
        if events.send(Event::Lost(text::line(&reason.to_string()))).await.is_err() {
            return;
        }
        sleep(pause).await;
        pause = (pause * 2).min(PAUSE_LAST);
    }
}

/// Follows one connection; returns `Ok` when nobody listens any more.
async fn follow(client: &Client, events: &Events, pause: &mut Duration) -> Result<(), ClientError> {
    let mut cursor = client.watch(WatchRequest::default()).await?.cursor;
    let session = Box::new(text::wire(client.hello().clone()));
    if events.send(Event::Connected(session)).await.is_err() || load_all(client, events).await?.is_none() {
        return Ok(());
    }
    *pause = PAUSE_FIRST;
    let mut looked = Instant::now();
    let mut trail = load_trail(client, events, None).await;
    loop {
        let request = WatchRequest { cursor: Some(cursor), operation: None, wait_ms: POLL_MS };
        let news = client.watch(request).await?;
        cursor = news.cursor;
        if looked.elapsed() >= LOOK {
            // The daemon finds trouble on its own and sends no event about it.
            looked = Instant::now();
            trail = load_trail(client, events, trail).await;
        }
        if news.resync && load_tenants(client, events).await?.is_none() {
            return Ok(());
        }
        if (news.resync || !news.events.is_empty())
            && events.send(Event::Watched(text::wire(news))).await.is_err()
        {
            return Ok(());
        }
    }
}

/// Sends the state of the trail if it changed. If it cannot be read now, it is read later; the rest is still worth having.
pub(super) async fn load_trail(
    client: &Client,
    events: &Events,
    known: Option<TrailStatus>,
) -> Option<TrailStatus> {
    let request = AuditRequest { limit: Some(1), ..AuditRequest::default() };
    let Ok(answer) = client.audit(request).await else { return known };
    let status = text::wire(answer.trail);
    if known.as_ref() != Some(&status) {
        let _ = events.send(Event::Trail(status.clone())).await;
    }
    Some(status)
}

/// `None` when nobody listens any more.
async fn load_all(client: &Client, events: &Events) -> Result<Option<()>, ClientError> {
    if load_tenants(client, events).await?.is_none() {
        return Ok(None);
    }
    let targets = text::wire(client.targets(TargetsRequest::default()).await?);
    if events.send(Event::Targets(targets.targets)).await.is_err() {
        return Ok(None);
    }
    if load_blueprints(client, events).await?.is_none() {
        return Ok(None);
    }
    let unfinished = OperationsRequest { unfinished: true, limit: Some(100), ..OperationsRequest::default() };
    let operations = text::wire(client.operations(unfinished).await?);
    let running = operations.operations.into_iter().map(|operation| Event::Operation(Box::new(operation)));
    for event in running {
        if events.send(event).await.is_err() {
            return Ok(None);
        }
    }
    Ok(Some(()))
}

/// Every stored version of every blueprint.
pub(super) async fn load_blueprints(client: &Client, events: &Events) -> Result<Option<()>, ClientError> {
    let stored = text::wire(client.blueprints(BlueprintsRequest::default()).await?);
    Ok(events.send(Event::Blueprints(stored.blueprints)).await.ok())
}

/// Every page of the living tenants.
pub(super) async fn load_tenants(client: &Client, events: &Events) -> Result<Option<()>, ClientError> {
    let mut tenants = Vec::new();
    let mut after = None;
    loop {
        let request = TenantsRequest { limit: Some(PAGE), after, ..TenantsRequest::default() };
        let page = text::wire(client.tenants(request).await?);
        tenants.extend(page.tenants);
        after = page.next;
        if after.is_none() {
            return Ok(events.send(Event::Tenants(tenants)).await.ok());
        }
    }
}
