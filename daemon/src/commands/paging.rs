//! The number of rows in an answer with a list.

use tenantry_protocol::error::ApiError;

/// A page's size, within its bounds.
pub(in crate::commands) fn limit(asked: Option<u32>, default: u32, most: u32) -> Result<i64, ApiError> {
    match asked.unwrap_or(default) {
        limit if (1..=most).contains(&limit) => Ok(i64::from(limit)),
        limit => Err(ApiError::invalid("limit", format!("limit is {limit}, and may be 1 to {most}"))),
    }
}
