//! Backends whose calls are tried again before they are left.

use tower::{Service, ServiceExt};
use tower_failover::{
    BoxError,
    failover::{Failover, MayHaveRun, may_have_run},
    fallback::Retries,
};

use crate::support::{Fault, Site, keep};

/// After retries of which the first may have run, a refusal does not move the call.
#[tokio::test(start_paused = true)]
async fn failover_promise_1_retries_do_not_hide_that_a_call_may_have_run() {
    let (eu, us) = (Site::new("eu"), Site::new("us"));
    #[derive(Clone)]
    struct Once(bool, Site);
    impl<T> tower::retry::Policy<u64, T, BoxError> for Once {
        type Future = std::future::Ready<()>;
        fn retry(&mut self, _: &mut u64, result: &mut Result<T, BoxError>) -> Option<Self::Future> {
            self.1.set(Fault::Refused);
            let first = std::mem::replace(&mut self.0, false);
            (first && result.is_err()).then(|| std::future::ready(()))
        }
        fn clone_request(&mut self, request: &u64) -> Option<u64> {
            Some(*request)
        }
    }
    eu.set(Fault::Dropped);
    let mut failover = keep(
        Failover::builder("f")
            .backend(eu.backend().after_retries(Once(true, eu.clone())))
            .backend(us.backend().tier(1).after_retries(Once(false, us.clone())))
            .build(),
    );
    let answer = failover.ready().await.unwrap().call(1).await;
    assert_eq!((eu.applied(), us.applied()), (1, 0), "{answer:?}");
    let error = answer.unwrap_err();
    assert!(error.is::<MayHaveRun>() && may_have_run(&*error), "{error:?}");
}

/// The note of one call is not that of the next, nor of another at the same time.
#[tokio::test(start_paused = true)]
async fn retries_of_which_none_ran_are_moved_also_after_one_that_did() {
    let (eu, us) = (Site::new("eu"), Site::new("us"));
    let mut failover = keep(
        Failover::builder("f")
            .backend(eu.backend().after_retries(Retries::up_to(1)))
            .backend(us.backend().tier(1).after_retries(Retries::up_to(1)))
            .build(),
    );
    assert_eq!(failover.ready().await.unwrap().call(1).await.unwrap(), "eu");
    eu.set(Fault::Refused);
    assert_eq!(failover.ready().await.unwrap().call(1).await.unwrap(), "us");
    assert_eq!((eu.applied(), eu.calls()), (1, 3));
}
