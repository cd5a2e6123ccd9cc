//! `operations`: the newest operations; those that run are shown live.

use std::sync::Arc;

use tenantry_protocol::brief::{self, PAGE_BYTES};
use tenantry_protocol::error::ApiError;
use tenantry_protocol::name::Slug;
use tenantry_protocol::operation::{Operation, OperationsRequest, OperationsResponse};

use crate::postgres::control::operations as stored_operations;
use crate::postgres::control::operations::OperationFilter;

use super::show::parse_id;
use crate::commands::paging::limit;
use crate::commands::{App, Caller, errors};

const DEFAULT_LIMIT: u32 = 50;
const MOST: u32 = 500;

pub async fn operations(
    app: &Arc<App>,
    _: &Caller,
    request: OperationsRequest,
) -> Result<OperationsResponse, ApiError> {
    let limit = limit(request.limit, DEFAULT_LIMIT, MOST)?;
    let filter = OperationFilter {
        slug: request.slug.as_deref().map(parse_slug).transpose()?,
        tenant: None,
        unfinished: request.unfinished,
        before: request.before.as_deref().map(|id| parse_id("before", id)).transpose()?,
    };
    let stored =
        stored_operations::page(app.control.pool(), &filter, limit).await.map_err(errors::control)?;
    let mut operations = app.with_live(stored);
    let is_cut = brief::fit(&mut operations, PAGE_BYTES);
    let next = operations.last().filter(|_| is_cut).map(|last| last.id);
    Ok(OperationsResponse { operations, next })
}

/// The slug in a filter.
pub(in crate::commands) fn parse_slug(text: &str) -> Result<String, ApiError> {
    let slug = Slug::parse(text).map_err(|error| ApiError::invalid("slug", error.to_string()))?;
    Ok(slug.to_string())
}

impl App {
    /// The same operations, with the current state of those that run.
    pub(in crate::commands) fn with_live(&self, stored: Vec<Operation>) -> Vec<Operation> {
        stored.into_iter().map(|operation| self.engine.live(operation.id).unwrap_or(operation)).collect()
    }
}
