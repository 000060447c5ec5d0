//! Redis that fails fast and comes back by itself.
//!
//! Use [`Connection`] in place of redis' `ConnectionManager`: behind a breaker, a connection must
//! answer within its budget whatever has become of the server, and must never stop trying.
//! [`RedisService`] makes it, or any other connection, a Tower service of commands; [`Unavailable`]
//! tells breakers and fallbacks which errors are the server's; [`Stack`] makes the finished stack a
//! connection again, so that typed commands run through all of it. The probes in [`probe`] tell a
//! [`Health`](crate::health::Health) what the server can do.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
//! use redis::AsyncCommands;
//! use tower::ServiceBuilder;
//! use tower_failover::redis::{Connection, RedisService, Stack};
//!
//! let connection = Connection::open("redis://127.0.0.1/")?
//!     .observe(|event: &tower_failover::event::Event<'_>| println!("{event}"))
//!     .spawn();
//! let mut redis = Stack::new(ServiceBuilder::new().service(RedisService::new(connection)));
//! let name: Option<String> = redis.get("name").await?;
//! # let _ = name; Ok(()) }
//! ```
//!
//! # How a connection behaves
//!
//! *Connecting*, for the first time: calls wait, within the response timeout. *Up*: calls are sent.
//! *Down*: calls fail at once with [`Disconnected`], which says since when and why, and nothing is
//! sent. The [`Driver`] connects in the background, at once after a loss and then with growing
//! waits, after failures of every kind: refused credentials and garbage too. It asks its
//! [`Connector`] anew each time, and counts a connection as made when the server answers a `PING`.
//!
//! | what happens on a connection | what becomes of it |
//! |---|---|
//! | an I/O error, a reply that is not the Redis protocol | given up at once |
//! | a response timeout, and no reply to the `PING`s of the driver that follow it | given up |
//! | `READONLY`, `NOAUTH` | replaced at once, then with growing waits until one serves, and used for what it still answers until another is made or it is given up |
//! | any other error reply | nothing |
//!
//! Results of a connection that was given up say nothing about its successor. A lost connection is
//! noticed by the next call, or over RESP3 (`?protocol=resp3`) when it happens.
//!
//! No call takes longer than the response timeout, the wait for a connection included. Commands that
//! block (`BLPOP`, `WAIT`) need a policy, and since they hold up all others a connection, of their
//! own.
//!
//! # Defaults
//!
//! | [setting](ConnectionPolicy) | default | unit |
//! |---|---|---|
//! | `response_timeout` | 250 ms | time, above zero |
//! | `connect_timeout` | 300 ms | time, above zero |
//! | `backoff` | 50 ms, doubling up to 500 ms, less up to 50 % | [`Backoff`](crate::Backoff) |
//! | `reconnect_after_timeouts` | 3 | response timeouts, at least 1 |
//! | [`Connector::USER_TIMEOUT`] | 2 s | time; the connection info may name another |
//! | `TCP_NODELAY` | on | |
//!
//! # What observers are told
//!
//! [`Connected`](crate::event::Event::Connected) each time a connection is made, and
//! [`Disconnected`](crate::event::Event::Disconnected) each time one is lost, is to be replaced, or
//! could not be made. With a [`Connector`] of this crate neither they nor any error or `Debug`
//! output hold its credentials. The errors of a connector of your own are told as they are: keep
//! credentials out of them, also those that a server repeats when it refuses a login.
//!
//! # Where it stands in a stack
//!
//! Innermost, under the timeout of an attempt, the breaker and the fallback. A breaker above it
//! needs no timeout for a server that is down, only for one that is slow. Inside a breaker errors
//! are `RedisError`, above it they are boxed: [`Unavailable`] judges both alike.
//!
//! A failed command may have run. Repeat it only if [`Unavailable::may_have_run`] says no, for a
//! script [`Unavailable::command_may_have_run`], or if running it twice does no harm; the client's
//! own `retry_method` recommends repeating a write that timed out.
//!
//! A [`Failover`](crate::failover::Failover) over servers asks [`Commands`] which commands it may
//! repeat: those that only read always, no others unless it is certain that they did not run.

mod bare;
mod builder;
mod call;
mod command_table;
mod commands;
mod connection;
mod connector;
mod disconnected;
mod driver;
pub mod future;
mod kept;
mod link;
mod pipeline;
mod policy;
pub mod probe;
mod race;
mod service;
mod stack;
mod unavailable;
mod verdict;
mod watchman;

pub use self::{
    builder::ConnectionBuilder, commands::Commands, connection::Connection, connector::Connector,
    disconnected::Disconnected, driver::Driver, policy::ConnectionPolicy, service::RedisService,
    stack::Stack, unavailable::Unavailable, verdict::Verdict,
};
