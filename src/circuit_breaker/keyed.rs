use std::{fmt, hash::Hash};

use super::{Circuits, Open, Permit};
use crate::gate::Guard;

/// Guards each request by the circuit of its key.
///
/// The key is only known with the request, so a shut circuit refuses in `call` and not in
/// `poll_ready`, and an error of the inner `poll_ready` belongs to no circuit.
#[derive(Clone)]
pub struct Keyed<K, F> {
    circuits: Circuits<K>,
    key: F,
}

impl<K, F> Keyed<K, F> {
    /// Takes the key of a request by this function.
    #[must_use]
    pub const fn new(circuits: Circuits<K>, key: F) -> Self {
        Self { circuits, key }
    }

    /// The circuits.
    pub const fn circuits(&self) -> &Circuits<K> {
        &self.circuits
    }
}

impl<K, F, Request> Guard<Request> for Keyed<K, F>
where
    K: Clone + Eq + Hash,
    F: Fn(&Request) -> K,
{
    type Pass = Permit;
    type Rejection = Open;

    fn refusal(&self) -> Option<Open> {
        None
    }

    fn admit(&self, request: &Request) -> Result<Permit, Open> {
        self.circuits.get(&(self.key)(request)).permit()
    }
}

impl<K, F> fmt::Debug for Keyed<K, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyed").field("circuits", &self.circuits).finish_non_exhaustive()
    }
}
