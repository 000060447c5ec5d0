//! The whole stack under a fault: callers who write down every call, and what is asked of that record.
#![allow(
    dead_code,
    unreachable_pub,
    unused_imports,
    reason = "each test that includes this uses a part of it"
)]
#![allow(clippy::wildcard_enum_match_arm, reason = "most faults do what faults do")]

mod design;
mod fault;
mod ground;
mod lane;
mod record;
mod report;
mod row;
mod sockets;
mod tap;

use std::time::Duration;

use tower_failover::{Backoff, circuit_breaker::Policy, redis::ConnectionPolicy};

pub use self::{
    design::{Asks, Client, Design, Judge},
    fault::Fault,
    ground::Ground,
    lane::{Lane, Work, holds},
    record::{Call, Connects, Cycle, From, Record, Span},
    report::{Bounds, Guarantee, Report},
    row::{Row, one_cycle, run},
};

/// What a call may take: the response timeout of the connection.
pub const BUDGET: Duration = Duration::from_millis(60);
/// What the stack may add to it (G1).
pub const GRACE: Duration = Duration::from_millis(25);
/// What a machine of two cores, on which other tests and builds run, may add to any time: a thread
/// that is ready is not run for as long. It is granted to the worst of a row only. Half of the
/// cycles, and of the slow calls, must keep the bare bound, which no fault of the stack's own allows.
pub const BUSY: Duration = Duration::from_millis(150);
/// How long the circuit stays open, always.
pub const OPEN_FOR: Duration = Duration::from_millis(50);
/// The wait between tries to connect.
pub const RECONNECT: Duration = Duration::from_millis(20);
/// One try to connect. A try that began while the network was mute delays the return by as much.
pub const CONNECT_TIMEOUT: Duration = Duration::from_millis(100);
/// How many calls may be in flight in a half-open circuit.
pub const PROBES: u32 = 1;
/// Longer than the worst call that keeps its budget, so that one without a budget is told from it.
pub const FAULT_FOR: Duration = Duration::from_millis(250);
/// How long a row waits for what ought to happen much sooner.
pub const PATIENCE: Duration = Duration::from_secs(20);

const _: () = assert!(
    FAULT_FOR.as_millis() > BUDGET.as_millis() + GRACE.as_millis() + BUSY.as_millis(),
    "a call that hangs until the heal must be late"
);

/// The connection of every row that names no other.
pub const CONNECTION: ConnectionPolicy = ConnectionPolicy::DEFAULT
    .response_timeout(BUDGET)
    .connect_timeout(CONNECT_TIMEOUT)
    .backoff(Backoff::fixed(RECONNECT));

/// The circuit of every row that names no other.
pub const CIRCUIT: Policy = Policy::new().open_for(Backoff::fixed(OPEN_FOR)).probes(PROBES);

pub const fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}
