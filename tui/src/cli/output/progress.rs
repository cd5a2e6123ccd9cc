//! Waiting for an operation, with progress on standard error: a bar on a terminal, plain lines elsewhere.
//!
//! Invariant: standard output is never touched, and the bar is gone when the wait is over.

use std::io::{self, IsTerminal};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use tenantry_protocol::operation::{Operation, OperationState, StepStatus};
use tenantry_protocol::watch::{Event, EventBody};

use super::{Output, Progress};
use crate::cli::Context;
use crate::cli::error::CliError;
use crate::client::{Client, Follower};
use crate::format;
use crate::text;

/// Waits until the operation is final; an end other than success is an error. Returns the connection that is now in use.
pub(crate) async fn wait(
    context: &Context,
    mut follower: Follower,
    started: Operation,
) -> Result<(Operation, Client), CliError> {
    context.wait_begins(&started);
    let mut reporter = Reporter::new(context.output);
    let finished = follower.finish(started, &mut |news| reporter.hear(news)).await;
    reporter.clear();
    let operation = finished?;
    context.wait_ended();
    match operation.state {
        OperationState::Succeeded => Ok((operation, follower.client().clone())),
        _ => Err(CliError::Failed(Box::new(operation))),
    }
}

/// Reports the progress of an operation.
#[derive(Debug)]
pub(crate) struct Reporter {
    output: Output,
    bar: Option<ProgressBar>,
    /// The status of each step as it was last reported.
    said: Vec<StepStatus>,
}

impl Reporter {
    pub(crate) fn new(output: Output) -> Self {
        let bar = (output.progress == Progress::Shown && io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::new(0);
            if let Ok(style) =
                ProgressStyle::with_template("{prefix} {bar:24} {pos}/{len} {elapsed} {wide_msg}")
            {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(250));
            bar
        });
        Self { output, bar, said: Vec::new() }
    }

    pub(crate) fn hear(&mut self, news: &Event) {
        match &news.body {
            EventBody::Operation { operation } => self.operation(operation),
            EventBody::Log { line, .. } => match &self.bar {
                Some(bar) => bar.set_message(text::line(line)),
                None => self.output.note(&format!("  {line}")),
            },
            _ => {}
        }
    }

    fn operation(&mut self, operation: &Operation) {
        let total = operation.steps.len();
        let done = operation.steps.iter().filter(|step| step.status == StepStatus::Done).count();
        if let Some(bar) = &self.bar {
            bar.set_prefix(text::line(operation.slug.as_str()));
            bar.set_length(total as u64);
            bar.set_position(done as u64);
            if let Some(step) = operation.steps.iter().find(|step| step.status == StepStatus::Running) {
                bar.set_message(text::line(&step.title));
            }
            return;
        }
        self.said.resize(total, StepStatus::Waiting);
        for (index, step) in operation.steps.iter().enumerate() {
            if self.said[index] == step.status {
                continue;
            }
            self.said[index] = step.status;
            if !matches!(step.status, StepStatus::Waiting | StepStatus::Running) {
                let time = step.duration_ms.map(|ms| format!(" in {}", format::duration(ms)));
                self.output.note(&format!(
                    "{}: {}/{total} {} {}{}",
                    operation.slug,
                    index + 1,
                    step.title,
                    format::step_word(step.status),
                    time.unwrap_or_default()
                ));
            }
        }
    }

    pub(crate) fn clear(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
