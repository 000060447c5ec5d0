use std::{collections::VecDeque, thread, time::Duration};

use proptest::prelude::*;

use super::*;
use crate::logic::testing::{Seen, check};

/// The documented window, slow and obvious.
enum Model {
    Calls { most: usize, calls: VecDeque<bool> },
    Time { slice: u64, calls: Vec<(u64, bool)> },
}

/// Laps after which the lap of a slice looks like the current one, or like the next.
const SAME_LAP: u64 = 65_536;

impl Model {
    fn new(window: Window) -> Self {
        match window {
            Window::Calls(calls) => Self::Calls { most: calls as usize, calls: VecDeque::new() },
            Window::Time(time) => Self::Time { slice: time.as_nanos() as u64 / 10, calls: vec![] },
        }
    }

    fn record(&mut self, bad: bool, now: u64) {
        match self {
            Self::Calls { most, calls } => {
                calls.push_back(bad);
                if calls.len() > *most {
                    calls.pop_front();
                }
            }
            Self::Time { slice, calls } => {
                let tick = now / *slice;
                let later_lap_has_begun = calls.iter().any(|(other, _)| *other == tick + 10);
                if !later_lap_has_begun {
                    calls.push((tick, bad));
                }
            }
        }
    }

    fn tally(&self, now: u64) -> Tally {
        let count = |calls: &mut dyn Iterator<Item = bool>| {
            calls.fold(Tally::default(), |sum, bad| Tally {
                bad: sum.bad + u64::from(bad),
                total: sum.total + 1,
            })
        };
        match self {
            Self::Calls { calls, .. } => count(&mut calls.iter().copied()),
            Self::Time { slice, calls } => {
                let latest = now / slice;
                let within = |tick: u64| tick <= latest && latest - tick < 10;
                count(&mut calls.iter().filter(|(tick, _)| within(*tick)).map(|(_, bad)| *bad))
            }
        }
    }

    /// Whether a slice saw no call for so long that its lap is taken for another.
    fn is_ambiguous(&self, now: u64) -> bool {
        let Self::Time { slice, calls } = self else { return false };
        (0..20).any(|lag| {
            let Some(tick) = (now / slice).checked_sub(lag) else { return false };
            let in_place = calls.iter().map(|(other, _)| *other).filter(|o| o % 10 == tick % 10);
            let Some(last) = in_place.max() else { return false };
            let laps = tick.saturating_sub(last) / 10;
            laps > 0 && matches!(laps % SAME_LAP, 0 | 65_535)
        })
    }
}

#[derive(Clone, Debug)]
enum Step {
    /// So many calls.
    Record {
        bad: bool,
        times: u32,
    },
    /// A call whose clock is behind by this share of two laps, in thousandths.
    Behind {
        bad: bool,
        share: u64,
    },
    /// A call of an earlier period.
    Late {
        bad: bool,
        back: u64,
    },
    /// Time passes: a share of the window, in thousandths.
    Wait {
        share: u64,
    },
    Idle {
        laps: u64,
    },
    Start {
        ahead: u64,
        window: Window,
    },
}

fn window() -> impl Strategy<Value = Window> {
    prop_oneof![
        (1u32..=CAPACITY).prop_map(Window::Calls),
        (1u32..=70).prop_map(Window::Calls),
        (10u64..=86_400_000).prop_map(|millis| Window::Time(Duration::from_millis(millis))),
        (100u64..=1_000).prop_map(|nanos| Window::Time(Duration::from_nanos(nanos))),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (any::<bool>(), 1u32..=4).prop_map(|(bad, times)| Step::Record { bad, times }),
        2 => (any::<bool>(), 1u32..=300).prop_map(|(bad, times)| Step::Record { bad, times }),
        3 => (any::<bool>(), 0u64..1_900).prop_map(|(bad, share)| Step::Behind { bad, share }),
        2 => (any::<bool>(), 1u64..=255).prop_map(|(bad, back)| Step::Late { bad, back }),
        6 => (0u64..=300).prop_map(|share| Step::Wait { share }),
        1 => (0u64..=1_200).prop_map(|share| Step::Wait { share }),
        1 => (1u64..=200_000).prop_map(|laps| Step::Idle { laps }),
        1 => (1u64..=255, window())
            .prop_map(|(ahead, window)| Step::Start { ahead, window }),
    ]
}

#[test]
fn a_window_holds_what_a_list_of_its_calls_holds() {
    let seen = Seen::new([
        "calls fell out",
        "time fell out",
        "whole lap behind",
        "idle for more laps than have numbers",
        "late call",
        "new period",
    ]);
    let input = (1_000u64..1 << 40, 0u64..1 << 62, window(), prop::collection::vec(step(), 0..60));
    check(file!(), 1_500, input, |(mut period, mut now, window, steps)| {
        let sut = SlidingWindow::new();
        sut.start(period, window);
        let mut model = Model::new(window);
        let mut time = match window {
            Window::Time(time) => time.as_nanos() as u64,
            Window::Calls(_) => 1_000,
        };
        for step in steps {
            match step {
                Step::Record { bad, times } => {
                    for _ in 0..times {
                        sut.record(period, bad, || Moment::from_nanos(now));
                        model.record(bad, now);
                    }
                }
                Step::Behind { bad, share } => {
                    let then = now.saturating_sub(time / 10 * 10 / 1_000 * share);
                    sut.record(period, bad, || Moment::from_nanos(then));
                    model.record(bad, then);
                    if share >= 1_000 {
                        seen.note("whole lap behind");
                    }
                }
                Step::Late { bad, back } => {
                    sut.record(period - back, bad, || Moment::from_nanos(now));
                    let tally = sut.tally(period - back, || Moment::from_nanos(now));
                    prop_assert_eq!(tally, Tally::default());
                    seen.note("late call");
                }
                Step::Wait { share } => now += time * share / 1_000,
                Step::Idle { laps } => {
                    let then = now.saturating_add(time / 10 * 10 * laps);
                    if then < 1 << 63 {
                        now = then;
                        if laps > SAME_LAP {
                            seen.note("idle for more laps than have numbers");
                        }
                    }
                }
                Step::Start { ahead, window } => {
                    period += ahead;
                    sut.start(period, window);
                    model = Model::new(window);
                    if let Window::Time(new) = window {
                        time = new.as_nanos() as u64;
                    }
                    seen.note("new period");
                }
            }
            while model.is_ambiguous(now) {
                now += time / 10 * 10;
            }
            let tally = sut.tally(period, || Moment::from_nanos(now));
            prop_assert_eq!(tally, model.tally(now), "period {}, now {}", period, now);
            match &model {
                Model::Calls { most, calls } if calls.len() == *most => seen.note("calls fell out"),
                Model::Time { calls, .. } if calls.len() as u64 > tally.total => {
                    seen.note("time fell out");
                }
                Model::Calls { .. } | Model::Time { .. } => {}
            }
        }
        Ok(())
    });
    seen.all();
}

#[test]
fn a_window_begins_empty_in_whatever_period() {
    for period in [0, 1, 256, 512, 65_536, 1 << 32, (1 << 62) - 1] {
        for kind in [Window::Calls(10), Window::Time(Duration::from_nanos(100))] {
            let window = SlidingWindow::new();
            window.start(period, kind);
            for nanos in [0, 99, 100, period] {
                let tally = window.tally(period, || Moment::from_nanos(nanos));
                assert_eq!(tally, Tally::default(), "{kind:?} in period {period} at {nanos}");
            }
        }
    }
}

#[test]
fn a_window_fits_five_cache_lines() {
    assert!(size_of::<SlidingWindow>() <= 5 * 64);
}

#[test]
fn a_window_of_any_number_of_calls_holds_the_last_ones() {
    for most in 1..=CAPACITY {
        let window = SlidingWindow::new();
        window.start(1, Window::Calls(most));
        let mut last = VecDeque::new();
        for call in 0..most + 40 {
            let bad = call % 3 == 0 || call % 7 == 0;
            window.record(1, bad, || Moment::ORIGIN);
            last.push_back(bad);
        }
        let bad = last.iter().rev().take(most as usize).filter(|bad| **bad).count() as u64;
        let tally = window.tally(1, || Moment::ORIGIN);
        assert_eq!(tally, Tally { bad, total: u64::from(most) }, "Calls({most})");
    }
}

#[test]
fn a_window_of_time_forgets_a_slice_at_a_time() {
    let at = |nanos| move || Moment::from_nanos(nanos);
    let window = SlidingWindow::new();
    window.start(1, Window::Time(Duration::from_nanos(100)));
    for tick in 0..10 {
        window.record(1, true, at(tick * 10 + 9));
    }
    for ahead in 0..10 {
        assert_eq!(window.tally(1, at(90 + 10 * ahead)).total, 10 - ahead);
        assert_eq!(window.tally(1, at(99 + 10 * ahead)).total, 10 - ahead);
    }
    assert_eq!(window.tally(1, at(190)), Tally::default());
}

#[test]
fn the_number_of_a_lap_wraps_without_a_trace() {
    let at = |tick: u64| move || Moment::from_nanos(tick * 10);
    let window = SlidingWindow::new();
    window.start(1, Window::Time(Duration::from_nanos(100)));
    for tick in 655_350..655_400 {
        window.record(1, tick % 2 == 0, at(tick));
        let total = (tick - 655_349).min(10);
        assert_eq!(window.tally(1, at(tick)).total, total, "tick {tick}");
    }
    window.record(1, true, at(655_389));
    assert_eq!(window.tally(1, at(655_399)).total, 10, "a call that is a lap behind");
}

#[test]
fn a_slice_at_its_brim_keeps_its_rate() {
    let window = SlidingWindow::new();
    for (period, (bad, of)) in (1..).zip([(1, 2), (1, 3), (99, 100), (1, 100), (1, 1), (0, 1)]) {
        window.start(period, Window::Time(Duration::from_secs(10)));
        let mut halved = false;
        let mut last = 0;
        for call in 0..(1u64 << 20) + 10_000 {
            window.record(period, call % of < bad, || Moment::ORIGIN);
            // Near the brim, and now and then.
            if call > (1 << 20) - 10 && call < (1 << 20) + 10 || call % 50_021 == 50_020 {
                let tally = window.tally(period, || Moment::ORIGIN);
                let rate = tally.bad as f64 / tally.total as f64;
                let bads = call / of * bad + (call % of + 1).min(bad);
                let truth = bads as f64 / (call + 1) as f64;
                assert!((rate - truth).abs() < 1e-5, "{rate} for {truth} after {call}");
                halved |= tally.total < last;
                last = tally.total;
            }
        }
        assert!(halved, "never reached the brim");
        assert!(last >= 1 << 19);
    }
}

#[test]
fn a_call_that_ends_a_slice_late_is_counted_where_it_began() {
    let at = |nanos| move || Moment::from_nanos(nanos);
    let window = SlidingWindow::new();
    window.start(1, Window::Time(Duration::from_nanos(100)));
    window.record(1, false, at(35));
    window.record(1, true, at(25));
    assert_eq!(window.tally(1, at(119)), Tally { bad: 1, total: 2 });
    assert_eq!(window.tally(1, at(120)), Tally { bad: 0, total: 1 });
    assert_eq!(window.tally(1, at(130)), Tally { bad: 0, total: 0 });
}

#[test]
fn calls_recorded_by_many_threads_are_all_counted() {
    const THREADS: u64 = 4;
    const CALLS: u64 = 20_000;
    let window = SlidingWindow::new();
    for (period, kind) in [(1, Window::Calls(CAPACITY)), (2, Window::Time(Duration::from_secs(1)))]
    {
        window.start(period, kind);
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    for _ in 0..CALLS {
                        window.record(period, true, || Moment::ORIGIN);
                    }
                });
            }
        });
        let all = match kind {
            Window::Calls(most) => u64::from(most),
            Window::Time(_) => THREADS * CALLS,
        };
        assert_eq!(window.tally(period, || Moment::ORIGIN), Tally { bad: all, total: all });
    }
}
