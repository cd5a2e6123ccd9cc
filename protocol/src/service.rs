//! The RPC service. On the wire a request is tarpc's envelope around `{"Method":{"request":{…}}}`; the golden frames
//! in `tests/` freeze it, so that any language can speak it.
//!
//! The methods are in the table of [`crate::methods`].

#![allow(missing_debug_implementations, reason = "tarpc makes the server's type")]

use crate::error::ApiError;
use crate::methods::{Effect, Method};
use crate::session::{HelloRequest, HelloResponse, Role};
use crate::with_methods;

/// The version of this contract; `hello` compares it.
pub const PROTOCOL_VERSION: u32 = 1;

/// Opens a connection; the only method that is not in the table.
pub const HELLO: Method =
    Method { name: "hello", role: Role::Viewer, effect: Effect::Reads, action: "hello" };

macro_rules! service {
    ($($(#[$doc:meta])* $name:ident($request:ty) -> $answer:ty: $role:ident, $effect:ident, $action:literal;)*) => {
        #[tarpc::service]
        pub trait Tenantry {
            /// Opens the connection: versions, identity and role. Must be the first call.
            async fn hello(request: HelloRequest) -> Result<HelloResponse, ApiError>;
            $($(#[$doc])* async fn $name(request: $request) -> Result<$answer, ApiError>;)*
        }

        /// Each method of the service by its name.
        pub mod method {
            use super::*;

            $(#[allow(non_upper_case_globals, reason = "a method's name is what it is called by")]
            pub const $name: Method = Method {
                name: stringify!($name),
                role: Role::$role,
                effect: Effect::$effect,
                action: $action,
            };)*
        }

        /// All methods, in the order of the service.
        pub const METHODS: &[Method] = &[HELLO, $(method::$name),*];
    };
}

with_methods!(service);
