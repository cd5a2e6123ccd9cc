//! End-to-end tests: the real binaries against real PostgreSQL, one process, so that tests can share a cluster.
//!
//! Each module is one subject; each test reads as a sentence and shows one behaviour. Nothing here reaches into the
//! daemon's or the client's code: what a test knows, it learned from the socket, the command line or the catalog.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    clippy::large_futures,
    reason = "a test says what went wrong by panicking"
)]

mod access;
mod any_language;
mod archives;
mod audit;
mod audit_browse;
mod audit_export;
mod audit_retention;
mod audit_trail;
mod bad_input;
mod bad_requests;
mod configuration;
mod console;
mod console_audit;
mod console_isolation;
mod console_lists;
mod conventions;
mod coverage_report;
mod crowds;
mod documents;
mod embedded;
mod events;
mod failures;
mod faults;
mod flood;
#[path = "../audit/generate.rs"]
mod generate;
mod golden;
mod harness;
mod harness_works;
mod host_paths;
mod hostile_clients;
mod hostile_migrations;
mod hostile_pools;
mod isolation;
mod lifecycle;
mod lock_budget;
mod log_injection;
mod logs;
mod lost_commits;
mod outages;
mod outside;
mod pictures;
mod planted_secrets;
mod prepared;
mod projects;
mod provisioning;
mod races;
mod recovery;
mod reload;
mod removal;
mod rollback_preview;
mod secrets;
mod slots;
mod small_disk;
mod starting;
mod stuck;
mod target_doors;
mod temporary_files;
mod tenancy_database;
mod tenancy_shared;
mod tidy;
mod trail_commands;
mod unfit_targets;
