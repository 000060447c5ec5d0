//! Promise 1: a failed call moves only if it is known not to have been applied, or is declared safe
//! to repeat.

use std::{error::Error, future::ready, io, time::Duration};

use tower::{Service, ServiceExt, service_fn};
use tower_failover::{
    BoxError, Outcome,
    circuit_breaker::Circuit,
    failover::{
        Backend, By, Elapsed, Failover, MayHaveRun, NoBackend, Policy, Repeat, Repeats,
        may_have_run,
    },
};

use crate::support::{BAD, Fault, Site, SiteService, call, keep};

fn pair<R>(repeat: R) -> (Site, Site, Failover<SiteService, R>) {
    let (eu, us) = (Site::new("eu"), Site::new("us"));
    let failover = Failover::builder("sessions")
        .backend(eu.backend())
        .backend(us.backend().tier(1))
        .repeat(repeat)
        .build();
    (eu, us, keep(failover))
}

#[tokio::test(start_paused = true)]
async fn failover_promise_1_a_call_that_may_have_run_is_reported_and_not_repeated() {
    for fault in [Fault::Dropped, Fault::Hangs] {
        let (eu, us, mut failover) = pair(Repeat::IfNotApplied);
        eu.set(fault);
        let error = call(&mut failover).await.unwrap_err();
        let doubtful = error.downcast_ref::<MayHaveRun>().expect("it may have run");
        assert_eq!(doubtful.backend().as_str(), "eu");
        assert_eq!(doubtful.get_ref().is::<Elapsed>(), fault == Fault::Hangs);
        assert!(may_have_run(&*error));
        assert_eq!((eu.applied(), us.applied()), (1, 0));
        assert_eq!(call(&mut failover).await.unwrap(), "us", "it was left all the same");
    }
}

#[tokio::test(start_paused = true)]
async fn failover_promise_1_a_call_that_did_nothing_is_repeated() {
    let (eu, us, mut failover) = pair(Repeat::IfNotApplied);
    eu.set(Fault::Refused);
    assert_eq!(call(&mut failover).await.unwrap(), "us");
    assert_eq!((eu.calls(), eu.applied(), us.applied()), (1, 0, 1));
}

#[tokio::test(start_paused = true)]
async fn failover_promise_1_what_is_never_repeated_is_sent_once() {
    for fault in [Fault::Refused, Fault::Dropped, Fault::Hangs] {
        let (eu, us, mut failover) = pair(Repeat::Never);
        eu.set(fault);
        let error = call(&mut failover).await.unwrap_err();
        assert!(!error.is::<MayHaveRun>() && !error.is::<NoBackend>(), "{error:?}");
        assert_eq!((eu.calls(), us.calls()), (1, 0));
    }
}

#[tokio::test(start_paused = true)]
async fn failover_promise_1_what_is_safe_to_repeat_is_repeated_after_every_failure() {
    for fault in [Fault::Refused, Fault::Dropped, Fault::Hangs, Fault::Unready, Fault::NeverReady] {
        let (eu, us, mut failover) = pair(Repeat::Always);
        eu.set(fault);
        assert_eq!(call(&mut failover).await.unwrap(), "us", "{fault:?}");
        assert_eq!(us.calls(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn failover_promise_1_each_request_is_judged_by_itself() {
    let by = By(|request: &u64| if *request == 0 { Repeat::Always } else { Repeat::Never });
    let (eu, us, mut failover) = pair(by);
    eu.set(Fault::Dropped);
    failover.ready().await.unwrap().call(7).await.unwrap_err();
    failover.control().recover("again");
    assert_eq!(failover.ready().await.unwrap().call(0).await.unwrap(), "us");
    assert_eq!((eu.applied(), us.applied()), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn failover_promise_1_an_answer_that_is_a_failure_moves_only_what_is_safe_to_repeat() {
    let judge = |result: &Result<&'static str, BoxError>| match result {
        Ok(answer) if *answer != BAD => Outcome::Success,
        Ok(_) | Err(_) => Outcome::Failure,
    };
    for (repeat, answer) in
        [(Repeat::Always, "us"), (Repeat::IfNotApplied, BAD), (Repeat::Never, BAD)]
    {
        let (eu, us) = (Site::new("eu"), Site::new("us"));
        let (mut failover, _upkeep) = Failover::builder("sessions")
            .backend(eu.backend())
            .backend(us.backend().tier(1))
            .repeat(repeat)
            .classify(judge)
            .build();
        eu.set(Fault::Bad);
        assert_eq!(call(&mut failover).await.unwrap(), answer, "{repeat:?}");
        assert_eq!(call(&mut failover).await.unwrap(), "us");
        us.set(Fault::Bad);
        let answer = call(&mut failover).await.unwrap();
        assert_eq!(answer, BAD, "what it answered is better than that nobody is left");
    }
}

#[derive(Debug, Default)]
struct Tally {
    succeeded: usize,
    may_have_run: usize,
    failed: usize,
    applied: usize,
}

/// Many calls that must not run twice, over two sites that fail in every way, in turn.
async fn storm(repeat: Repeat) -> Tally {
    let (eu, us, failover) = pair(repeat);
    let faults = [
        Fault::Nothing,
        Fault::Refused,
        Fault::Dropped,
        Fault::Hangs,
        Fault::Slow(Duration::from_millis(5)),
    ];
    let mut tally = Tally::default();
    let mut random = fastrand_like(7);
    for _ in 0..500 {
        eu.set(faults[random(faults.len())]);
        us.set(faults[random(faults.len())]);
        if random(4) == 0 {
            failover.control().recover("the test goes on");
        }
        let calls = (0..random(4) + 1).map(|_| failover.clone().oneshot(1));
        for result in futures::future::join_all(calls).await {
            match result {
                Ok(_) => tally.succeeded += 1,
                Err(error) if error.is::<MayHaveRun>() => tally.may_have_run += 1,
                Err(_) => tally.failed += 1,
            }
        }
    }
    tally.applied = eu.applied() + us.applied();
    tally
}

/// A small generator, the same in each run.
fn fastrand_like(seed: u64) -> impl FnMut(usize) -> usize {
    let mut state = seed;
    move |below| {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % below
    }
}

#[tokio::test(start_paused = true)]
async fn failover_promise_1_nothing_runs_more_often_than_is_reported() {
    let tally = storm(Repeat::IfNotApplied).await;
    assert!(tally.applied <= tally.succeeded + tally.may_have_run, "{tally:?}");
    assert!(tally.succeeded > 300 && tally.may_have_run > 100 && tally.failed > 30, "{tally:?}");
}

#[tokio::test(start_paused = true)]
async fn twin_what_is_repeated_always_runs_more_often_than_is_reported() {
    let tally = storm(Repeat::Always).await;
    assert!(tally.applied > tally.succeeded + tally.may_have_run, "{tally:?}");
}

#[test]
fn only_refusals_have_certainly_not_run() {
    #[derive(Debug)]
    struct Wrapped(BoxError);
    impl std::fmt::Display for Wrapped {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("wrapped")
        }
    }
    impl Error for Wrapped {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&*self.0)
        }
    }
    let circuit = Circuit::new("eu");
    circuit.force_open();
    let health = tower_failover::health::Health::new("eu");
    health.down("told");
    let refusals: Vec<Box<dyn Fn() -> BoxError>> = vec![
        Box::new(|| io::Error::from(io::ErrorKind::ConnectionRefused).into()),
        Box::new(|| io::Error::from(io::ErrorKind::AddrNotAvailable).into()),
        Box::new(move || circuit.permit().unwrap_err().into()),
        Box::new(move || health.refusal().unwrap().into()),
    ];
    for refusal in &refusals {
        assert!(!may_have_run(&*refusal()));
        assert!(!may_have_run(&Wrapped(Wrapped(refusal()).into())));
        assert!(!may_have_run(&io::Error::other(refusal())), "io::Error hides it");
    }
    for kind in [
        io::ErrorKind::ConnectionReset,
        io::ErrorKind::BrokenPipe,
        io::ErrorKind::TimedOut,
        io::ErrorKind::HostUnreachable,
        io::ErrorKind::NetworkUnreachable,
        io::ErrorKind::UnexpectedEof,
    ] {
        assert!(may_have_run(&io::Error::from(kind)), "{kind:?}");
    }
    assert!(may_have_run(&*BoxError::from("anything else")));
}

#[tokio::test(start_paused = true)]
async fn a_failover_of_failovers_knows_what_may_have_run() {
    let (eu, us, inner) = pair(Repeat::Always);
    let (mut outer, _upkeep) = Failover::builder("outer")
        .backend(tower_failover::failover::Backend::new("inner", inner))
        .policy(Policy::new().attempt_timeout(Duration::from_secs(10)))
        .build();
    eu.set(Fault::Dropped);
    us.set(Fault::Dropped);
    let error = outer.ready().await.unwrap().call(1).await.unwrap_err();
    let doubtful = error.downcast_ref::<MayHaveRun>().expect("it ran, twice");
    let nobody = doubtful.get_ref().downcast_ref::<NoBackend>().unwrap();
    assert!(nobody.may_have_run());
    eu.set(Fault::Refused);
    us.set(Fault::Refused);
    outer.control().recover("again");
    let error = outer.ready().await.unwrap().call(1).await.unwrap_err();
    let nobody = error.downcast_ref::<NoBackend>().expect("nothing was sent this time");
    assert!(!nobody.may_have_run(), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn failover_promise_1_an_error_does_not_forget_that_an_earlier_attempt_may_have_run() {
    let sites = ["a", "b", "c"].map(Site::new);
    for last in [Fault::Refused, Fault::Dropped] {
        let mut builder = Failover::builder("sessions").repeat(Repeat::Always);
        for site in &sites {
            builder = builder.backend(site.backend());
        }
        let (mut failover, _upkeep) = builder.policy(Policy::new().attempts(3)).build();
        let applied = sites[0].applied();
        sites[0].set(Fault::Dropped);
        sites[1].set(Fault::Refused);
        sites[2].set(last);
        let error = call(&mut failover).await.unwrap_err();
        assert_eq!(sites[0].applied(), applied + 1);
        assert!(may_have_run(&*error), "{error:?} says that nothing ran");
        let doubt = error.downcast_ref::<MayHaveRun>();
        let says_so = (last == Fault::Refused).then_some("a");
        assert_eq!(doubt.map(|doubt| doubt.backend().as_str()), says_so);
        let io = doubt.map_or(&*error, |doubt| doubt.get_ref());
        assert!(io.is::<std::io::Error>(), "it is the last error: {io:?}");
    }
    assert_eq!(sites.each_ref().map(Site::calls), [2, 2, 2]);
}

#[tokio::test(start_paused = true)]
async fn failover_promise_1_what_the_request_makes_of_an_error_counts_for_the_last_attempt_too() {
    /// Knows that its backends say "no" before they do anything.
    #[derive(Clone)]
    struct Knows;
    impl Repeats<u64> for Knows {
        fn repeat(&self, _: &u64) -> Repeat {
            Repeat::Always
        }
        fn copy(&self, request: &u64) -> Option<u64> {
            Some(*request)
        }
        fn may_have_run(&self, _: &u64, error: &(dyn Error + 'static)) -> bool {
            error.to_string() != "no"
        }
    }
    let says =
        |text: &'static str| service_fn(move |_: u64| ready(Err::<(), BoxError>(text.into())));
    for (first, is_in_doubt) in [("no", false), ("perhaps", true)] {
        for classify in [true, false] {
            let builder = Failover::builder("sessions")
                .backend(Backend::new("eu", says(first)))
                .backend(Backend::new("us", says("no")).tier(1))
                .policy(Policy::new().attempts(2))
                .repeat(Knows);
            let error = if classify {
                // The last error is no failure of its backend.
                let verdict = |result: &Result<(), BoxError>| match result {
                    Err(error) if error.to_string() != first => Outcome::Success,
                    Ok(()) | Err(_) => Outcome::Failure,
                };
                let (mut failover, _upkeep) = builder.classify(verdict).build();
                failover.ready().await.unwrap().call(1).await.unwrap_err()
            } else {
                let (mut failover, _upkeep) = builder.build();
                failover.ready().await.unwrap().call(1).await.unwrap_err()
            };
            assert_eq!(error.is::<MayHaveRun>(), is_in_doubt, "{first} {classify}: {error:?}");
        }
    }
}
