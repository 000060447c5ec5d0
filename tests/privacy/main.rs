//! No one is ever served another user's answer, over real HTTP: an origin that knows its users, the
//! whole cache before it, and a table of what callers send, what the origin says, and how it fails.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "tests spawn openly and fail by panicking"
)]

mod caller;
mod cell;
mod crowd;
mod origin;
mod scope;
mod shown;
mod stack;
mod table;
mod tally;
mod turnstile;
mod world;

use self::{scope::Scope, stack::Side, table::fill};

#[tokio::test]
async fn promise_9_by_default_around_a_client() {
    fill(Scope::Anonymous, Side::Client).await;
}

#[tokio::test]
async fn promise_9_by_default_in_a_server() {
    fill(Scope::Anonymous, Side::Server).await;
}

#[tokio::test]
async fn promise_9_in_a_public_scope_around_a_client() {
    fill(Scope::Public, Side::Client).await;
}

#[tokio::test]
async fn promise_9_in_a_public_scope_in_a_server() {
    fill(Scope::Public, Side::Server).await;
}

#[tokio::test]
async fn promise_9_with_named_principals_around_a_client() {
    fill(Scope::Principal, Side::Client).await;
}

#[tokio::test]
async fn promise_9_with_named_principals_in_a_server() {
    fill(Scope::Principal, Side::Server).await;
}
