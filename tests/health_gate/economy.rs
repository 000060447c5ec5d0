//! What a gate costs a call while its target is well.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    task::{Context, Poll},
};

use futures::FutureExt;
use tower::{Layer, Service};
use tower_failover::{BoxError, health::HealthGateLayer};

use crate::{SECOND, backend::Count, healthy, unhealthy};

/// Counts its calls, and allocates nothing.
#[derive(Clone, Debug)]
struct Frugal(Count);

impl Service<()> for Frugal {
    type Response = ();
    type Error = Infallible;
    type Future = Ready<Result<(), Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, (): ()) -> Self::Future {
        self.0.add();
        ready(Ok(()))
    }
}

/// How many allocations a thousand calls make.
fn allocations<S>(mut service: S) -> u64
where
    S: Service<(), Error = BoxError>,
{
    let mut cx = Context::from_waker(futures::task::noop_waker_ref());
    let made = allocation_counter::measure(|| {
        for _ in 0..1_000 {
            assert!(service.poll_ready(&mut cx).is_ready());
            let _ = service.call(()).now_or_never();
        }
    });
    made.count_total
}

#[test]
fn a_call_to_a_target_that_is_well_allocates_nothing() {
    let calls = Count::default();
    let layer = HealthGateLayer::new(healthy());
    assert_eq!(allocations(layer.layer(Frugal(calls.clone()))), 0);
    assert_eq!(allocations(layer.hold_for(SECOND, 1).layer(Frugal(calls.clone()))), 0);
    assert_eq!(calls.get(), 2_000);
}

#[test]
fn twin_allocations_are_counted() {
    let refusals = HealthGateLayer::new(unhealthy()).layer(Frugal(Count::default()));
    assert!(allocations(refusals) >= 1_000, "each error is a box");
}
