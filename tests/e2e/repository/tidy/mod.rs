//! The shape of the source: who may use whom, how long things may be, what must not be in the tree.
//!
//! It reads text, and relies on rustfmt for its shape. An exception is listed in [`source::EXCEPTIONS`] with its
//! reason; one that is not needed any more fails too.

mod arrows;
mod circles;
mod proven;
mod reach;
mod shape;
mod source;
