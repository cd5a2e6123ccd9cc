//! What holds when something breaks (the daemon, a server, a connection, a disk), and when many requests come at once.

mod crowds;
mod faults;
mod lost_commits;
mod outages;
mod races;
mod recovery;
mod small_disk;
mod stuck;
