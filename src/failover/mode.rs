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
    /// Failed calls make it leave only by way of circuits, and are handed out as they are. Every backend
    /// has a circuit.
    ByCircuit,
    /// Failed calls make it leave only by way of health, and are handed out as they are. Every backend
    /// has a health.
    ByHealth,
}
