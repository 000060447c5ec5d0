//! Calls that are given up at every await point, and panics in everything that is not ours.
//!
//! The stack is the whole one over a service without a server, polled by hand on a clock that stands.

mod scene;
mod theatre;

use std::{collections::BTreeMap, io::Write};

use tokio::runtime::Builder;

use self::{
    scene::{ENDS, End, Scene},
    theatre::Theatre,
};

const RANDOM: usize = 100_000;

/// Every poll index of every scene with few polls.
async fn everything(theatre: &mut Theatre) -> usize {
    let mut scenes = Vec::new();
    for is_probe in [false, true] {
        for ready in [(0, End::Well), (2, End::Well), (1, End::Badly), (1, End::InPanic)] {
            for answer in ENDS.into_iter().flat_map(|end| (0..3).map(move |n| (n, end))) {
                for strategy in ENDS.into_iter().flat_map(|end| (0..2).map(move |n| (n, end))) {
                    let scene = Scene { is_probe, ready, answer, strategy, ..Scene::FINE };
                    scenes.push(scene);
                    scenes.push(Scene { classifier_panics: true, ..scene });
                    scenes.push(Scene { observer_panics: true, ..scene });
                    scenes.push(Scene { call_panics: true, ..scene });
                }
            }
        }
    }
    let mut played = 0;
    for scene in scenes {
        for cancelled_after in (0..8).chain([usize::MAX]) {
            theatre.play(Scene { cancelled_after, ..scene }).await;
            played += 1;
        }
    }
    played
}

fn run<T>(theatre: &mut Theatre, play: impl AsyncFnOnce(&mut Theatre) -> T) -> T {
    let runtime = Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    let done = runtime.block_on(play(theatre));
    assert_eq!(runtime.metrics().num_alive_tasks(), 0);
    done
}

/// Prints what happened, by where it ended.
fn report(name: &str, played: usize, seed: u64, theatre: &Theatre) {
    let mut ends = BTreeMap::<&str, u64>::new();
    for (end, n) in &theatre.happened {
        let kind = end.split(" after").next().unwrap_or(end);
        *ends.entry(kind.split(" at").next().unwrap_or(kind)).or_default() += n;
    }
    let broken = theatre.broken.len();
    let _ = writeln!(
        std::io::stdout(),
        "row={name} scenes={played} broken={broken} seed={seed} ends={ends:?}"
    );
}

#[track_caller]
fn holds(theatre: &Theatre) {
    assert!(theatre.broken.is_empty(), "{} broken: {}", theatre.broken.len(), theatre.broken[0]);
    let kinds = [
        "cancelled in ready",
        "cancelled in answer",
        "panicked in ready",
        "panicked in call",
        "panicked in answer",
        "failed",
        "answered by fallback",
        "answered by primary",
    ];
    for kind in kinds {
        for probe in [false, true] {
            let ends = theatre.happened.keys().filter(|end| end.starts_with(kind));
            let n = ends.filter(|end| end.ends_with(" as a probe") == probe).count();
            assert!(n > 0, "never {kind}, as a probe: {probe}");
        }
    }
}

#[test]
fn a_call_given_up_or_a_panic_at_every_poll_leaves_nothing_behind() {
    let mut theatre = Theatre::open(false);
    let played = run(&mut theatre, everything);
    report("every poll", played, 0, &theatre);
    holds(&theatre);
}

#[test]
fn a_hundred_thousand_calls_given_up_and_panics_leave_nothing_behind() {
    let seed = fastrand::u64(..);
    let mut theatre = Theatre::open(false);
    run(&mut theatre, async |theatre: &mut Theatre| {
        let mut random = fastrand::Rng::with_seed(seed);
        for _ in 0..RANDOM {
            theatre.play(Scene::random(&mut random)).await;
        }
    });
    report("random", RANDOM, seed, &theatre);
    holds(&theatre);
}

#[test]
fn a_call_given_up_or_a_panic_twin() {
    let mut theatre = Theatre::open(true);
    let played = run(&mut theatre, everything);
    report("every poll twin", played, 0, &theatre);
    assert!(!theatre.broken.is_empty(), "a lost permit is found out");
}
