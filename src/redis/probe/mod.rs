//! Probes that ask a Redis server for what its callers need: an answer, a role, a write.
//!
//! A `PING` is no proof of writing: a replica answers it, and a server that is out of memory.
//!
//! | the server | [`Ping`] | [`Role::master`] | [`Write`] |
//! |---|---|---|---|
//! | serves | good | good | good |
//! | is a replica (`READONLY`) | good | bad | bad |
//! | is out of memory (`OOM`), lacks replicas (`NOREPLICAS`) | good | good | bad |
//! | cannot save (`MISCONF`) | bad | good | bad |
//! | loads its data (`LOADING`) | bad | good | bad |
//! | is busy with a script (`BUSY`) | bad | bad | bad |
//! | refuses connections, hangs | bad | bad | bad |
//!
//! Each works over any service of commands that is cheap to clone, and polls its clone ready:
//!
//! ```
//! # use tower_failover::redis::Connection;
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), tower_failover::BoxError> {
//! use tower_failover::{
//!     health::Health,
//!     redis::{RedisService, probe::Write},
//! };
//!
//! let (connection, driver) = Connection::open("redis://127.0.0.1/")?.build();
//! let redis = RedisService::new(connection);
//! let (health, monitor) = Health::builder("redis").probe(Write::new(redis.clone())).monitor();
//! # let _ = (health, monitor, driver);
//! # Ok(()) }
//! ```
//!
//! # Where they stand
//!
//! On the connection itself. Above a gate that asks the same health they would be refused while it
//! is unhealthy, and it never came back; above a fallback they would ask the fallback.
//!
//! # News of a connection
//!
//! Over RESP3 a lost connection is known when it is lost, before any probe: make
//! [`Health::signals`](crate::health::Health::signals) an observer of the
//! [`Connection`](super::Connection), and it counts at once.

mod ask;
mod ping;
mod role;
mod write;
mod wrong_answer;

pub use self::{ping::Ping, role::Role, write::Write, wrong_answer::WrongAnswer};
