//! How connections are kept, and waited for.

pub(in crate::postgres) mod kept;
pub(in crate::postgres) mod queue;
