//! Reports panics in the log like everything else: on one line, and escaped, because a panic message can contain foreign text.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, Write as _};
use std::panic::{self, PanicHookInfo};

use tenantry_protocol::text::escaped;
use tracing::field;

/// Applies from now on, in the whole process.
pub fn report_panics() {
    panic::set_hook(Box::new(report));
}

fn report(info: &PanicHookInfo<'_>) {
    let said = info.payload_as_str().unwrap_or("without a word");
    let location = info.location().map(ToString::to_string).unwrap_or_default();
    if !tracing::dispatcher::has_been_set() {
        // Logging has not started yet.
        let _ = writeln!(io::stderr(), "tenantryd: a panic at {location}: {}", escaped(said));
        return;
    }
    // A backtrace is captured only if the environment asks for one.
    let backtrace = Backtrace::capture();
    let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| field::display(backtrace));
    tracing::error!(location, backtrace, "a panic: {said}");
}
