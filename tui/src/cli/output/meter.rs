//! The progress of something with a known end, on standard error: a bar on a terminal, an occasional line elsewhere.
//!
//! Invariant: standard output is never touched, and the bar is gone when this is dropped. Without a terminal, what ends
//! within a second prints nothing.

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

use super::{Output, Progress};

const FIRST_LINE: Duration = Duration::from_secs(1);
const NEXT_LINE: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(in crate::cli) struct Meter {
    output: Output,
    what: &'static str,
    written: fn(u64) -> String,
    bar: Option<ProgressBar>,
    next_line: Instant,
}

impl Meter {
    /// `written` formats an amount for people.
    pub(in crate::cli) fn new(output: Output, what: &'static str, written: fn(u64) -> String) -> Self {
        let bar = (output.progress == Progress::Shown && io::stderr().is_terminal()).then(|| {
            let bar = ProgressBar::new(0);
            if let Ok(style) = ProgressStyle::with_template("{prefix} {bar:24} {msg} {elapsed}") {
                bar.set_style(style);
            }
            bar.set_prefix(what);
            bar.enable_steady_tick(Duration::from_millis(250));
            bar
        });
        Self { output, what, written, bar, next_line: Instant::now() + FIRST_LINE }
    }

    pub(in crate::cli) fn at(&mut self, done: u64, total: u64) {
        let text = || format!("{} of {}", (self.written)(done), (self.written)(total));
        if let Some(bar) = &self.bar {
            bar.set_length(total);
            bar.set_position(done);
            bar.set_message(text());
        } else if Instant::now() >= self.next_line {
            self.output.note(&format!("{}: {}", self.what, text()));
            self.next_line = Instant::now() + NEXT_LINE;
        }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
