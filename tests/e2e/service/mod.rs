//! The daemon as a service: configuration, start, reload, logs, its private server.

mod configuration;
mod embedded;
mod logs;
mod releases;
mod reload;
mod starting;
mod unfit_targets;
