//! Databases of one tenant each, and the template that they are made from.

pub mod databases;
pub mod template;
