//! Redis that fails fast and comes back by itself.

mod builder;
mod call;
mod connection;
mod connector;
mod disconnected;
mod driver;
pub mod future;
mod kept;
mod link;
mod pipeline;
mod policy;
mod service;
mod stack;
mod unavailable;
mod verdict;

pub use self::{
    builder::ConnectionBuilder, connection::Connection, connector::Connector,
    disconnected::Disconnected, driver::Driver, policy::ConnectionPolicy, service::RedisService,
    stack::Stack, unavailable::Unavailable, verdict::Verdict,
};
