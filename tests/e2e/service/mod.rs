//! The daemon as a service: configuration, start, reload, logs, its private server.

mod configuration;
mod embedded;
mod logs;
mod reload;
mod starting;
mod unfit_targets;
