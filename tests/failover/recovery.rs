//! Promise 3: failing back waits for the threshold and the delay, checks the backend first, is
//! jittered, and may be gradual; flapping is damped. By hand it happens when told.

use std::time::Duration;

use tokio::time::{Instant, sleep};
use tower::{Service, ServiceExt};
use tower_failover::{
    Backoff, Circuit, Ratio,
    failover::{BackendState, By, Failover, MayHaveRun, Policy, Recovery, Repeat, Trigger},
    health::{self, Health},
};

use crate::support::{Fault, Site, SiteService, call, keep, line};

const SECOND: Duration = Duration::from_secs(1);
const TICK: Duration = Duration::from_millis(10);

struct Scene {
    eu: Site,
    us: Site,
    failover: Failover<SiteService>,
    health: Option<Health>,
}

/// Two sites, the first of which is checked by a monitor or tried by calls.
fn scene(recovery: Recovery, monitored: Option<health::Policy>) -> Scene {
    let (eu, us) = (Site::new("eu"), Site::new("us"));
    let (mut first, mut health) = (eu.backend(), None);
    if let Some(policy) = monitored {
        let (made, monitor) = eu.health(policy);
        tokio::spawn(monitor);
        first = first.health(made.clone());
        health = Some(made);
    }
    let failover = keep(
        Failover::builder("sessions")
            .backend(first)
            .backend(us.backend().tier(1))
            .repeat(Repeat::Always)
            .policy(Policy::new().recovery(recovery))
            .build(),
    );
    Scene { eu, us, failover, health }
}

impl Scene {
    /// Calls every so often until this site answers; how long that took.
    async fn until(&mut self, name: &str) -> Duration {
        let began = Instant::now();
        while call(&mut self.failover).await.unwrap() != name {
            assert!(began.elapsed() < 600 * SECOND, "never");
            sleep(TICK).await;
        }
        began.elapsed()
    }

    /// Fails, is noticed, and works again.
    async fn outage(&mut self, lasts: Duration) {
        self.eu.set(Fault::Refused);
        self.until("us").await;
        sleep(lasts).await;
        self.eu.set(Fault::Nothing);
    }
}

#[tokio::test(start_paused = true)]
async fn failover_promise_3_it_goes_back_after_the_delay_and_one_check_with_a_monitor() {
    for seconds in [1, 10, 30] {
        for every in [SECOND / 4, SECOND] {
            for (jitter, rise) in [(0, 2), (20, 2), (0, 5), (20, 5)] {
                let delay = Backoff::fixed(seconds * SECOND).jitter(Ratio::percent(jitter));
                let recovery = Recovery::new().delay(delay).check_every(every);
                let policy = health::Policy::new().interval(every).timeout(every / 2).rise(rise);
                let mut scene = scene(recovery, Some(policy));
                sleep(2 * SECOND).await;
                scene.outage(5 * SECOND).await;
                let took = scene.until("eu").await;
                let least = (seconds * SECOND).mul_f64(1.0 - f64::from(jitter) / 100.0);
                // The first good check comes within an interval, the last at the end of the wait,
                // or when there were enough of them.
                let enough = (seconds * SECOND).max(2 * every).max(policy.recovers_within());
                let most = enough + every + every / 2 + TICK;
                assert!(took >= least && took <= most, "{least:?} {took:?} {most:?}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn failover_promise_3_it_goes_back_after_the_delay_and_one_trial_without_a_monitor() {
    for seconds in [1, 10, 30] {
        let recovery = Recovery::new().delay(Backoff::fixed(seconds * SECOND));
        let mut scene = scene(recovery, None);
        scene.outage(Duration::ZERO).await;
        // A trial that it answers is not its return.
        scene.until("eu").await;
        let history = scene.failover.control().history();
        while scene.failover.control().history().len() == history.len() {
            call(&mut scene.failover).await.unwrap();
            sleep(TICK).await;
        }
        let back = scene.failover.control().history().last().unwrap().clone();
        assert_eq!(back.trigger(), Trigger::Recovery);
        let waited = back.switched_after();
        let (least, most) = (seconds * SECOND, (seconds * SECOND).max(2 * SECOND) + SECOND + TICK);
        assert!(waited >= least && waited <= most, "{least:?} {waited:?} {most:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn failover_promise_3_no_call_goes_there_before_its_checks_were_good() {
    let recovery = Recovery::new().threshold(3).delay(Backoff::fixed(5 * SECOND));
    let mut scene = scene(recovery, Some(health::Policy::new()));
    sleep(2 * SECOND).await;
    scene.eu.set(Fault::Refused);
    scene.until("us").await;
    let before = scene.eu.calls();
    for _ in 0..2_000 {
        assert_eq!(call(&mut scene.failover).await.unwrap(), "us");
        sleep(TICK).await;
    }
    assert_eq!(scene.eu.calls(), before, "it was down for 20 s, and nobody was sent there");
    let applied = scene.eu.applied();
    scene.eu.set(Fault::Nothing);
    let mut fewest = usize::MAX;
    loop {
        let checks = scene.eu.applied() - applied;
        if call(&mut scene.failover).await.unwrap() == "eu" {
            fewest = fewest.min(checks);
            break;
        }
        sleep(TICK).await;
    }
    assert!(fewest >= 3, "{fewest} checks");
}

#[tokio::test(start_paused = true)]
async fn failover_promise_3_one_bad_check_begins_the_wait_anew() {
    let recovery = Recovery::new().delay(Backoff::fixed(10 * SECOND));
    let mut scene = scene(recovery, Some(health::Policy::new()));
    sleep(2 * SECOND).await;
    scene.outage(5 * SECOND).await;
    let healed = Instant::now();
    while healed.elapsed() < 8 * SECOND {
        assert_eq!(call(&mut scene.failover).await.unwrap(), "us");
        sleep(TICK).await;
    }
    let status = scene.failover.status();
    let BackendState::Out { good_checks, back_in, .. } = status.backends[0].state else {
        panic!("it is out")
    };
    assert!(good_checks > 3 && back_in.unwrap() < 5 * SECOND, "{status:?}");
    scene.eu.set(Fault::Refused);
    sleep(2 * SECOND).await;
    scene.eu.set(Fault::Nothing);
    assert!(scene.until("eu").await >= 10 * SECOND);
}

#[tokio::test(start_paused = true)]
async fn failover_promise_3_who_is_left_again_and_again_waits_longer_and_longer() {
    let delay = Backoff::growing(SECOND, 60 * SECOND);
    let mut scene = scene(Recovery::new().delay(delay), Some(health::Policy::new()));
    sleep(2 * SECOND).await;
    let mut waits = Vec::new();
    for _ in 0..6 {
        scene.outage(SECOND).await;
        waits.push(scene.until("eu").await);
    }
    for (n, wait) in waits.iter().enumerate() {
        let least = SECOND * (1 << n);
        assert!(*wait >= least && *wait <= least.max(2 * SECOND) + 5 * SECOND, "{n}: {waits:?}");
    }
    sleep(61 * SECOND).await;
    scene.outage(SECOND).await;
    let wait = scene.until("eu").await;
    assert!(wait <= 8 * SECOND, "it was stable: {wait:?}");
    assert_eq!(scene.us.fault(), Fault::Nothing);
}

#[tokio::test(start_paused = true)]
async fn failover_promise_3_waits_are_jittered() {
    let delay = Backoff::fixed(100 * SECOND).jitter(Ratio::percent(50));
    let mut waits = Vec::new();
    for _ in 0..20 {
        let mut scene = scene(Recovery::new().delay(delay), Some(health::Policy::new()));
        sleep(2 * SECOND).await;
        scene.outage(SECOND).await;
        waits.push(scene.until("eu").await);
    }
    waits.sort();
    assert!(waits[0] >= 50 * SECOND && waits[19] <= 105 * SECOND, "{waits:?}");
    assert!(waits[19] - waits[0] > 20 * SECOND, "{waits:?}");
}

#[tokio::test(start_paused = true)]
async fn failover_promise_3_a_gradual_recovery_sends_a_share_that_grows() {
    let recovery = Recovery::new()
        .delay(Backoff::fixed(SECOND))
        .gradual(100 * SECOND)
        .first_share(Ratio::percent(10));
    let mut scene = scene(recovery, Some(health::Policy::new()));
    sleep(2 * SECOND).await;
    scene.outage(SECOND).await;
    scene.until("eu").await;
    let mut shares = Vec::new();
    for _ in 0..5 {
        let (mut eu, calls) = (0, 2_000);
        for _ in 0..calls {
            eu += usize::from(call(&mut scene.failover).await.unwrap() == "eu");
            sleep(TICK).await;
        }
        shares.push(eu as f64 / f64::from(calls));
    }
    // The middle of each fifth of the time: 10 % + 90 % × (10, 30, … 90 %).
    for (n, share) in shares.iter().enumerate() {
        let expected = 0.1 + 0.9 * (0.1 + 0.2 * n as f64);
        assert!((share - expected).abs() < 0.06, "{n}: {shares:?}");
    }
    for _ in 0..1_000 {
        assert_eq!(call(&mut scene.failover).await.unwrap(), "eu");
    }
    let lines: Vec<_> = scene.failover.control().history().iter().map(line).collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
}

#[tokio::test(start_paused = true)]
async fn failover_promise_3_by_hand_it_happens_when_told_with_a_reason_that_is_kept() {
    let mut scene = scene(Recovery::new().delay(Backoff::fixed(100 * SECOND)), None);
    let control = scene.failover.control();
    assert_eq!(call(&mut scene.failover).await.unwrap(), "eu");
    control.fail_over("us", "maintenance", None).unwrap();
    sleep(200 * SECOND).await;
    assert_eq!(call(&mut scene.failover).await.unwrap(), "us");
    control.recover("maintenance is over");
    assert_eq!(call(&mut scene.failover).await.unwrap(), "eu");
    scene.eu.set(Fault::Refused);
    assert_eq!(call(&mut scene.failover).await.unwrap(), "us");
    scene.eu.set(Fault::Nothing);
    control.recover("I looked");
    assert_eq!(call(&mut scene.failover).await.unwrap(), "eu");
    let history = control.history();
    let lines: Vec<_> = history.iter().map(line).collect();
    let expected =
        ["none→eu start", "eu→us manual", "us→eu manual", "eu→us connection", "us→eu manual"];
    assert_eq!(lines, expected);
    let reasons: Vec<_> = history.iter().map(|switch| switch.reason().to_owned()).collect();
    assert_eq!(reasons[1..3], ["maintenance", "maintenance is over"]);
    assert_eq!(reasons[4], "I looked");
}

#[tokio::test(start_paused = true)]
async fn what_was_said_by_hand_for_a_time_ends_by_itself() {
    let mut scene = scene(Recovery::new(), None);
    assert_eq!(call(&mut scene.failover).await.unwrap(), "eu");
    let control = scene.failover.control();
    control.fail_over("us", "maintenance", Some(60 * SECOND)).unwrap();
    let began = Instant::now();
    assert_eq!(call(&mut scene.failover).await.unwrap(), "us");
    scene.until("eu").await;
    let took = began.elapsed();
    assert!(took >= 60 * SECOND && took <= 60 * SECOND + 2 * TICK, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn nobody_is_made_to_serve_by_hand_who_cannot() {
    let (eu, us, ap) = (Site::new("eu"), Site::new("us"), Site::new("ap"));
    let (health, circuit) = (Health::new("us"), Circuit::new("ap"));
    let mut failover = keep(
        Failover::builder("sessions")
            .backend(eu.backend())
            .backend(us.backend().health(health.clone()))
            .backend(ap.backend().circuit(circuit.clone()))
            .build(),
    );
    health.down("told");
    circuit.force_open();
    let control = failover.control();
    let error = |to| control.fail_over(to, "why not", None).unwrap_err().to_string();
    assert_eq!(error("us"), "cannot fail over to us: it is unhealthy");
    assert_eq!(error("ap"), "cannot fail over to ap: its circuit is open");
    assert_eq!(error("af"), "cannot fail over to af: there is no such backend");
    assert_eq!(call(&mut failover).await.unwrap(), "eu");
    assert_eq!(control.history().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn its_health_makes_it_leave_without_any_call() {
    let scene = scene(Recovery::new(), Some(health::Policy::new()));
    sleep(2 * SECOND).await;
    let health = scene.health.clone().unwrap();
    health.down("push");
    sleep(Duration::from_millis(1)).await;
    assert_eq!(scene.failover.status().active.unwrap().as_str(), "us");
    let history = scene.failover.control().history();
    let last = history.last().unwrap();
    assert_eq!((last.trigger(), last.switched_after()), (Trigger::Health, Duration::ZERO));
    assert!(last.reason().contains("push"), "{}", last.reason());
}

#[tokio::test(start_paused = true)]
async fn failover_promise_3_a_backend_whose_health_nobody_monitors_comes_back() {
    let (eu, us) = (Site::new("eu"), Site::new("us"));
    let mut failover = keep(
        Failover::builder("f")
            .backend(eu.backend().health(Health::new("eu")))
            .backend(us.backend().tier(1))
            .repeat(Repeat::Always)
            .build(),
    );
    assert_eq!(call(&mut failover).await.unwrap(), "eu");
    eu.set(Fault::Refused);
    for _ in 0..500 {
        assert_eq!(call(&mut failover).await.unwrap(), "us");
        sleep(TICK).await;
    }
    eu.set(Fault::Nothing);
    let before = eu.calls();
    let began = Instant::now();
    while call(&mut failover).await.unwrap() != "eu" {
        assert!(
            began.elapsed() < 3600 * SECOND,
            "never; tried {} times in an hour; {:?}",
            eu.calls() - before,
            failover.status()
        );
        sleep(100 * TICK).await;
    }
}

#[tokio::test(start_paused = true)]
async fn failover_promise_3_a_backend_whose_monitor_is_gone_comes_back() {
    let (eu, us) = (Site::new("eu"), Site::new("us"));
    let (health, monitor) = eu.health(health::Policy::new());
    let task = tokio::spawn(monitor);
    let mut failover = keep(
        Failover::builder("f")
            .backend(eu.backend().health(health))
            .backend(us.backend().tier(1))
            .repeat(Repeat::Always)
            .build(),
    );
    assert_eq!(call(&mut failover).await.unwrap(), "eu");
    eu.set(Fault::Refused);
    sleep(10 * SECOND).await;
    assert_eq!(call(&mut failover).await.unwrap(), "us");
    task.abort();
    sleep(SECOND).await;
    eu.set(Fault::Nothing);
    us.set(Fault::Refused);
    let before = eu.calls();
    let mut served = 0;
    for _ in 0..3600 {
        served += usize::from(call(&mut failover).await.is_ok());
        sleep(SECOND).await;
    }
    assert!(served > 0, "never in an hour; tried {} times", eu.calls() - before);
}

/// Counted from the moment it works again.
async fn goes_back(eu: &Site, failover: &mut Failover<SiteService>) {
    eu.set(Fault::Refused);
    let _ = call(failover).await;
    assert_eq!(call(failover).await.unwrap(), "us");
    eu.set(Fault::Nothing);
    let healed = Instant::now();
    while failover.status().active.unwrap().as_str() != "eu" {
        call(failover).await.unwrap();
        assert!(healed.elapsed() < 60 * SECOND, "{:?}", failover.status());
        sleep(SECOND / 2).await;
    }
}

#[tokio::test(start_paused = true)]
async fn failover_promise_3_it_goes_back_with_all_defaults() {
    let (eu, us) = (Site::new("eu"), Site::new("us"));
    let mut failover =
        keep(Failover::builder("f").backend(eu.backend()).backend(us.backend().tier(1)).build());
    goes_back(&eu, &mut failover).await;
}

#[tokio::test(start_paused = true)]
async fn failover_promise_3_it_goes_back_whatever_may_be_repeated_and_with_one_attempt() {
    for repeat in [Repeat::Never, Repeat::IfNotApplied, Repeat::Always] {
        for attempts in 1..3 {
            let (eu, us) = (Site::new("eu"), Site::new("us"));
            let mut failover = keep(
                Failover::builder("f")
                    .backend(eu.backend())
                    .backend(us.backend().tier(1))
                    .policy(Policy::new().attempts(attempts))
                    .repeat(repeat)
                    .build(),
            );
            goes_back(&eu, &mut failover).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn failover_promise_3_only_calls_that_are_safe_try_it_while_there_are_such() {
    let (eu, us) = (Site::new("eu"), Site::new("us"));
    let by = |request: &u64| if *request == 0 { Repeat::Always } else { Repeat::IfNotApplied };
    let mut failover = keep(
        Failover::builder("f")
            .backend(eu.backend())
            .backend(us.backend().tier(1))
            .repeat(By(by))
            .build(),
    );
    eu.set(Fault::Refused);
    assert_eq!(failover.ready().await.unwrap().call(0).await.unwrap(), "us");
    eu.set(Fault::Dropped);
    let mut trials = [0, 0];
    for n in 0..6_000 {
        // One in seven is safe for half of the time, then none is.
        let request = u64::from(n >= 3_000 || n % 7 > 0);
        let before = eu.calls();
        let answer = failover.ready().await.unwrap().call(request).await;
        let tried = eu.calls() - before;
        trials[usize::from(n >= 3_000)] += tried;
        assert!(tried == 0 || n >= 3_000 || request == 0, "{n} was not safe");
        match answer {
            Ok(name) => assert_eq!(name, "us"),
            Err(error) => assert!(tried == 1 && error.is::<MayHaveRun>(), "{error}"),
        }
        sleep(TICK).await;
    }
    assert!(trials.iter().all(|trials| *trials >= 2), "{trials:?}");
}

#[tokio::test(start_paused = true)]
async fn failover_promise_3_who_is_preferred_by_hand_is_gone_back_to_after_a_failure() {
    let (eu, us) = (Site::new("eu"), Site::new("us"));
    let mut failover = keep(
        Failover::builder("f")
            .backend(eu.backend())
            .backend(us.backend().tier(1))
            .repeat(Repeat::Always)
            .build(),
    );
    failover.control().fail_over("us", "maintenance of eu", None).unwrap();
    assert_eq!(call(&mut failover).await.unwrap(), "us");
    us.set(Fault::Refused);
    assert_eq!(call(&mut failover).await.unwrap(), "eu");
    us.set(Fault::Nothing);
    let before = us.calls();
    for _ in 0..3600 {
        if call(&mut failover).await.unwrap() == "us" {
            return;
        }
        sleep(SECOND).await;
    }
    panic!("not in an hour; tried {} times", us.calls() - before);
}
