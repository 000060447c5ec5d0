//! What tests need that touch Redis: a server of their own, and a network that can be broken.
#![allow(
    clippy::disallowed_methods,
    dead_code,
    unreachable_pub,
    unused_imports,
    reason = "each test and example that includes this uses a part of it, in real time"
)]

mod counts;
mod line;
mod port;
mod process;
mod proxy;
mod server;
mod wait;

pub use self::{
    counts::Counts,
    line::{Direction, Flow},
    port::Port,
    proxy::{Accept, Proxy, Scope},
    server::RedisServer,
    wait::{wait_for, wait_for_async},
};
