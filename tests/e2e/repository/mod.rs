//! The rules for the source, and the harness itself.

mod coverage_report;
mod harness_works;
mod tidy;
