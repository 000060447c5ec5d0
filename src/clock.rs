//! The one place where time is read.
//!
//! Everything runs on tokio's clock, so that a test which pauses it stops time
//! for the whole crate. Outside a runtime that clock is the system's.

use std::{
    cell::Cell,
    sync::OnceLock,
    time::{Duration, SystemTime},
};

use tokio::time::Instant;

use crate::logic::Moment;

/// Reads the clock.
#[inline(never)]
pub(crate) fn now() -> Moment {
    since_origin(Instant::now())
}

/// Reads the clock to within one tick of the kernel (1 to 10 ms) at a fifth of the cost.
///
/// Never runs ahead of [`now`]. A build with debug assertions reads the exact clock instead: a test
/// may pause and advance tokio's clock within the tick in which its thread last read the running one,
/// and nothing cheap tells that the two differ.
#[inline]
pub(crate) fn coarse() -> Moment {
    if cfg!(debug_assertions) { now() } else { at_tick() }
}

/// The time when this thread first saw the kernel's present tick.
///
/// Kept out of line: inlined, each use read 12 ns more in the overhead bench. Why was not
/// established.
#[inline(never)]
fn at_tick() -> Moment {
    let Some(tick) = tick() else { return now() };
    let (cached_tick, cached) = CACHED.get();
    if tick == cached_tick { cached } else { read_anew(tick) }
}

/// The instant at which a timer has to be set so that it fires within this time: tokio's fire a
/// millisecond or two late. A year at most, since some settings say `Duration::MAX` for ever.
pub(crate) fn deadline(within: Duration) -> Instant {
    const LATE: Duration = Duration::from_millis(2);
    let within = within.min(LONGEST);
    Instant::now() + (within - LATE.min(within / 10))
}

/// The instant at which a timer has to be set that must not fire before this time has passed. A
/// year at most.
pub(crate) fn alarm(after: Duration) -> Instant {
    Instant::now() + after.min(LONGEST)
}

const LONGEST: Duration = Duration::from_secs(365 * 86_400);

/// Reads the wall clock, for people, and for dates that come from other machines.
#[expect(clippy::disallowed_methods, reason = "this is the function that others are sent to")]
pub(crate) fn wall() -> SystemTime {
    SystemTime::now()
}

thread_local! {
    /// The last tick of the kernel's clock this thread saw, and tokio's time at it.
    static CACHED: Cell<((i64, i64), Moment)> = const { Cell::new(((i64::MIN, 0), Moment::ORIGIN)) };
}

#[cold]
#[expect(clippy::disallowed_methods, reason = "tells tokio's clock from the system's")]
fn read_anew(tick: (i64, i64)) -> Moment {
    let before = Instant::now();
    let system = std::time::Instant::now();
    let after = Instant::now();
    let moment = since_origin(after);
    // A paused clock stands still while the system's moves on, so the system's
    // reading does not lie between two of its own: then nothing may be cached.
    if before.into_std() <= system && system <= after.into_std() {
        CACHED.set((tick, moment));
    }
    moment
}

/// The origin lies a while before the first reading, because a clock that some
/// test paused earlier may be behind it.
fn since_origin(instant: Instant) -> Moment {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    let origin = *ORIGIN.get_or_init(|| {
        [86_400, 3_600, 60]
            .into_iter()
            .find_map(|seconds| instant.checked_sub(Duration::from_secs(seconds)))
            .unwrap_or(instant)
    });
    Moment::ORIGIN + instant.saturating_duration_since(origin)
}

#[cfg(target_os = "linux")]
#[inline]
fn tick() -> Option<(i64, i64)> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::MonotonicCoarse);
    Some((time.tv_sec, time.tv_nsec))
}

#[cfg(not(target_os = "linux"))]
fn tick() -> Option<(i64, i64)> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_paused_clock_stands_still_and_jumps_as_told() {
        let start = at_tick();
        for _ in 0..1_000 {
            assert_eq!(at_tick(), start);
        }
        tokio::time::advance(Duration::from_secs(30)).await;
        assert_eq!(at_tick(), start + Duration::from_secs(30));
        assert_eq!(now(), start + Duration::from_secs(30));
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_leaves_room_for_the_lateness_of_timers() {
        let left = |within| deadline(within) - Instant::now();
        assert_eq!(left(Duration::from_millis(100)), Duration::from_millis(98));
        assert_eq!(left(Duration::from_millis(10)), Duration::from_millis(9));
        assert_eq!(left(Duration::ZERO), Duration::ZERO);
        assert!(left(Duration::MAX) > Duration::from_secs(300 * 86_400));
    }

    #[test]
    fn the_coarse_clock_follows_the_exact_one() {
        let mut last = at_tick();
        let end = now() + Duration::from_secs(30);
        let mut ticks = 0;
        while ticks < 5 {
            let before = now();
            assert!(before < end, "stood still: {ticks} ticks");
            let coarse = at_tick();
            assert!(coarse >= last, "went back");
            assert!(coarse <= now(), "ran ahead");
            ticks += u32::from(coarse > last);
            last = coarse;
        }
    }
}
