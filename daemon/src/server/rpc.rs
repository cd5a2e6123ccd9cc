//! The service on one connection; `hello` comes first. Every other call is authorised here, before anything is read, and
//! handed to the command of its name.
//!
//! A panic in a command becomes an answer; otherwise the caller would wait for its deadline.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, OnceLock};

use futures::FutureExt as _;
use futures::future::BoxFuture;
use tarpc::context::Context;
use tenantry_protocol::error::{ApiError, ErrorCode};
use tenantry_protocol::methods::Method;
use tenantry_protocol::service::{Tenantry, method};
use tenantry_protocol::session::{HelloRequest, HelloResponse};
use tenantry_protocol::with_methods;

use crate::commands::{self, App, Caller};

/// The number of claims that are kept of a client, and the longest of them in characters.
const MOST_CLAIMS: usize = 16;
const LONGEST_CLAIM: usize = 200;

/// One connection's service. Clones share the connection's state.
#[derive(Debug, Clone)]
pub(super) struct RpcSession {
    app: Arc<App>,
    /// The peer as the kernel identifies it, without the client's claims.
    peer: Arc<Caller>,
    /// The caller with the client's claims, known from `hello` on.
    greeted: Arc<OnceLock<Caller>>,
}

impl RpcSession {
    pub(super) fn new(app: Arc<App>, peer: Caller) -> Self {
        Self { app, peer: Arc::new(peer), greeted: Arc::default() }
    }

    async fn greet(&self, request: HelloRequest) -> Result<HelloResponse, ApiError> {
        let caller = Caller { claimed: clean_claims(&request.client.claimed), ..(*self.peer).clone() };
        let answer = contained(commands::hello(&self.app, &caller, request).boxed()).await?;
        // A second hello changes nothing: the first one identified the caller.
        let _ = self.greeted.set(caller);
        Ok(answer)
    }

    /// The caller, if its role is high enough for the method.
    async fn let_in(&self, method: Method) -> Result<&Caller, ApiError> {
        let caller = self.greeted.get().ok_or_else(|| {
            ApiError::new(
                ErrorCode::Precondition,
                "the first call of a connection is hello: say hello, then ask again",
            )
        })?;
        self.app.authorise(caller, method).await?;
        Ok(caller)
    }
}

/// A command's answer, or `internal` if it panicked; the panic's text is in the log. Boxed, because the service's one
/// future holds those of all commands, which would fill a worker's stack.
async fn contained<T>(work: BoxFuture<'_, Result<T, ApiError>>) -> Result<T, ApiError> {
    match AssertUnwindSafe(work).catch_unwind().await {
        Ok(result) => result,
        Err(_) => {
            let message = "something unexpected went wrong: the daemon's log says what; please report it";
            Err(ApiError::new(ErrorCode::Internal, message))
        }
    }
}

/// What a client claims, limited in size and without characters that control a terminal.
fn clean_claims(claims: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let clean = |text: &str| text.chars().filter(|c| !c.is_control()).take(LONGEST_CLAIM).collect::<String>();
    claims.iter().take(MOST_CLAIMS).map(|(key, value)| (clean(key), clean(value))).collect()
}

macro_rules! delegations {
    ($($(#[$doc:meta])* $name:ident($request:ty) -> $answer:ty: $role:ident, $effect:ident, $action:literal;)*) => {
        impl Tenantry for RpcSession {
            async fn hello(self, _: Context, request: HelloRequest) -> Result<HelloResponse, ApiError> {
                self.greet(request).await
            }

            $(async fn $name(self, _: Context, request: $request) -> Result<$answer, ApiError> {
                let answer = async {
                    let caller = self.let_in(method::$name).await?;
                    commands::$name(&self.app, caller, request).await
                };
                contained(answer.boxed()).await
            })*
        }
    };
}

with_methods!(delegations);
