//! `audit list --follow`: the newest events, then each new one as it comes, until someone interrupts it.
//!
//! Invariant: every event that matches is printed once and in order, even across lost connections. If there were too many
//! to print, the command says so.

use tenantry_protocol::audit::{AuditEvent, AuditFilter, AuditRequest};
use tenantry_protocol::watch::{EventBody, WatchRequest, WatchResponse};

use super::{PAGE, search};
use crate::cli::Context;
use crate::cli::args::AuditList;
use crate::cli::error::CliError;
use crate::client::{Client, ClientError, reconnect};
use crate::trail;

const POLL_MS: u64 = 20_000;
/// How many new events one request reads.
const READING: u32 = 500;
/// At most this many new events are printed at once; after an hour without a connection the newest ones matter.
const MOST_NEW: usize = 10_000;

pub(in crate::cli) async fn run(context: &Context, list: AuditList) -> Result<(), CliError> {
    let filter = AuditFilter::from(list.filter);
    let mut client = context.client().await?;
    // Takes a place in the stream of events before it reads the existing ones, so that no event is missed in between.
    let mut cursor = client.watch(WatchRequest::default()).await?.cursor;
    let mut seen = newest(&client).await?;
    let rows = list.limits.limit.unwrap_or(PAGE);
    let page = search(context, &client, &filter, None, rows).await?;
    seen = print(context, page.events, seen)?;
    loop {
        let request = WatchRequest { cursor: Some(cursor), operation: None, wait_ms: POLL_MS };
        let news = match client.watch(request).await {
            Ok(answer) => {
                cursor = answer.cursor;
                catch_up(context, &client, &filter, seen, &answer).await
            }
            Err(error) => Err(error),
        };
        match news {
            Ok(News { upto, events }) => seen = print(context, events, seen)?.max(upto),
            Err(error) if error.is_loss() => {
                context.output.note("the connection to the daemon is lost; trying again until it is back …");
                client = reconnect(&client, None, error).await?;
                context.output.note("connected again");
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// The events since then, newest first, and up to which number the trail was searched.
struct News {
    upto: i64,
    events: Vec<AuditEvent>,
}

async fn catch_up(
    context: &Context,
    client: &Client,
    filter: &AuditFilter,
    seen: i64,
    news: &WatchResponse,
) -> Result<News, ClientError> {
    let announced = news.events.iter().filter_map(|event| match event.body {
        EventBody::Audit { seq } => Some(seq),
        _ => None,
    });
    let upto = if news.resync { newest(client).await? } else { announced.max().unwrap_or(seen) };
    let mut events: Vec<AuditEvent> = Vec::new();
    if upto <= seen {
        return Ok(News { upto, events });
    }
    let mut before = None;
    loop {
        let request = AuditRequest { filter: filter.clone(), before, limit: Some(READING) };
        let answer = client.audit(request).await?;
        let is_full = answer.events.len() >= READING as usize;
        let oldest = answer.events.last().map(|event| event.seq);
        events.extend(answer.events.into_iter().filter(|event| event.seq > seen));
        // Where this request stopped, if the trail goes on there.
        let end = answer.searched_to.or(oldest.filter(|_| is_full));
        match end {
            Some(end) if end > seen && before.is_none_or(|before| end < before) => before = Some(end),
            _ => break,
        }
        if events.len() >= MOST_NEW {
            let oldest = events.last().map_or(seen, |event| event.seq);
            context.output.note(&format!(
                "too many events have come to print all; `tenantry audit list --before {oldest}` has those before"
            ));
            break;
        }
    }
    Ok(News { upto, events })
}

/// The number of the newest event.
async fn newest(client: &Client) -> Result<i64, ClientError> {
    let answer = client.audit(AuditRequest { limit: Some(1), ..AuditRequest::default() }).await?;
    Ok(answer.events.first().map_or(0, |event| event.seq))
}

/// Prints the events, oldest first, and returns the number of the last one.
fn print(context: &Context, events: Vec<AuditEvent>, seen: i64) -> Result<i64, CliError> {
    let newest = events.first().map_or(seen, |event| event.seq.max(seen));
    for event in events.iter().rev() {
        if context.output.is_json() {
            context.output.document_line(event)?;
        } else {
            context.output.lines(&trail::line(event))?;
        }
    }
    Ok(newest)
}
