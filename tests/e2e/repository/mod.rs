//! What the source must be like, and the harness itself.

mod coverage_report;
mod harness_works;
mod tidy;
