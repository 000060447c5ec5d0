/// What makes a call leave a backend for another.
///
/// Whatever the mode, a backend whose circuit refuses or that its health calls unhealthy is left,
/// and a call that was not sent for that goes to another.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Mode {
    /// A call that fails is moved, and its backend is left after
    /// [`leave_after`](super::Policy::leave_after) failures in a row.
    #[default]
    AtOnce,
    /// Only circuits make a failover leave: a failed call is handed out as it is. Every backend has a
    /// circuit.
    ByCircuit,
    /// Only health makes a failover leave: a failed call is handed out as it is. Every backend has a
    /// health.
    ByHealth,
}
