//! The shape of the source: which modules may use which, how long things may be, what must not be in the tree.
//!
//! These tests read text, and rely on rustfmt for its shape. An exception is listed in [`source::EXCEPTIONS`] with its
//! reason; an exception that is no longer needed fails too.

mod arrows;
mod circles;
mod paths;
mod prose;
mod proven;
mod reach;
mod shape;
mod source;
